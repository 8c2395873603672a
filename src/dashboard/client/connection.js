// One connection after the other: opens them, notices when they are gone, and does what the close code asks for.
// @ts-check
import { Rooms, Seen } from "./rooms.js";
import { Sending } from "./sending.js";
import { backOff, goodFor, LONGEST_TIMER, LONGEST_WAIT } from "./times.js";

const PROTOCOL = "leadwire.v1";
/** The longest wait that a hub may ask for. */
const LONGEST_ANNOUNCED = 3_600_000;
/** From the first step to `welcome`; longer counts as a failed attempt. */
const WELCOME_WITHIN = 15_000;
const DEFAULT_HEARTBEAT = 30_000;
/** A session that held this long makes the next wait start small again. */
const STEADY_AFTER = 10_000;
/** How often the clock is looked at, and how late a timer is that has slept; those of a hidden page are held back. */
const LOOK_EVERY = 5000;
const SLEPT = 10_000;
const SLEPT_HIDDEN = 90_000;
/** The names that stand for all rooms of a kind. @type {Record<string, string>} */
const GROUPS = { account: "dashboard", operators: "operators" };
/** A connection that is asked whether it is still there has so long to answer. */
const ANSWER_WITHIN = 4000;

/** What to do after a close code; any other code means "back off and come back". */
const AFTER_CLOSE = new Map([
  [4001, "authenticate"],
  [4003, "stop"],
  [4008, "at once"],
  [4009, "later"],
  [4012, "at once"],
]);

/** @param {string} url @returns {string} */
function socketUrl(url) {
  const absolute = new URL(url, globalThis.location?.href);
  absolute.protocol = absolute.protocol.replace(/^http/, "ws");
  absolute.hash = "";
  return absolute.href;
}

/**
 * @typedef {object} Subscription
 * @property {string} name
 * @property {string[]} [types]
 * @property {Set<string>} [group] for `dashboard` and `operators`: the rooms that it stands for
 * @property {import("./leadwire.js").Since} [since] what it was asked for with
 * @property {number} mends repeated in short time, because something was missing
 * @property {number} mendedAt
 * @property {ReturnType<typeof setTimeout>} [timer]
 */

export class Connection {
  /** @param {string} url @param {import("./leadwire.js").Options} options */
  constructor(url, options) {
    this.url = socketUrl(url);
    this.token = options.token;
    /** @type {import("./leadwire.js").Status} */
    this.status = Object.freeze({ state: "connecting", attempt: 0 });
    /** @type {Map<string, Set<Function>>} */
    this.handlers = new Map();
    /** @type {Map<string, Subscription>} */
    this.subscriptions = new Map();
    /** Asked for and not answered. @type {Set<Subscription>} */
    this.unanswered = new Set();
    this.rooms = new Rooms();
    this.seen = new Seen();
    /** @type {WebSocket | null} */
    this.socket = null;
    /** @type {Sending | null} */
    this.sending = null;
    this.welcomed = false;
    this.checking = false;
    this.heartbeat = DEFAULT_HEARTBEAT;
    this.attempt = this.refused = this.round = this.openedAt = this.lastFrame = this.notBefore = 0;
    /** @type {number | undefined} */
    this.announced = undefined;
    this.retryTimer = this.welcomeTimer = this.beatTimer = this.checkTimer = this.renewTimer = undefined;
    this.wake = (/** @type {Event} */ { type }) => this.onWake(type);
    this.drop = () => this.onDrop();
    globalThis.addEventListener?.("online", this.wake);
    globalThis.addEventListener?.("offline", this.drop);
    for (const event of ["visibilitychange", "resume"]) globalThis.document?.addEventListener(event, this.wake);
  }

  // -- connecting ---------------------------------------------------------------------------------------------------

  /** @param {boolean} fresh whether the last token was refused */
  async open(fresh = false) {
    this.detach();
    const { round } = this;
    this.announced = undefined;
    this.tell({ state: "connecting", attempt: this.attempt });
    this.welcomeTimer = setTimeout(() => this.lost(0, "no welcome"), WELCOME_WITHIN);
    let token;
    try {
      token = typeof this.token === "function" ? await this.token({ fresh }) : this.token;
    } catch {
      if (round === this.round) this.lost(0, "no token");
      return;
    }
    if (round !== this.round) return;
    if (typeof this.token === "function" && !token) return this.halt("signed-out", 4001, "there is no token");

    const socket = new WebSocket(this.url, [PROTOCOL]);
    this.socket = socket;
    this.sending = new Sending(socket);
    socket.onopen = () => {
      if (!token) return;
      socket.send(JSON.stringify({ type: "auth", token }));
      this.renewInTime(token);
    };
    socket.onmessage = (message) => this.receive(message.data);
    socket.onclose = (event) => this.lost(event.code, event.reason);
  }

  /** The connection is gone, or as good as gone. @param {number} code @param {string} reason */
  lost(code, reason) {
    const steady = this.welcomed && Date.now() - this.openedAt >= STEADY_AFTER;
    this.detach();
    if (steady) this.refused = 0;
    // Who breaks the protocol does so again, however long it took.
    if (steady && code !== 4004) this.attempt = 0;
    const how = AFTER_CLOSE.get(code);
    if (how === "stop") return this.halt("stopped", code, reason);
    if (how === "authenticate") {
      // A cookie or a fixed token that was refused stays refused: only a function can bring a fresh one, and only once
      // in a row.
      this.refused += 1;
      if (typeof this.token !== "function" || this.refused > 1) return this.halt("signed-out", code, reason);
      return void this.open(true);
    }
    if (how === "at once" && this.attempt === 0) {
      this.attempt = 1;
      return void this.open();
    }
    this.comeBack(how === "later" ? 10 : this.attempt, code, reason);
  }

  /** Waits and tries again. @param {number} step of the back-off @param {number} code @param {string} reason */
  comeBack(step, code, reason) {
    // The hub has spread the times that it named; a little more keeps apart those that it gave the same one.
    const wait = this.announced === undefined ? backOff(step) : this.announced * (1 + Math.random() / 5);
    const retryAt = Date.now() + wait;
    this.notBefore = this.announced === undefined ? 0 : retryAt;
    this.attempt += 1;
    const state = globalThis.navigator?.onLine === false ? "offline" : "waiting";
    this.tell({ state, attempt: this.attempt, retryAt, code, reason });
    this.retryTimer = setTimeout(() => this.open(), wait);
  }

  /** @param {"signed-out" | "stopped" | "closed"} state @param {number} [code] @param {string} [reason] */
  halt(state, code, reason) {
    this.detach();
    this.tell({ state, attempt: 0, code, reason });
  }

  /** Lets go of the connection, in whatever state it is. What was seen stays known. */
  detach() {
    this.round += 1;
    const { retryTimer, welcomeTimer, beatTimer, checkTimer, renewTimer, socket } = this;
    for (const timer of [retryTimer, welcomeTimer, beatTimer, checkTimer, renewTimer]) clearTimeout(timer);
    for (const { timer } of this.subscriptions.values()) clearTimeout(timer);
    this.socket = null;
    this.welcomed = false;
    this.unanswered.clear();
    this.rooms.pause();
    this.sending?.end();
    this.sending = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  // -- receiving ----------------------------------------------------------------------------------------------------

  /** @param {unknown} text */
  receive(text) {
    this.lastFrame = Date.now();
    let frame;
    try {
      frame = JSON.parse(String(text));
    } catch {
      return;
    }
    switch (frame?.type) {
      case undefined:
        return;
      case "welcome":
        this.onWelcome(frame);
        break;
      case "subscribed":
        this.onSubscribed(frame);
        break;
      case "heartbeat":
        for (const room of this.rooms.beat(frame.positions ?? {}, (name) => this.isPicky(name))) this.mend(room);
        break;
      case "resync":
        this.rooms.lost(frame.room);
        break;
      case "goodbye":
        if (frame.reconnect_after_ms >= 0) this.announced = Math.min(frame.reconnect_after_ms, LONGEST_ANNOUNCED);
        break;
      case "token_expired":
        void this.renew();
        break;
      case "reply":
        if (!this.sending?.answered(frame) && frame.ok === false) this.emit("refused", frame);
        return;
      default:
        this.envelope(frame);
        return this.progress();
    }
    this.emit(frame.type, frame);
    this.progress();
  }

  /** @param {import("./leadwire.js").Frames["welcome"]} frame */
  onWelcome({ heartbeat }) {
    clearTimeout(this.welcomeTimer);
    this.welcomed = true;
    this.openedAt = Date.now();
    // In seconds; a hub that beats faster than once a second says 0.
    if (heartbeat > 0) this.heartbeat = heartbeat * 1000;
    this.watch();
    for (const subscription of this.subscriptions.values()) this.enter(subscription);
  }

  /** @param {import("./leadwire.js").Frames["subscribed"]} frame */
  onSubscribed({ room, rooms, position }) {
    const subscription = this.subscriptions.get(room);
    if (!subscription) return;
    this.unanswered.delete(subscription);
    if (rooms) subscription.group = new Set(Object.keys(rooms));
    this.rooms.entered(rooms ?? { [room]: position ?? null }, subscription.since);
  }

  /** @param {import("./leadwire.js").Envelope} frame */
  envelope(frame) {
    if (!this.covering(frame.room)) return;
    const place = this.rooms.take(frame, this.isPicky(frame.room));
    if (place === "gap") return this.mend(frame.room);
    const again = typeof frame.id === "string" && place === "next" && !this.seen.add(frame.id);
    if (place === "next" && !again) this.emit(frame.type, frame.payload, frame);
  }

  /** @param {string} type @param {unknown} payload @param {unknown} [frame] */
  emit(type, payload, frame) {
    for (const handler of [...(this.handlers.get(type) ?? [])]) {
      try {
        handler(payload, frame);
      } catch (error) {
        console.error(`leadwire: a handler of ${type} failed`, error);
      }
    }
  }

  /** @param {import("./leadwire.js").Status} status */
  tell(status) {
    this.status = Object.freeze(status);
    this.emit("status", this.status);
  }

  /** Says so when what was missed begins to come, and when it is all there. */
  progress() {
    if (!this.welcomed) return;
    const behind = this.rooms.catchingUp || [...this.unanswered].some(({ since }) => since);
    const state = behind ? "catching-up" : "live";
    if (state !== this.status.state) this.tell({ state, attempt: 0 });
  }

  // -- rooms --------------------------------------------------------------------------------------------------------

  /** The subscription by which we hear a room. @param {string} room */
  covering(room) {
    return this.subscriptions.get(room) ?? this.subscriptions.get(GROUPS[room.slice(0, room.indexOf(":"))] ?? "");
  }

  /** Whether only some types of a room were asked for: then gaps are meant to be there. @param {string} room */
  isPicky(room) {
    return Boolean(this.covering(room)?.types);
  }

  /** Asks for a room from where we are in it. @param {Subscription} subscription */
  enter(subscription) {
    const { name, group, types } = subscription;
    clearTimeout(subscription.timer);
    const wanted = (/** @type {string} */ room) => group?.has(room) || this.covering(room) === subscription;
    const since = (subscription.since = this.rooms.hold(wanted));
    this.unanswered.add(subscription);
    this.sending?.ask({ type: "subscribe", room: name, since, types }, (reply) => {
      if (reply?.ok !== false) return;
      this.unanswered.delete(subscription);
      if (since) this.rooms.release(since);
      this.emit("refused", reply);
      this.progress();
    });
  }

  /** Something is missing in a room: asks for it, at once but not in a loop. @param {string} room */
  mend(room) {
    this.rooms.deafen(room);
    const subscription = this.covering(room);
    if (!subscription || this.unanswered.has(subscription)) return;
    const calm = Date.now() - subscription.mendedAt > 2 * LONGEST_WAIT;
    subscription.mends = calm ? 0 : subscription.mends + 1;
    const wait = calm ? 0 : backOff(subscription.mends - 1);
    subscription.mendedAt = Date.now() + wait;
    if (calm) return this.enter(subscription);
    subscription.since ??= {};
    this.unanswered.add(subscription);
    subscription.timer = setTimeout(() => this.enter(subscription), wait);
  }

  // -- staying alive ------------------------------------------------------------------------------------------------

  /** Two heartbeats that did not come mean that nobody is there. */
  watch() {
    const left = 2 * this.heartbeat - (Date.now() - this.lastFrame);
    const step = Math.min(LOOK_EVERY, Math.max(left, 100));
    const due = Date.now() + step;
    this.beatTimer = setTimeout(() => {
      const hidden = globalThis.document?.visibilityState === "hidden";
      // A timer that is late has slept, and what came meanwhile may not be read yet: ask.
      if (Date.now() - due > (hidden ? SLEPT_HIDDEN : SLEPT)) this.check();
      else if (!this.checking && Date.now() - this.lastFrame >= 2 * this.heartbeat) return this.lost(4012, "no heartbeat");
      this.watch();
    }, step);
  }

  /** Asks for an answer instead of waiting for a heartbeat; whatever comes meanwhile gives it more time. */
  check() {
    if (!this.sending || this.checking) return;
    this.checking = true;
    let asked = Date.now();
    const expect = () => {
      this.checkTimer = setTimeout(() => {
        if (this.lastFrame <= asked) return this.lost(4012, "no answer");
        asked = Date.now();
        expect();
      }, ANSWER_WITHIN);
    };
    expect();
    this.sending.ask({ type: "ack" }, () => {
      clearTimeout(this.checkTimer);
      this.checking = false;
    });
  }

  /** Another network, back in view or out of sleep: looks at once. @param {string} event */
  onWake(event) {
    if (event === "visibilitychange" && document.visibilityState === "hidden") return;
    const { state } = this.status;
    if (state !== "waiting" && state !== "offline") return this.welcomed ? this.check() : undefined;
    if (Date.now() >= this.notBefore) void this.open();
  }

  onDrop() {
    if (this.status.state === "waiting") this.tell({ ...this.status, state: "offline" });
    else if (this.welcomed) this.check();
  }

  // -- tokens -------------------------------------------------------------------------------------------------------

  /** Asks for another token before this one runs out, if it tells when that is. @param {string} token */
  renewInTime(token) {
    clearTimeout(this.renewTimer);
    const left = goodFor(token);
    if (typeof this.token !== "function" || left === undefined || left <= 0) return;
    this.renewTimer = setTimeout(() => this.renew(token), Math.min(left - Math.min(60_000, left / 5), LONGEST_TIMER));
  }

  /** Brings a fresh token if there is a way to. @param {string} [old] */
  async renew(old) {
    const { round, token: ask } = this;
    if (typeof ask !== "function") return;
    const token = await Promise.resolve({ fresh: true }).then(ask).catch(() => null);
    if (token && token !== old && round === this.round) this.authenticate(token);
  }

  /** @param {string} token */
  authenticate(token) {
    if (typeof this.token !== "function") this.token = token;
    this.sending?.ask({ type: "auth", token }, (reply) => {
      if (reply?.ok) this.renewInTime(token);
      else if (reply) this.emit("refused", reply);
    });
  }
}
