// The list of leads as plain data: rows newest first, each lead once, never more than MOST. No signals, no network.

export const MOST = 2000;
/** A lead pushed this recently may not be stored yet: a snapshot without it proves nothing. */
const SETTLING = 120_000;

/**
 * @typedef {{ id: string, account_id: string, name: string, phone: string, email: string, message: string, status: string, notes: string, created_at: string, updated_at: string, meta_data?: any, [column: string]: any }} Lead
 * @typedef {{ id: string, at: number, arrived: number, lead: Lead }} Row `at` orders the list; `arrived` is when it was pushed to this page, or 0
 * @typedef {{ q: string, status: string, account: string }} Filter
 */

/** @param {Lead} lead @param {number} [arrived] @returns {Row} */
export const row = (lead, arrived = 0) => ({ id: lead.id, at: arrived || Date.parse(lead.created_at) || 0, arrived, lead });

const newestFirst = (/** @type {Row} */ a, /** @type {Row} */ b) => b.at - a.at || (a.id < b.id ? 1 : -1);
const older = (/** @type {Lead} */ a, /** @type {Lead} */ b) => Date.parse(a.updated_at) < Date.parse(b.updated_at);

/** The row with newer columns; an older copy changes nothing. @param {Row} mine @param {Partial<Lead>} columns */
const renew = (mine, columns) =>
  older({ ...mine.lead, ...columns }, mine.lead) ? mine : { ...mine, lead: { ...mine.lead, ...columns } };

/** Adds rows, each lead once. One that was read before it was pushed takes the place that its push gives it. @param {Row[]} rows @param {Row[]} added */
export function merge(rows, added) {
  const byId = new Map(rows.map((mine) => [mine.id, mine]));
  for (const other of added) {
    const mine = byId.get(other.id);
    const next = mine ? renew(mine, other.lead) : other;
    byId.set(other.id, other.arrived && !next.arrived ? { ...next, at: other.at, arrived: other.arrived } : next);
  }
  return [...byId.values()].sort(newestFirst).slice(0, MOST);
}

/** @param {Row[]} rows @param {string} id @param {Partial<Lead>} columns */
export function patch(rows, id, columns) {
  const at = rows.findIndex((mine) => mine.id === id);
  if (at < 0) return rows;
  const next = renew(rows[at], columns);
  return next === rows[at] ? rows : rows.with(at, next);
}

/** @param {Row[]} rows @param {string} id */
export const without = (rows, id) => (rows.some((mine) => mine.id === id) ? rows.filter((mine) => mine.id !== id) : rows);

/**
 * Puts a fresh first page over what is there. What the page's span should hold and doesn't is gone, except leads that were
 * pushed a moment ago. If the page doesn't reach the old rows, they are dropped: a list never has a hole.
 * @param {Row[]} rows @param {Lead[]} page @param {boolean} whole whether there is nothing older than the page
 * @param {number} now @returns {{ rows: Row[], kept: boolean }} `kept`: older rows, and so the old cursor, still stand
 */
export function refresh(rows, page, whole, now) {
  const inPage = new Set(page.map(({ id }) => id));
  const oldest = page.length ? Math.min(...page.map((lead) => Date.parse(lead.created_at) || 0)) : Infinity;
  const settling = rows.filter((mine) => mine.arrived > now - SETTLING || inPage.has(mine.id));
  const below = rows.filter((mine) => !mine.arrived && mine.at < oldest && !inPage.has(mine.id));
  const touches = rows.some((mine) => !mine.arrived && inPage.has(mine.id));
  const kept = !whole && touches && below.length > 0;
  return { rows: merge(kept ? [...settling, ...below] : settling, page.map((lead) => row(lead))), kept };
}

/** Whether a live lead belongs in what is asked for; as the hub's search, without case. @param {Lead} lead @param {Filter} filter */
export function matches(lead, { q, status, account }) {
  if (account && lead.account_id !== account) return false;
  if (status && lead.status !== status) return false;
  const wanted = q.trim().toLocaleLowerCase();
  if (!wanted) return true;
  return [lead.name, lead.phone, lead.email, lead.notes].some((value) =>
    String(value ?? "").toLocaleLowerCase().includes(wanted),
  );
}
