// The chats of the inbox: those on the list, those that are unread wherever they stand, and the opened one. As with the leads,
// the database is read when a person asks or when something may have been missed; the rest comes live.
import { batch, computed, effect, signal } from "../vendor.js";
import { api } from "./api.js";
import { gather } from "./gather.js";
import { openedChat } from "./route.js";
import { mayEdit } from "./session.js";
import { millis } from "./text.js";
import { toast } from "./toasts.js";

const PAGE = 50;
/** The most that the hub gives at once. */
const MOST_AT_ONCE = 250;
const MOST = 2000;

/** @typedef {{ id: string, account_id: string, account_type: string, name: string | null, timestamp: string, last_message: string | null, unread_count: number, is_ignored: boolean, updated_at: string, [column: string]: any }} Chat `updated_at` is empty while only a pushed message told of it */

const UNFILTERED = { show: "open", account: "" };
/** `show`: `open` (all but the ignored), `unread` or `ignored`. */
export const chatFilter = signal(UNFILTERED);
/** `none`: not asked for yet; `first`, `more`, `error` and nothing as with the leads. */
export const readingChats = signal("none");
export const chatsFailure = signal("");
/** @type {import("../vendor.js").Signal<Map<string, Chat>>} */
const known = signal(new Map());
/** The list goes down to this time: what is older is known only by chance. */
const floor = signal(Infinity);
export const hasMoreChats = signal(false);
/** Chats stay on the list though they were read or changed here, until the next question. */
let sticky = new Set();
let asked = new AbortController();

const at = (chat) => millis(chat.timestamp);
const newestFirst = (a, b) => at(b) - at(a) || (a.id < b.id ? 1 : -1);
const shown = (chat, { show, account }) =>
  (!account || chat.account_id === account) && chat.is_ignored === (show === "ignored") && (show !== "unread" || chat.unread_count > 0);

/** @type {import("../vendor.js").Signal<Chat[]>} newest first */
export const chats = computed(() =>
  [...known.value.values()]
    .filter((chat) => at(chat) >= floor.value && (shown(chat, chatFilter.value) || sticky.has(chat.id)))
    .sort(newestFirst)
    .slice(0, MOST),
);
/** @param {string} id */
export const chatOf = (id) => known.value.get(id);
const unreadBeyond = signal(false);
/** Unread messages in all chats that nobody ignores, for people. */
export const unread = computed(() => {
  let sum = 0;
  for (const chat of known.value.values()) if (!chat.is_ignored) sum += chat.unread_count;
  return sum > 99 || unreadBeyond.value ? `${Math.min(sum, 99)}+` : sum ? String(sum) : "";
});

/** The newer copy stays; of two alike the one that a pushed message has moved on. @param {Map<string, Chat>} draft @param {Chat} chat */
function put(draft, chat) {
  const mine = draft.get(chat.id);
  const older = mine && (millis(mine.updated_at) - millis(chat.updated_at) || at(mine) - at(chat)) > 0;
  if (!older) draft.set(chat.id, chat);
}

/** @param {(draft: Map<string, Chat>) => void} change */
function update(change) {
  const draft = new Map(known.value);
  change(draft);
  if (draft.size > 2 * MOST) {
    for (const chat of [...draft.values()].sort(newestFirst).slice(MOST)) {
      if (chat.id !== openedChat.value && !chat.unread_count) draft.delete(chat.id);
    }
  }
  known.value = draft;
}

const question = ({ show, account }) => ({ account_id: account, is_ignored: show === "ignored", is_read: show === "unread" ? false : undefined });

/** Reads the list from the top, as far as it goes. @param {boolean} anew the question changed */
export async function readChats(anew) {
  asked.abort();
  asked = new AbortController();
  const { signal: abort } = asked;
  const filter = chatFilter.value;
  const limit = anew ? PAGE : Math.min(Math.max(chats.value.length, PAGE), MOST_AT_ONCE);
  if (anew) sticky = new Set();
  if (anew || chats.value.length === 0) batch(() => ((floor.value = Infinity), (hasMoreChats.value = false), (readingChats.value = "first")));
  chatsFailure.value = "";
  try {
    const { items, total } = await api.chats({ ...question(filter), limit }, abort);
    if (abort.aborted) return;
    const whole = items.length >= total;
    const lowest = whole ? -Infinity : at(items.at(-1));
    const read = new Set(items.map(({ id }) => id));
    batch(() => {
      update((draft) => {
        // What should be on the page and isn't has changed while the hub was away; what was pushed a moment ago is not stored yet.
        for (const chat of draft.values()) {
          const gone = at(chat) >= lowest && shown(chat, filter) && chat.updated_at && !read.has(chat.id);
          if (gone && chat.id !== openedChat.value) draft.delete(chat.id);
        }
        for (const chat of items) put(draft, chat);
      });
      floor.value = lowest;
      hasMoreChats.value = !whole;
      readingChats.value = "";
    });
  } catch (error) {
    if (!abort.aborted) fail(error);
  }
}

export async function readMoreChats() {
  if (!hasMoreChats.value || readingChats.value) return;
  readingChats.value = "more";
  const { signal: abort } = asked;
  const filter = chatFilter.value;
  const offset = chats.value.filter((chat) => shown(chat, filter)).length;
  try {
    const { items, total } = await api.chats({ ...question(filter), limit: PAGE, offset }, abort);
    if (abort.aborted) return;
    batch(() => {
      update((draft) => items.forEach((chat) => put(draft, chat)));
      hasMoreChats.value = items.length > 0 && offset + items.length < total && offset + items.length < MOST;
      floor.value = hasMoreChats.value || offset + items.length < total ? Math.min(floor.value, ...items.map(at)) : -Infinity;
      readingChats.value = "";
    });
  } catch (error) {
    if (!abort.aborted) fail(error);
  }
}

const fail = (error) => batch(() => ((chatsFailure.value = error.message), (readingChats.value = "error")));

/** Reads what is unread, wherever it stands on the list. */
async function readUnread() {
  try {
    const { items, total } = await api.chats({ is_read: false, is_ignored: false, limit: MOST_AT_ONCE });
    const read = new Set(items.map(({ id }) => id));
    batch(() => {
      update((draft) => {
        for (const chat of draft.values()) {
          const stale = chat.unread_count && chat.updated_at && !chat.is_ignored && !read.has(chat.id) && total === items.length;
          if (stale) draft.set(chat.id, { ...chat, unread_count: 0 });
        }
        for (const chat of items) put(draft, chat);
      });
      unreadBeyond.value = total > items.length;
    });
  } catch {
    // The number is an extra: the last one stays, and the next reading asks again.
  }
}

/** Something may have been missed. */
export function rereadChats() {
  void readUnread();
  if (readingChats.value !== "none") void readChats(false);
}

/** @param {Partial<typeof UNFILTERED>} part */
export function narrowChats(part) {
  const next = { ...chatFilter.value, ...part };
  if (Object.keys(next).every((key) => next[key] === chatFilter.value[key])) return;
  chatFilter.value = next;
  void readChats(true);
}

/** Fetches a chat that is not at hand: a link led there. @param {string} id */
export async function fetchChat(id) {
  const chat = await api.chat(id);
  update((draft) => put(draft, chat));
}

export function forgetChats() {
  asked.abort();
  live.clear();
  sticky = new Set();
  batch(() => {
    known.value = new Map();
    [chatFilter.value, readingChats.value, floor.value, hasMoreChats.value] = [UNFILTERED, "none", Infinity, false];
  });
}

// -- live ---------------------------------------------------------------------------------------------------------------

const live = gather((steps) => update((draft) => steps.forEach((step) => step(draft))));

/** @param {Chat} chat */
export const chatUpdated = (chat) => live.add((draft) => put(draft, chat));

/** Somebody has deleted it. @param {string} id */
export const chatGone = (id) => live.add((draft) => draft.delete(id));

/** A message is pushed before it is stored, and before the hub can say what became of its chat. @param {import("./messages.js").Message} message */
export function heard(message) {
  if (message.hidden) return;
  live.add((draft) => {
    const mine = draft.get(message.chat_id);
    if (mine && millis(message.timestamp) <= at(mine)) return;
    const counts = !message.is_sender && !message.is_event && !message.seen && !isWatched(message.chat_id, message.account_id);
    draft.set(message.chat_id, {
      ...(mine ?? { id: message.chat_id, account_id: message.account_id, account_type: message.account_type, is_ignored: false, updated_at: "" }),
      name: mine?.name ?? message.chat_name ?? (message.is_sender ? null : (message.sender_name ?? null)),
      timestamp: message.timestamp,
      last_message: message.text,
      unread_count: (mine?.unread_count ?? 0) + (counts ? 1 : 0),
    });
  });
}

// -- changes made here ----------------------------------------------------------------------------------------------------

const visible = signal(!document.hidden);
document.addEventListener("visibilitychange", () => (visible.value = !document.hidden));
/** Whether somebody who may say so is reading the chat. */
const isWatched = (id, account) => visible.value && openedChat.value === id && mayEdit(account);
const watched = computed(() => {
  const chat = known.value.get(openedChat.value);
  return chat && isWatched(chat.id, chat.account_id) ? chat : undefined;
});
const marking = signal(false);
/** What the hub would not mark is tried again when it has changed. */
let refused;

/** Marks the opened chat read, now and whenever something comes into it. @returns {() => void} the way to stop */
export const markWhatIsRead = () =>
  effect(() => {
    const chat = watched.value;
    if (!chat?.unread_count || !chat.updated_at || chat === refused || marking.value) return;
    marking.value = true;
    sticky.add(chat.id);
    api
      .changeChat(chat.id, "mark-read")
      .then((stored) => update((draft) => put(draft, stored)))
      .catch(() => (refused = chat))
      .finally(() => (marking.value = false));
  });

/** @param {Chat} chat @param {Promise<Chat>} change */
async function changed(chat, change) {
  try {
    const stored = await change;
    update((draft) => put(draft, stored));
  } catch (error) {
    toast({ kind: "error", title: `${chat.name ?? "Unknown"}: not changed`, body: error.message });
  }
}

/** @param {Chat} chat */
export async function toggleIgnored(chat) {
  await changed(chat, api.changeChat(chat.id, chat.is_ignored ? "unignore" : "ignore"));
  sticky.delete(chat.id);
}

/** Makes a chat somebody's task, or nobody's. @param {Chat} chat @param {string | null} person */
export const assign = (chat, person) => changed(chat, api.assign(chat.id, person));
