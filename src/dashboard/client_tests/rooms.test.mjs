// What the client knows of rooms: it asks for what it missed, hands it on in order and once, and notices what is missing.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ROOM, envelope, heard, hub, opened, pass, returned, socket, sockets, states } from "./fake.mjs";

const OTHER = "account:acc_2";
const numbers = (from, to) => Array.from({ length: to - from + 1 }, (_, at) => from + at);

/** In the dashboard, with everything seen up to `top`. */
const live = async (top = "1-4", options = {}) => {
  await opened();
  hub.subscribe("dashboard", options);
  socket().welcome();
  socket().enter({ [ROOM]: top, [OTHER]: null });
};

/** The connection is lost and there again. */
const back = async () => {
  socket().end(1006);
  await returned();
  socket().welcome();
};

test("it asks for what it missed, room by room, and null where nothing has been", async () => {
  await live();
  assert.equal(socket().asked()[0].since, undefined);
  socket().say(envelope(5));
  await back();
  assert.deepEqual(socket().asked()[0].since, { [ROOM]: "1-5", [OTHER]: null });
});

test("what was missed comes once and in order, with a word while it does", async () => {
  await live();
  const all = heard();
  socket().say(envelope(5));
  await back();
  socket().enter({ [ROOM]: "1-8", [OTHER]: null });
  for (const count of numbers(6, 7)) socket().say(envelope(count));
  assert.equal(hub.status.state, "catching-up");
  socket().say(envelope(8));
  assert.equal(hub.status.state, "live");
  socket().say(envelope(9));
  assert.deepEqual(all, numbers(5, 9));
  assert.deepEqual(states, ["live", "waiting", "connecting", "catching-up", "live"]);
});

test("a connection that is lost while it catches up goes on from there", async () => {
  await live();
  const all = heard();
  await back();
  socket().enter({ [ROOM]: "1-8", [OTHER]: null });
  for (const count of numbers(5, 6)) socket().say(envelope(count));
  await back();
  assert.deepEqual(socket().asked()[0].since, { [ROOM]: "1-6", [OTHER]: null });
  socket().enter({ [ROOM]: "1-8", [OTHER]: null });
  for (const count of numbers(7, 8)) socket().say(envelope(count));
  assert.deepEqual(all, numbers(5, 8));
  assert.equal(hub.status.state, "live");
});

test("where nothing was missed it is live at once", async () => {
  await live();
  await back();
  socket().enter({ [ROOM]: "1-4", [OTHER]: null });
  assert.equal(hub.status.state, "live");
});

test("a hole that the hub left in a replay is the hub's to tell", async () => {
  await live();
  const all = heard();
  await back();
  socket().enter({ [ROOM]: "1-8", [OTHER]: null });
  socket().say(envelope(5));
  socket().say({ type: "resync", room: ROOM, reason: "envelopes_missed" });
  socket().say(envelope(7));
  assert.equal(hub.status.state, "catching-up");
  socket().say(envelope(8));
  assert.deepEqual(all, [5, ROOM, 7, 8]);
  assert.equal(socket().asked().length, 1);
  assert.equal(hub.status.state, "live");
});

test("a room that can't be brought back is live from where the hub is", async () => {
  await live();
  const all = heard();
  await back();
  socket().enter({ [ROOM]: "1-8", [OTHER]: null });
  socket().say({ type: "resync", room: ROOM, reason: "envelopes_missed" });
  assert.equal(hub.status.state, "live");
  socket().say(envelope(9));
  socket().say(envelope(10));
  assert.deepEqual(all, [ROOM, 9, 10]);
  assert.equal(socket().asked().length, 1);
});

test("what was seen before a crash and comes again after it is not handed on again", async () => {
  await live("1-4");
  const all = heard();
  socket().say(envelope(5));
  await back();
  // The log ends one before what was seen.
  socket().enter({ [ROOM]: "1-4", [OTHER]: null });
  socket().say(envelope(5, { position: "2-1", prev: "1-4" }));
  assert.equal(hub.status.state, "live");
  socket().say(envelope(6, { position: "2-2", prev: "2-1" }));
  assert.deepEqual(all, [5, 6]);
  assert.equal(socket().asked().length, 1);
});

test("a heartbeat ends the catching up of a room in which nothing more comes", async () => {
  await live("1-5");
  await back();
  socket().enter({ [ROOM]: "1-4", [OTHER]: null });
  assert.equal(hub.status.state, "catching-up");
  socket().say({ type: "heartbeat", positions: { [ROOM]: "1-4", [OTHER]: null } });
  assert.equal(hub.status.state, "live");
  assert.equal(socket().asked().length, 1);
});

test("an envelope whose predecessor was never seen waits for it, on the same connection", async () => {
  await live();
  const all = heard();
  socket().say(envelope(5));
  socket().say(envelope(7));
  socket().say(envelope(8));
  assert.deepEqual(all, [5]);
  assert.deepEqual(socket().asked()[1].since, { [ROOM]: "1-5", [OTHER]: null });
  assert.equal(hub.status.state, "catching-up");
  // Between asking and the answer nothing is handed on: all of it comes again.
  socket().say(envelope(1, { room: OTHER, id: "evt_other", payload: { lead: { id: "lead_100" } } }));
  socket().enter({ [ROOM]: "1-8", [OTHER]: "1-1" });
  for (const count of numbers(6, 8)) socket().say(envelope(count));
  socket().say(envelope(1, { room: OTHER, id: "evt_other", payload: { lead: { id: "lead_100" } } }));
  assert.deepEqual(all, [5, 6, 7, 8, 100]);
  assert.deepEqual([hub.status.state, sockets.length], ["live", 1]);
});

test("a heartbeat that is ahead of us is a gap, and one that is not is none", async () => {
  await live();
  const all = heard();
  socket().say({ type: "heartbeat", positions: { [ROOM]: "1-4", [OTHER]: null } });
  assert.equal(socket().asked().length, 1);
  socket().say({ type: "heartbeat", positions: { [ROOM]: "1-5", [OTHER]: null } });
  assert.deepEqual(socket().asked()[1].since, { [ROOM]: "1-4", [OTHER]: null });
  socket().enter({ [ROOM]: "1-5", [OTHER]: null });
  socket().say(envelope(5));
  assert.deepEqual(all, [5]);
});

test("gap after gap is mended at longer and longer intervals", async () => {
  await live();
  const asked = () => socket().asked().length;
  const tear = (count) => {
    socket().say(envelope(count));
    socket().say({ type: "heartbeat", positions: {} });
  };
  tear(6);
  assert.equal(asked(), 2);
  socket().enter({ [ROOM]: "1-6", [OTHER]: null });
  socket().say(envelope(6));
  tear(8);
  assert.equal(asked(), 2);
  assert.equal(hub.status.state, "catching-up");
  await pass(1000);
  assert.equal(asked(), 3);
  socket().enter({ [ROOM]: "1-8", [OTHER]: null });
  socket().say(envelope(8));
  tear(10);
  await pass(999);
  assert.equal(asked(), 3);
  await pass(1001);
  assert.equal(asked(), 4);
});

test("a subscription that the hub refuses to repeat takes what comes as it comes", async () => {
  await live();
  const all = heard();
  const refused = [];
  hub.on("refused", ({ error }) => refused.push(error.code));
  socket().say(envelope(6));
  const { ref } = socket().asked()[1];
  socket().say({ type: "reply", ref, ok: false, error: { code: "unavailable", message: "" } });
  socket().say(envelope(7));
  assert.deepEqual([all, refused, hub.status.state], [[7], ["unavailable"], "live"]);
});

test("who wants some types only is not told of gaps by the others, and resumes all the same", async () => {
  await live("1-4", { types: ["new_lead"] });
  const all = heard();
  socket().say(envelope(7));
  socket().say({ type: "heartbeat", positions: { [ROOM]: "1-9", [OTHER]: null } });
  socket().say(envelope(11));
  assert.deepEqual(all, [7, 11]);
  assert.equal(socket().asked().length, 1);
  await back();
  const [{ since, types }] = socket().asked();
  assert.deepEqual([since[ROOM], types], ["1-11", ["new_lead"]]);
});

test("what has no position is handed on and moves nothing", async () => {
  await live();
  const typing = [];
  hub.on("typing", (payload, { room }) => typing.push([payload.user, room]));
  const frame = { type: "typing", room: ROOM, payload: { user: "usr_2" } };
  socket().say(frame);
  socket().say(frame);
  assert.deepEqual(typing, [["usr_2", ROOM], ["usr_2", ROOM]]);
  await back();
  assert.equal(socket().asked()[0].since[ROOM], "1-4");
});

test("a room of its own is asked for from where it is, and left for good", async () => {
  await opened();
  const leave = hub.subscribe(ROOM);
  const all = heard();
  socket().welcome();
  socket().enter({ position: null });
  socket().say(envelope(1));
  await back();
  assert.deepEqual(socket().asked()[0].since, { [ROOM]: "1-1" });
  socket().enter({ position: "1-1" });
  leave();
  assert.deepEqual(socket().sent.at(-1), { type: "unsubscribe", room: ROOM });
  socket().say(envelope(2));
  assert.deepEqual(all, [1]);
  hub.subscribe(ROOM);
  assert.equal(socket().asked().at(-1).since, undefined);
});

test("rooms beside the dashboard are asked for on their own", async () => {
  await live();
  hub.subscribe("operators:acc_1");
  socket().enter({ position: "1-2" });
  await back();
  const asked = socket().asked();
  assert.deepEqual(asked[0].since, { [ROOM]: "1-4", [OTHER]: null });
  assert.deepEqual(asked[1].since, { "operators:acc_1": "1-2" });
});

test("the operators' rooms are one subscription, which brings back its own and nothing of the dashboard", async () => {
  await live();
  hub.subscribe("operators");
  socket().enter({ "operators:acc_1": "1-2", "operators:acc_2": null });
  await back();
  const asked = socket().asked().map(({ room, since }) => [room, since]);
  assert.deepEqual(asked, [
    ["dashboard", { [ROOM]: "1-4", [OTHER]: null }],
    ["operators", { "operators:acc_1": "1-2", "operators:acc_2": null }],
  ]);
});

test("many rooms are entered no faster than the hub takes frames", async () => {
  await opened();
  for (let count = 0; count < 60; count += 1) hub.subscribe(`operators:acc_${count}`);
  socket().welcome();
  assert.equal(socket().asked().length, 20);
  await pass(1000);
  assert.equal(socket().asked().length, 30);
  await pass(3000);
  assert.equal(socket().asked().length, 60);
});
