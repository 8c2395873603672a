// The messages of a chat as plain data: oldest first, each once. Webhooks come late and in any order, so the platform's times
// decide, as they do in the hub's store. No signals, no network.

/** Never more than these at once; older ones are read again. */
export const MOST = 2000;
/** What was pushed this recently may not be stored yet: a snapshot without it proves nothing. */
export const SETTLING = 120_000;

/**
 * @typedef {{ id: string, chat_id: string, account_id: string, timestamp: string, text: string | null, is_sender: number, seen: number, delivered: number, edited: number, deleted: number, hidden: number, is_event: number, attachments: any[], reactions: Reaction[], [column: string]: any }} Message
 * @typedef {{ value: string, sender_id: string, is_sender?: number }} Reaction
 * @typedef {{ change: string, id: string | null, chat_id: string | null, timestamp: string, text?: string, reaction?: Reaction, up_to?: string, is_sender?: number }} Change
 * @typedef {{ id: string, at: number, arrived: number, editedAt: number, reactedAt: Record<string, number>, message: Message }} Entry `arrived` is when it was pushed to this page, or 0
 */

const millis = (/** @type {string | undefined} */ stamp) => Date.parse(stamp ?? "") || 0;

/** @param {Message} message @param {number} [arrived] @returns {Entry} */
export const entry = (message, arrived = 0) => ({ id: message.id, at: millis(message.timestamp), arrived, editedAt: 0, reactedAt: {}, message });

const oldestFirst = (/** @type {Entry} */ a, /** @type {Entry} */ b) => a.at - b.at || (a.id < b.id ? -1 : 1);

/** Adds entries, each once. What was read takes the place of what is there; what was pushed does not. @param {Entry[]} entries @param {Entry[]} added */
export function merge(entries, added) {
  const byId = new Map(entries.map((mine) => [mine.id, mine]));
  for (const other of added) if (!other.arrived || !byId.has(other.id)) byId.set(other.id, other);
  return [...byId.values()].sort(oldestFirst);
}

/**
 * Puts a fresh newest page over what is there. If it doesn't reach what is there, that is dropped: a chat never has a hole.
 * @param {Entry[]} entries @param {Entry[]} page @param {boolean} whole whether there is nothing older than the page
 * @param {number} now @returns {{ entries: Entry[], kept: boolean }} `kept`: older ones still stand
 */
export function refresh(entries, page, whole, now) {
  const inPage = new Set(page.map(({ id }) => id));
  const oldest = page.length ? Math.min(...page.map(({ at }) => at)) : Infinity;
  const settling = entries.filter((mine) => mine.arrived > now - SETTLING);
  const below = entries.filter((mine) => mine.at <= oldest && !inPage.has(mine.id));
  const kept = !whole && below.length > 0 && entries.some(({ id, arrived }) => !arrived && inPage.has(id));
  return { entries: merge(kept ? [...below, ...settling] : settling, page), kept };
}

/** @param {Entry} mine @param {Change} change @returns {boolean} */
function isMeant({ id, at, message }, { id: one, up_to: until, is_sender: whose }) {
  if (!until) return id === one;
  return at <= millis(until) && (whose === undefined || whose === null || Boolean(whose) === Boolean(message.is_sender));
}

/** @param {Entry} mine @param {Change} change @returns {Entry} */
function edit(mine, change) {
  const at = millis(change.timestamp);
  const { message, editedAt } = mine;
  // Of two at the same time the one with the greater text, so that everybody shows the same.
  if (editedAt > at || (editedAt === at && (message.text ?? "") >= (change.text ?? ""))) return mine;
  return { ...mine, editedAt: at, message: { ...message, edited: 1, text: message.deleted ? null : (change.text ?? "") } };
}

/** @param {Entry} mine @param {Change} change @returns {Entry} */
function react(mine, { timestamp, reaction }) {
  const at = millis(timestamp);
  if (!reaction || mine.reactedAt[reaction.sender_id] > at) return mine;
  const others = mine.message.reactions.filter((other) => other.sender_id !== reaction.sender_id);
  const reactions = reaction.value ? [...others, reaction] : others;
  return { ...mine, reactedAt: { ...mine.reactedAt, [reaction.sender_id]: at }, message: { ...mine.message, reactions } };
}

/** The entry after what became of it; itself if nothing did. @param {Entry} mine @param {Change} change @returns {Entry} */
export function apply(mine, change) {
  if (!isMeant(mine, change)) return mine;
  const { message } = mine;
  switch (change.change) {
    case "edited":
      return edit(mine, change);
    case "reaction":
      return react(mine, change);
    case "deleted":
      return message.deleted ? mine : { ...mine, message: { ...message, deleted: 1, text: null, attachments: [] } };
    case "delivered":
      return message.delivered ? mine : { ...mine, message: { ...message, delivered: 1 } };
    case "read":
      return message.seen ? mine : { ...mine, message: { ...message, seen: 1 } };
    default:
      return mine;
  }
}
