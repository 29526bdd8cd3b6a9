// Readings as they are committed: the newest once, then the stream behind them.
//
// A stream that breaks, or that a sleeping tablet lost without noticing, is opened anew behind the
// last `seq` that was seen. Rows are known by their `seq`, so nothing comes twice.

import { askJson } from "../parts/ask.js";

const NEWEST = 40;
const GATHER_MS = 100;
const FIRST_PAUSE_MS = 1000;
const MOST_PAUSE_MS = 15_000;

export class Feed {
  #camera;
  #heard;
  #stream = null;
  #last = null;
  #headBefore = 0;
  #pause = FIRST_PAUSE_MS;
  #again = null;
  #waiting = [];
  #gathering = null;
  #opening = false;

  /** `heard.rows(rows)` gets new rows, oldest first; `heard.reset()` says that all are void. */
  constructor(camera, heard) {
    this.#camera = camera;
    this.#heard = heard;
  }

  start() {
    // A browser opens six connections to one place: those that nobody looks at are given back.
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#close() : this.#open()));
    this.#open();
  }

  /** The log's end, as somebody else knows it: behind it for two looks, the stream is dead. */
  told(head) {
    if (this.#last === null || document.hidden) return;
    if (head < this.#last) {
      this.#last = null;
      this.#heard.reset();
      this.#open();
    } else if (head > this.#last && this.#headBefore > this.#last) {
      this.#check(head);
    }
    this.#headBefore = head;
  }

  async #check(head) {
    const rows = await this.#ask({ cursor: this.#last, limit: NEWEST }).catch(() => null);
    if (rows === null) return;
    if (rows.length > 0) this.#open();
    // What lies between is of other cameras.
    else this.#last = Math.max(this.#last, head);
  }

  async #open() {
    if (this.#opening) return;
    this.#opening = true;
    this.#close();
    try {
      const rows = await this.#ask({ order: "newest", limit: NEWEST });
      this.#take(rows.reverse());
      this.#last ??= 0;
      this.#listen();
    } catch {
      this.#later();
    } finally {
      this.#opening = false;
    }
  }

  #listen() {
    const stream = new EventSource(`/v1/events?${this.#query({ after: this.#last })}`);
    this.#stream = stream;
    stream.addEventListener("open", () => {
      this.#pause = FIRST_PAUSE_MS;
    });
    stream.addEventListener("reading", (event) => {
      this.#waiting.push(JSON.parse(event.data));
      // A burst is drawn once.
      this.#gathering ??= setTimeout(() => {
        this.#gathering = null;
        this.#take(this.#waiting.splice(0));
      }, GATHER_MS);
    });
    stream.addEventListener("error", () => {
      if (this.#stream !== stream) return;
      this.#close();
      this.#later();
    });
  }

  #take(rows) {
    const fresh = rows.filter((row) => this.#last === null || row.seq > this.#last);
    if (fresh.length === 0) return;
    this.#last = fresh.at(-1).seq;
    this.#heard.rows(fresh);
  }

  #close() {
    clearTimeout(this.#again);
    this.#stream?.close();
    this.#stream = null;
  }

  #later() {
    clearTimeout(this.#again);
    if (document.hidden) return;
    // Not all pages of a plant at the same moment.
    this.#again = setTimeout(() => this.#open(), this.#pause * (0.5 + Math.random() / 2));
    this.#pause = Math.min(this.#pause * 2, MOST_PAUSE_MS);
  }

  async #ask(given) {
    return (await askJson(`/v1/readings?${this.#query(given)}`)).readings;
  }

  #query(given) {
    const query = new URLSearchParams(given);
    if (this.#camera !== null) query.set("camera", this.#camera);
    return query;
  }
}
