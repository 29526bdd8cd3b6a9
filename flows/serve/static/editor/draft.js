// The recipe that is being made: its text, what the text says, what is wrong with it.
//
// The station brings form and text together and checks both; here is only what the person wants.
// Tells `changed` (a value, at once), `rebuilt` (steps or fields are others), `checked`.

import { askJson, Refused } from "../parts/ask.js";

const PAUSE_MS = 150;
const MOST_UNDO = 100;

export const SESSION = Array.from(crypto.getRandomValues(new Uint8Array(12)), (one) =>
  one.toString(16).padStart(2, "0"),
).join("");

export class Draft extends EventTarget {
  camera = "";
  text = "";
  values = {};
  own = [];
  complaints = [];
  tag = null;
  commentsKept = true;
  recipe = null;
  trouble = null;
  #saved = "";
  #timer = null;
  #wish = 0;
  #answered = 0;
  #past = [];
  #typed = false;

  /** Whether there is anything that is not saved. */
  get dirty() {
    return this.text !== this.#saved || this.#wish !== this.#answered;
  }

  /** Whether what is shown has been checked and is without mistakes. */
  get sound() {
    return this.#wish === this.#answered && this.complaints.length === 0 && this.recipe !== null;
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  /** Begin with a camera's recipe as it is. */
  async open(camera) {
    const found = await askJson(`/v1/recipes/${encodeURIComponent(camera)}`, { seconds: 60 });
    clearTimeout(this.#timer);
    this.#answered = ++this.#wish;
    this.camera = camera;
    this.#past = [];
    this.#saved = found.text;
    this.tag = found.tag;
    this.#take(found);
    this.#tell("rebuilt");
    this.#tell("checked");
  }

  /** Change the values; `rebuild` when steps or fields come, go or move. */
  change(alter, { rebuild = false } = {}) {
    this.#remember();
    const values = structuredClone(this.values);
    alter(values);
    this.values = values;
    this.#typed = false;
    this.#tell(rebuild ? "rebuilt" : "changed");
    this.#later(PAUSE_MS);
  }

  /** Put another text in its place. */
  write(text, pause = PAUSE_MS) {
    if (text === this.text) return;
    this.#remember();
    this.text = text;
    this.#typed = true;
    this.#later(pause);
  }

  undo() {
    const text = this.#past.pop();
    if (text === undefined) return;
    this.text = text;
    this.#typed = true;
    this.#later(0);
  }

  /** Check what could not be checked, now that the station is there again. */
  again() {
    if (this.camera !== "" && this.#wish !== this.#answered) this.#later(0);
  }

  /** Keep a text that was never this draft's, so that Undo brings it. */
  rememberText(text) {
    this.#past.push(text);
    this.#tell("checked");
  }

  /** Save it over what has this tag; throws Refused (412: somebody else has written). */
  async save() {
    const headers = this.tag === null ? { "If-None-Match": "*" } : { "If-Match": `"${this.tag}"` };
    const text = this.text;
    const found = await askJson(this.#path(""), { method: "PUT", body: { text }, headers, seconds: 60 });
    this.tag = found.tag;
    this.#saved = text;
    this.#tell("checked");
    return found;
  }

  /** Ask whether a code may be one of a field. */
  attempt(field, code, signal) {
    const body = { text: this.text, field, code };
    return askJson(this.#path("/try"), { method: "POST", body, signal, seconds: 60 });
  }

  #path(rest) {
    return `/v1/recipes/${encodeURIComponent(this.camera)}${rest}`;
  }

  #remember() {
    if (this.#past.at(-1) !== this.text) this.#past.push(this.text);
    if (this.#past.length > MOST_UNDO) this.#past.shift();
  }

  #later(pause) {
    const wish = ++this.#wish;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#check(wish), pause);
    this.#tell("waiting");
  }

  async #check(wish) {
    const typed = this.#typed;
    const body = { text: this.text, values: typed ? null : this.values, session: SESSION };
    let found;
    try {
      found = await askJson(this.#path("/check"), { method: "POST", body, seconds: 60 });
      this.trouble = null;
    } catch (error) {
      if (wish !== this.#wish || (error instanceof Refused && error.error === "superseded")) return;
      this.trouble = error.message;
      this.#tell("checked");
      return;
    }
    if (wish !== this.#wish) return;
    this.#answered = wish;
    this.#take(found, { keepValues: !typed });
    if (typed) this.#tell("rebuilt");
    this.#tell("checked");
  }

  #take(found, { keepValues = false } = {}) {
    this.text = found.text;
    this.own = found.own;
    this.complaints = found.complaints;
    this.recipe = found.recipe;
    this.commentsKept = found.comments_kept;
    // What a person is typing is not put back to what it was a moment ago.
    if (!keepValues) this.values = found.values;
  }

  #tell(what) {
    this.dispatchEvent(new Event(what));
  }
}

/** The steps of a recipe's values, in order: [name, options]. */
export const stepsOf = (values) =>
  Array.isArray(values.preprocess)
    ? values.preprocess.map((step) => (step && typeof step === "object" ? Object.entries(step)[0] : undefined) ?? ["?", {}])
    : [];

/** The fields of a recipe's values; one that says nothing where there is none. */
export const fieldsOf = (values) =>
  Array.isArray(values.fields) && values.fields.length
    ? values.fields.map((field) => (field && typeof field === "object" ? field : {}))
    : [{}];
