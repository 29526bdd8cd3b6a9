// What is to be read: each field's way of finding, its format, and a code tried on it.

import { h, put, say } from "../parts/dom.js";
import { shape } from "../parts/shapes.js";
import { fieldsOf } from "./draft.js";
import { form } from "./form.js";

const NOTATION = [
  ["KX", "these characters"],
  ["\\d", "a digit"],
  ["[A-Z]", "one capital; [A-HJ-NP-Z] leaves I and O out"],
  ["\\d{6}", "six digits; {2,4} two to four"],
  ["-?", "a dash that may be missing"],
  ["(EXP|LOT)", "one or the other"],
  ["(?P<lot>\\d{4})", "a part with a name, for its own check digit or date"],
];

export class Fields {
  #draft;
  #forms;
  #select;
  #draw;
  #items = [];
  #list = h("div", { class: "stack" });
  #chosen = -1;

  /** `select(index)` is told which field is chosen, `draw(index)` to draw the part to search. */
  constructor(draft, forms, select, draw) {
    this.#draft = draft;
    this.#forms = forms;
    this.#select = select;
    this.#draw = draw;
    this.element = h("div", { class: "stack" }, this.#list, h("div", { class: "row" }, h("button", { onclick: () => this.#add() }, "Add a field…")));
  }

  build() {
    const fields = fieldsOf(this.#draft.values);
    this.#items = fields.map((field, index) => this.#item(field, index, fields.length));
    put(this.#list, this.#items.map((item) => item.element));
    this.choose(this.#chosen);
  }

  update() {
    this.#items.forEach((item) => item.update());
  }

  choose(index) {
    this.#chosen = index;
    this.#items.forEach((item, at) => item.element.classList.toggle("chosen", at === index));
  }

  /** The draft is another: what was tried is tried again. */
  tryAgain() {
    this.#items.forEach((item) => item.attempt());
  }

  /** Give a field's detector other options. */
  setDetect(index, detect) {
    this.#change(index, (field) => ({ ...field, detect }));
  }

  #change(index, alter, options) {
    this.#draft.change((values) => {
      values.fields = fieldsOf(values).map((field, at) => (at === index ? alter(field) : field));
    }, options);
  }

  #add() {
    const index = fieldsOf(this.#draft.values).length;
    const names = fieldsOf(this.#draft.values).map((field) => field.name ?? this.#forms.field.properties.name.default);
    let name = "second";
    for (let at = 2; names.includes(name); at += 1) name = `field-${at}`;
    this.#draft.change((values) => { values.fields = [...fieldsOf(values), { name }]; }, { rebuild: true });
    this.#select(index);
  }

  #item(field, index, count) {
    const now = () => fieldsOf(this.#draft.values)[index] ?? {};
    const part = (schema, key, first = []) =>
      form(schema, {
        path: key ? ["fields", index, key] : ["fields", index],
        first,
        get: () => (key ? (now()[key] ?? {}) : now()),
        set: (value) => this.#change(index, (old) => (key ? { ...old, [key]: value } : value)),
      });
    const map = part(this.#forms.map, "map", ["format", "case"]);
    const about = part(this.#forms.field, null, ["name", "threshold"]);
    const detect = this.#engine(index, "detect", this.#forms.detectors, this.#detector(now()));
    const recogniser = now().recogniser ? this.#engine(index, "recogniser", this.#forms.recognisers, now().recogniser.use) : null;
    const tester = this.#tester(index);
    const element = h(
      "section",
      { class: "field", "data-path": `fields.${index}` },
      count > 1 ? h("div", { class: "row" }, h("h3", {}, field.name ?? `Field ${index + 1}`), h("button", { class: "push tool", "aria-label": `Remove field ${index + 1}`, onclick: () => this.#change_all(index) }, "✕")) : null,
      h("p", { class: "refusal", hidden: true }),
      map.element,
      tester.element,
      h("details", {}, h("summary", {}, "How to write a format"), h("table", {}, h("tbody", {}, NOTATION.map(([sign, meaning]) => h("tr", {}, h("td", {}, h("code", {}, sign)), h("td", {}, meaning)))))),
      h("details", { ontoggle: (event) => { if (event.target.open && event.target === event.currentTarget) this.#select(index); } }, h("summary", {}, "Where and how it is found"), h("div", { class: "row" }, h("button", { onclick: () => this.#draw(index) }, "Draw the part to search"), h("button", { onclick: () => this.#everywhere(index) }, "Search all of it")), detect.element, recogniser ? h("h4", {}, "Recogniser of its own") : null, recogniser?.element),
      h("details", { open: count > 1 }, h("summary", {}, "Name, threshold and the rest"), about.element),
    );
    const update = () => [map, about, detect, recogniser].forEach((one) => one?.update());
    return { element, update, attempt: tester.attempt };
  }

  #detector(field) {
    return field.detect?.use ?? "neural";
  }

  #engine(index, key, known, use) {
    const names = Object.keys(known);
    const chooser = h("select", { "aria-label": key === "detect" ? "detector" : key, onchange: () => this.#change(index, (field) => ({ ...field, [key]: { use: chooser.value } }), { rebuild: true }) }, [...new Set([use, ...names])].map((name) => h("option", { value: name }, name)));
    chooser.value = use;
    const made = known[use]
      ? form(known[use].schema, {
          path: ["fields", index, key],
          get: () => fieldsOf(this.#draft.values)[index]?.[key] ?? {},
          set: (value) => this.#change(index, (field) => ({ ...field, [key]: { use, ...value } })),
        })
      : null;
    return { element: h("div", { class: "stack" }, h("label", {}, key === "detect" ? "Detector" : "Engine", chooser), h("small", {}, known[use]?.about ?? ""), made?.element), update: () => made?.update() };
  }

  #everywhere(index) {
    const { within_px, within_fraction, ...detect } = fieldsOf(this.#draft.values)[index].detect ?? { use: "neural" };
    this.setDetect(index, detect);
  }

  #change_all(index) {
    this.#draft.change((values) => { values.fields = fieldsOf(values).filter((_, at) => at !== index); }, { rebuild: true });
    this.#select(-1);
  }

  #tester(index) {
    let running = null;
    const answer = h("p", { class: "row", role: "status" });
    const id = `try-${index}`;
    const field = h("input", { id, type: "text", class: "code", placeholder: "type a code", spellcheck: "false", autocomplete: "off", oninput: () => attempt() });
    const attempt = async () => {
      running?.abort();
      if (field.value === "" || !this.#draft.sound) return put(answer);
      const mine = (running = new AbortController());
      try {
        const found = await this.#draft.attempt(index, field.value, mine.signal);
        const checks = found.checks.map((one) => `${one.scheme}: ${one.complaint ? "wrong" : "right"}`);
        const segments = Object.entries(found.segments).map(([name, value]) => `${name} ${value}`);
        put(answer, h("span", { class: "light", "data-level": found.accepted ? "well" : "warn" }, shape(found.accepted ? "tick" : "cross")), h("code", {}, found.cleaned), h("span", {}, found.accepted ? "may be a code." : `is no code: ${found.reason}.`), h("small", {}, [...segments, ...checks].join(" · ")));
      } catch (error) {
        if (!mine.signal.aborted) say(answer, error.message);
      }
    };
    return { element: h("div", { class: "option try" }, h("label", { class: "name", for: id }, "Try a code"), field, answer), attempt };
  }
}
