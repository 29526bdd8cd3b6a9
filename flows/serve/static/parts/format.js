// Numbers, times and spans as a person reads them.

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const SHORT = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const FULL = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const COUNT = new Intl.NumberFormat("en-GB");

/** 14:03:22 */
export const clock = (date) => CLOCK.format(date);

/** 14:03 */
export const hour = (date) => SHORT.format(date);

/** 21 Nov 2026, 14:03:22 */
export const moment = (text) => (text ? FULL.format(new Date(text)) : "");

/** Today the time, before that the day too. */
export function when(text) {
  const date = new Date(text);
  const today = date.toDateString() === new Date().toDateString();
  return today ? CLOCK.format(date) : `${DAY.format(date)} ${SHORT.format(date)}`;
}

/** 12,345 */
export const count = (number) => COUNT.format(number);

/** 98.7 %; never rounded up to a certainty that was not claimed. */
export function percent(share) {
  if (share === null || share === undefined) return "";
  return `${(Math.floor(share * 1000) / 10).toFixed(1)} %`;
}

/** 8 s, 12 min, 3 h, 2 days */
export function span(seconds) {
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

/** 1 picture, 2 pictures */
export const many = (number, one, more) => `${count(number)} ${number === 1 ? one : more}`;
