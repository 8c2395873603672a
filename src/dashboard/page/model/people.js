// Colleagues: who there is, whose task a chat is, who else looks at the opened one and types there.
import { batch, computed, effect, signal } from "../vendor.js";
import { api } from "./api.js";
import { chatOf } from "./chats.js";
import { openedChat } from "./route.js";
import { user } from "./session.js";

/** Whoever was last heard to type this long ago has stopped. */
const TYPING_FOR = 5000;
/** So often it is said that this person still types. */
const SAY_EVERY = 2500;

/** @typedef {{ id: string, name: string, accounts: { id: string, role: string }[] }} Person */

/** @type {import("../vendor.js").Signal<Person[]>} by name */
export const people = signal([]);
const names = computed(() => new Map(people.value.map(({ id, name }) => [id, name])));
/** @param {string} id */
export const nameOf = (id) => names.value.get(id) ?? "";
/** @param {string} account */
export const peopleOf = (account) => people.value.filter(({ accounts }) => accounts.some(({ id }) => id === account));

export async function readPeople() {
  try {
    people.value = (await api.people()).items;
  } catch {
    // Names are an extra: the last ones stay, and the next reading asks again.
  }
}

// -- in the opened chat ---------------------------------------------------------------------------------------------------

/** Others who look at it. @type {import("../vendor.js").Signal<Map<string, string>>} name by user */
export const here = signal(new Map());
/** Others who type in it, by name. @type {import("../vendor.js").Signal<Map<string, string>>} name by user */
export const typists = signal(new Map());
const stops = new Map();

/** A chat that is not known yet has no room to enter. */
const room = computed(() => {
  const chat = chatOf(openedChat.value);
  return chat ? `chat:${chat.account_id}/${chat.id}` : "";
});
let hub;
let said = -Infinity;

const isOther = (id) => id !== user.peek()?.id;

function put(table, id, name) {
  const next = new Map(table.value);
  if (name === undefined) next.delete(id);
  else next.set(id, name);
  table.value = next;
}

function stopped(id) {
  clearTimeout(stops.get(id));
  stops.delete(id);
  if (typists.value.has(id)) put(typists, id);
}

function empty() {
  for (const timer of stops.values()) clearTimeout(timer);
  stops.clear();
  said = -Infinity;
  batch(() => ((here.value = new Map()), (typists.value = new Map())));
}

async function ask(name) {
  try {
    const { users } = await hub.request({ type: "presence", room: name });
    if (room.peek() === name) here.value = new Map(users.filter(({ user: id }) => isOther(id)).map(({ user: id, name: called }) => [id, called]));
  } catch {
    // Asked again when the room is entered again.
  }
}

/** Follows the opened chat's room. @param {import("../../client/leadwire.js").Hub} connected @returns {() => void} the way to stop */
export function followPeople(connected) {
  hub = connected;
  const unlisten = [
    hub.on("presence", ({ user: id, name, state }, envelope) => {
      if (envelope.room !== room.peek() || !isOther(id)) return;
      put(here, id, state === "join" ? name : undefined);
      if (state !== "join") stopped(id);
    }),
    hub.on("typing", ({ user: id, name, state }, envelope) => {
      if (envelope.room !== room.peek() || !isOther(id)) return;
      stopped(id);
      if (state !== "typing") return;
      put(typists, id, name);
      stops.set(id, setTimeout(stopped, TYPING_FOR, id));
    }),
    hub.on("message:new", ({ chat_id, sender_id, is_sender }) => {
      if (is_sender && sender_id && chat_id === openedChat.peek()) [...typists.peek().keys()].forEach(stopped);
    }),
    hub.on("subscribed", (frame) => {
      if (frame.room === room.peek()) void ask(frame.room);
    }),
  ];
  const leave = effect(() => {
    const name = room.value;
    if (!name) return undefined;
    const out = hub.subscribe(name, { types: ["presence", "typing"] });
    return () => (out(), empty());
  });
  return () => {
    leave();
    for (const end of unlisten) end();
    people.value = [];
  };
}

/** Tells the others in the opened chat that this person types, or has stopped. @param {boolean} still */
export function sayTyping(still) {
  const name = room.peek();
  const due = Date.now() - said > SAY_EVERY;
  if (!hub || !name || (still ? !due : said === -Infinity)) return;
  said = still ? Date.now() : -Infinity;
  hub.send({ type: "typing", chat: name, state: still ? "typing" : "stopped" });
}
