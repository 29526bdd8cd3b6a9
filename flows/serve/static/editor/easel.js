// The large picture, and on it the shape of the step or field that is chosen: drawn anew, or moved
// by its handles with a mouse, a finger or the arrow keys.

import { h, put, s, say } from "../parts/dom.js";

const HANDLE = 9; // pixels of the screen
const FINGER = 22;
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const FAR = 10;

export class Easel {
  #picture = h("img", { alt: "", draggable: "false" });
  #overlay = s("svg", { class: "overlay", role: "group", "aria-label": "Shape on the picture" });
  #stage = h("div", { class: "stage", hidden: true }, this.#picture, this.#overlay);
  #empty = h("p", { class: "muted empty" });
  #hint = h("p", { class: "hint", role: "status" });
  #done = h("button", { hidden: true, onclick: () => this.#finish() }, "Done");
  #stop = h("button", { hidden: true, onclick: () => this.cancel() }, "Cancel");
  #size = [1, 1];
  #shape = null;
  #found = null;
  #changed = () => {};
  #lines = [];
  #clicks = null;
  #held = null;

  constructor() {
    this.element = h("div", { class: "easel" }, this.#stage, this.#empty);
    this.bar = h("div", { class: "row drawing" }, this.#hint, this.#done, this.#stop);
    this.#overlay.addEventListener("pointerdown", (event) => this.#down(event));
    this.#overlay.addEventListener("pointermove", (event) => this.#moved(event));
    for (const name of ["pointerup", "pointercancel"])
      this.#overlay.addEventListener(name, (event) => this.#up(event));
    this.#overlay.addEventListener("keydown", (event) => this.#key(event));
    document.addEventListener("keydown", (event) => this.#drawingKey(event));
    new ResizeObserver(() => this.#paint()).observe(this.#stage);
  }

  get drawing() {
    return this.#clicks !== null;
  }

  /** Show a frame, in words what it is, and the lines that were found (points in its pixels). */
  show(frame, words, lines) {
    this.#stage.hidden = !frame;
    this.#empty.hidden = Boolean(frame);
    if (!frame) {
      say(this.#empty, words);
      return;
    }
    if (this.#picture.getAttribute("src") !== frame.url) this.#picture.setAttribute("src", frame.url);
    this.#picture.alt = words;
    this.#size = frame.size;
    this.#lines = lines;
    this.#stage.style.aspectRatio = `${frame.size[0]} / ${frame.size[1]}`;
    this.#stage.style.setProperty("--ratio", String(frame.size[0] / frame.size[1]));
    this.#overlay.setAttribute("viewBox", `0 0 ${frame.size[0]} ${frame.size[1]}`);
    this.#paint();
  }

  /** Let this shape be edited (null for none): where it is, and who is told where it goes. */
  edit(shape, found, changed) {
    if (this.#held) return;
    if (shape?.hint !== this.#shape?.hint) this.cancel();
    this.#shape = shape;
    this.#found = found;
    this.#changed = changed;
    this.#paint();
  }

  /** Draw the shape anew. */
  draw() {
    if (!this.#shape) return;
    this.#clicks = [];
    say(this.#hint, this.#shape.hint);
    this.#stop.hidden = false;
    this.#done.hidden = this.#shape.kind !== "points" || this.#shape.count !== undefined;
    this.#overlay.classList.add("drawing");
    this.#paint();
    this.#stage.scrollIntoView({ block: "nearest" });
  }

  cancel() {
    this.#clicks = null;
    this.#held = null;
    say(this.#hint, "");
    this.#done.hidden = this.#stop.hidden = true;
    this.#overlay.classList.remove("drawing");
    this.#paint();
  }

  #finish(found = this.#shape.drawn(this.#clicks, this.#size)) {
    const enough = this.#shape.kind !== "points" || this.#clicks.length >= (this.#shape.count ?? 3);
    if (!enough || found === null) {
      say(this.#hint, found === null ? "These places lie on a line. Try again." : "It wants three places or more.");
      this.#clicks = [];
      this.#paint();
      return;
    }
    this.cancel();
    this.#give(found);
  }

  #give(found) {
    this.#found = found;
    this.#paint();
    this.#changed(found, this.#size);
  }

  // pointer

  #at(event) {
    const box = this.#overlay.getBoundingClientRect();
    const [width, height] = this.#size;
    const inside = (value, most) => Math.min(most, Math.max(0, value));
    return [
      inside(((event.clientX - box.left) / box.width) * width, width),
      inside(((event.clientY - box.top) / box.height) * height, height),
    ];
  }

  #down(event) {
    if (event.button > 0 || !this.#shape) return;
    const at = this.#at(event);
    if (this.#clicks !== null) {
      event.preventDefault();
      if (this.#shape.kind === "box") {
        this.#clicks = [at, at];
        this.#hold(event, { drawing: true });
        return;
      }
      this.#clicks.push(at);
      this.#paint();
      if (this.#clicks.length === this.#shape.count) this.#finish();
      return;
    }
    const index = event.target.closest("[data-handle]")?.dataset.handle;
    if (index === undefined || this.#found === null) return;
    event.preventDefault();
    event.target.closest("[data-handle]").focus();
    this.#hold(event, { index: Number(index), from: at, found: this.#found });
  }

  #hold(event, held) {
    this.#overlay.setPointerCapture(event.pointerId);
    this.#held = held;
  }

  #moved(event) {
    if (!this.#held) return;
    const at = this.#at(event);
    if (this.#held.drawing) {
      this.#clicks[1] = at;
      this.#paint();
      return;
    }
    const { index, from, found } = this.#held;
    const next =
      index < 0
        ? this.#shape.move(found, [at[0] - from[0], at[1] - from[1]], this.#size)
        : this.#shape.drag(found, index, at, this.#size);
    this.#give(next);
  }

  #up() {
    const held = this.#held;
    this.#held = null;
    if (!held?.drawing) return;
    const [a, b] = this.#clicks;
    if (Math.abs(a[0] - b[0]) < 3 * this.#scale() || Math.abs(a[1] - b[1]) < 3 * this.#scale()) {
      this.#clicks = [];
      this.#paint();
      return;
    }
    this.#finish();
  }

  // keys

  #drawingKey(event) {
    if (!this.drawing) return;
    if (event.key === "Escape") this.cancel();
    else if (event.key === "Enter" && !this.#done.hidden && event.target !== this.#done) this.#finish();
    else return;
    event.preventDefault();
  }

  #key(event) {
    const index = event.target.dataset?.handle;
    if (index === undefined || this.#found === null || this.drawing) return;
    const way = KEYS[event.key];
    if (way) {
      const far = event.shiftKey ? FAR : 1;
      const step = [way[0] * far, way[1] * far];
      const number = Number(index);
      const at = number < 0 ? null : this.#shape.handles(this.#found)[number].at;
      this.#give(
        at === null
          ? this.#shape.move(this.#found, step, this.#size)
          : this.#shape.drag(this.#found, number, [at[0] + step[0], at[1] + step[1]], this.#size),
      );
    } else if (event.key === "Delete" && this.#shape.remove && Number(index) >= 0) {
      this.#give(this.#shape.remove(this.#found, Number(index)));
    } else {
      return;
    }
    event.preventDefault();
  }

  // paint

  #scale() {
    return this.#size[0] / (this.#overlay.getBoundingClientRect().width || this.#size[0]);
  }

  #paint() {
    const scale = this.#scale();
    const focused = this.#overlay.contains(document.activeElement) ? document.activeElement.dataset.handle : undefined;
    const drawn = this.drawing ? this.#drawn(scale) : [...this.#found_lines(scale), ...this.#edited(scale)];
    put(this.#overlay, drawn);
    if (focused !== undefined) this.#overlay.querySelector(`[data-handle="${focused}"]`)?.focus();
  }

  #found_lines(scale) {
    return this.#lines.map(({ number, points }) => {
      const [x, y] = points[0];
      return s(
        "g",
        { class: "line" },
        outline(points, "edge"),
        s("text", { x: x + 4 * scale, y: y - 6 * scale < 14 * scale ? y + 16 * scale : y - 6 * scale, "font-size": 15 * scale }, String(number)),
      );
    });
  }

  #drawn(scale) {
    if (this.#shape.kind === "box" && this.#clicks.length === 2)
      return [outline(this.#shape.outline(this.#shape.drawn(this.#clicks, this.#size))[0], "edited")];
    return [
      this.#clicks.length > 1 ? s("polyline", { points: this.#clicks.join(" "), class: "edited open" }) : null,
      this.#clicks.map(([x, y]) => s("circle", { cx: x, cy: y, r: 5 * scale, class: "handle" })),
    ].flat();
  }

  #edited(scale) {
    if (!this.#shape || this.#found === null) return [];
    const [ring] = this.#shape.outline(this.#found);
    const [width, height] = this.#size;
    const shade = `M0 0H${width}V${height}H0ZM${ring.map((one) => one.join(" ")).join("L")}Z`;
    return [
      s("path", { d: shade, class: "shade", "fill-rule": "evenodd" }),
      s("polygon", { points: ring.join(" "), class: "edited", tabindex: 0, role: "button", "data-handle": -1, "aria-label": "the whole shape: arrow keys move it" }),
      this.#shape.handles(this.#found).map(({ name, at: [x, y] }, index) =>
        s(
          "g",
          { tabindex: 0, role: "slider", "data-handle": index, "aria-label": `${name}: arrow keys move it`, "aria-valuenow": Math.round(x), "aria-valuetext": `${Math.round(x)}, ${Math.round(y)}` },
          s("circle", { cx: x, cy: y, r: FINGER * scale, class: "finger" }),
          s("circle", { cx: x, cy: y, r: HANDLE * scale, class: "handle" }),
        ),
      ),
    ].flat();
  }
}

const outline = (points, name) => s("polygon", { points: points.join(" "), class: name });
