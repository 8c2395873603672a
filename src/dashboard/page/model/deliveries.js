// What went to the opened endpoint, with every attempt, and making deliveries again.
import { batch, signal } from "../vendor.js";
import { api } from "./api.js";
import { readEndpoints } from "./endpoints.js";
import { often } from "./often.js";
import { toast } from "./toasts.js";

const PAGE = 50;
const LONGEST_PAGE = 200;
const EVERY = 3000;
const PROGRESS_EVERY = 500;

/**
 * @typedef {{ id: string, type: string, subject: string, state: "pending" | "delivered" | "parked" | "cancelled", reason: string | null, next_try: string | null, created_at: string, attempts: import("./endpoints.js").Attempt[] }} Delivery
 * @typedef {{ id: string, total: number, pending: number, delivered: number, parked: number, cancelled: boolean }} Replay
 */

const UNFILTERED = { state: "", type: "" };
export const deliveryFilter = signal(UNFILTERED);
/** @type {import("../vendor.js").Signal<Delivery[]>} newest first */
export const deliveries = signal([]);
/** `first`, `more`, `error`, or nothing. */
export const readingDeliveries = signal("first");
export const deliveriesFailure = signal("");
/** Where the next page begins. */
export const moreDeliveries = signal(null);
/** The one under way or just over. @type {import("../vendor.js").Signal<Replay | null>} */
export const replay = signal(null);

let endpoint = "";
let asked = new AbortController();
let unfollow;
/** Nothing is asked any more. */
let done = false;

/** Reads as much as is shown again. */
export async function readDeliveries() {
  asked.abort();
  asked = new AbortController();
  const { signal: abort } = asked;
  const limit = Math.max(PAGE, deliveries.value.length);
  try {
    const { items, next } = await api.deliveries(endpoint, { ...deliveryFilter.value, limit: Math.min(limit, LONGEST_PAGE) }, abort);
    batch(() => ((deliveries.value = items), (moreDeliveries.value = next), (readingDeliveries.value = "")));
  } catch (error) {
    if (!abort.aborted) batch(() => ((deliveriesFailure.value = error.message), (readingDeliveries.value = "error")));
  }
}

export async function readMoreDeliveries() {
  const { signal: abort } = asked;
  readingDeliveries.value = "more";
  try {
    const { items, next } = await api.deliveries(endpoint, { ...deliveryFilter.value, limit: PAGE, cursor: moreDeliveries.value }, abort);
    if (abort.aborted) return;
    batch(() => ((deliveries.value = [...deliveries.value, ...items]), (moreDeliveries.value = next), (readingDeliveries.value = "")));
  } catch (error) {
    if (!abort.aborted) batch(() => ((deliveriesFailure.value = error.message), (readingDeliveries.value = "error")));
  }
}

/** @param {Partial<typeof UNFILTERED>} part */
export function narrowDeliveries(part) {
  batch(() => ((deliveryFilter.value = { ...deliveryFilter.value, ...part }), (deliveries.value = []), (readingDeliveries.value = "first")));
  void readDeliveries();
}

/** Does what takes the endpoint away: from then on there are no deliveries to ask for. @param {() => Promise<void>} act */
export async function doneWithDeliveries(act) {
  done = true;
  unfollow?.();
  asked.abort();
  try {
    await act();
  } catch (error) {
    done = false;
    if (replay.value && !isOver(replay.value)) followReplay();
    throw error;
  }
}

/** @param {string} id @returns {() => void} the way to leave it */
export function enterDeliveries(id) {
  endpoint = id;
  done = false;
  const stop = often(EVERY, async () => {
    // A long list stays as it is: reading it all again would cost more than it tells.
    if (!done && deliveries.value.length <= LONGEST_PAGE && readingDeliveries.value !== "more") await readDeliveries();
  });
  return () => {
    stop();
    unfollow?.();
    asked.abort();
    endpoint = "";
    batch(() => ((deliveries.value = []), (deliveryFilter.value = UNFILTERED), (readingDeliveries.value = "first"), (moreDeliveries.value = null), (replay.value = null)));
  };
}

// -- again ----------------------------------------------------------------------------------------------------------------

/** @param {Replay} of */
export const isOver = ({ pending, cancelled }) => pending === 0 || cancelled;

/** How many would be sent again. @param {object} what @returns {Promise<number>} */
export const countReplay = (what) => api.countReplay(endpoint, what);

/** Sends them again, and follows how far that is. @param {object} what */
export async function startReplay(what) {
  const begun = await api.replay(endpoint, what);
  replay.value = begun;
  followReplay();
  void readDeliveries();
}

function followReplay() {
  unfollow?.();
  const of = endpoint;
  const stop = often(PROGRESS_EVERY, async () => {
    try {
      const now = await api.replayProgress(of, replay.value.id);
      if (endpoint !== of) return;
      replay.value = now;
      if (!isOver(now)) return;
      unfollow?.();
      void readDeliveries();
      void readEndpoints();
    } catch {
      // Asked again in a moment.
    }
  });
  unfollow = () => ((unfollow = undefined), stop());
}

export async function cancelReplay() {
  try {
    replay.value = await api.cancelReplay(endpoint, replay.value.id);
  } catch (error) {
    toast({ kind: "error", title: "The replay goes on", body: error.message });
  }
}
