// What every page has: the header with the ways between them, the banner when the station is away,
// and the sign-in where a token is wanted.

import { at, h, put, say } from "./dom.js";
import { clock } from "./format.js";
import { link, signIn, signOut, stay } from "./ask.js";
import { light, shape } from "./shapes.js";

const PAGES = [
  ["/", "Live"],
  ["/recipes", "Recipes"],
];
const DAY_MS = 86_400_000;

const station = h("h1", { class: "wide" }, "markwatch");
const state = h("p", { class: "row", role: "status" });
const out = h("button", { hidden: true, onclick: () => signOut() }, "Sign out");
const banner = h("div", { id: "away", role: "alert", hidden: true });

/** Build the header of the page whose path this is. */
export function frame(path) {
  const ways = PAGES.map(([href, name]) =>
    h("a", { href, "aria-current": href === path ? "page" : null }, name),
  );
  put(at("frame"), station, h("nav", { "aria-label": "Pages" }, ways), state, h("span", { class: "push" }), out);
  document.body.prepend(h("a", { id: "skip", href: "#main" }, "To the content"));
  at("frame").after(banner);
  const dialog = signInDialog();
  link.addEventListener("locked", () => dialog.open || dialog.showModal());
  link.addEventListener("open", () => dialog.close());
  link.addEventListener("away", away);
  link.addEventListener("back", back);
  setInterval(() => stay().catch(() => {}), DAY_MS);
}

/** Say whose page this is; `locked` when a token was shown, so that it can be put away again. */
export function name(words, locked) {
  say(station, words);
  document.title = `${words} · markwatch`;
  out.hidden = !locked;
}

/** Put a light and words beside the ways: how the station is. */
export function tellState(level, words) {
  // Screen readers tell of each change, so there is one only when there is one.
  if (state.dataset.level === level && state.lastChild?.textContent === words) return;
  state.dataset.level = level;
  put(state, light(level, ""), h("span", {}, words));
}

function away() {
  document.body.classList.add("away");
  put(banner, shape("cross"), h("span", {}, `The station has not answered since ${clock(new Date())}. What you see is from before; this page goes on by itself.`));
  banner.hidden = false;
  state.hidden = true;
}

function back() {
  document.body.classList.remove("away");
  banner.hidden = true;
  state.hidden = false;
}

function signInDialog() {
  const field = h("input", { type: "password", id: "token", autocomplete: "current-password", required: true });
  const wrong = h("p", { class: "refusal", role: "alert", hidden: true });
  const form = h(
    "form",
    { class: "stack", onsubmit: (event) => submit(event) },
    h("h2", { id: "sign-in" }, "This station wants its token"),
    // For whatever keeps passwords: it wants a name to keep this one under.
    h("input", { type: "text", autocomplete: "username", value: "markwatch", hidden: true, readonly: true }),
    h("label", { for: "token" }, "Token"),
    field,
    wrong,
    h("p", { class: "muted" }, "Whoever runs the station knows it (MARKWATCH__SERVE__TOKEN)."),
    h("button", { class: "first" }, "Sign in"),
  );
  const dialog = h("dialog", { "aria-labelledby": "sign-in", oncancel: (event) => event.preventDefault() }, form);
  document.body.append(dialog);

  async function submit(event) {
    event.preventDefault();
    wrong.hidden = true;
    try {
      await signIn(field.value);
      field.value = "";
    } catch (error) {
      say(wrong, error.status === 401 ? "That is not the token of this station." : error.message);
      wrong.hidden = false;
      field.select();
    }
  }
  return dialog;
}
