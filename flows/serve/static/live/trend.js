// The confidence of the shift: the median, what a tenth lies below, and below it how many readings
// want attention. Greys, and ticks of a form of their own.

import { at, h, put, s } from "../parts/dom.js";
import { count, hour, percent } from "../parts/format.js";

const WIDTH = 480;
const HEIGHT = 120;
const LEFT = 44;
const TICKS = 24;

let before = "";

/** Draw it again when it has changed. */
export function trend(shift, camera) {
  const key = JSON.stringify([shift.start, shift.trend, camera]);
  if (key === before) return;
  before = key;
  const bins = shift.trend;
  const known = bins.flatMap((bin, place) => (bin === null || bin[2] === null ? [] : [{ place, readings: bin[0], median: bin[2], low: bin[3] }]));
  const heading = camera === null ? "Confidence" : `Confidence of ${camera}`;
  at("trend-head").textContent = heading;
  if (known.length === 0) {
    put(at("trend"), h("p", { class: "muted" }, "Nothing was read in this shift yet."));
    return;
  }
  // The part of the scale in which something happens, in steps of a tenth.
  const least = Math.max(0, Math.floor(Math.min(...known.map((one) => one.low)) * 10 - 0.001) / 10);
  const bottom = Math.min(least, 0.9);
  const x = (place) => LEFT + ((place + 0.5) / bins.length) * (WIDTH - LEFT);
  const y = (share) => 8 + (1 - (share - bottom) / (1 - bottom)) * (HEIGHT - 16);
  const start = new Date(shift.start);
  const end = new Date(shift.end);
  const last = known.at(-1);
  const wanting = bins.reduce((sum, bin) => sum + (bin?.[1] ?? 0), 0);
  const words = `median ${percent(last.median)} now; one reading in ten below ${percent(last.low)}; ${count(wanting)} of the shift were not read`;
  put(
    at("trend"),
    s(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT + TICKS + 18}`, role: "img", "aria-label": words },
      [1, (1 + bottom) / 2, bottom].map((share) => [
        s("line", { class: "grid", x1: LEFT, x2: WIDTH, y1: y(share), y2: y(share) }),
        s("text", { class: "scale", x: LEFT - 6, y: y(share) + 4, "text-anchor": "end" }, `${Math.round(share * 100)} %`),
      ]),
      s("path", { class: "band", d: band(known, x, y) }),
      s("path", { class: "median", d: path(known, (one) => [x(one.place), y(one.median)]) }),
      known.filter((one) => alone(known, one)).map((one) => s("circle", { class: "dot", cx: x(one.place), cy: y(one.median), r: 3 })),
      ticks(bins, x),
      [0, 0.5, 1].map((share) =>
        s("text", { class: "scale", x: LEFT + share * (WIDTH - LEFT), y: HEIGHT + TICKS + 14, "text-anchor": ["start", "middle", "end"][share * 2] }, hour(new Date(+start + share * (end - start)))),
      ),
    ),
    h("figcaption", { class: "muted" }, words),
  );
}

const alone = (known, one) => !known.some((other) => Math.abs(other.place - one.place) === 1);

function path(known, point) {
  return known.map((one, index) => `${index > 0 && known[index - 1].place === one.place - 1 ? "L" : "M"}${point(one).map((n) => n.toFixed(1)).join(" ")}`).join("");
}

// From the tenth to the median, a strip for each point.
function band(known, x, y) {
  const half = (x(1) - x(0)) / 2;
  return known.map((one) => `M${(x(one.place) - half).toFixed(1)} ${y(one.median).toFixed(1)}h${(2 * half).toFixed(1)}V${y(one.low).toFixed(1)}h${(-2 * half).toFixed(1)}Z`).join("");
}

function ticks(bins, x) {
  const most = Math.max(1, ...bins.map((bin) => bin?.[1] ?? 0));
  const wide = Math.max(2, (x(1) - x(0)) * 0.6);
  return bins.map((bin, place) => {
    if (!bin?.[1]) return null;
    const high = Math.max(3, (bin[1] / most) * TICKS);
    return s("rect", { class: "tick", x: x(place) - wide / 2, y: HEIGHT + TICKS - high, width: wide, height: high });
  });
}
