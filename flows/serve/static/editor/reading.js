// What was read: the code as large as it matters, and everything that it rests on.

import { h, put } from "../parts/dom.js";
import { percent } from "../parts/format.js";
import { chip } from "../parts/shapes.js";

/** A share between 0 and 1 as a bar, with a line where it must reach. */
function bar(share, least) {
  const filled = h("span", { class: "filled" });
  filled.style.width = `${100 * Math.max(0, Math.min(1, share))}%`;
  const mark = least === undefined ? null : h("span", { class: "least" });
  if (mark) mark.style.left = `${100 * least}%`;
  return h("span", { class: "bar", "aria-hidden": "true" }, filled, mark);
}

const shown = (char) => (char === " " ? "␣" : char);

function character(one) {
  const other = one.alternative === null || one.alternative === undefined ? "" : `${shown(one.alternative)} ${percent(one.alternative_confidence)}`;
  return h("li", { class: one.confidence < 0.8 ? "weak" : "", title: `${one.char}: ${percent(one.confidence)}${other ? `, or ${other}` : ""}` }, h("span", { class: "code" }, shown(one.char)), bar(one.confidence), h("small", {}, percent(one.confidence)), h("small", { class: "muted" }, one.confidence < 0.99 && other ? `or ${other}` : ""));
}

function likely(title, found) {
  if (found.length < 2) return null;
  return h("div", {}, h("small", {}, title), h("ul", {}, found.map((one) => h("li", { class: "row" }, h("code", {}, one.text), h("small", {}, percent(one.probability)), one.fits ? null : h("small", {}, "does not fit the format")))));
}

/** The code, or in brackets what it may be but was not given out as. */
const codeOf = (reading) => reading.code ?? (reading.candidate ? `(${reading.candidate})` : "no text");

/** [status, code] of the first marks of a result. */
export function headlines(result) {
  if (result?.failure) return [["failed", ""]];
  return (result?.marks ?? []).slice(0, 3).map(({ reading }) => [reading.status, codeOf(reading)]);
}

function mark(found, lines, several) {
  const reading = found.reading;
  const own = lines.filter((line) => found.lines.includes(line.number) && line.field === reading.field && line.text.trim() !== "");
  const code = codeOf(reading);
  const way = found.way.map(([what, text], at) => [at ? " → " : "", h("small", {}, `${what} `), h("code", {}, text)]);
  return h(
    "article",
    { class: "mark", "data-status": reading.status },
    h("div", { class: "row" }, several ? h("strong", {}, reading.field) : null, chip(reading.status), h("span", { class: `code big ${reading.code === null ? "muted" : ""}` }, code)),
    reading.reason ? h("p", {}, reading.reason) : null,
    reading.confidence === null ? null : h("p", { class: "row trust" }, h("span", {}, `sure ${percent(reading.confidence)}`), bar(reading.confidence, found.threshold), h("small", {}, `must reach ${percent(found.threshold)}`)),
    own.map((line) => h("img", { class: "crop", src: line.url, alt: `line ${line.number}: ${line.text}` })),
    reading.characters?.length ? h("ol", { class: "characters", "aria-label": "Each character" }, reading.characters.map(character)) : null,
    h("details", {}, h("summary", {}, "How it came about"), h("div", { class: "stack" }, way.length ? h("p", {}, way) : null, likely("Likeliest as read", found.likely), likely("Likeliest that fit", found.legal), reading.expected ? h("p", {}, `Expected ${reading.expected}: ${reading.match ? "match" : "no match"}`) : null)),
  );
}

/** Show a preview's result in an element. */
export function showReading(element, result) {
  if (result === null) {
    put(element, h("p", { class: "muted" }, "Choose a picture, and its reading stands here."));
    return;
  }
  if (result.failure) {
    put(element, h("article", { class: "mark", "data-status": "failed" }, h("div", { class: "row" }, chip("failed"), h("span", {}, `in ${result.failure.stage}`)), h("p", {}, result.failure.reason)));
    return;
  }
  const several = new Set(result.marks.map((one) => one.reading.field)).size > 1;
  const rest = result.lines.filter((line) => !result.marks.some((one) => one.lines.includes(line.number)));
  const times = Object.entries(result.timings_ms).map(([stage, ms]) => `${stage} ${Math.round(ms)} ms`);
  put(
    element,
    result.marks.map((one) => mark(one, result.lines, several)),
    rest.length ? h("details", {}, h("summary", {}, `${rest.length} other ${rest.length === 1 ? "line" : "lines"} of text`), rest.map((line) => h("p", { class: "row" }, h("span", { class: "number" }, String(line.number)), h("img", { class: "crop", src: line.url, alt: "" }), h("code", {}, line.text)))) : null,
    h("small", {}, [...times, result.model].filter(Boolean).join(" · ")),
  );
}
