// A hub to talk to without a network, and time that moves only when told.
import { afterEach, beforeEach, mock } from "node:test";
import { connect } from "../client/leadwire.js";

/** Every socket that was opened, the newest last. @type {FakeSocket[]} */
export let sockets = [];

class FakeSocket {
  readyState = 1;
  sent = [];
  constructor(url, protocols) {
    Object.assign(this, { url, protocols });
    sockets.push(this);
  }
  send(text) {
    this.sent.push(JSON.parse(text));
  }
  close() {
    this.readyState = 3;
  }
  /** The hub says something. */
  say(frame) {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }
  /** The hub ends it. */
  end(code) {
    this.readyState = 3;
    this.onclose?.({ code, reason: "" });
  }
  welcome(more = {}) {
    this.onopen?.();
    this.say({ type: "welcome", session: "ses_1", user: "usr_1", heartbeat: 30, rooms: [], resume: true, ...more });
  }
  /** Answers the newest subscription. */
  enter(rooms) {
    const { room, ref } = this.asked().at(-1);
    this.say({ type: "subscribed", room, recovered: "complete", ...(["dashboard", "operators"].includes(room) ? { position: null, rooms } : rooms) });
    this.say({ type: "reply", ref, ok: true });
  }
  /** The subscriptions that came. */
  asked() {
    return this.sent.filter(({ type }) => type === "subscribe");
  }
}

export const socket = () => sockets.at(-1);
/** Lets promises that wait for nothing but each other go on. */
export const settle = async () => {
  for (let i = 0; i < 8; i += 1) await Promise.resolve();
};
/** Time goes by. */
export const pass = async (ms) => {
  for (let left = ms; left > 0; left -= 50) {
    mock.timers.tick(Math.min(left, 50));
    await settle();
  }
};
/** Time goes by until another socket was opened. */
export const returned = async () => {
  for (const before = sockets.length; sockets.length === before; ) await pass(50);
};
/** Time goes by and nothing runs, as while a laptop is shut; then all timers are late. */
export const sleep = async (ms) => {
  mock.timers.tick(ms);
  await settle();
};
/** The browser says that something happened. */
export const dispatch = async (type) => {
  for (const listener of [...(listeners.get(type) ?? [])]) listener({ type });
  await settle();
};
const listeners = new Map();
globalThis.addEventListener = (type, listener) => listeners.set(type, (listeners.get(type) ?? new Set()).add(listener));
globalThis.removeEventListener = (type, listener) => listeners.get(type)?.delete(listener);

/** The connection under test, and what it said about itself. */
export let hub;
export let states = [];

export const opened = async (options) => {
  states = [];
  hub = connect("http://hub.example/ws", options);
  hub.on("status", ({ state }) => states.push(state));
  await settle();
  return hub;
};

export const ROOM = "account:acc_1";

export const envelope = (count, more = {}) => ({
  type: "new_lead",
  id: `evt_${count}`,
  position: `1-${count}`,
  prev: count > 1 ? `1-${count - 1}` : null,
  room: ROOM,
  account: "acc_1",
  timestamp: "2026-11-22T00:00:00.000Z",
  payload: { lead: { id: `lead_${count}` } },
  ...more,
});

/** What reached the application: numbers of leads, and what it has to read again. */
export const heard = () => {
  const all = [];
  hub.on("new_lead", ({ lead }) => all.push(Number(lead.id.slice(5))));
  hub.on("resync", ({ room }) => all.push(room));
  return all;
};

beforeEach(() => {
  sockets = [];
  globalThis.WebSocket = FakeSocket;
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
});
afterEach(() => {
  hub?.close();
  mock.timers.reset();
});
