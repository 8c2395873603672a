// The messages of the opened chat: its newest page first, older ones when a person asks, new ones and what becomes of them live.
import { batch, signal } from "../vendor.js";
import { api } from "./api.js";
import { gather } from "./gather.js";
import { MOST, SETTLING, apply, entry, merge, refresh } from "./messages.js";

const PAGE = 40;
/** Changes remembered for what is being read meanwhile; the oldest go first. */
const REMEMBERED = 500;

/** @type {import("../vendor.js").Signal<import("./messages.js").Entry[]>} oldest first */
export const messages = signal([]);
/** `first`: nothing to show yet; `older`: an older page is on its way; `error`: the last reading failed. */
export const readingMessages = signal("first");
export const messagesFailure = signal("");
export const hasOlder = signal(false);
let chat = "";
let asked = new AbortController();
/** Pushed a moment ago, so perhaps not yet in what is read. @type {{ at: number, change: import("./messages.js").Change }[]} */
let recent = [];

const withRecent = (mine) => recent.reduce((next, { change }) => apply(next, change), mine);
const fromHub = (items) => items.map((message) => withRecent(entry(message)));

/** Takes what comes live in a chat; what was said before is read apart. @param {string} id @returns {() => void} the way to leave it */
export function enter(id) {
  chat = id;
  return () => {
    asked.abort();
    live.clear();
    chat = "";
    recent = [];
    batch(() => ((messages.value = []), (hasOlder.value = false), (readingMessages.value = "first")));
  };
}

/** Reads the newest page. */
export async function readMessages() {
  if (!chat) return;
  asked.abort();
  asked = new AbortController();
  const { signal: abort } = asked;
  readingMessages.value = messages.value.length ? "" : "first";
  try {
    const { items } = await api.messages(chat, { limit: PAGE }, abort);
    if (abort.aborted) return;
    recent = recent.filter(({ at }) => at > Date.now() - SETTLING);
    batch(() => {
      const whole = items.length < PAGE;
      const fresh = refresh(messages.value, fromHub(items), whole, Date.now());
      messages.value = fresh.entries;
      if (!fresh.kept) hasOlder.value = !whole;
      readingMessages.value = "";
    });
  } catch (error) {
    if (!abort.aborted) fail(error);
  }
}

export async function readOlder() {
  if (!hasOlder.value || readingMessages.value) return;
  const oldest = messages.value.find(({ arrived }) => !arrived);
  if (!oldest) return;
  readingMessages.value = "older";
  const { signal: abort } = asked;
  try {
    const { items } = await api.messages(chat, { limit: PAGE, before: oldest.id }, abort);
    if (abort.aborted) return;
    batch(() => {
      messages.value = merge(messages.value, fromHub(items));
      hasOlder.value = items.length === PAGE;
      readingMessages.value = "";
    });
  } catch (error) {
    if (!abort.aborted) fail(error);
  }
}

const fail = (error) => batch(() => ((messagesFailure.value = error.message), (readingMessages.value = "error")));

// -- live ---------------------------------------------------------------------------------------------------------------

/** @typedef {{ entry: import("./messages.js").Entry } | { change: import("./messages.js").Change } | { gone: string }} Step */

const live = gather((/** @type {Step[]} */ steps) => {
  const before = messages.value;
  const changes = steps.flatMap(({ change }) => (change ? [limited(change, before)] : []));
  recent = [...recent, ...changes.map((change) => ({ at: Date.now(), change }))].slice(-REMEMBERED);
  const added = steps.flatMap(({ entry: mine }) => (mine ? [withRecent(mine)] : []));
  const gone = new Set(steps.flatMap((step) => step.gone ?? []));
  const next = merge(before, added).filter(({ id }) => !gone.has(id)).map((mine) => changes.reduce(apply, mine));
  if (next.length > MOST) hasOlder.value = true;
  if (next.length !== before.length || next.some((mine, n) => mine !== before[n])) messages.value = next.slice(-MOST);
});

/** Where no chat is named the message knows: without it, a time would be everybody's. */
const limited = (change, held) => (change.chat_id || held.some(({ id }) => id === change.id) ? change : { ...change, up_to: undefined });

/** @param {import("./messages.js").Message} message */
export function spoken(message) {
  if (message.chat_id === chat) live.add({ entry: entry(message, Date.now()) });
}

/** @param {import("./messages.js").Change} change */
export function becameOf(change) {
  if (!chat || (change.chat_id && change.chat_id !== chat) || (!change.chat_id && !change.id)) return;
  live.add({ change });
}

/** Somebody has deleted it here. @param {{ id: string }} erased */
export const messageGone = ({ id }) => void (chat && live.add({ gone: id }));

/** Somebody has deleted the chat here. @param {string} id */
export function conversationGone(id) {
  if (chat !== id) return;
  live.clear();
  batch(() => ((messages.value = []), (hasOlder.value = false)));
}
