// The steps before the reading, in order, each with its form and what it made of the picture.

import { h, put, say } from "../parts/dom.js";
import { stepsOf } from "./draft.js";
import { form, words } from "./form.js";
import { SHAPES } from "./geometry.js";

/** What a new step begins with, where it needs to be told something. */
const BEGIN = {
  crop: ([width, height]) => ({ box_px: [0.1 * width, 0.1 * height, 0.9 * width, 0.9 * height].map(Math.round) }),
  perspective: ([width, height]) => ({
    corners_px: [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]].map(([x, y]) => [Math.round(x * width), Math.round(y * height)]),
  }),
  contrast: () => ({ factor: 2 }),
  resize: () => ({ scale: 2 }),
  rotate: () => ({ degrees: 90 }),
  unroll_arc: () => ({ fit: true }),
  unroll_polygon: () => ({ fit: true }),
};

export class Steps {
  #draft;
  #forms;
  #select;
  #sizeAt;
  #list = h("ol", { class: "steps", "aria-label": "Steps, in order" });
  #none = h("p", { class: "muted" }, "None yet: the picture is read as it comes.");
  #items = [];
  #chosen = -1;
  #dragged = -1;

  /** `select(index)` is told which step is chosen; `sizeAt(index)` gives the picture's size there. */
  constructor(draft, forms, select, sizeAt) {
    this.#draft = draft;
    this.#forms = forms;
    this.#select = select;
    this.#sizeAt = sizeAt;
    const dialog = this.#chooser();
    this.element = h("div", { class: "stack" }, this.#none, this.#list, h("div", { class: "row" }, h("button", { id: "add-step", onclick: () => dialog.showModal() }, "Add a step…")), dialog);
  }

  /** The steps are others: make their forms anew. */
  build() {
    const steps = stepsOf(this.#draft.values);
    this.#none.hidden = steps.length > 0;
    this.#items = steps.map(([name], index) => this.#item(name, index, steps.length));
    put(this.#list, this.#items.map((item) => item.element));
    this.choose(this.#chosen);
  }

  /** Values changed elsewhere. */
  update() {
    this.#items.forEach((item) => item.form?.update());
  }

  choose(index) {
    this.#chosen = index;
    this.#items.forEach((item, at) => {
      item.title.setAttribute("aria-expanded", String(at === index));
      item.element.classList.toggle("chosen", at === index);
      item.body.hidden = at !== index;
    });
  }

  /** What each step made of the picture. */
  show(result) {
    this.#items.forEach((item, index) => {
      const frame = result?.frames[index + 1];
      const missing = result && !frame && (result.failure === null || index >= result.frames.length - 1);
      if (frame) {
        item.thumb.setAttribute("src", frame.url);
        item.thumb.alt = `after ${item.name}`;
      }
      item.thumb.hidden = !frame;
      item.element.classList.toggle("stopped", Boolean(missing && result.failure));
      say(item.told, frame ? `${frame.size[0]} × ${frame.size[1]} · ${frame.ms < 10 ? frame.ms.toFixed(1) : Math.round(frame.ms)} ms` : "");
    });
  }

  /** Add a step at this place, or in the end, and choose it. */
  add(name, at = this.#items.length, options = BEGIN[name]?.(this.#sizeAt(at)) ?? this.#begun(name)) {
    this.#draft.change((values) => { values.preprocess = [...(values.preprocess ?? []).slice(0, at), { [name]: options }, ...(values.preprocess ?? []).slice(at)]; }, { rebuild: true });
    this.#select(at);
    this.#items[at]?.title.focus();
  }

  #begun(name) {
    const { schema } = this.#forms.operations[name];
    return Object.fromEntries((schema.required ?? []).map((key) => [key, Math.max(1, schema.properties[key].minimum ?? 1)]));
  }

  #item(name, index, count) {
    const known = this.#forms.operations[name];
    const title = h("button", { class: "title", onclick: () => this.#select(this.#chosen === index ? -1 : index) }, h("span", { class: "number" }, String(index + 1)), h("strong", {}, words(name)), h("span", { class: "muted about" }, known?.about.replace(/\.$/, "") ?? "unknown"));
    const thumb = h("img", { class: "thumb", alt: "", hidden: true });
    const told = h("small", { class: "told" });
    const made = known
      ? form(known.schema, {
          path: ["preprocess", index, name],
          first: known.schema.required ?? [],
          get: () => stepsOf(this.#draft.values)[index]?.[1] ?? {},
          set: (options) => this.set(index, options),
        })
      : null;
    const tool = (words, label, act, disabled = false) => h("button", { class: "tool", title: label, "aria-label": `${label}: step ${index + 1}, ${name}`, disabled, onclick: act }, words);
    const body = h("div", { class: "body", hidden: true }, made?.element, SHAPES[name] ? h("p", { class: "muted" }, "Its shape can be moved in the picture.") : null);
    const element = h(
      "li",
      { "data-path": `preprocess.${index}`, draggable: "true" },
      h("div", { class: "head" }, title, thumb, h("span", { class: "tools" }, tool("↑", "Earlier", () => this.#move(index, index - 1), index === 0), tool("↓", "Later", () => this.#move(index, index + 1), index === count - 1), tool("✕", "Remove", () => this.#remove(index)))),
      told,
      h("p", { class: "refusal", hidden: true }),
      body,
    );
    element.addEventListener("dragstart", (event) => {
      // Text in a form is dragged as text.
      if (event.target !== element || body.contains(document.activeElement)) return event.preventDefault();
      this.#dragged = index;
      event.dataTransfer.effectAllowed = "move";
    });
    element.addEventListener("dragover", (event) => { if (this.#dragged >= 0) event.preventDefault(); });
    element.addEventListener("drop", (event) => {
      event.preventDefault();
      if (this.#dragged >= 0 && this.#dragged !== index) this.#move(this.#dragged, index);
      this.#dragged = -1;
    });
    element.addEventListener("dragend", () => { this.#dragged = -1; });
    return { name, element, title, thumb, told, body, form: made };
  }

  /** Give a step other options. */
  set(index, options) {
    this.#draft.change((values) => {
      const [name] = Object.keys(values.preprocess[index]);
      values.preprocess[index] = { [name]: options };
    });
  }

  #move(from, to) {
    this.#draft.change((values) => {
      const [step] = values.preprocess.splice(from, 1);
      values.preprocess.splice(to, 0, step);
    }, { rebuild: true });
    this.#select(this.#chosen === from ? to : -1);
    this.#items[to]?.title.focus();
  }

  #remove(index) {
    this.#draft.change((values) => { values.preprocess.splice(index, 1); }, { rebuild: true });
    this.#select(-1);
    (this.#items[Math.min(index, this.#items.length - 1)]?.title ?? document.getElementById("add-step")).focus();
  }

  #chooser() {
    const names = Object.keys(this.#forms.operations);
    const buttons = names.map((name) =>
      h("button", { class: "operation", onclick: () => { dialog.close(); this.add(name); } }, h("strong", {}, words(name)), h("span", { class: "muted" }, this.#forms.operations[name].about)),
    );
    const filter = h("input", { type: "search", placeholder: "Which? e.g. crop, contrast, rotate", "aria-label": "Find an operation", oninput: () => narrow() });
    const narrow = () => buttons.forEach((button) => { button.hidden = !button.textContent.toLowerCase().includes(filter.value.trim().toLowerCase()); });
    const dialog = h("dialog", { "aria-labelledby": "choose-step", class: "chooser" }, h("div", { class: "stack" }, h("div", { class: "row" }, h("h2", { id: "choose-step" }, "Add a step"), h("button", { class: "push", onclick: () => dialog.close() }, "Cancel")), filter, h("div", { class: "operations" }, buttons)));
    return dialog;
  }
}
