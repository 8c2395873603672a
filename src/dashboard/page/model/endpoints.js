// Endpoints: where the hub's own webhooks go. Nothing tells of them live: they are read again while somebody looks.
import { batch, computed, signal } from "../vendor.js";
import { api } from "./api.js";

/**
 * @typedef {{ attempt: number, started_at: string, duration_ms: number, status: number | null, answer: string | null, error: string | null }} Attempt
 * @typedef {{ state: "healthy" | "failing" | "paused" | "left_behind" | "gone" | "disabled", paused_until: string | null, pending: number, retrying: number, parked: number, last_attempt: Attempt | null }} Health
 * @typedef {{ account_id: string, responsible: string | null, responsible_name: string | null, paused_reason: string | null, stopped_at: string | null, stopped_by_name: string | null }} Cover
 * @typedef {{ id: string, account_id: string | null, accounts: string[], cover: Cover[], whole: boolean, created_by: string | null, created_by_name: string | null, url: string, own: boolean, description: string, types: string[], ordered: boolean, enabled: boolean, has_token: boolean, previous_secret_until: string | null, health: Health }} Endpoint
 */

/** @type {import("../vendor.js").Signal<Endpoint[]>} the oldest first */
const all = signal([]);
/** Of one account only, if any is named. */
export const endpointAccount = signal("");
export const endpoints = computed(() => all.value.filter(({ accounts }) => !endpointAccount.value || accounts.includes(endpointAccount.value)));
/** What an endpoint may ask for. @type {import("../vendor.js").Signal<string[]>} */
export const endpointTypes = signal([]);
/** `first`: nothing is known yet; `error`: the last reading failed. */
export const readingEndpoints = signal("first");
export const endpointsFailure = signal("");

/** @param {string} id */
export const endpointOf = (id) => all.value.find((each) => each.id === id);

export async function readEndpoints() {
  try {
    const { items, types } = await api.endpoints();
    batch(() => ((all.value = items), (endpointTypes.value = types), (readingEndpoints.value = "")));
  } catch (error) {
    batch(() => ((endpointsFailure.value = error.message), (readingEndpoints.value = "error")));
  }
}

/** @param {object} fields @returns {Promise<{ endpoint: Endpoint, secret: string }>} */
export async function addEndpoint(fields) {
  const added = await api.addEndpoint(fields);
  await readEndpoints();
  return added;
}

/** @param {string} id @param {object} fields @returns {Promise<string | undefined>} the new secret of one that leads elsewhere now */
export async function changeEndpoint(id, fields) {
  const { secret } = await api.changeEndpoint(id, fields);
  await readEndpoints();
  return secret;
}

/** @param {string} id @param {string} account */
export async function stopEndpoint(id, account) {
  await api.stopEndpoint(id, account);
  await readEndpoints();
}

/** @param {string} id @param {string} account */
export async function resumeEndpoint(id, account) {
  await api.resumeEndpoint(id, account);
  await readEndpoints();
}

/** @param {string} id @param {string[]} accounts */
export async function takeOver(id, accounts) {
  await api.takeOver(id, accounts);
  await readEndpoints();
}

/** @param {string} id */
export async function removeEndpoint(id) {
  await api.removeEndpoint(id);
  all.value = all.value.filter((each) => each.id !== id);
}

/** @param {string} id @returns {Promise<string>} the new secret */
export async function rotateSecret(id) {
  const { secret } = await api.rotateSecret(id);
  await readEndpoints();
  return secret;
}

export function forgetEndpoints() {
  batch(() => ((all.value = []), (endpointAccount.value = ""), (readingEndpoints.value = "first"), (endpointsFailure.value = "")));
}

// -- words ----------------------------------------------------------------------------------------------------------------

/** What people call it. @param {Endpoint} endpoint */
export const endpointName = ({ description, url }) => description.trim() || hostOf(url);

/** Whether nobody answers for it any more. @param {Cover} cover */
export const isLeft = ({ paused_reason }) => paused_reason === "left_behind";

/** @param {string} url */
export const hostOf = (url) => URL.parse(url)?.host || url;

const TYPES = {
  new_lead: "New lead",
  "message:new": "New message",
  lead_enrichment: "Prospect",
  lead_status_update: "Prospect’s status",
  cost_recorded: "Cost",
  cost_alert: "Cost alert",
  campaign_lifecycle: "Campaign",
  test: "Test",
};
/** @param {string} type */
export const typeName = (type) => TYPES[type] ?? type;

/** Each state's word and tone. */
export const HEALTH = {
  healthy: ["Healthy", "good"],
  failing: ["Failing", "bad"],
  paused: ["Paused", "wait"],
  left_behind: ["Left behind", "bad"],
  gone: ["Gone", "bad"],
  disabled: ["Disabled", "off"],
};
