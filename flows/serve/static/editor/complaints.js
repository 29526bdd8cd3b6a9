// What is wrong with the draft, said beside the option that it is about, or else in a list.

import { h, put, say } from "../parts/dom.js";

/** Show the complaints within a form's element; those without a place there go into `list`. */
export function place(root, list, complaints) {
  for (const old of root.querySelectorAll("[data-wrong]")) {
    delete old.dataset.wrong;
    const words = told(old);
    if (words) words.hidden = true;
    old.querySelector(":scope > input, :scope > select")?.removeAttribute("aria-invalid");
  }
  const homeless = complaints.filter((one) => !shown(root, one));
  put(list, homeless.map((one) => h("li", { class: "refusal" }, one.line === null ? "" : h("strong", {}, `line ${one.line} `), one.loc.length ? h("code", {}, `${one.loc.join(".")} `) : "", one.words)));
  list.hidden = homeless.length === 0;
}

const told = (element) => element.querySelector(":scope > .refusal");

function shown(root, complaint) {
  for (let length = complaint.loc.length; length > 0; length -= 1) {
    const path = complaint.loc.slice(0, length).join(".");
    const element = root.querySelector(`[data-path="${CSS.escape(path)}"]:has(> .refusal)`);
    if (!element) continue;
    element.dataset.wrong = "";
    const words = told(element);
    say(words, complaint.words);
    words.hidden = false;
    element.querySelector(":scope > input, :scope > select")?.setAttribute("aria-invalid", "true");
    for (let each = element.closest("details"); each; each = each.parentElement.closest("details")) each.open = true;
    return true;
  }
  return false;
}
