// Elements made of names, attributes and text. There is no way in here for markup: what was read
// from a part, or what a camera calls its files, is only ever text.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "href" || name === "src") element.setAttribute(name, local(value));
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...kept(children));
  return element;
}

// A string among them becomes a text node.
const kept = (children) =>
  children.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== false);

/** An HTML element: `h("p", { class: "muted" }, "text", element)`; `onclick` takes a function. */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element, likewise. */
export function s(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Only addresses of this station (and pictures made here): no `javascript:`, no other host. */
function local(address) {
  const found = new URL(address, location.href);
  if (found.origin !== location.origin) throw new TypeError(`not an address of this station`);
  return address;
}

/** Put these in place of what an element holds. */
export function put(element, ...children) {
  element.replaceChildren(...kept(children));
}

/** Change a text only when it differs, so that nobody is told twice. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** The element of this id; it must be there. */
export function at(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page lacks #${id}`);
  return found;
}
