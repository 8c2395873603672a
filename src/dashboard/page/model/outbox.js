// Replies of the opened chat that are not messages yet: on their way, waiting, failed. The hub keeps them and tells of them;
// a name of our own (`client_id`) makes it harmless to ask again when nobody knows whether the question arrived.
import { batch, computed, signal } from "../vendor.js";
import { ApiError, api } from "./api.js";
import { messages } from "./conversation.js";
import { millis } from "./text.js";

/**
 * @typedef {{ code: string, message: string }} Reason
 * @typedef {{ id?: string, client_id: string, chat_id: string, text: string, state: "pending" | "sending" | "sent" | "failed", reason: Reason | null, message_id: string | null, timestamp: string, updated_at: string, unreached?: boolean }} Send `unreached`: nobody knows whether the hub has it
 */

/** A platform's clock may be behind ours. */
const SKEW = 60_000;

/** @type {import("../vendor.js").Signal<Map<string, Send>>} by `client_id`, in the order in which they came */
const sends = signal(new Map());
/** Why nothing can be sent here, as the hub says. @type {import("../vendor.js").Signal<Reason | null>} */
export const obstacle = signal(null);
/** How much the messenger takes at once. @type {import("../vendor.js").Signal<{ characters?: number, bytes?: number }>} */
export const longest = signal({});
/** What was typed and not sent, by chat. @type {Map<string, string>} */
export const drafts = new Map();
let chat = "";

const at = (send) => millis(send.timestamp);

/** The replies to show below the messages: until their message is there, or the same was sent later. */
export const waiting = computed(() => {
  const all = [...sends.value.values()];
  const own = messages.value.filter(({ message }) => message.is_sender);
  const ids = new Set(own.map(({ id }) => id));
  return all.filter((send, n) => {
    if (send.message_id && ids.has(send.message_id)) return false;
    if (send.state === "sent" && send.message_id) return true;
    const said = (entry) => entry.message.text === send.text && entry.at >= at(send) - (send.state === "failed" ? 0 : SKEW);
    if (send.state === "sent") return !own.some(said);
    return send.state !== "failed" || !(own.some(said) || all.some((later, m) => m > n && later.text === send.text));
  });
});

/** The newer word stays; a settled one is final. @param {Send} send */
function put(send) {
  if (send.chat_id !== chat) return;
  const known = sends.value.get(send.client_id);
  const settled = known && ["sent", "failed"].includes(known.state);
  if (settled || (known?.id && millis(known.updated_at) > millis(send.updated_at))) return;
  sends.value = new Map(sends.value).set(send.client_id, send);
}

/** Told of by the hub. @param {Send} send */
export const sendUpdated = (send) => typeof send?.client_id === "string" && put(send);

/** @param {string} id @returns {() => void} the way to leave it */
export function enterOutbox(id) {
  chat = id;
  return () => {
    chat = "";
    batch(() => ((sends.value = new Map()), (obstacle.value = null), (longest.value = {})));
  };
}

/** Reads what the hub has, and asks again for what it may not have got. */
export async function readSends() {
  const mine = chat;
  if (!mine) return;
  for (const send of sends.value.values()) if (send.unreached) void post(send);
  try {
    const { items, reason, longest: most } = await api.sends(mine);
    if (chat !== mine) return;
    batch(() => {
      items.forEach(put);
      [obstacle.value, longest.value] = [reason, most];
    });
  } catch {
    // The conversation says so itself, and is read again.
  }
}

const random = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Sends a reply into the opened chat. @param {string} words */
export function reply(words) {
  const text = words.trim();
  if (!text || !chat) return;
  const stamp = new Date().toISOString();
  const send = { client_id: random(), chat_id: chat, text, state: "pending", reason: null, message_id: null, timestamp: stamp, updated_at: "" };
  put(send);
  void post(send);
}

/** @param {Send} send */
async function post(send) {
  put({ ...send, unreached: false });
  try {
    const { send: kept } = await api.reply(send.chat_id, send);
    put(kept);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    // The hub knows of it and says more than we could.
    if (error.body?.send) return put(error.body.send);
    const unreached = error.status === 0 || (error.status >= 500 && !error.body?.code);
    if (unreached) put({ ...send, unreached });
    else put({ ...send, state: "failed", reason: { code: "refused", message: error.message } });
  }
}
