// The list of readings, newest first; the newest is large enough to be read from two metres.

import { at, h, put, say } from "../parts/dom.js";
import { percent, when } from "../parts/format.js";
import { chip } from "../parts/shapes.js";

const MOST = 40;
const CROP_PX = 120;
const WHOLE_PX = 320;
const SPEAK_MS = 8000;
const LONG = 28;

export class Readings {
  #open;
  #rows = [];
  #items = new Map();
  #held = null;
  #spokeAt = 0;

  /** `open(row)` is called for the reading that somebody wants to see. */
  constructor(open) {
    this.#open = open;
    at("hold").addEventListener("click", () => this.#toggle());
    at("list").addEventListener("keydown", (event) => this.#walk(event));
  }

  /** Rows in the order of their `seq`. */
  add(rows) {
    if (this.#held !== null) {
      this.#held = [...this.#held, ...rows].slice(-MOST);
      say(at("hold"), `Go on (${this.#held.length}${this.#held.length === MOST ? "+" : ""} new)`);
      return;
    }
    const shown = this.#rows.length > 0;
    for (const row of rows.slice(-MOST)) this.#show(row, shown);
    for (const row of this.#rows.splice(MOST)) {
      this.#items.get(row.id).remove();
      this.#items.delete(row.id);
    }
    if (shown) this.#speak(rows);
  }

  clear() {
    this.#rows = [];
    this.#items.clear();
    put(at("list"));
  }

  /** The id of the reading so many places on from this one; null at the ends. */
  neighbour(id, step) {
    const place = this.#rows.findIndex((row) => row.id === id);
    return place < 0 ? null : (this.#rows[place + step]?.id ?? null);
  }

  #show(row, fresh) {
    const item = reading(row, fresh, () => this.#open(row));
    this.#items.get(row.supersedes)?.classList.add("superseded");
    this.#rows.unshift(row);
    this.#items.set(row.id, item);
    at("list").prepend(item);
  }

  #toggle() {
    const held = this.#held;
    this.#held = held === null ? [] : null;
    at("hold").setAttribute("aria-pressed", String(held === null));
    say(at("hold"), held === null ? "Go on" : "Hold");
    if (held !== null) this.add(held);
  }

  #walk(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    const buttons = [...at("list").querySelectorAll("button")];
    buttons[buttons.indexOf(document.activeElement) + step]?.focus();
    event.preventDefault();
  }

  // Not every part of a fast line: what wants attention, and now and then the newest.
  #speak(rows) {
    const now = Date.now();
    const row = rows.findLast((one) => one.status !== "read") ?? rows.at(-1);
    if (row.status === "read" && now - this.#spokeAt < SPEAK_MS) return;
    this.#spokeAt = now;
    say(at("announce"), `${row.camera}: ${row.status} ${row.code ?? row.reason ?? ""}`);
  }
}

function reading(row, fresh, open) {
  const words = row.code ?? row.candidate ?? row.text ?? "";
  const shown = words === "" ? (row.reason ? "" : "—") : row.code ?? `${words} ?`;
  const code = h("span", { class: row.code === null ? "code unsafe" : "code", "data-length": words.length > LONG ? "long" : null }, shown);
  // As large as there is room for on one line.
  code.style.setProperty("--characters", Math.max(6, shown.length));
  return h(
    "li",
    { "data-status": row.status },
    h(
      "button",
      { class: fresh ? "reading fresh" : "reading", onclick: open, "data-id": row.id },
      crop(row),
      h(
        "span",
        { class: "what" },
        shown && code,
        row.reason && h("span", { class: "why" }, row.reason),
      ),
      h("span", { class: "how" }, chip(row.status), h("span", { class: "number" }, percent(row.confidence))),
      h("span", { class: "where" }, h("span", { class: "camera" }, row.camera), h("small", { class: "number" }, when(row.read_at)), h("small", { class: "file" }, row.image)),
    ),
  );
}

function crop(row) {
  const place = h("span", { class: "crop" });
  if (row.status === "failed") return place;
  // Where no mark was found, the whole picture says more than nothing.
  const view = row.outline === null ? `view?edge_px=${WHOLE_PX}` : `crop?height_px=${CROP_PX}`;
  const picture = h("img", { src: `/v1/readings/${encodeURIComponent(row.id)}/${view}`, alt: "", loading: "lazy", decoding: "async" });
  picture.addEventListener("error", () => picture.remove());
  place.append(picture);
  return place;
}
