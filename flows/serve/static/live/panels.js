// The station as a whole: what wants attention, the connections, the counts of the shift.

import { at, h, put, say } from "../parts/dom.js";
import { count, hour, many, span } from "../parts/format.js";
import { light, STATUSES } from "../parts/shapes.js";

const shown = new Map();

/** Draw an element's content again only when what it shows has changed. */
function draw(id, what, make) {
  const key = JSON.stringify(what);
  if (shown.get(id) === key) return;
  shown.set(id, key);
  put(at(id), make());
}

/** What a person should see to, most urgent first. */
export function attention(board) {
  const found = [
    ...board.sinks.filter((sink) => sink.error).map((sink) => ["alarm", `sink ${sink.name}`, sink.error]),
    ...(board.balanced ? [] : [["alarm", "the sums", "do not agree: run `markwatch audit`"]]),
    ...board.conditions.map(({ name, words }) => ["warn", name, words]),
    ...board.sources.filter((source) => source.level !== "well").map((source) => ["warn", `source ${source.name}`, `has not looked for ${span(source.scan_age_seconds)}`]),
  ];
  say(at("attention-head"), found.length > 1 ? `Needs attention: ${count(found.length)}` : "Needs attention");
  draw("attention-list", found.map(([level, name, words]) => [level, name, steady(words)]), () =>
    found.length === 0
      ? h("li", { class: "muted" }, light("well", ""), "Nothing.")
      : found.map(([level, name, words]) =>
          h("li", {}, light(level, level === "alarm" ? "alarm" : "warning"), h("strong", {}, name), h("span", { class: "wide" }, words)),
        ),
  );
}

// Spans of time in the words change all the time; they are no news.
const steady = (words) => words.replace(/\d+/g, "#");

/** Where pictures come from and where readings go. */
export function connections(board) {
  const lines = [
    ...board.sources.map((source) => [
      source.level,
      source.name,
      source.use,
      source.scan_age_seconds === null || source.scan_age_seconds === undefined ? "not looked through yet" : `looked through ${span(source.scan_age_seconds)} ago`,
    ]),
    ...board.sinks.map((sink) => [sink.level, sink.name, sink.use, standing(sink)]),
  ];
  draw("links", lines, () =>
    lines.map(([level, name, use, words]) =>
      h("li", {}, light(level, { well: "well", warn: "behind", alarm: "failing" }[level]), h("strong", {}, name), name !== use && h("small", {}, use), h("span", { class: "muted wide" }, words)),
    ),
  );
}

function standing(sink) {
  const owed = sink.pending === 0 ? "has everything" : `${many(sink.pending, "row waits", "rows wait")}${sink.backlog_seconds > 90 ? `, the oldest for ${span(sink.backlog_seconds)}` : ""}`;
  const dead = sink.dead ? `, ${count(sink.dead)} refused for good` : "";
  return `${sink.error ? "failing; " : ""}${owed}${dead}`;
}

/** Readings of the shift by camera and status; those with most to see to come first. */
export function shift(found, camera) {
  draw("shift", [found.cameras, found.start, found.complete, camera], () => {
    const rows = Object.entries(found.cameras).filter(([name]) => camera === null || name === camera);
    const wanting = ([, counts]) => Object.entries(counts).reduce((sum, [status, n]) => sum + (status === "read" ? 0 : n), 0);
    rows.sort((a, b) => wanting(b) - wanting(a) || a[0].localeCompare(b[0]));
    const all = {};
    for (const [, counts] of rows) for (const [status, n] of Object.entries(counts)) all[status] = (all[status] ?? 0) + n;
    return h(
      "table",
      {},
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Camera"), Object.keys(STATUSES).map((status) => h("th", { scope: "col", class: "number" }, status)))),
      h("tbody", {}, line("all", all, "all"), rows.length > 1 && rows.map(([name, counts]) => line(h("a", { href: `/?camera=${encodeURIComponent(name)}` }, name), counts))),
    );
  });
  const words = `This shift, since ${hour(new Date(found.start))}${found.complete ? "" : " (being counted)"}`;
  say(at("shift-head"), words);
}

function line(name, counts, kind = null) {
  return h(
    "tr",
    { class: kind },
    h("th", { scope: "row" }, name),
    Object.entries(STATUSES).map(([status, [level]]) =>
      h("td", { class: "number", "data-level": counts[status] ? level : null, "data-status": status }, counts[status] ? count(counts[status]) : "–"),
    ),
  );
}
