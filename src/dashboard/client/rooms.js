// Where this client is in each room, whether something is missing there, and what it has had already. No sockets, no timers.
//
// Positions are opaque: they are compared for being the same, never for order. What keeps the order is that a room that is
// asked for again (`hold`) is deaf until the hub has answered, since everything after our position comes again then.
// @ts-check

/** Ids of envelopes remembered to drop second copies; the oldest go first. */
const REMEMBERED = 4096;

/**
 * @typedef {object} Room
 * @property {string | null} [position] the last one seen; null before the first envelope, undefined when it is not known
 * @property {string | null} [goal] while it is caught up: what was newest when the hub answered
 * @property {boolean} [begun] while it is caught up: whether something came
 * @property {boolean} deaf asked for again, and not answered yet
 * @property {boolean} unsure the hub told of a loss: the next envelope need not follow the last one
 */

export class Rooms {
  /** @type {Map<string, Room>} */
  #rooms = new Map();
  /** @type {Set<string>} */
  #behind = new Set();

  /** Whether a room is being caught up. */
  get catchingUp() {
    return this.#behind.size > 0;
  }

  /**
   * Where we are, for the hub, and deafness until it answers; nothing where we have not been.
   * @param {(name: string) => boolean} wanted
   * @returns {import("./leadwire.js").Since | undefined}
   */
  hold(wanted) {
    const known = [...this.#rooms].filter(([name, { position }]) => position !== undefined && wanted(name));
    if (known.length === 0) return undefined;
    for (const [, room] of known) room.deaf = true;
    return Object.fromEntries(known.map(([name, { position }]) => [name, position ?? null]));
  }

  /** The hub did not answer as asked: what comes is taken as it comes. @param {import("./leadwire.js").Since} since */
  release(since) {
    for (const name of Object.keys(since)) {
      const room = this.#rooms.get(name);
      if (room) Object.assign(room, { deaf: false, unsure: true });
    }
  }

  /**
   * The hub's answer: what was missed follows, up to these positions.
   * @param {import("./leadwire.js").Since} tops @param {import("./leadwire.js").Since} [since] what was asked with
   */
  entered(tops, since = {}) {
    for (const gone of Object.keys(since).filter((name) => !(name in tops))) this.forget(gone);
    for (const [name, top] of Object.entries(tops)) {
      const behind = name in since && since[name] !== top;
      const place = behind ? { position: since[name], goal: top } : { position: top };
      this.#rooms.set(name, { ...place, deaf: false, unsure: false });
      if (behind) this.#behind.add(name);
      else this.#behind.delete(name);
    }
  }

  /** The hub can't bring back what was missed in a room. @param {string} name */
  lost(name) {
    const room = this.#rooms.get(name);
    if (!room || room.deaf) return;
    room.unsure = true;
    // Said before anything came, it means that nothing will: the room is live from its newest position. Said later, it is
    // about a piece, and the rest still comes.
    if (room.goal !== undefined && !room.begun) this.#arrive(name, room, room.goal);
  }

  /**
   * A heartbeat names the newest positions of the rooms that are live.
   * @param {import("./leadwire.js").Since} tops @param {(name: string) => boolean} picky whether only some types are wanted
   * @returns {string[]} the rooms where something is missing
   */
  beat(tops, picky) {
    return Object.entries(tops).filter(([name, top]) => {
      const room = this.#room(name);
      if (room.deaf) return false;
      if (room.goal !== undefined || room.unsure || room.position === undefined || picky(name)) {
        this.#arrive(name, room, top);
        return false;
      }
      return room.position !== top;
    }).map(([name]) => name);
  }

  /**
   * @param {{ room: string, position?: string, prev?: string | null }} envelope @param {boolean} picky
   * @returns {"next" | "gap" | "held"} `held`: it is not its turn, and it comes again
   */
  take({ room: name, position, prev }, picky) {
    if (typeof position !== "string") return "next";
    const room = this.#room(name);
    if (room.deaf) return "held";
    if (room.goal !== undefined) {
      // Who died before its log was written has seen more than there is: then the first that follows is not a step further.
      if (position === room.goal || prev === room.goal) this.#arrive(name, room, position);
      else Object.assign(room, { position, begun: true });
      return "next";
    }
    const follows = picky || room.unsure || prev === undefined || room.position === undefined || prev === room.position;
    if (!follows && position !== room.position) return "gap";
    Object.assign(room, { position, unsure: false });
    return "next";
  }

  /** It follows no more, until it is asked for again. @param {string} name */
  deafen(name) {
    this.#room(name).deaf = true;
  }

  /** The connection is gone: the positions stay. */
  pause() {
    for (const name of this.#behind) delete this.#room(name).goal;
    this.#behind.clear();
  }

  /** @param {string} name */
  forget(name) {
    this.#rooms.delete(name);
    this.#behind.delete(name);
  }

  names() {
    return [...this.#rooms.keys()];
  }

  /** @param {string} name @returns {Room} */
  #room(name) {
    const room = this.#rooms.get(name) ?? { deaf: false, unsure: false };
    this.#rooms.set(name, room);
    return room;
  }

  /** @param {string} name @param {Room} room @param {string | null} position */
  #arrive(name, room, position) {
    Object.assign(room, { position, goal: undefined, unsure: false });
    this.#behind.delete(name);
  }
}

/** Remembers the newest ids in bounded memory. */
export class Seen {
  ids = new Set();

  /** @param {string} id @returns {boolean} whether it is new */
  add(id) {
    if (this.ids.has(id)) return false;
    this.ids.add(id);
    if (this.ids.size > REMEMBERED) this.ids.delete(this.ids.values().next().value);
    return true;
  }
}
