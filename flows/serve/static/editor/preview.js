// The draft on the picture, read by the station as the line would read it. Only the newest counts.
// Tells `waiting`, `shown` (with `result`) and `failed` (with `trouble`).

import { askJson, Refused } from "../parts/ask.js";
import { SESSION } from "./draft.js";

const PAUSE_MS = 120;
const LONG_SECONDS = 120;

export class Preview extends EventTarget {
  result = null;
  trouble = null;
  busy = false;
  #draft;
  #timer = null;
  #wish = 0;
  #running = false;
  #again = false;
  #urls = new Map();

  constructor(draft) {
    super();
    this.#draft = draft;
    this.picture = null;
    this.page = 1;
  }

  /** Look at another picture. */
  choose(picture, page = 1) {
    this.picture = picture;
    this.page = page;
    this.ask();
  }

  /** Nothing to look at. */
  clear() {
    this.picture = null;
    this.#show(null);
  }

  /** Ask for what the draft, as it now is, makes of the picture. */
  ask() {
    clearTimeout(this.#timer);
    if (this.picture === null || !this.#draft.sound) return;
    this.#timer = setTimeout(() => this.#ask(), PAUSE_MS);
  }

  async #ask() {
    const wish = ++this.#wish;
    // One is on its way: the station would only queue the next, and the draft may change meanwhile.
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#running = this.busy = true;
    this.dispatchEvent(new Event("waiting"));
    const camera = encodeURIComponent(this.#draft.camera);
    const body = { text: this.#draft.text, picture: this.picture, page: this.page, session: SESSION };
    try {
      const found = await askJson(`/v1/recipes/${camera}/preview`, { method: "POST", body, seconds: LONG_SECONDS });
      if (body.picture === this.picture) this.#show(found);
    } catch (error) {
      if (!(error instanceof Refused && error.error === "superseded")) {
        this.trouble = error;
        this.dispatchEvent(new Event("failed"));
      }
    }
    this.#running = this.busy = false;
    if (this.#again || wish !== this.#wish) {
      this.#again = false;
      this.ask();
    } else {
      this.dispatchEvent(new Event("idle"));
    }
  }

  #show(found) {
    const old = this.#urls;
    this.#urls = new Map();
    for (const frame of found?.frames ?? []) frame.url = this.#url(frame.jpeg, old);
    for (const line of found?.lines ?? []) line.url = this.#url(line.crop, old);
    this.result = found;
    this.trouble = null;
    this.dispatchEvent(new Event("shown"));
    old.forEach((url, jpeg) => this.#urls.has(jpeg) || URL.revokeObjectURL(url));
  }

  /** A picture that is the same as before keeps its address, and does not flicker. */
  #url(base64, old) {
    let url = this.#urls.get(base64) ?? old.get(base64);
    if (url === undefined) {
      const bytes = Uint8Array.from(atob(base64), (one) => one.charCodeAt(0));
      url = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
    }
    this.#urls.set(base64, url);
    return url;
  }
}
