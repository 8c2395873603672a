// Leadwire's client: live envelopes over one WebSocket that comes back by itself.
//
//   import { connect } from "/client/leadwire.js";
//   const hub = connect("/ws");                       // same origin, signed in by cookie
//   hub.on("new_lead", ({ lead }) => console.log(lead.name));
//   hub.on("resync", ({ room }) => …);                // read the REST snapshot of that room again
//   hub.subscribe("dashboard");
//
// What it promises: every envelope once (by its id) and in the order of its room, what came while the connection was away
// included. Only where the hub can't bring it back does a `resync` say so. What was there before it came, the REST snapshot
// has: read it after the first `subscribed`. Types are in leadwire.d.ts.
// @ts-check
import { Connection } from "./connection.js";
import { failure } from "./sending.js";

/**
 * Opens a connection that lasts until it is closed.
 * @param {string} [url] `/ws` of the hub; relative to the page
 * @param {import("./leadwire.js").Options} [options]
 * @returns {import("./leadwire.js").Hub}
 */
export function connect(url = "/ws", options = {}) {
  const connection = new Connection(url, options);
  void connection.open();
  const { handlers, subscriptions } = connection;
  return {
    get status() {
      return connection.status;
    },
    on(type, handler) {
      const set = handlers.get(type) ?? new Set();
      handlers.set(type, set.add(handler));
      return () => void set.delete(handler);
    },
    subscribe(room, { types } = {}) {
      const before = subscriptions.get(room);
      if (before) {
        clearTimeout(before.timer);
        connection.unanswered.delete(before);
      }
      /** @type {import("./connection.js").Subscription} */
      const mine = { name: room, types, group: before?.group, mends: 0, mendedAt: -Infinity };
      subscriptions.set(room, mine);
      if (connection.welcomed) connection.enter(mine);
      return () => {
        if (subscriptions.get(room) !== mine) return;
        clearTimeout(mine.timer);
        subscriptions.delete(room);
        connection.unanswered.delete(mine);
        for (const name of connection.rooms.names()) if (!connection.covering(name)) connection.rooms.forget(name);
        if (connection.welcomed) connection.sending?.send({ type: "unsubscribe", room });
        connection.progress();
      };
    },
    send(frame) {
      return connection.welcomed && Boolean(connection.sending?.send(frame));
    },
    request(frame) {
      return new Promise((resolve, reject) => {
        const { sending } = connection;
        if (!connection.welcomed || !sending) return reject(failure("not_connected", "there is no connection"));
        sending.ask(frame, (reply) => {
          if (reply?.ok) resolve(reply);
          else reject(failure(reply?.error?.code ?? "connection_lost", reply?.error?.message ?? "the connection was lost"));
        });
      });
    },
    authenticate(token) {
      connection.authenticate(token);
    },
    reconnect() {
      connection.attempt = connection.refused = 0;
      void connection.open();
    },
    close() {
      globalThis.removeEventListener?.("online", connection.wake);
      globalThis.removeEventListener?.("offline", connection.drop);
      for (const event of ["visibilitychange", "resume"]) globalThis.document?.removeEventListener(event, connection.wake);
      connection.halt("closed");
    },
  };
}
