// Which camera, and which picture its recipe is tried on: what it sent of late, or a file of here.

import { ask, askJson } from "../parts/ask.js";
import { h, put, say } from "../parts/dom.js";
import { when } from "../parts/format.js";
import { chip } from "../parts/shapes.js";

/** Tells `camera` (with `name`), `picture` (with `key` and `name`) by the functions given. */
export class Picker {
  #select = h("select", { id: "camera", onchange: () => this.#wanted(this.#select.value) });
  #strip = h("ul", { class: "pictures", "aria-label": "Pictures of this camera" });
  #file = h("input", { type: "file", class: "unseen", accept: "image/*,.tif,.tiff,.bmp", tabindex: -1, "aria-hidden": "true", onchange: () => this.#bring([...this.#file.files]) });
  #told = h("p", { class: "muted", role: "status" });
  #page = h("label", { hidden: true });
  #mayLeave;
  #onCamera;
  #onPicture;
  #camera = "";
  #cameras = [];
  #brought = [];
  #key = null;

  constructor({ mayLeave, onCamera, onPicture }) {
    this.#mayLeave = mayLeave;
    this.#onCamera = onCamera;
    this.#onPicture = onPicture;
    this.camera = h("div", { class: "row" }, h("label", { for: "camera" }, "Camera"), this.#select, h("button", { onclick: () => this.#new() }, "New…"));
    this.pictures = h("div", { class: "stack" }, this.#strip, h("div", { class: "row" }, this.#file, this.#told, this.#page));
    this.pictures.addEventListener("dragover", (event) => event.preventDefault());
    this.pictures.addEventListener("drop", (event) => { event.preventDefault(); this.#bring([...event.dataTransfer.files]); });
  }

  /** Begin; gives whether recipes may be saved. */
  async load(camera, picture) {
    const found = await askJson("/v1/recipes");
    this.#cameras = found.cameras;
    const names = found.cameras.map((one) => one.camera);
    await this.open(names.includes(camera) ? camera : (found.cameras.find((one) => one.recipe === one.camera && one.camera !== "default")?.camera ?? "default"), picture);
    return found.writable;
  }

  /** Show the cameras anew: one may have a recipe of its own now. */
  async refresh() {
    this.#cameras = (await askJson("/v1/recipes")).cameras;
    this.#fill();
  }

  async open(camera, picture = null) {
    const before = this.#camera;
    this.#camera = camera;
    this.#fill();
    try {
      await this.#onCamera(camera);
    } catch (error) {
      if (before === "") throw error;
      this.#camera = before;
      this.#fill();
      say(this.#told, `${camera}: ${error.message}. ${error.remedy ?? ""}`);
      return;
    }
    this.#brought = [];
    await this.#list(picture);
  }

  #fill() {
    const known = this.#cameras.some((one) => one.camera === this.#camera) ? this.#cameras : [...this.#cameras, { camera: this.#camera, recipe: "default" }];
    put(this.#select, known.map(({ camera, recipe }) => h("option", { value: camera }, camera === "default" ? "default (every other camera)" : recipe === camera ? camera : `${camera} — reads by default`)));
    this.#select.value = this.#camera;
  }

  async #wanted(camera) {
    this.#select.value = this.#camera;
    if (await this.#mayLeave()) await this.open(camera);
  }

  async #new() {
    if (!(await this.#mayLeave())) return;
    const field = h("input", { id: "new-camera", type: "text", required: true, pattern: "[\\p{L}\\p{N}_\\-]+", maxlength: 60, placeholder: "press-4", autocomplete: "off" });
    const dialog = h("dialog", { "aria-labelledby": "new-title" }, h("form", { class: "stack", onsubmit: (event) => { event.preventDefault(); dialog.close(); this.open(field.value); } }, h("h2", { id: "new-title" }, "A recipe for a new camera"), h("label", { for: "new-camera" }, "The camera's name: that of its folder in the inbox"), field, h("div", { class: "row" }, h("button", { class: "first" }, "Begin"), h("button", { type: "button", onclick: () => dialog.close() }, "Cancel"))));
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  }

  async #list(wanted) {
    say(this.#told, "");
    const { pictures } = await askJson(`/v1/recipes/${encodeURIComponent(this.#camera)}/pictures`);
    this.#show(pictures);
    const first = pictures.find((one) => one.key === wanted) ?? pictures[0];
    if (first) return this.#choose(first);
    say(this.#told, "This camera has sent nothing that is still kept: open a picture of it, or drop one here.");
    this.#onPicture(null);
  }

  #show(pictures) {
    const every = [...this.#brought, ...pictures];
    const open = h("li", {}, h("button", { class: "open", onclick: () => this.#file.click() }, "Open a picture…"));
    put(this.#strip, open, every.map((one) => h("li", {}, h("button", { "aria-pressed": "false", "data-key": one.key, title: one.name, onclick: () => this.#choose(one) }, one.crop ? h("img", { src: one.crop, alt: "", loading: "lazy" }) : null, h("span", { class: "code" }, one.code ?? (one.candidate ? `(${one.candidate})` : one.name)), one.status ? h("span", { class: "row" }, chip(one.status), h("small", {}, when(one.read_at))) : h("small", {}, "opened here")))));
    this.#kept = pictures;
    this.#press();
  }

  #kept = [];

  #choose(picture) {
    this.#key = picture.key;
    this.#press();
    this.#page.hidden = true;
    this.#onPicture(picture, 1);
  }

  #press() {
    for (const button of this.#strip.querySelectorAll("[data-key]")) button.setAttribute("aria-pressed", String(button.dataset.key === this.#key));
  }

  /** Let a page of a picture with several be chosen. */
  pages(count, page, choose) {
    this.#page.hidden = count < 2;
    if (count < 2) return;
    const chooser = h("select", { onchange: () => choose(Number(chooser.value)) }, Array.from({ length: Math.min(count, 64) }, (_, at) => h("option", { value: at + 1 }, String(at + 1))));
    chooser.value = String(page);
    put(this.#page, "Page", chooser);
  }

  async #bring(files) {
    for (const file of files.slice(0, 8)) {
      const body = new FormData();
      body.append("image", file, file.name);
      say(this.#told, `Opening ${file.name}…`);
      try {
        const { key } = await (await ask(`/v1/recipes/${encodeURIComponent(this.#camera)}/pictures`, { method: "POST", body, seconds: 120 })).json();
        const one = { key, name: file.name, status: null, code: null, candidate: null, crop: null };
        this.#brought.unshift(one);
        this.#show(this.#kept);
        this.#choose(one);
        say(this.#told, "");
      } catch (error) {
        say(this.#told, `${file.name}: ${error.message}`);
      }
    }
    this.#file.value = "";
  }
}
