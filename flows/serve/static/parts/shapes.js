// What wants attention differs by form, by word and by colour: any one of the three is enough.

import { h, s } from "./dom.js";

const PATHS = {
  tick: "M3 8.5 6.5 12 13 4.5",
  ring: "M8 3a5 5 0 1 0 .01 0Z",
  triangle: "M8 2 15 14H1Z",
  diamond: "M8 1 15 8 8 15 1 8Z",
  cross: "M3 3 13 13M13 3 3 13",
  disc: "M8 3a5 5 0 1 0 .01 0Z",
};
const OUTLINED = new Set(["tick", "ring", "cross"]);

/** Level and shape of each status of a reading. */
export const STATUSES = {
  read: ["well", "tick"],
  unsure: ["warn", "triangle"],
  unread: ["warn", "ring"],
  mismatch: ["alarm", "diamond"],
  failed: ["alarm", "cross"],
};

const LEVELS = { well: "disc", warn: "triangle", alarm: "cross" };

/** A small drawing that screen readers pass over. */
export function shape(name) {
  const lines = OUTLINED.has(name);
  return s(
    "svg",
    { viewBox: "0 0 16 16", "aria-hidden": "true" },
    s("path", {
      d: PATHS[name],
      fill: lines ? "none" : "currentColor",
      stroke: lines ? "currentColor" : null,
      "stroke-width": lines ? 2.4 : null,
    }),
  );
}

/** A status of a reading as shape and word. */
export function chip(status) {
  const [level, name] = STATUSES[status] ?? ["warn", "triangle"];
  return h("span", { class: "chip", "data-level": level }, shape(name), status);
}

/** A light: grey disc, amber triangle or red cross; `words` are for those who do not see it. */
export function light(level, words) {
  return h(
    "span",
    { class: "light", "data-level": level, title: words },
    shape(LEVELS[level]),
    h("span", { class: "unseen" }, words),
  );
}
