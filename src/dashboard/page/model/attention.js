// What stands still and needs a person: parked events and unwell sources, for managers and owners.
import { computed, signal } from "../vendor.js";
import { api } from "./api.js";
import { operated } from "./session.js";

const parked = signal([]);
/** The newest `source:health` of each source that is not healthy. */
const unwell = signal(new Map());
const OFTEN = 2000;
let asking;

/** @typedef {{ key: string, account: string, reason: string, state: string, count: number, oldest: string }} Item */

/** @returns {Item[]} */
export const attention = computed(() => {
  const live = [...unwell.value.values()];
  const known = parked.value
    .filter(({ kind, source }) => !live.some((health) => health.source === source && health.state === kind))
    .map(({ kind, account, source, reason, count, oldest }) => ({
      key: `${kind} ${account} ${source} ${reason}`,
      account,
      reason,
      state: kind,
      count: Number(count) || 0,
      oldest,
    }));
  return [...live.map(({ source, ...item }) => ({ ...item, key: `health ${source}` })), ...known];
});

/** Reads the list, soon, and once for several reasons to do so. */
export function readAttention() {
  if (operated.value.length === 0) return;
  asking ??= setTimeout(async () => {
    asking = undefined;
    try {
      parked.value = await api.attention();
    } catch {
      // The banner is an extra: the last list stays, and the next reason to ask asks again.
    }
  }, OFTEN / 4);
}

/** @param {{ source: string, state: string, reason: string }} health @param {{ account: string, timestamp: string }} envelope */
export function sourceHealth({ source, state, reason }, { account, timestamp }) {
  const next = new Map(unwell.value);
  if (state === "healthy") next.delete(source);
  else next.set(source, { source, account, reason, state, count: 0, oldest: timestamp });
  unwell.value = next;
  readAttention();
}

export function forgetAttention() {
  clearTimeout(asking);
  asking = undefined;
  parked.value = [];
  unwell.value = new Map();
}
