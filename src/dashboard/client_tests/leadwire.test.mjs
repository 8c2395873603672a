// The client library's rules, without a network and with time that moves only when told. Where Node is at hand:
//   node --test src/dashboard/client_tests/
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { connect } from "../client/leadwire.js";

/** Every socket that was opened, the newest last. @type {FakeSocket[]} */
let sockets = [];

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
    this.say({ type: "welcome", session: "ses_1", user: "usr_1", heartbeat: 30, rooms: [], resume: false, ...more });
  }
}

const socket = () => sockets.at(-1);
/** Lets promises that wait for nothing but each other go on. */
const settle = async () => {
  for (let i = 0; i < 5; i += 1) await Promise.resolve();
};
const pass = async (ms) => {
  mock.timers.tick(ms);
  await settle();
};
let hub;

const opened = async (options) => {
  hub = connect("http://hub.example/ws", options);
  await settle();
  return hub;
};

const envelope = (count, more = {}) => ({
  type: "new_lead",
  id: `evt_${count}`,
  position: `1-${count}`,
  prev: count > 1 ? `1-${count - 1}` : null,
  room: "account:acc_1",
  account: "acc_1",
  timestamp: "2026-11-22T00:00:00.000Z",
  payload: { lead: { id: `lead_${count}` } },
  ...more,
});

beforeEach(() => {
  sockets = [];
  globalThis.WebSocket = FakeSocket;
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
});
afterEach(() => {
  hub?.close();
  mock.timers.reset();
});

test("it speaks leadwire.v1 and enters its rooms after the welcome", async () => {
  await opened();
  hub.subscribe("dashboard");
  assert.equal(socket().url, "ws://hub.example/ws");
  assert.deepEqual(socket().protocols, ["leadwire.v1"]);
  assert.deepEqual(socket().sent, []);
  socket().welcome();
  assert.equal(socket().sent[0].room, "dashboard");
  assert.equal(hub.status.state, "open");
});

test("a token goes into the first frame and never into the URL", async () => {
  await opened({ token: async () => "secret" });
  socket().welcome();
  assert.deepEqual(socket().sent[0], { type: "auth", token: "secret" });
  assert.ok(!socket().url.includes("secret"));
});

test("an envelope that comes twice is handed on once", async () => {
  await opened();
  const seen = [];
  hub.on("new_lead", ({ lead }) => seen.push(lead.id));
  socket().welcome();
  socket().say(envelope(1));
  socket().say(envelope(1));
  socket().say(envelope(2));
  assert.deepEqual(seen, ["lead_1", "lead_2"]);
});

test("what is remembered for that is bounded, and the oldest goes first", async () => {
  await opened();
  let calls = 0;
  hub.on("new_lead", () => (calls += 1));
  socket().welcome();
  for (let count = 1; count <= 4097; count += 1) socket().say(envelope(count));
  socket().say(envelope(4097));
  assert.equal(calls, 4097);
  socket().say(envelope(1));
  assert.equal(calls, 4098);
});

test("a handler that throws does not keep the envelope from the others", async () => {
  await opened();
  const error = mock.method(console, "error", () => {});
  let reached = false;
  hub.on("new_lead", () => {
    throw new Error("mine");
  });
  hub.on("new_lead", () => (reached = true));
  socket().welcome();
  socket().say(envelope(1));
  assert.ok(reached);
  error.mock.restore();
});

test("an envelope whose predecessor was never seen is a gap", async () => {
  await opened();
  const resyncs = [];
  hub.on("resync", (frame) => resyncs.push(frame.reason));
  socket().welcome();
  socket().say({ type: "subscribed", room: "dashboard", position: null, rooms: { "account:acc_1": "1-4" } });
  socket().say(envelope(5));
  assert.deepEqual(resyncs, []);
  socket().say(envelope(7));
  assert.deepEqual(resyncs, ["gap"]);
});

test("a heartbeat with a newer position than ours is a gap", async () => {
  await opened();
  const resyncs = [];
  hub.on("resync", (frame) => resyncs.push(frame.room));
  socket().welcome();
  socket().say({ type: "subscribed", room: "dashboard", position: null, rooms: { "account:acc_1": null } });
  socket().say({ type: "heartbeat", positions: { "account:acc_1": null } });
  assert.deepEqual(resyncs, []);
  socket().say({ type: "heartbeat", positions: { "account:acc_1": "1-1" } });
  assert.deepEqual(resyncs, ["account:acc_1"]);
});

for (const [top, expected] of [
  ["1-4", []],
  ["1-9", ["reconnected"]],
]) {
  test(`after a reconnect at ${top} the app is told to read again: ${expected.length > 0}`, async () => {
    await opened();
    const resyncs = [];
    hub.on("resync", (frame) => resyncs.push(frame.reason));
    hub.subscribe("dashboard");
    socket().welcome();
    socket().say({ type: "subscribed", room: "dashboard", position: null, rooms: { "account:acc_1": "1-4" } });
    socket().end(1006);
    await pass(1000);
    socket().welcome();
    socket().say({ type: "subscribed", room: "dashboard", position: null, rooms: { "account:acc_1": top } });
    assert.deepEqual(resyncs, expected);
  });
}

test("it asks for what it missed only from a hub that can tell", async () => {
  await opened();
  hub.subscribe("account:acc_1");
  socket().welcome({ resume: true });
  socket().say({ type: "subscribed", room: "account:acc_1", position: "1-4" });
  socket().end(1006);
  await pass(1000);
  socket().welcome({ resume: true });
  assert.equal(socket().sent[0].since, "1-4");
  socket().end(1006);
  await pass(30_000);
  socket().welcome({ resume: false });
  assert.equal(socket().sent[0].since, undefined);
});

test("it tries for ever, waiting longer each time but never over half a minute", async () => {
  await opened();
  const waits = [];
  for (let attempt = 0; attempt < 12; attempt += 1) {
    socket().end(1006);
    waits.push(hub.status.retryAt - Date.now());
    assert.equal(hub.status.state, "waiting");
    await pass(30_000);
  }
  assert.equal(sockets.length, 13);
  assert.ok(waits[0] >= 500 && waits[0] <= 1000, String(waits[0]));
  assert.ok(waits.slice(5).every((wait) => wait >= 15_000 && wait <= 30_000), String(waits));
});

test("a hub that drains says when to come back", async () => {
  await opened();
  socket().welcome();
  socket().say({ type: "goodbye", code: 1012, reason: "restart", reconnect_after_ms: 4000 });
  socket().end(1012);
  const wait = hub.status.retryAt - Date.now();
  assert.ok(wait >= 4000 && wait <= 6000, String(wait));
});

test("a slow client comes back at once, but not in a loop", async () => {
  await opened();
  socket().welcome();
  socket().end(4008);
  await settle();
  assert.equal(sockets.length, 2);
  socket().welcome();
  socket().end(4008);
  assert.equal(hub.status.state, "waiting");
});

test("a refused user is not brought back", async () => {
  await opened();
  socket().welcome();
  socket().end(4003);
  await pass(120_000);
  assert.equal(hub.status.state, "stopped");
  assert.equal(sockets.length, 1);
});

test("a refused login waits for the person, and goes on when told", async () => {
  await opened();
  socket().end(4001);
  await pass(120_000);
  assert.equal(hub.status.state, "signed-out");
  assert.equal(sockets.length, 1);
  hub.reconnect();
  await settle();
  assert.equal(sockets.length, 2);
});

test("a refused token is replaced once, and then it is over", async () => {
  const asked = [];
  await opened({ token: ({ fresh }) => (asked.push(fresh), `token ${asked.length}`) });
  socket().welcome();
  socket().end(4001);
  await settle();
  socket().onopen();
  assert.deepEqual(socket().sent[0], { type: "auth", token: "token 2" });
  socket().end(4001);
  await pass(120_000);
  assert.deepEqual(asked, [false, true]);
  assert.equal(hub.status.state, "signed-out");
});

test("a token that runs out is replaced on the open socket", async () => {
  await opened({ token: ({ fresh }) => (fresh ? "new" : "old") });
  socket().welcome();
  socket().say({ type: "token_expired", grace: 30 });
  await settle();
  assert.equal(socket().sent.at(-1).token, "new");
  assert.equal(sockets.length, 1);
});

test("a hub that falls silent for two heartbeats is lost", async () => {
  await opened();
  socket().welcome();
  const first = socket();
  await pass(59_000);
  first.say({ type: "heartbeat", positions: {} });
  await pass(59_000);
  assert.equal(hub.status.state, "open");
  await pass(2000);
  await settle();
  assert.notEqual(socket(), first);
  assert.equal(first.readyState, 3);
});

test("a socket that gets no welcome is given up", async () => {
  await opened();
  await pass(15_000);
  assert.equal(hub.status.state, "waiting");
});

test("closed is closed", async () => {
  await opened();
  socket().welcome();
  hub.close();
  await pass(120_000);
  assert.equal(sockets.length, 1);
  assert.equal(hub.status.state, "closed");
});
