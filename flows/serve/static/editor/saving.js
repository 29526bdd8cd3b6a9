// Saving: whole or not at all, never over what somebody else wrote unseen; and what was before.

import { askJson, Refused } from "../parts/ask.js";
import { h, put, say } from "../parts/dom.js";
import { clock, moment } from "../parts/format.js";

/** Ask something that has a few answers; gives the one chosen, or null. */
export function choose(title, content, answers) {
  return new Promise((resolve) => {
    const dialog = h("dialog", { "aria-labelledby": "asked" }, h("div", { class: "stack" }, h("h2", { id: "asked" }, title), content, h("div", { class: "row" }, answers.map(([words, answer], at) => h("button", { class: at === 0 ? "first" : null, onclick: () => { dialog.returnValue = answer; dialog.close(answer); } }, words)))));
    dialog.addEventListener("close", () => { dialog.remove(); resolve(dialog.returnValue || null); });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Lines of two texts side by side: [sign, line], the sign "-" for the first's own, "+" the other's. */
export function difference(one, other) {
  const [a, b] = [one.split("\n"), other.split("\n")];
  const longest = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i -= 1)
    for (let j = b.length - 1; j >= 0; j -= 1)
      longest[i][j] = a[i] === b[j] ? longest[i + 1][j + 1] + 1 : Math.max(longest[i + 1][j], longest[i][j + 1]);
  const found = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) found.push([" ", a[(j += 1, i++)]]);
    else if (j >= b.length || (i < a.length && longest[i + 1][j] >= longest[i][j + 1])) found.push(["-", a[i++]]);
    else found.push(["+", b[j++]]);
  }
  return found;
}

const compared = (theirs, mine) =>
  h("div", { class: "compared scroll code", role: "group", "aria-label": "Their lines (-) and yours (+)" }, difference(theirs, mine).map(([sign, line]) => h("div", { "data-sign": sign }, `${sign} ${line}`)));

export class Saving {
  #draft;
  #writable = false;
  #button = h("button", { class: "first", id: "save", disabled: true, onclick: () => this.save() }, "Save");
  #undo = h("button", { disabled: true, onclick: () => this.#draft.undo() }, "Undo");
  #state = h("p", { role: "status", id: "save-state" });
  #before = h("select", { "aria-label": "Earlier texts", onchange: () => this.#bringBack() });
  #last = "";
  #saved;

  /** `saved()` is called when a recipe was written. */
  constructor(draft, saved) {
    this.#draft = draft;
    this.#saved = saved;
    this.element = h("div", { class: "row" }, this.#state, this.#undo, this.#button);
    this.earlier = h("label", { hidden: true }, "Earlier", this.#before);
    addEventListener("beforeunload", (event) => { if (draft.dirty) event.preventDefault(); });
    document.addEventListener("keydown", (event) => {
      if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "s") return;
      event.preventDefault();
      if (!this.#button.disabled) this.save();
    });
  }

  set writable(may) {
    this.#writable = may;
    this.show();
  }

  /** Show what can be done now. */
  show() {
    const draft = this.#draft;
    this.#undo.disabled = !draft.canUndo;
    this.#button.disabled = !(this.#writable && draft.dirty && draft.sound);
    const wrong = draft.complaints.length;
    let words = this.#last;
    if (draft.trouble) words = draft.trouble;
    else if (wrong) words = wrong === 1 ? "1 mistake" : `${wrong} mistakes`;
    else if (!this.#writable) words = "Only to try out: saving is off here (serve.editor).";
    else if (draft.dirty) words = draft.commentsKept ? "Not saved" : "Not saved; its comments could not be kept";
    this.#state.dataset.level = draft.trouble || wrong ? "warn" : "";
    say(this.#state, words);
  }

  /** Another camera's recipe is open. */
  async opened() {
    this.#last = this.#draft.tag === null ? "This camera has no recipe of its own yet." : "";
    this.show();
    await this.#list();
  }

  async save() {
    this.#button.disabled = true;
    try {
      const found = await this.#draft.save();
      this.#last = `Saved at ${clock(new Date())}. The line reads by it in a moment${found.kept ? "; the one before is kept" : ""}.`;
      this.show();
      this.#saved();
      await this.#list();
    } catch (error) {
      if (error instanceof Refused && error.status === 412) await this.#conflict();
      else await choose("It was not saved", h("p", {}, `${error.message}. ${error.remedy ?? ""}`), [["Back", "back"]]);
      this.show();
    }
  }

  /** May another recipe be opened? Asks where something is not saved. */
  async mayLeave() {
    if (!this.#draft.dirty) return true;
    const answer = await choose("Your changes are not saved", h("p", {}, `Those to ${this.#draft.camera} would be lost.`), [["Stay", "stay"], ["Drop them", "drop"]]);
    return answer === "drop";
  }

  async #conflict() {
    const draft = this.#draft;
    const theirs = await askJson(`/v1/recipes/${encodeURIComponent(draft.camera)}`, { seconds: 60 });
    const answer = await choose(
      "Somebody else has saved this recipe meanwhile",
      h("div", { class: "stack" }, h("p", {}, "Lines with - are theirs, lines with + are yours. Whichever you take, the other can be brought back or is still here."), compared(theirs.text, draft.text)),
      [["Back to mine", "back"], ["Take theirs", "theirs"], ["Write mine over it", "mine"]],
    );
    if (answer === "back" || answer === null) return;
    draft.tag = theirs.tag;
    if (answer === "mine") await this.save();
    else {
      const mine = draft.text;
      await draft.open(draft.camera);
      this.#last = "Theirs is open now; Undo brings yours back.";
      draft.rememberText(mine);
    }
  }

  async #list() {
    const { earlier } = await askJson(`/v1/recipes/${encodeURIComponent(this.#draft.camera)}/earlier`);
    this.earlier.hidden = earlier.length === 0;
    put(this.#before, h("option", { value: "" }, "as it is"), earlier.map((stamp) => h("option", { value: stamp }, `until ${moment(stamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d).*$/, "$1-$2-$3T$4:$5:$6Z"))}`)));
  }

  async #bringBack() {
    const stamp = this.#before.value;
    if (stamp === "") return;
    const { text } = await askJson(`/v1/recipes/${encodeURIComponent(this.#draft.camera)}/earlier/${stamp}`);
    this.#before.value = "";
    this.#draft.write(text, 0);
  }
}
