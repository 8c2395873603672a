// How things from outside become text. Nothing here makes markup: what comes out goes into text nodes, and into the three
// kinds of link that are built here from checked pieces.

export const STATUSES = [
  "New Lead",
  "Qualified",
  "Unqualified",
  "Called",
  "Didn't Pickup",
  "Asked to call back",
  "Closed Won",
  "Closed Lost",
];

/** The class that gives a status its colour; an unknown one is neutral. @param {string} status */
export const statusClass = (status) => {
  const at = STATUSES.indexOf(status);
  return at < 0 ? "st-other" : `st-${at}`;
};

/** Anything as text; lists are joined. @param {unknown} value @returns {string} */
export const text = (value) => {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.map(text).filter(Boolean).join(", ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
};

/** `tel:` for what looks like a number, nothing for placeholders and jokes. @param {unknown} phone */
export const phoneLink = (phone) => {
  const shown = text(phone).trim();
  if (!/^\+?[\d\s().\-/]+$/.test(shown)) return undefined;
  const number = shown.replace(/[^\d+]/g, "");
  return /^\+?\d{5,17}$/.test(number) ? `tel:${number}` : undefined;
};

/** `mailto:` for one plain address, without room for headers. @param {unknown} email */
export const emailLink = (email) => {
  const shown = text(email).trim();
  if (!/^[^\s@<>"'?&,;:%\\]+@[^\s@<>"'?&,;:%\\/]+\.[^\s@<>"'?&,;:%\\/]+$/.test(shown)) return undefined;
  return `mailto:${shown.split("@").map(encodeURIComponent).join("@")}`;
};

/** An address of the web as it is, nothing for any other kind. @param {unknown} address @returns {URL | undefined} */
export const webLink = (address) => {
  const url = URL.parse(text(address).trim());
  return url && ["http:", "https:"].includes(url.protocol) ? url : undefined;
};

/** `what_is_your_budget?` as a label. @param {unknown} name */
export const label = (name) => {
  const spaced = text(name).replace(/_+/g, " ").trim();
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
};

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const short = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const long = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const hours = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const exactly = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

/** Milliseconds of a timestamp; 0 if it is none. @param {unknown} stamp */
export const millis = (stamp) => Date.parse(text(stamp)) || 0;

/** The full date and time, for a title. @param {number} at */
export const exact = (at) => (at ? exactly.format(at) : "");

/** @param {number} at @param {number} now */
export const ago = (at, now) => {
  const age = now - at;
  if (!at) return "";
  if (age < MINUTE) return "now";
  if (age < HOUR) return `${Math.floor(age / MINUTE)} min ago`;
  if (age < 12 * HOUR) return `${Math.floor(age / HOUR)} h ago`;
  if (age < 6 * DAY) return `${sameDay(at, now) ? "" : `${short.format(at)}, `}${hours.format(at)}`;
  return (new Date(at).getFullYear() === new Date(now).getFullYear() ? short : long).format(at);
};

const sameDay = (a, b) => new Date(a).toDateString() === new Date(b).toDateString();

/** The time of day. @param {number} at */
export const hour = (at) => (at ? hours.format(at) : "");

/** The heading something stands under. @param {number} at @param {number} now */
export const day = (at, now) => {
  if (sameDay(at, now) || at > now) return "Today";
  if (sameDay(at, now - DAY)) return "Yesterday";
  return now - at < 300 * DAY ? weekday.format(at) : long.format(at);
};

/** @param {number} n @param {string} one @param {string} [many] */
export const count = (n, one, many = `${one}s`) => `${n.toLocaleString()} ${n === 1 ? one : many}`;

const MESSENGERS = { LINKEDIN: "LinkedIn", WHATSAPP: "WhatsApp", TWITTER: "X" };

/** `INSTAGRAM` as people write it. @param {unknown} kind */
export const messenger = (kind) => MESSENGERS[text(kind)] ?? label(text(kind).toLowerCase());

const amount = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const small = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 4 });
/** Money; the hub knows no currency. Less than one is told to four places. @param {unknown} value */
export const money = (value) => (Math.abs(Number(value)) < 1 ? small : amount).format(Number(value) || 0);

/** @param {unknown} ms */
export const duration = (ms) => {
  const took = Number(ms) || 0;
  return took < 1000 ? `${Math.round(took)} ms` : `${(took / 1000).toLocaleString(undefined, { maximumFractionDigits: 1 })} s`;
};

const UNITS = ["bytes", "kB", "MB", "GB"];
/** @param {unknown} bytes */
export const size = (bytes) => {
  let [left, unit] = [Number(bytes) || 0, 0];
  for (; left >= 1000 && unit < UNITS.length - 1; unit += 1) left /= 1000;
  return `${left.toLocaleString(undefined, { maximumFractionDigits: left < 10 && unit ? 1 : 0 })} ${UNITS[unit]}`;
};
