// One reading in full: its picture with the region drawn over it, the evidence for each character,
// the times of the steps, what the machine replied. The address names it (#reading=ID).

import { ask, askJson } from "../parts/ask.js";
import { at, h, put, s } from "../parts/dom.js";
import { moment, percent } from "../parts/format.js";
import { chip } from "../parts/shapes.js";

const PREFIX = "#reading=";

export class Details {
  #dialog = at("details");
  #wish;
  #address = null;
  #id = null;

  /** Gives the id of the reading before (1) or after (-1) one; the page sets it. */
  neighbour = () => null;

  /** `wish(id)` has a picture read again and says whether that was taken. */
  constructor(wish) {
    this.#wish = wish;
    addEventListener("hashchange", () => this.#follow());
    this.#dialog.addEventListener("close", () => {
      this.#forget();
      if (location.hash.startsWith(PREFIX)) history.replaceState(null, "", location.pathname + location.search);
    });
    this.#dialog.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      const next = step && this.neighbour(this.#id, step);
      if (next) this.show(next);
    });
    this.#dialog.addEventListener("click", (event) => event.target === this.#dialog && this.#dialog.close());
    this.#follow();
  }

  get open() {
    return this.#dialog.open;
  }

  show(id) {
    location.hash = PREFIX + encodeURIComponent(id);
  }

  #follow() {
    if (!location.hash.startsWith(PREFIX)) {
      this.#dialog.close();
      return;
    }
    const given = location.hash.slice(PREFIX.length);
    try {
      this.#load(decodeURIComponent(given));
    } catch {
      // Typed or cut short: the station will say that it knows no such reading.
      this.#load(given);
    }
  }

  async #load(id) {
    this.#id = id;
    let content;
    try {
      content = this.#content(await askJson(`/v1/readings/${encodeURIComponent(id)}`));
    } catch (error) {
      content = [h("h2", { id: "details-head" }, "This reading cannot be shown"), refusal(error), this.#closing()];
    }
    if (this.#id !== id) return;
    this.#forget();
    put(this.#dialog, content);
    if (!this.#dialog.open) this.#dialog.showModal();
    // What had the focus is gone; without it the keys would reach nobody.
    else this.#dialog.querySelector("[autofocus]").focus();
    this.#dialog.scrollTop = 0;
  }

  #content(row) {
    const words = row.code ?? row.candidate ?? row.text ?? "";
    const figure = h("figure", { id: "picture" }, h("p", { class: "muted" }, "The picture is being fetched."));
    this.#picture(row, figure);
    return [
      h("div", { class: "row head" },
        h("h2", { id: "details-head", class: row.code === null ? "code unsafe" : "code" }, words === "" ? row.image : row.code ?? `${words} ?`),
        chip(row.status), h("span", { class: "number" }, percent(row.confidence)),
        h("span", { class: "push" }), this.#again(row), this.#closing()),
      row.reason && h("p", { class: "why" }, row.reason),
      h("div", { class: "halves" }, figure, h("div", { class: "stack" }, facts(row), evidence(row), times(row))),
    ];
  }

  #closing() {
    return h("button", { onclick: () => this.#dialog.close(), autofocus: true }, "Close");
  }

  #again(row) {
    const button = h("button", {}, "Read again");
    button.addEventListener("click", async () => {
      button.disabled = true;
      const taken = await this.#wish(row.id);
      button.textContent = taken ? "Will be read again" : "Refused";
    });
    return button;
  }

  // Asked for by fetch, for the size that the outline counts in, and for the words of a refusal.
  async #picture(row, figure) {
    const path = `/v1/readings/${encodeURIComponent(row.id)}`;
    const file = h("a", { href: `${path}/picture`, class: "button", target: "_blank", rel: "noopener" }, "The file as it came");
    // An image's id is the first part of those of its readings.
    const query = new URLSearchParams({ camera: row.camera, picture: row.id.slice(0, 36) });
    const below = h("div", { class: "row" }, file, h("a", { href: `/recipes?${query}`, class: "button" }, "Open in the recipe editor"));
    try {
      const answer = await ask(`${path}/view`);
      const [width, height] = answer.headers.get("X-Picture-Size").split("x").map(Number);
      const address = URL.createObjectURL(await answer.blob());
      if (this.#id !== row.id) {
        URL.revokeObjectURL(address);
        return;
      }
      this.#address = address;
      const image = h("img", { src: address, width, height, alt: `The picture ${row.image}` });
      const over = s("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, row.outline && region(row.outline));
      put(figure, h("div", { class: "over" }, image, over), below);
    } catch (error) {
      // The reason stands above already.
      if (error.error === "no-view") put(figure, asItCame(`${path}/picture`), file);
      else put(figure, refusal(error));
    }
  }

  #forget() {
    if (this.#address !== null) URL.revokeObjectURL(this.#address);
    this.#address = null;
  }
}

// What the station cannot read, a browser may still show in part.
function asItCame(address) {
  const image = h("img", { src: address, alt: "What this browser makes of the file" });
  image.addEventListener("error", () => image.remove());
  return image;
}

function refusal(error) {
  return h("p", { class: "refusal" }, error.remedy ? `${error.message}: ${error.remedy}` : error.message);
}

// Two lines, so that it shows on black and on white; the corner is where the text begins.
function region(outline) {
  const points = outline.map((point) => point.join(",")).join(" ");
  const [x, y] = outline[0];
  return [
    s("polygon", { class: "halo", points }),
    s("polygon", { class: "region", points }),
    // A line without length: its round ends keep their size, however large the picture is.
    s("path", { class: "corner", d: `M${x} ${y}h0.01` }),
  ];
}

function facts(row) {
  const known = [
    ["Camera", row.camera],
    ["File", row.image + (row.page > 1 ? `, page ${row.page}` : "")],
    ["Field", row.marks > 1 ? `${row.field} (mark ${row.mark} of ${row.marks})` : row.field],
    ["Read as", row.text],
    ["Likeliest", row.candidate !== row.code ? row.candidate : null],
    ["Margin", row.margin === null ? null : row.margin.toFixed(2)],
    ["Expected", row.expected === null ? null : `${row.expected} (${row.match ? "matches" : "does not match"})`],
    ["Machine replied", row.reply],
    ["Same code as", row.duplicate_of],
    ["Taken", moment(row.captured_at)],
    ["Arrived", moment(row.arrived_at)],
    ["Reported", moment(row.read_at)],
    ["Revision", row.revision > 1 ? `${row.revision}, replaces ${row.supersedes}` : null],
    ["Recipe", row.recipe],
    ["Model", row.model],
    ["Id", row.id],
    ["SHA-256", row.sha256],
  ].filter(([, value]) => value !== null && value !== "");
  return h("dl", { class: "facts" }, known.map(([name, value]) => [h("dt", {}, name), h("dd", { class: "wide" }, value)]));
}

function evidence(row) {
  if (row.characters.length === 0) return null;
  return h(
    "section",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": "Evidence for each character" },
    h("table", {},
      h("thead", {}, h("tr", {},
        h("th", { scope: "col" }, h("span", { class: "unseen" }, "Place")),
        h("th", { scope: "col", colspan: 2 }, "Seen"),
        h("th", { scope: "col", class: "number" }, "In this format"),
        h("th", { scope: "col", colspan: 2 }, "Or else"))),
      h("tbody", {}, row.characters.map((one, place) =>
        h("tr", {},
          h("td", { class: "number muted" }, place + 1),
          h("td", { class: "code" }, one.char),
          h("td", { class: "number" }, bar(one.confidence), percent(one.confidence)),
          h("td", { class: "number" }, percent(one.steered_confidence)),
          h("td", { class: "code" }, one.alternative ?? ""),
          h("td", { class: "number" }, percent(one.alternative_confidence)))))),
  );
}

function times(row) {
  const steps = Object.entries(row.timings_ms);
  if (steps.length === 0) return null;
  const most = Math.max(...steps.map(([, ms]) => ms), 0.001);
  return h("table", { class: "times" },
    h("caption", {}, "Time of each step"),
    h("tbody", {}, steps.map(([step, ms]) => h("tr", {}, h("th", { scope: "row" }, step), h("td", {}, bar(ms / most)), h("td", { class: "number" }, `${ms.toFixed(1)} ms`)))));
}

function bar(share) {
  return s("svg", { class: "bar", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
    s("rect", { class: "rest", width: 100, height: 8 }), s("rect", { class: "part", width: Math.max(0, Math.min(1, share)) * 100, height: 8 }));
}
