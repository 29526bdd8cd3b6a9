// Every request to the station goes through here: the header that says that it is one of ours, what
// a refusal says, whether the station is there, and signing in where a token is wanted.
//
// The token itself is not kept: it is shown once, for a cookie that no script can read and that
// pictures and events carry too.

/** The station refused: `error` for the machine, `detail` and `remedy` for a person. */
export class Refused extends Error {
  constructor(status, told) {
    super(told.detail);
    this.status = status;
    this.error = told.error;
    this.detail = told.detail;
    this.remedy = told.remedy;
  }
}

/** The station did not answer. */
export class Away extends Error {}

/** Tells `away`, `back`, `locked` and `open`. */
export const link = new EventTarget();

let away = false;
let unlocked = null;
let unlock = null;

function tell(isAway) {
  if (away === isAway) return;
  away = isAway;
  link.dispatchEvent(new Event(isAway ? "away" : "back"));
}

async function send(path, { method = "GET", body, headers = {}, seconds = 20, signal } = {}) {
  const given = { "X-Markwatch": "1", ...headers };
  if (body !== undefined && !(body instanceof FormData)) {
    given["Content-Type"] = "application/json";
    body = JSON.stringify(body);
  }
  const limits = [AbortSignal.timeout(seconds * 1000), ...(signal ? [signal] : [])];
  let answer;
  try {
    answer = await fetch(path, {
      method,
      body,
      headers: given,
      credentials: "same-origin",
      redirect: "error",
      signal: AbortSignal.any(limits),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    tell(true);
    throw new Away("the station does not answer");
  }
  tell(false);
  if (answer.ok) return answer;
  let told = { error: "answer", detail: `HTTP ${answer.status}`, remedy: "try again" };
  try {
    told = { ...told, ...(await answer.json()) };
  } catch {
    // Something between here and the station answered in its place.
  }
  throw new Refused(answer.status, told);
}

/**
 * Ask the station; waits while somebody signs in.
 *
 * `ask("/v1/x", { method: "POST", body: {...}, signal, seconds })` gives the Response, or throws
 * Refused or Away. `body` is sent as JSON, unless it is a FormData.
 */
export async function ask(path, options) {
  for (;;) {
    await unlocked;
    try {
      return await send(path, options);
    } catch (error) {
      if (!(error instanceof Refused && error.status === 401)) throw error;
      lock();
    }
  }
}

/** Likewise, and the JSON of the answer. */
export async function askJson(path, options) {
  return (await ask(path, options)).json();
}

function lock() {
  if (unlocked !== null) return;
  unlocked = new Promise((resolve) => {
    unlock = resolve;
  });
  link.dispatchEvent(new Event("locked"));
}

/** Show the token; throws Refused when it is not the right one. */
export async function signIn(token) {
  await send("/v1/session", { method: "POST", headers: { Authorization: `Bearer ${token}` } });
  unlocked = null;
  link.dispatchEvent(new Event("open"));
  unlock?.();
}

/** Prolong the session; a page on a wall stays signed in for as long as it is shown. */
export async function stay() {
  await ask("/v1/session", { method: "POST" });
}

/** End the session in this browser. */
export async function signOut() {
  await send("/v1/session", { method: "DELETE" });
  location.reload();
}
