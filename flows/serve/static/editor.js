// The recipe editor: a picture, its region, the steps, the reading, and the file.

import { askJson, link } from "./parts/ask.js";
import { at, h, put, say } from "./parts/dom.js";
import { frame, name as nameStation, tellState } from "./parts/frame.js";
import { place } from "./editor/complaints.js";
import { Draft, fieldsOf, stepsOf } from "./editor/draft.js";
import { Easel } from "./editor/easel.js";
import { Fields } from "./editor/fields.js";
import { form, words as named } from "./editor/form.js";
import { SHAPES, WITHIN } from "./editor/geometry.js";
import { Picker } from "./editor/picker.js";
import { Preview } from "./editor/preview.js";
import { headlines, showReading } from "./editor/reading.js";
import { Saving } from "./editor/saving.js";
import { Steps } from "./editor/steps.js";
import { chip } from "./parts/shapes.js";

const SLOW_MS = 2500;
const TYPED_MS = 500;

frame("/recipes");

const draft = new Draft();
const preview = new Preview(draft);
const easel = new Easel();
const saving = new Saving(draft, () => picker.refresh());
let chosen = { kind: "picture", index: -1 };
let steps;
let fields;
let about;
let slow = null;

// What the large picture shows, and the shape on it

function view() {
  const frames = preview.result?.frames ?? [];
  if (chosen.kind === "step") {
    const [operation] = stepsOf(draft.values)[chosen.index] ?? ["?"];
    const words = `${chosen.after ? "after" : "before"} step ${chosen.index + 1}, ${named(operation)}`;
    return { frame: frames[chosen.index + (chosen.after ? 1 : 0)], words, lines: [] };
  }
  const came = chosen.kind === "picture";
  const lines = (preview.result?.lines ?? []).map((line) => ({
    number: line.number,
    points: came ? line.shape : line.shape_ready,
  }));
  const index = came ? 0 : stepsOf(draft.values).length;
  return { frame: frames[index], words: came ? "as it came" : "as it is read", lines };
}

function editable(size) {
  const list = stepsOf(draft.values);
  if (chosen.kind === "step") {
    const [operation, options] = list[chosen.index] ?? [];
    const shape = SHAPES[operation];
    return shape && { shape, found: shape.read(options ?? {}, size), write: (found, on) => steps.set(chosen.index, shape.write(stepsOf(draft.values)[chosen.index][1] ?? {}, found, on)) };
  }
  if (chosen.kind === "field") {
    const detect = () => fieldsOf(draft.values)[chosen.index]?.detect ?? { use: "neural" };
    return { shape: WITHIN, found: WITHIN.read(detect(), size), write: (found, on) => fields.setDetect(chosen.index, WITHIN.write(detect(), found, on)) };
  }
  // On the picture as it came, the region is the crop that comes first.
  const crop = SHAPES.crop;
  const first = list[0]?.[0] === "crop";
  return {
    shape: crop,
    found: first ? crop.read(list[0][1] ?? {}, size) : null,
    write: (found, on) => {
      const now = stepsOf(draft.values);
      if (now[0]?.[0] === "crop") steps.set(0, crop.write(now[0][1] ?? {}, found, on));
      else {
        steps.add("crop", 0, { box_px: found });
        choose("picture");
      }
    },
  };
}

function look() {
  const shown = view();
  const none = preview.picture === null ? "Open a picture of this camera, or drop one above." : preview.result ? "The picture does not come so far: see the reading." : "Reading…";
  easel.show(shown.frame, shown.frame ? shown.words : none, shown.lines);
  const own = shown.frame && !chosen.after ? editable(shown.frame.size) : null;
  easel.edit(own?.shape ?? null, own?.found ?? null, own?.write ?? (() => {}));
  draw.hidden = !own;
  say(draw, chosen.kind === "picture" ? (own?.found ? "Draw the region anew" : "Draw the region") : "Draw it anew");
  cameAs.setAttribute("aria-pressed", String(chosen.kind === "picture"));
  readAs.setAttribute("aria-pressed", String(chosen.kind === "field"));
  const step = chosen.kind === "step";
  before.hidden = after.hidden = !step;
  before.setAttribute("aria-pressed", String(step && !chosen.after));
  after.setAttribute("aria-pressed", String(step && chosen.after));
  caption.hidden = !step;
  say(caption, step ? `Step ${chosen.index + 1}, ${named(stepsOf(draft.values)[chosen.index]?.[0] ?? "")}:` : "");
  if (shown.frame) say(size, `${shown.frame.size[0]} × ${shown.frame.size[1]} px`);
}

function choose(kind, index = -1) {
  chosen = index < 0 && kind !== "picture" ? { kind: "picture", index: -1 } : { kind, index };
  // A shape is drawn on what the step is given; of any other step one wants to see what it does.
  chosen.after = kind === "step" && !(stepsOf(draft.values)[index]?.[0] in SHAPES);
  easel.cancel();
  steps?.choose(chosen.kind === "step" ? chosen.index : -1);
  fields?.choose(chosen.kind === "field" ? chosen.index : -1);
  look();
}

function side(isAfter) {
  chosen.after = isAfter;
  easel.cancel();
  look();
}

const draw = h("button", { id: "draw", onclick: () => easel.draw() }, "Draw the region");
const cameAs = h("button", { onclick: () => choose("picture") }, "As it came");
const readAs = h("button", { onclick: () => choose("field", 0) }, "As it is read");
const before = h("button", { hidden: true, onclick: () => side(false) }, "Before");
const after = h("button", { hidden: true, onclick: () => side(true) }, "After");
const caption = h("span", { class: "muted" });
const size = h("small", { class: "muted" });

// The page

const reading = h("div", { id: "reading", class: "stack", "aria-live": "polite" });
// The forms are long: what is read stays in sight while one is filled in.
const echo = h("span", { class: "row", "aria-hidden": "true" });
const busy = h("span", { class: "muted", role: "status" });
const homeless = h("ul", { class: "stack", id: "mistakes", hidden: true, "aria-label": "Mistakes" });
const text = h("textarea", { id: "text", class: "code", rows: 16, spellcheck: "false", autocomplete: "off", autocapitalize: "none", oninput: () => draft.write(text.value, TYPED_MS) });
const forms = h("div", { class: "stack", id: "forms" });
const picker = new Picker({
  mayLeave: () => saving.mayLeave(),
  onCamera: openCamera,
  onPicture: (picture) => {
    if (picture === null) preview.clear();
    else preview.choose(picture.key);
    remember();
    look();
  },
});

put(
  at("main"),
  h("div", { class: "panel row bar" }, picker.camera, echo, h("span", { class: "push" }), saving.element),
  homeless,
  h(
    "div",
    { class: "desk" },
    h(
      "div",
      { class: "stack stays" },
      h("section", { class: "panel stack", "aria-labelledby": "picture-title" }, h("h2", { id: "picture-title" }, "1 Picture and region"), picker.pictures, h("div", { class: "row" }, cameAs, readAs, caption, before, after, draw, h("span", { class: "push" }), size), easel.bar, easel.element),
    ),
    h(
      "div",
      { class: "stack" },
      h("section", { class: "panel stack", "aria-labelledby": "reading-title" }, h("div", { class: "row" }, h("h2", { id: "reading-title" }, "Reading"), busy), reading),
      forms,
    ),
  ),
);

async function openCamera(camera) {
  await draft.open(camera);
  await saving.opened();
  choose("picture");
}

function remember() {
  const query = new URLSearchParams({ camera: draft.camera });
  if (preview.picture) query.set("picture", preview.picture);
  history.replaceState(null, "", `?${query}`);
}

function showText() {
  if (document.activeElement !== text && text.value !== draft.text) text.value = draft.text;
}

draft.addEventListener("rebuilt", () => {
  steps.build();
  fields.build();
  about.update();
  look();
});
draft.addEventListener("changed", () => {
  steps.update();
  fields.update();
  look();
});
draft.addEventListener("waiting", () => saving.show());
draft.addEventListener("checked", () => {
  showText();
  place(forms, homeless, draft.complaints);
  saving.show();
  steps.show(preview.result);
  fields.tryAgain();
  reading.classList.toggle("old", !draft.sound || preview.busy);
  preview.ask();
});
text.addEventListener("blur", showText);
link.addEventListener("back", () => draft.again());
preview.addEventListener("waiting", () => {
  reading.classList.add("old");
  say(busy, "reading…");
  slow = setTimeout(() => say(busy, "reading… the first one takes longer, the recogniser is being loaded"), SLOW_MS);
});
preview.addEventListener("idle", () => {
  clearTimeout(slow);
  say(busy, "");
});
preview.addEventListener("failed", () => {
  reading.classList.remove("old");
  put(reading, h("p", { class: "refusal" }, `${preview.trouble.message}. ${preview.trouble.remedy ?? ""}`));
});
preview.addEventListener("shown", () => {
  reading.classList.remove("old");
  showReading(reading, preview.result);
  put(echo, headlines(preview.result).map(([status, code]) => [chip(status), h("span", { class: "code" }, code)]));
  steps.show(preview.result);
  picker.pages(preview.result?.pages ?? 0, preview.page, (page) => preview.choose(preview.picture, page));
  look();
});

async function begin() {
  const board = await askJson("/v1/board");
  nameStation(board.station, board.locked);
  if (board.ready) tellState("well", "Watching");
  else tellState("warn", `Not reading: ${board.not_ready}`);
  const schemas = await askJson("/v1/recipe-forms", { seconds: 60 });
  steps = new Steps(draft, schemas, (index) => choose("step", index), (index) => (preview.result?.frames[index] ?? preview.result?.frames[0])?.size ?? [640, 480]);
  fields = new Fields(draft, schemas, (index) => choose("field", index), (index) => { choose("field", index); easel.draw(); });
  about = form(schemas.recipe, { path: [], first: ["description"], get: () => draft.values, set: (values) => draft.change((old) => { Object.assign(old, values); if (values.description === undefined) delete old.description; }) });
  put(
    forms,
    h("section", { class: "panel stack", "aria-labelledby": "steps-title" }, h("h2", { id: "steps-title" }, "2 Steps before reading"), steps.element),
    h("section", { class: "panel stack", "aria-labelledby": "fields-title" }, h("h2", { id: "fields-title" }, "3 What is read"), fields.element, about.element),
    h("section", { class: "panel stack", "aria-labelledby": "text-title" }, h("div", { class: "row" }, h("h2", { id: "text-title" }, h("label", { for: "text" }, "The file")), h("span", { class: "push" }), saving.earlier), text, h("small", {}, "What the forms change is changed here too, and comments stay. You may also write here.")),
  );
  const asked = new URLSearchParams(location.search);
  saving.writable = await picker.load(asked.get("camera"), asked.get("picture"));
  document.body.dataset.ready = "";
}

begin().catch((error) => {
  put(at("main"), h("p", { class: "panel refusal" }, `${error.message}. ${error.remedy ?? "Load the page again."}`));
});
