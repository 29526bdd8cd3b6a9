// Forms made from JSON Schema: what an option is called, its unit, bounds, default and words all
// come from the station's own models. An option that is left empty is left out of the recipe.

import { h, put } from "../parts/dom.js";

const UNITS = ["px", "degrees", "seconds", "hours", "days", "megabytes", "ms"];
let made = 0;

/** A name as a person reads it: `kernel_px` is "kernel (px)". */
export function words(name) {
  const parts = name.split("_");
  const unit = UNITS.includes(parts.at(-1)) ? parts.pop() : null;
  return parts.join(" ") + (unit ? ` (${unit})` : "");
}

/**
 * The form of an object's schema.
 *
 * `get()` gives the object as it is, `set(object)` changes it; `path` is where it stands in the
 * recipe, for complaints. Gives { element, update }: `update()` shows what changed elsewhere.
 */
export function form(schema, { get, set, path, defs = schema.$defs ?? {}, first = [] }) {
  const names = Object.keys(schema.properties ?? {});
  const rows = names.map((name) => {
    const own = resolved(schema.properties[name], defs);
    const part = widget(own, {
      name,
      path: [...path, name],
      defs,
      get: () => get()?.[name],
      set: (value) => {
        const { [name]: _, ...rest } = get() ?? {};
        set(value === undefined ? rest : { ...get(), [name]: value });
      },
    });
    return { name, own, ...part, needed: schema.required?.includes(name) || first.includes(name) };
  });
  const given = get() ?? {};
  const shown = rows.filter((row) => row.needed || row.name in given);
  const more = rows.filter((row) => !shown.includes(row));
  shown.sort((a, b) => rank(first, a.name) - rank(first, b.name));
  const rest = h("details", { open: shown.length === 0 && more.length <= 6, hidden: more.length === 0 }, h("summary", {}, shown.length ? `${more.length} more` : "Options"), more.map((row) => row.element));
  const element = h(
    "div",
    { class: "form", "data-path": path.join(".") },
    shown.map((row) => row.element),
    rest,
    names.length ? null : h("p", { class: "muted" }, "Nothing to set."),
  );
  const had = new Set(Object.keys(given));
  const update = () => {
    rows.forEach((row) => row.update());
    // What was set elsewhere (drawn in the picture, say) is to be seen.
    const now = get() ?? {};
    if (more.some((row) => row.name in now && !had.has(row.name))) rest.open = true;
    Object.keys(now).forEach((name) => had.add(name));
  };
  return { element, update };
}

const rank = (first, name) => (first.includes(name) ? first.indexOf(name) : first.length);

function resolved(schema, defs) {
  if (!schema.$ref) return schema;
  const { $ref, ...rest } = schema;
  return { ...defs[$ref.split("/").at(-1)], ...rest };
}

/** The schema without its "or null": leaving it empty says that. */
function bare(schema, defs) {
  const ways = (schema.anyOf ?? []).map((one) => resolved(one, defs)).filter((one) => one.type !== "null");
  return ways.length === 1 ? { ...ways[0], ...("default" in schema ? { default: schema.default } : {}), description: schema.description } : schema;
}

function widget(schema, given) {
  const own = bare(schema, given.defs);
  const id = `option-${++made}`;
  const control = chosen(own)(own, { ...given, id });
  const label = h(control.group ? "span" : "label", { class: "name", ...(control.group ? { id } : { for: id }) }, words(given.name));
  const element = h(
    "div",
    { class: "option", "data-path": given.path.join("."), ...(control.group ? { role: "group", "aria-labelledby": id } : {}) },
    label,
    control.element,
    own.description ? h("small", { id: `${id}-about` }, own.description) : null,
    h("p", { class: "refusal", hidden: true, id: `${id}-wrong` }),
  );
  if (!control.group) control.element.setAttribute("aria-describedby", `${id}-about ${id}-wrong`);
  control.update();
  return { element, update: control.update };
}

function chosen(schema) {
  if (schema.enum) return choice;
  if (schema.type === "boolean") return schema.default === null ? either : tick;
  if (schema.type === "integer" || schema.type === "number") return number;
  if (schema.type === "string") return text;
  if (schema.type === "object" && schema.properties) return section;
  if (schema.type === "array" && (schema.prefixItems?.[0] ?? schema.items)?.type === "array") return points;
  if (schema.type === "array" && schema.prefixItems) return tuple;
  if (schema.type === "array" && schema.items?.$ref) return list;
  if (schema.type === "array" && ["string", "integer", "number"].includes(schema.items?.type)) return series;
  return anything;
}

const usual = (schema) => (schema.default === undefined || schema.default === null || schema.default === "" ? "" : plain(schema.default));
const plain = (value) => (typeof value === "string" ? value : JSON.stringify(value));
const busy = (element) => document.activeElement === element;

function choice(schema, { id, get, set }) {
  const blank = schema.default === undefined ? null : h("option", { value: "" }, `${schema.default} (usual)`);
  const element = h("select", { id, onchange: () => set(element.value === "" ? undefined : element.value) }, blank, schema.enum.filter((one) => one !== schema.default).map((one) => h("option", { value: one }, one)));
  return { element, update: () => { element.value = get() === schema.default ? "" : (get() ?? ""); } };
}

function tick(schema, { id, get, set }) {
  const element = h("input", { id, type: "checkbox", onchange: () => set(element.checked === schema.default ? undefined : element.checked) });
  return { element, update: () => { element.checked = get() ?? schema.default ?? false; } };
}

function either(schema, { id, get, set }) {
  const named = { "": "not said (usual)", true: "yes", false: "no" };
  const element = h("select", { id, onchange: () => set(element.value === "" ? undefined : element.value === "true") }, Object.entries(named).map(([value, words]) => h("option", { value }, words)));
  return { element, update: () => { element.value = String(get() ?? ""); } };
}

function number(schema, { id, get, set }) {
  const element = h("input", {
    id, type: "number", inputmode: "decimal", placeholder: usual(schema),
    step: schema.type === "integer" ? 1 : "any", min: schema.minimum ?? schema.exclusiveMinimum, max: schema.maximum ?? schema.exclusiveMaximum,
    oninput: () => { if (!element.validity.badInput) set(element.value === "" ? undefined : Number(element.value)); },
  });
  return { element, update: () => { if (!busy(element)) element.value = get() ?? ""; } };
}

function text(schema, { id, name, get, set }) {
  const element = h("input", {
    id, type: "text", placeholder: usual(schema), spellcheck: "false", autocomplete: "off", autocapitalize: "none",
    class: name === "format" ? "code" : null,
    // An empty text is one of its own where the usual one is not empty.
    oninput: () => set(element.value === "" && !schema.default ? undefined : element.value),
  });
  return { element, update: () => { if (!busy(element)) element.value = get() ?? ""; } };
}

function series(schema, { id, get, set }) {
  const numbers = schema.items.type !== "string";
  const read = (words) => words.split(",").map((one) => one.trim()).filter(Boolean).map((one) => (numbers ? Number(one) : one));
  const element = h("input", { id, type: "text", placeholder: "none; several with commas", spellcheck: "false", oninput: () => { const found = read(element.value); set(found.length ? found : undefined); } });
  return { element, update: () => { if (!busy(element)) element.value = (get() ?? []).join(", "); } };
}

function tuple(schema, { get, set, path }) {
  const labels = schema.prefixItems.length === 4 ? ["x1", "y1", "x2", "y2"] : ["x", "y"];
  const inputs = schema.prefixItems.map((item, at) =>
    h("input", { type: "number", step: item.type === "integer" ? 1 : "any", min: item.minimum, max: item.maximum, placeholder: labels[at], "aria-label": `${path.at(-1)} ${labels[at]}`, oninput: () => taken() }),
  );
  const taken = () => {
    const found = inputs.map((one) => (one.value === "" ? null : Number(one.value)));
    if (found.every((one) => one === null)) set(undefined);
    else if (!found.includes(null)) set(found);
  };
  const update = () => inputs.forEach((one, at) => { if (!busy(one)) one.value = get()?.[at] ?? ""; });
  return { element: h("div", { class: "row tight" }, inputs), update, group: true };
}

function points(schema, given) {
  const inner = anything(schema, given);
  const count = h("small", {});
  const update = () => {
    inner.update();
    const found = given.get();
    count.textContent = Array.isArray(found) ? `${found.length} points: move them in the picture` : "none: draw them in the picture";
  };
  return { element: h("div", { class: "stack" }, count, inner.element), update, group: true };
}

function list(schema, { get, set, path, defs }) {
  const item = resolved(schema.items, defs);
  const element = h("div", { class: "stack items" });
  let parts = [];
  const build = () => {
    const items = get() ?? [];
    parts = items.map((_, at) =>
      form(item, {
        path: [...path, at], defs, first: item.required ?? [],
        get: () => get()?.[at] ?? {},
        set: (value) => set((get() ?? []).map((one, place) => (place === at ? value : one))),
      }),
    );
    put(
      element,
      parts.map((part, at) => h("div", { class: "item" }, part.element, h("button", { onclick: () => { const rest = get().filter((_, place) => place !== at); set(rest.length ? rest : undefined); build(); } }, "Remove"))),
      h("button", { onclick: () => { set([...(get() ?? []), started(item)]); build(); } }, "Add"),
    );
  };
  build();
  return { element, update: () => ((get() ?? []).length === parts.length ? parts.forEach((one) => one.update()) : build()), group: true };
}

/** What a new item begins with: the first choice of what must be said. */
function started(schema) {
  return Object.fromEntries((schema.required ?? []).map((name) => {
    const own = schema.properties[name];
    return [name, own.enum?.[0] ?? (own.type === "integer" || own.type === "number" ? (own.minimum > 0 ? own.minimum : 1) : "")];
  }));
}

function section(schema, { get, set, path, defs }) {
  const inner = form(schema, { path, defs, first: schema.required ?? [], get: () => get() ?? {}, set: (value) => set(Object.values(value).some((one) => one !== "") ? value : undefined) });
  return { element: inner.element, update: inner.update, group: true };
}

/** What has several shapes is typed as JSON: true, [O0, S5] in quotes, or a number. */
function anything(schema, { id, get, set }) {
  const element = h("input", {
    id, type: "text", class: "code", placeholder: usual(schema), spellcheck: "false",
    oninput: () => {
      try {
        set(element.value.trim() === "" ? undefined : JSON.parse(element.value));
        element.setCustomValidity("");
      } catch {
        element.setCustomValidity('as JSON: true, 12, "text", ["O0", "S5"]');
        element.reportValidity();
      }
    },
  });
  return { element, update: () => { if (!busy(element)) element.value = get() === undefined ? "" : JSON.stringify(get()); } };
}
