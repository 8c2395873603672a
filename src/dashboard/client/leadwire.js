// Leadwire's client: live envelopes over one WebSocket that comes back by itself.
//
//   import { connect } from "/client/leadwire.js";
//   const hub = connect("/ws");                       // same origin, signed in by cookie
//   hub.on("new_lead", ({ lead }) => console.log(lead.name));
//   hub.subscribe("dashboard");
//
// What it promises: every envelope at most once (by its id), rooms are entered again after a reconnect, and whenever
// something may have been missed a `resync` says so: read the REST snapshot then. Types are in leadwire.d.ts.
// @ts-check

const PROTOCOL = "leadwire.v1";
/** Ids of envelopes remembered to drop second copies; the oldest go first. */
const REMEMBERED = 4096;
const LONGEST_WAIT = 30_000;
/** From `new WebSocket` to `welcome`; longer counts as a failed attempt. */
const WELCOME_WITHIN = 15_000;
const DEFAULT_HEARTBEAT = 30_000;
/** A session that held this long makes the next wait start small again. */
const STEADY_AFTER = 10_000;

/** What to do after a close code; any other code means "back off and come back". */
const AFTER_CLOSE = new Map([
  [4001, "authenticate"],
  [4003, "stop"],
  [4008, "at once"],
  [4012, "at once"],
]);

/** Frames that are about the connection and not envelopes. */
const CONTROL = new Set(["welcome", "subscribed", "reply", "resync", "goodbye", "heartbeat", "token_expired"]);

/** @param {string} url @returns {string} */
function socketUrl(url) {
  const absolute = new URL(url, globalThis.location?.href);
  absolute.protocol = absolute.protocol.replace(/^http/, "ws");
  absolute.hash = "";
  return absolute.href;
}

/** Remembers the newest ids in bounded memory. */
class Seen {
  ids = new Set();

  /** @param {string} id @returns {boolean} whether it is new */
  add(id) {
    if (this.ids.has(id)) return false;
    this.ids.add(id);
    if (this.ids.size > REMEMBERED) this.ids.delete(this.ids.values().next().value);
    return true;
  }
}

class Connection {
  /** @param {string} url @param {import("./leadwire.js").Options} options */
  constructor(url, options) {
    this.url = socketUrl(url);
    this.token = options.token;
    /** @type {import("./leadwire.js").Status} */
    this.status = { state: "connecting", attempt: 0 };
    /** @type {Map<string, Set<Function>>} */
    this.handlers = new Map();
    /** @type {Set<Function>} */
    this.watchers = new Set();
    /** @type {Map<string, { types?: string[] }>} */
    this.rooms = new Map();
    /**
     * The last position of each room, as envelopes and `subscribed` gave it; null for a room that never had an envelope.
     * Kept over a reconnect, to tell whether anything came in between. @type {Map<string, string | null>}
     */
    this.positions = new Map();
    /** Rooms entered again, whose `subscribed` will tell. @type {Set<string>} */
    this.returning = new Set();
    this.seen = new Seen();
    /** @type {WebSocket | null} */
    this.socket = null;
    this.resume = false;
    this.welcomed = false;
    this.everWelcomed = false;
    this.refused = 0;
    this.attempt = 0;
    this.heartbeat = DEFAULT_HEARTBEAT;
    this.lastFrame = 0;
    this.openedAt = 0;
    this.round = 0;
    this.ref = 0;
    /** @type {number | undefined} */
    this.comeBackAfter = undefined;
    this.retryTimer = this.welcomeTimer = this.beatTimer = undefined;
    this.wake = () => this.onWake();
    this.drop = () => this.onDrop();
    globalThis.addEventListener?.("online", this.wake);
    globalThis.addEventListener?.("offline", this.drop);
    globalThis.document?.addEventListener("visibilitychange", this.wake);
  }

  // -- connecting ---------------------------------------------------------------------------------------------------

  /** @param {boolean} fresh whether the last token was refused */
  async open(fresh = false) {
    const round = ++this.round;
    clearTimeout(this.retryTimer);
    this.tell({ state: "connecting", attempt: this.attempt });
    let token;
    try {
      token = typeof this.token === "function" ? await this.token({ fresh }) : this.token;
    } catch {
      if (round === this.round) this.comeBack();
      return;
    }
    if (round !== this.round) return;
    if (typeof this.token === "function" && !token) return this.halt("signed-out", 4001, "there is no token");

    const socket = new WebSocket(this.url, [PROTOCOL]);
    this.socket = socket;
    this.welcomed = false;
    this.comeBackAfter = undefined;
    this.welcomeTimer = setTimeout(() => this.lost(socket, 0, "no welcome"), WELCOME_WITHIN);
    socket.onopen = () => {
      if (token) socket.send(JSON.stringify({ type: "auth", token }));
    };
    socket.onmessage = (message) => this.receive(socket, message.data);
    socket.onclose = (event) => this.lost(socket, event.code, event.reason);
  }

  /** The socket is gone, or as good as gone. @param {WebSocket} socket @param {number} code @param {string} reason */
  lost(socket, code, reason) {
    if (socket !== this.socket) return;
    const steady = this.welcomed && Date.now() - this.openedAt >= STEADY_AFTER;
    this.detach();
    if (steady) this.attempt = 0;
    switch (AFTER_CLOSE.get(code)) {
      case "stop":
        return this.halt("stopped", code, reason);
      case "authenticate":
        // A cookie or a fixed token that was refused stays refused: only a function can bring a fresh one, and only once
        // in a row.
        this.refused += 1;
        if (typeof this.token !== "function" || this.refused > 1) return this.halt("signed-out", code, reason);
        return void this.open(true);
      case "at once":
        if (this.attempt === 0) {
          this.attempt = 1;
          return void this.open();
        }
    }
    this.comeBack(code, reason);
  }

  /** Waits, longer each time and never the same as others, and tries again. @param {number} [code] @param {string} [reason] */
  comeBack(code, reason) {
    const ceiling = Math.min(LONGEST_WAIT, 1000 * 2 ** Math.min(this.attempt, 10));
    const announced = this.comeBackAfter;
    const wait = announced === undefined ? ceiling * (0.5 + Math.random() / 2) : announced * (1 + Math.random() / 2);
    this.comeBackAfter = undefined;
    this.attempt += 1;
    const state = globalThis.navigator?.onLine === false ? "offline" : "waiting";
    this.tell({ state, attempt: this.attempt, retryAt: Date.now() + wait, code, reason });
    this.retryTimer = setTimeout(() => this.open(), wait);
  }

  /** @param {"signed-out" | "stopped" | "closed"} state @param {number} [code] @param {string} [reason] */
  halt(state, code, reason) {
    this.round += 1;
    clearTimeout(this.retryTimer);
    this.detach();
    this.tell({ state, attempt: 0, code, reason });
  }

  detach() {
    clearTimeout(this.welcomeTimer);
    clearTimeout(this.beatTimer);
    const socket = this.socket;
    this.socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  // -- receiving ----------------------------------------------------------------------------------------------------

  /** @param {WebSocket} socket @param {unknown} text */
  receive(socket, text) {
    if (socket !== this.socket) return;
    this.lastFrame = Date.now();
    let frame;
    try {
      frame = JSON.parse(String(text));
    } catch {
      return;
    }
    if (typeof frame?.type !== "string") return;
    if (CONTROL.has(frame.type)) this.control(frame);
    else this.envelope(frame);
  }

  /** @param {any} frame */
  control(frame) {
    switch (frame.type) {
      case "welcome":
        return this.onWelcome(frame);
      case "subscribed":
        return this.onSubscribed(frame);
      case "heartbeat":
        return this.onHeartbeat(frame.positions ?? {});
      case "goodbye":
        if (Number.isFinite(frame.reconnect_after_ms)) this.comeBackAfter = Math.max(0, frame.reconnect_after_ms);
        return this.emit("goodbye", frame, frame);
      case "token_expired":
        void this.renew();
        return this.emit("token_expired", frame, frame);
      case "resync":
        this.positions.delete(frame.room);
        return this.emit("resync", frame, frame);
      case "reply":
        if (frame.ok === false) this.emit("refused", frame, frame);
    }
  }

  /** @param {any} frame */
  onWelcome(frame) {
    clearTimeout(this.welcomeTimer);
    this.welcomed = true;
    this.refused = 0;
    this.openedAt = Date.now();
    this.resume = frame.resume === true;
    // In seconds; a hub that beats faster than once a second says 0.
    if (frame.heartbeat > 0) this.heartbeat = frame.heartbeat * 1000;
    this.listenForBeats();
    if (this.everWelcomed) this.returning = new Set(this.rooms.keys());
    this.everWelcomed = true;
    for (const [room, { types }] of this.rooms) this.enter(room, types);
    this.tell({ state: "open", attempt: 0 });
    this.emit("welcome", frame, frame);
  }

  /** The room is live from the position it names; for `dashboard`, each of the rooms that it stands for. @param {any} frame */
  onSubscribed(frame) {
    const back = this.returning.delete(frame.room);
    let missed = false;
    for (const [room, top] of Object.entries(frame.rooms ?? { [frame.room]: frame.position ?? null })) {
      missed ||= this.positions.get(room) !== top;
      // What a replay is going to bring starts at our own position.
      if (!(back && this.resume)) this.positions.set(room, top);
    }
    this.emit("subscribed", frame, frame);
    // Where nothing came while the connection was away, nothing need be read again. When something did: a hub with a log
    // replays it, or sends a resync of its own.
    if (back && missed && !this.resume) this.emitResync(frame.room, "reconnected");
  }

  /** A heartbeat names the rooms' top positions: one that differs from ours is a loss. @param {Record<string, string | null>} tops */
  onHeartbeat(tops) {
    for (const [room, top] of Object.entries(tops)) {
      const ours = this.positions.get(room);
      this.positions.set(room, top);
      if (ours !== undefined && ours !== top && !this.picky(room)) this.emitResync(room, "gap");
    }
  }

  /** @param {any} frame */
  envelope(frame) {
    const { id, room, position, prev } = frame;
    const ours = this.positions.get(room);
    if (typeof position === "string") this.positions.set(room, position);
    const gap = prev !== undefined && ours !== undefined && prev !== ours && position !== ours;
    if (typeof id !== "string" || this.seen.add(id)) this.emit(frame.type, frame.payload, frame);
    if (gap && !this.picky(room)) this.emitResync(room, "gap");
  }

  /** Whether only some types of a room were asked for: then gaps are meant to be there. @param {string} room */
  picky(room) {
    return Boolean((this.rooms.get(room) ?? this.rooms.get("dashboard"))?.types);
  }

  /** @param {string} room @param {string} reason */
  emitResync(room, reason) {
    const frame = { type: "resync", room, reason };
    this.emit("resync", frame, frame);
  }

  /** @param {string} type @param {unknown} payload @param {any} frame */
  emit(type, payload, frame) {
    for (const name of [type, "*"]) {
      for (const handler of [...(this.handlers.get(name) ?? [])]) {
        try {
          handler(payload, frame);
        } catch (error) {
          console.error(`leadwire: a handler of ${type} failed`, error);
        }
      }
    }
  }

  // -- staying alive ------------------------------------------------------------------------------------------------

  listenForBeats() {
    clearTimeout(this.beatTimer);
    const silence = Date.now() - this.lastFrame;
    const left = 2 * this.heartbeat - silence;
    if (left <= 0) {
      if (this.socket) this.lost(this.socket, 4012, "no heartbeat");
      return;
    }
    this.beatTimer = setTimeout(() => this.listenForBeats(), left);
  }

  /** Back online, or back in view: timers slept, so look at once. */
  onWake() {
    if (globalThis.document?.visibilityState === "hidden") return;
    if (this.status.state === "waiting" || this.status.state === "offline") void this.open();
    else if (this.socket && this.welcomed) this.listenForBeats();
  }

  onDrop() {
    if (this.status.state === "waiting") this.tell({ ...this.status, state: "offline" });
  }

  /** @param {import("./leadwire.js").Status} status */
  tell(status) {
    this.status = Object.freeze(status);
    for (const watcher of [...this.watchers]) watcher(this.status);
  }

  // -- sending ------------------------------------------------------------------------------------------------------

  /** @param {object} frame */
  send(frame) {
    if (this.welcomed && this.socket?.readyState === 1) this.socket.send(JSON.stringify(frame));
  }

  /** @param {string} room @param {string[]} [types] */
  enter(room, types) {
    const since = (this.resume && this.positions.get(room)) || undefined;
    this.send({ type: "subscribe", ref: `s${++this.ref}`, room, since, types });
  }

  /** The token ran out and the hub waits a little: bring a fresh one if there is a way to. */
  async renew() {
    const { socket } = this;
    if (typeof this.token !== "function") return;
    const token = await Promise.resolve(this.token({ fresh: true })).catch(() => null);
    if (token && socket === this.socket) this.send({ type: "auth", ref: `a${++this.ref}`, token });
  }
}

/**
 * Opens a connection that lasts until it is closed.
 * @param {string} [url] `/ws` of the hub; relative to the page
 * @param {import("./leadwire.js").Options} [options]
 * @returns {import("./leadwire.js").Hub}
 */
export function connect(url = "/ws", options = {}) {
  const connection = new Connection(url, options);
  void connection.open();
  /** @param {Set<Function>} set @param {Function} handler */
  const add = (set, handler) => {
    set.add(handler);
    return () => void set.delete(handler);
  };
  return {
    get status() {
      return connection.status;
    },
    on(type, handler) {
      const { handlers } = connection;
      if (!handlers.has(type)) handlers.set(type, new Set());
      return add(/** @type {Set<Function>} */ (handlers.get(type)), handler);
    },
    onStatus(handler) {
      handler(connection.status);
      return add(connection.watchers, handler);
    },
    subscribe(room, { types } = {}) {
      connection.rooms.set(room, { types });
      connection.enter(room, types);
      return () => {
        if (connection.rooms.delete(room)) connection.send({ type: "unsubscribe", ref: `u${++connection.ref}`, room });
      };
    },
    authenticate(token) {
      connection.send({ type: "auth", ref: `a${++connection.ref}`, token });
    },
    reconnect() {
      connection.detach();
      connection.attempt = connection.refused = 0;
      void connection.open();
    },
    close() {
      globalThis.removeEventListener?.("online", connection.wake);
      globalThis.removeEventListener?.("offline", connection.drop);
      globalThis.document?.removeEventListener("visibilitychange", connection.wake);
      connection.halt("closed");
    },
  };
}
