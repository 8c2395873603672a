// What this client says: no faster than the hub allows, and the answers to it.
// @ts-check

/** Half of what the hub allows, for the browser answers pings on its own. Frames at once, and a second. */
const BURST = 20;
const RATE = 10;
/** Frames that wait their turn; more are refused. */
const WAITING = 1000;

/** @typedef {{ type: "reply", ref: string, ok: boolean, error?: { code: string, message: string } }} Reply */

/** @param {string} code @param {string} message */
export const failure = (code, message) => Object.assign(new Error(message), { code });

export class Sending {
  /** @type {string[]} */
  #waiting = [];
  /** Who waits for an answer, by `ref`; told null when the connection ends first. @type {Map<string, (reply: Reply | null) => void>} */
  #asked = new Map();
  #credit = BURST;
  #since = Date.now();
  #last = 0;
  #timer;

  /** @param {WebSocket} socket */
  constructor(socket) {
    this.socket = socket;
  }

  /** @param {object} frame @returns {boolean} whether it is on its way */
  send(frame) {
    if (this.socket.readyState !== 1 || this.#waiting.length >= WAITING) return false;
    this.#waiting.push(JSON.stringify(frame));
    this.#flush();
    return true;
  }

  /** @param {object} frame @param {(reply: Reply | null) => void} done */
  ask(frame, done) {
    const ref = `r${++this.#last}`;
    this.#asked.set(ref, done);
    if (this.send({ ...frame, ref })) return;
    this.#asked.delete(ref);
    done(null);
  }

  /** @param {Reply} reply @returns {boolean} whether somebody waited for it */
  answered(reply) {
    const done = this.#asked.get(reply.ref);
    this.#asked.delete(reply.ref);
    done?.(reply);
    return done !== undefined;
  }

  end() {
    clearTimeout(this.#timer);
    this.#waiting = [];
    const asked = [...this.#asked.values()];
    this.#asked.clear();
    for (const done of asked) done(null);
  }

  #flush() {
    const now = Date.now();
    this.#credit = Math.min(BURST, this.#credit + (Math.max(0, now - this.#since) * RATE) / 1000);
    this.#since = now;
    for (; this.#waiting.length > 0 && this.#credit >= 1; this.#credit -= 1) {
      this.socket.send(/** @type {string} */ (this.#waiting.shift()));
    }
    if (this.#waiting.length === 0) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#flush();
    }, 1000 / RATE);
  }
}
