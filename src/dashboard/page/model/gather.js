// Live envelopes are gathered for a moment and shown together, so that a storm costs a few renders a second.
import { batch } from "../vendor.js";

const GATHER = 100;

/** @template T @param {(gathered: T[]) => void} show @returns {{ add: (one: T) => void, clear: () => void }} */
export function gather(show) {
  let waiting = [];
  let timer;
  return {
    add(one) {
      waiting.push(one);
      timer ??= setTimeout(() => {
        const gathered = waiting;
        timer = undefined;
        waiting = [];
        batch(() => show(gathered));
      }, GATHER);
    },
    clear() {
      clearTimeout(timer);
      timer = undefined;
      waiting = [];
    },
  };
}
