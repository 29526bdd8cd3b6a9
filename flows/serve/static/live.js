// The live page: readings as they come, and every two seconds the station as a whole.

import { askJson, link } from "./parts/ask.js";
import { at, h, put, say } from "./parts/dom.js";
import { span } from "./parts/format.js";
import { frame, name, tellState } from "./parts/frame.js";
import { Details } from "./live/details.js";
import { Failures } from "./live/failures.js";
import { Feed } from "./live/feed.js";
import { attention, connections, shift } from "./live/panels.js";
import { Readings } from "./live/readings.js";
import { trend } from "./live/trend.js";

const LOOK_MS = 2000;
const HIDDEN_MS = 15_000;
const AWAY_SECONDS = 8;

const camera = new URLSearchParams(location.search).get("camera");
let locked = false;
let edition = null;
let known = null;
let lastAt = null;
let looking = null;

frame("/");
const details = new Details((id) => failures.wish(id));
const readings = new Readings((row) => details.show(row.id));
const failures = new Failures(camera, (id) => details.show(id));
const feed = new Feed(camera, {
  rows: (rows) => {
    readings.add(rows);
    if (rows.some((row) => row.status === "failed" || row.supersedes !== null)) failures.look();
  },
  reset: () => readings.clear(),
});

details.neighbour = (id, step) => readings.neighbour(id, step);
at("camera").addEventListener("change", (event) => {
  const chosen = event.target.value;
  location.assign(chosen === "" ? "/" : `/?camera=${encodeURIComponent(chosen)}`);
});
link.addEventListener("locked", () => {
  locked = true;
});
document.addEventListener("visibilitychange", look);
setInterval(ages, 1000);
feed.start();
look();

async function look() {
  clearTimeout(looking);
  try {
    const query = camera === null ? "" : `?camera=${encodeURIComponent(camera)}`;
    tell(await askJson(`/v1/board${query}`, { seconds: AWAY_SECONDS }));
  } catch (error) {
    // Away and refused are shown by the frame; it is asked again either way.
    if (error.remedy) tellState("alarm", `${error.message}: ${error.remedy}`);
  }
  clearTimeout(looking);
  looking = setTimeout(look, document.hidden ? HIDDEN_MS : LOOK_MS);
}

function tell(board) {
  if (edition !== null && edition !== board.edition && !details.open) location.reload();
  edition ??= board.edition;
  name(board.station, board.locked);
  if (board.ready) tellState("well", "Watching");
  else tellState("warn", `Not reading: ${board.not_ready}`);
  attention(board);
  connections(board);
  shift(board.shift, camera);
  trend(board.shift, camera);
  cameras(board.cameras.map((one) => one.name));
  const seen = board.cameras.filter((one) => camera === null || one.name === camera);
  lastAt = seen.map((one) => one.last_at).filter(Boolean).sort().at(-1) ?? null;
  ages();
  empty(board);
  feed.told(board.head);
  failures.told(board.images.failed);
}

function ages() {
  const since = lastAt === null ? null : (Date.now() - Date.parse(lastAt)) / 1000;
  say(at("last"), since === null ? "" : `last picture ${span(since)} ago`);
}

function cameras(names) {
  const all = camera === null || names.includes(camera) ? names : [camera, ...names];
  if (known === all.join("\0")) return;
  known = all.join("\0");
  put(
    at("camera"),
    h("option", { value: "" }, "all"),
    all.map((one) => h("option", { value: one, selected: one === camera }, one)),
  );
}

function empty(board) {
  const none = lastAt === null;
  if (at("empty").hidden === !none) return;
  at("empty").hidden = !none;
  const folder = board.sources.flatMap((source) => source.folders)[0] ?? "data/inbox";
  const shown = camera ?? "CAMERA";
  put(
    at("empty"),
    h("h3", {}, camera === null ? "No picture has come yet" : `No picture of ${camera} has come yet`),
    h("ol", {},
      h("li", {}, "Let a camera write into ", h("code", {}, `${folder}/${shown}/`), ", or copy a picture there: BMP, PNG, JPEG, TIFF or WebP. The folder's name is the camera's."),
      h("li", {}, "It appears here by itself, within a few seconds."),
      h("li", {}, "Where the mark is and what it may say stands in the camera's ", h("a", { href: "/recipes" }, "recipe"), "."),
    ),
  );
}
