// The leads on screen: what was asked for, what came live, and changes made here. The database is read only when a person
// asks (on open, on a new search, on "load more") or when the connection says that something may have been missed.
import { batch, computed, signal } from "../vendor.js";
import { ApiError, api } from "./api.js";
import { gather } from "./gather.js";
import { MOST, matches, merge, patch, refresh, row, without } from "./rows.js";
import { toast } from "./toasts.js";

const PAGE = 50;

const UNFILTERED = { q: "", status: "", account: "" };
export const filter = signal(UNFILTERED);
/** @type {import("../vendor.js").Signal<import("./rows.js").Row[]>} */
export const rows = signal([]);
/** `first`: nothing to show yet; `more`: the next page is on its way; `error`: the last reading failed. */
export const reading = signal("first");
export const failure = signal("");
const cursor = signal(null);
export const hasMore = computed(() => cursor.value !== null && rows.value.length < MOST);
export const full = computed(() => rows.value.length >= MOST);
/** The opened lead when the list does not hold it: a link led there, or it left the list. @type {import("../vendor.js").Signal<import("./rows.js").Row | null>} */
export const apart = signal(null);
/** Rows that arrived while the list was scrolled down. */
export const above = signal(0);
/** Rows changed here stay where they are, though they no longer match the filter, until the next reading. */
let sticky = new Set();
let asked = new AbortController();

/** The row of a lead, wherever it is. @param {string} id */
export const find = (id) => rows.value.find((mine) => mine.id === id) ?? (apart.value?.id === id ? apart.value : undefined);

/** Puts columns of a lead wherever it is. @param {string} id @param {object} columns */
function put(id, columns) {
  rows.value = patch(rows.value, id, columns);
  if (apart.value?.id === id) [apart.value] = patch([apart.value], id, columns);
}

/** Keeps the opened lead at hand though the list lets go of it. @param {string} id */
export function keep(id) {
  apart.value = rows.value.find((mine) => mine.id === id) ?? (apart.value?.id === id ? apart.value : null);
}

/** Fetches a lead that is not at hand. @param {string} id */
export async function fetchApart(id) {
  const lead = await api.lead(id);
  if (!rows.value.some((mine) => mine.id === id)) apart.value = row(lead);
}

/** Reads the first page. @param {boolean} anew the question changed: drop what is there */
export async function read(anew) {
  asked.abort();
  asked = new AbortController();
  const { signal: abort } = asked;
  if (anew) sticky = new Set();
  if (anew || rows.value.length === 0) batch(() => ((rows.value = []), (cursor.value = null), (reading.value = "first")));
  failure.value = "";
  try {
    const { data, next } = await api.leads({ ...filter.value, q: filter.value.q.trim(), limit: PAGE }, abort);
    if (abort.aborted) return;
    batch(() => {
      const fresh = refresh(rows.value, data, next === null, Date.now());
      rows.value = fresh.rows;
      if (!fresh.kept) cursor.value = next;
      reading.value = "";
    });
  } catch (error) {
    if (!abort.aborted) fail(error);
  }
}

export async function readMore() {
  if (!hasMore.value || reading.value) return;
  reading.value = "more";
  const { signal: abort } = asked;
  try {
    const query = { ...filter.value, q: filter.value.q.trim(), limit: PAGE, cursor: cursor.value };
    const { data, next } = await api.leads(query, abort);
    if (abort.aborted) return;
    batch(() => {
      rows.value = merge(rows.value, data.map((lead) => row(lead)));
      cursor.value = next;
      reading.value = "";
    });
  } catch (error) {
    if (!abort.aborted) fail(error);
  }
}

const fail = (error) => batch(() => ((failure.value = error.message), (reading.value = "error")));

/** @param {Partial<typeof UNFILTERED>} part */
export function narrow(part) {
  const next = { ...filter.value, ...part };
  const same = Object.keys(next).every((key) => next[key] === filter.value[key]);
  if (same) return;
  filter.value = next;
  above.value = 0;
  void read(true);
}

/** Forgets everything: somebody else may sign in. */
export function forget() {
  asked.abort();
  live.clear();
  sticky = new Set();
  batch(() => ((rows.value = []), (apart.value = null), (cursor.value = null), (filter.value = UNFILTERED), (reading.value = "first")));
}

// -- live ---------------------------------------------------------------------------------------------------------------

const live = gather((steps) => {
  // New rows are merged in one go: a sort for each would make a storm quadratic.
  const fresh = steps.flatMap((step) => step() ?? []);
  if (fresh.length) rows.value = merge(rows.value, fresh);
});

/** Whether the reader is at the top of the list; set by the list. */
export const atTop = { now: true };

export function arrived(lead, at) {
  live.add(() => {
    if (!matches(lead, filter.value)) return [];
    if (!atTop.now) above.value += 1;
    return [row(lead, at)];
  });
}

export function changed(columns) {
  live.add(() => {
    put(columns.id, columns);
    const mine = rows.value.find(({ id }) => id === columns.id);
    if (mine && !sticky.has(mine.id) && !matches(mine.lead, filter.value)) rows.value = without(rows.value, mine.id);
  });
}

export function gone(id) {
  live.add(() => {
    rows.value = without(rows.value, id);
    if (apart.value?.id === id) apart.value = null;
  });
}

// -- changes made here ----------------------------------------------------------------------------------------------------

/**
 * Shows a change at once, tells the hub, and takes it back with a word of why if the hub refuses.
 * @param {import("./rows.js").Lead} lead @param {{ status?: string, notes?: string }} fields @returns {Promise<boolean>}
 */
export async function change(lead, fields) {
  const before = Object.fromEntries(Object.keys(fields).map((key) => [key, lead[key]]));
  sticky.add(lead.id);
  put(lead.id, fields);
  try {
    const stored = await patiently(() => api.change(lead.id, fields), lead);
    put(lead.id, stored);
    return true;
  } catch (error) {
    const now = find(lead.id)?.lead;
    const untouched = now && Object.keys(fields).every((key) => now[key] === fields[key]);
    if (untouched) put(lead.id, before);
    toast({ kind: "error", title: `${lead.name}: not changed`, body: error.message });
    return false;
  }
}

/** A lead is pushed before it is stored: a hub that doesn't know it yet will in a moment. */
async function patiently(attempt, lead) {
  for (const wait of [400, 1200, 3000]) {
    try {
      return await attempt();
    } catch (error) {
      const young = find(lead.id)?.arrived > Date.now() - 60_000;
      if (!(error instanceof ApiError && error.status === 404 && young)) throw error;
      await new Promise((done) => setTimeout(done, wait));
    }
  }
  return attempt();
}
