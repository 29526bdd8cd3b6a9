// Pictures that failed, each with its reason and a way to have it read again.

import { ask, askJson } from "../parts/ask.js";
import { at, h, put, say } from "../parts/dom.js";
import { count, when } from "../parts/format.js";

const AGAIN_MS = 2000;

export class Failures {
  #camera;
  #open;
  #wished = new Set();
  #failed = null;
  #looking = null;
  #key = "";
  #listed = [];

  /** `open(id)` shows the details of one. */
  constructor(camera, open) {
    this.#camera = camera;
    this.#open = open;
    at("reread-all").addEventListener("click", () => this.#all());
  }

  /** How many have failed so far, as the station counts: a change is a reason to look. */
  told(failed) {
    if (failed === this.#failed) return;
    this.#failed = failed;
    this.look();
  }

  /** Ask for the list, and again while some are still to be read. */
  async look() {
    clearTimeout(this.#looking);
    try {
      const query = this.#camera === null ? "" : `?camera=${encodeURIComponent(this.#camera)}`;
      const found = await askJson(`/v1/failures${query}`);
      this.#show(found);
      if (found.failures.some((one) => one.wished)) this.#looking = setTimeout(() => this.look(), AGAIN_MS);
    } catch {
      // It is looked for again when the station is back: its count is told then.
      this.#failed = null;
    }
  }

  /** Have a picture read again; true when the station has taken the wish. */
  async wish(id) {
    at("failures-refusal").hidden = true;
    try {
      await ask(`/v1/readings/${encodeURIComponent(id)}/reread`, { method: "POST" });
    } catch (error) {
      say(at("failures-refusal"), error.remedy ? `${error.message}: ${error.remedy}` : error.message);
      at("failures-refusal").hidden = false;
      return false;
    }
    this.look();
    return true;
  }

  async #all() {
    at("reread-all").disabled = true;
    for (const one of this.#listed.filter((one) => one.kept && !one.wished)) {
      if (!(await this.wish(one.id))) break;
    }
    at("reread-all").disabled = false;
  }

  #show(found) {
    const key = JSON.stringify(found);
    if (key === this.#key) return;
    this.#key = key;
    this.#listed = found.failures;
    at("failures").hidden = found.failures.length === 0;
    at("reread-all").hidden = !found.failures.some((one) => one.kept && !one.wished);
    say(at("failures-head"), `Failed pictures: ${found.more ? "newest " : ""}${count(found.failures.length)}`);
    const focused = document.activeElement?.closest("#failures-list li")?.dataset.id;
    put(at("failures-list"), found.failures.map((one) => this.#item(one)));
    const again = [...at("failures-list").children].find((item) => item.dataset.id === focused);
    again?.querySelector("button:not(:disabled)")?.focus();
  }

  #item(one) {
    const words = one.wished ? "Will be read" : one.kept ? "Read again" : "Not kept";
    return h(
      "li",
      { "data-id": one.id },
      h("p", {}, h("strong", {}, one.camera), " ", h("small", { class: "number" }, when(one.read_at))),
      h("p", { class: "code" }, one.image),
      h("p", { class: "why" }, one.reason),
      h(
        "p",
        { class: "row" },
        h("button", { class: "again", disabled: one.wished || !one.kept, "aria-label": `${words}: ${one.image}`, onclick: () => this.wish(one.id) }, words),
        h("button", { "aria-label": `Details of ${one.image}`, onclick: () => this.#open(one.id) }, "Details"),
      ),
    );
  }
}
