// The connection's rules, without a network and with time that moves only when told. What it knows of rooms is tested in
// rooms.test.mjs. Where Node is at hand:
//   node --test src/dashboard/client_tests/
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { dispatch, envelope, heard, hub, opened, pass, returned, settle, sleep, socket, sockets } from "./fake.mjs";

test("it speaks leadwire.v1 and enters its rooms after the welcome", async () => {
  await opened();
  hub.subscribe("dashboard");
  assert.equal(socket().url, "ws://hub.example/ws");
  assert.deepEqual(socket().protocols, ["leadwire.v1"]);
  assert.deepEqual(socket().sent, []);
  socket().welcome();
  assert.equal(socket().sent[0].room, "dashboard");
  assert.equal(hub.status.state, "live");
});

test("a token goes into the first frame and never into the URL", async () => {
  await opened({ token: async () => "secret" });
  socket().welcome();
  assert.deepEqual(socket().sent[0], { type: "auth", token: "secret" });
  assert.ok(!socket().url.includes("secret"));
});

test("an envelope that comes twice is handed on once", async () => {
  await opened();
  hub.subscribe("account:acc_1");
  const all = heard();
  socket().welcome();
  socket().say(envelope(1));
  socket().say(envelope(1));
  socket().say(envelope(2));
  assert.deepEqual(all, [1, 2]);
});

test("what is remembered for that is bounded, and the oldest goes first", async () => {
  await opened();
  hub.subscribe("account:acc_1");
  let calls = 0;
  hub.on("new_lead", () => (calls += 1));
  socket().welcome();
  for (let count = 1; count <= 4097; count += 1) socket().say(envelope(count));
  socket().say(envelope(4097));
  assert.equal(calls, 4097);
  socket().say(envelope(1, { position: "1-4098", prev: "1-4097" }));
  assert.equal(calls, 4098);
});

test("a handler that throws does not keep the envelope from the others", async () => {
  await opened();
  hub.subscribe("account:acc_1");
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

test("it tries for ever, waiting longer each time but never over half a minute", async () => {
  await opened();
  const waits = [];
  for (let attempt = 0; attempt < 12; attempt += 1) {
    socket().end(1006);
    waits.push(hub.status.retryAt - Date.now());
    assert.equal(hub.status.state, "waiting");
    await returned();
  }
  assert.equal(sockets.length, 13);
  assert.ok(waits[0] >= 500 && waits[0] <= 1000, String(waits[0]));
  assert.ok(waits.slice(5).every((wait) => wait >= 15_000 && wait <= 30_000), String(waits));
});

test("a connection that held makes the next wait small again; one that broke the protocol does not", async () => {
  await opened();
  for (let attempt = 0; attempt < 6; attempt += 1) {
    socket().end(1006);
    await returned();
  }
  socket().welcome();
  await pass(10_000);
  socket().end(4004);
  assert.ok(hub.status.retryAt - Date.now() >= 15_000);
  await returned();
  socket().welcome();
  await pass(10_000);
  socket().end(1006);
  assert.ok(hub.status.retryAt - Date.now() <= 1000);
});

test("one connection too many comes back later", async () => {
  await opened();
  socket().end(4009);
  const wait = hub.status.retryAt - Date.now();
  assert.ok(wait >= 15_000 && wait <= 30_000, String(wait));
});

test("a hub that drains says when to come back", async () => {
  await opened();
  socket().welcome();
  socket().say({ type: "goodbye", code: 1012, reason: "restart", reconnect_after_ms: 4000 });
  socket().end(1012);
  const wait = hub.status.retryAt - Date.now();
  assert.ok(wait >= 4000 && wait <= 4800, String(wait));
  // Another tab that is looked at is no reason to come earlier.
  await dispatch("online");
  assert.equal(sockets.length, 1);
  await pass(4800);
  assert.equal(sockets.length, 2);
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
  assert.deepEqual([hub.status.state, hub.status.code], ["stopped", 4003]);
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

const jwt = (seconds) => `h.${btoa(JSON.stringify({ exp: Date.now() / 1000 + seconds }))}.s`;

test("a token that tells when it runs out is replaced before, as often as there is a new one", async () => {
  let given = 0;
  const fresh = [];
  await opened({ token: (ask) => (fresh.push(ask.fresh), (given += 1) <= 2 ? jwt(100) : "no more") });
  socket().welcome();
  const beats = async (ms) => {
    for (let gone = 0; gone < ms; gone += 10_000) {
      socket().say({ type: "heartbeat", positions: {} });
      await pass(10_000);
    }
  };
  await beats(70_000);
  assert.deepEqual(fresh, [false]);
  await beats(10_000);
  assert.deepEqual(fresh, [false, true]);
  socket().say({ type: "reply", ref: socket().sent.at(-1).ref, ok: true });
  await beats(90_000);
  assert.deepEqual(fresh, [false, true, true]);
  assert.equal(socket().sent.at(-1).token, "no more");
  assert.equal(sockets.length, 1);
});

test("a source of tokens that fails or hangs is asked again later", async () => {
  let answers = 0;
  await opened({ token: () => ((answers += 1) === 1 ? Promise.reject(new Error("no")) : new Promise(() => {})) });
  assert.equal(hub.status.state, "waiting");
  await pass(1000);
  assert.equal(hub.status.state, "connecting");
  await pass(15_000);
  assert.equal(hub.status.state, "waiting");
  assert.equal(sockets.length, 0);
});

test("a request gets its reply, its refusal, or word that the connection was lost", async () => {
  await opened();
  await assert.rejects(hub.request({ type: "presence" }), { code: "not_connected" });
  assert.equal(hub.send({ type: "typing" }), false);
  socket().welcome();
  const asked = [1, 2, 3].map((count) => hub.request({ type: "presence", room: `account:acc_${count}` }));
  const [one, two] = socket().sent.map(({ ref }) => ref);
  socket().say({ type: "reply", ref: two, ok: false, error: { code: "forbidden", message: "not yours" } });
  socket().say({ type: "reply", ref: one, ok: true, users: ["usr_1"] });
  socket().end(1006);
  assert.deepEqual((await asked[0]).users, ["usr_1"]);
  await assert.rejects(asked[1], { code: "forbidden", message: "not yours" });
  await assert.rejects(asked[2], { code: "connection_lost" });
});

test("a hub that falls silent for two heartbeats is lost", async () => {
  await opened();
  socket().welcome();
  const first = socket();
  await pass(59_000);
  first.say({ type: "heartbeat", positions: {} });
  await pass(59_000);
  assert.equal(hub.status.state, "live");
  await pass(2000);
  await settle();
  assert.notEqual(socket(), first);
  assert.equal(first.readyState, 3);
});

test("after a sleep the hub is asked at once, and an answer keeps the connection", async () => {
  await opened();
  socket().welcome();
  await sleep(3_600_000);
  const { ref } = socket().sent.find(({ type }) => type === "ack");
  await pass(3000);
  socket().say({ type: "reply", ref, ok: true });
  await pass(3000);
  assert.deepEqual([hub.status.state, sockets.length], ["live", 1]);
});

test("after a sleep a hub that does not answer is lost, and what comes before the answer gives it time", async () => {
  await opened();
  socket().welcome();
  await sleep(3_600_000);
  await pass(3000);
  socket().say({ type: "heartbeat", positions: {} });
  await pass(4000);
  assert.equal(sockets.length, 1);
  await pass(4000);
  assert.equal(sockets.length, 2);
});

for (const event of ["online", "offline"]) {
  test(`a device that goes ${event} asks whether the hub is still there`, async () => {
    await opened();
    socket().welcome();
    await dispatch(event);
    await dispatch(event);
    assert.equal(socket().sent.filter(({ type }) => type === "ack").length, 1);
    await pass(4000);
    assert.equal(sockets.length, 2);
  });
}

test("without a network it says so, and it is back as soon as there is one", async () => {
  await opened();
  socket().end(1006);
  await dispatch("offline");
  assert.equal(hub.status.state, "offline");
  assert.ok(hub.status.retryAt > Date.now());
  await dispatch("online");
  assert.deepEqual([hub.status.state, sockets.length], ["connecting", 2]);
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
