// What is spent at others' APIs, the thresholds that this is held against, and the alerts that come of it. Alerts come live;
// sums are read again after each and now and then.
import { batch, computed, signal } from "../vendor.js";
import { api } from "./api.js";
import { operated } from "./session.js";
import { millis, money, text } from "./text.js";

/**
 * @typedef {{ id: string, account_id: string, threshold_name: string, threshold_type: string, alert_value: number, threshold_value: number, severity: "warning" | "critical", api_service: string | null, campaign_id: string | null, created_at: string, resolved_at: string | null, resolution_note: string | null, resolved_by: string | null }} Alert
 * @typedef {{ id: string, account_id: string, threshold_name: string, threshold_type: string, threshold_value: number, comparison_operator: string, is_active: boolean, alert_frequency_minutes: number }} Threshold
 * @typedef {{ daily_spend: number, hourly_spend: number, cost_per_lead_24h: number | null, cost_per_campaign_24h: number | null, active_alerts_count: number, top_spending_services_today: Record<string, number> }} Spending
 */

const PAGE = 50;
/** As many as an answer holds. */
const MOST = 200;
const SOON = 300;

/** Of one account only, if any is named. */
export const costAccount = signal("");
/** @type {import("../vendor.js").Signal<Spending | null>} */
export const spending = signal(null);
/** Each account's, with its days. @type {import("../vendor.js").Signal<any[]>} */
export const accountCosts = signal([]);
/** `first`: nothing is known yet; `error`: the last reading failed. */
export const readingCosts = signal("first");
export const costsFailure = signal("");

let asked = 0;

export async function readCosts() {
  const mine = ++asked;
  try {
    const [together, each] = await Promise.all([api.spending(costAccount.value), api.costs(costAccount.value)]);
    if (mine === asked) batch(() => ((spending.value = together), (accountCosts.value = each), (readingCosts.value = "")));
  } catch (error) {
    if (mine === asked) batch(() => ((costsFailure.value = error.message), (readingCosts.value = "error")));
  }
}

/** @param {string} account */
export function narrowCosts(account) {
  batch(() => ((costAccount.value = account), (spending.value = null), (readingCosts.value = "first"), (resolved.value = null)));
  void readCosts();
}

// -- alerts ---------------------------------------------------------------------------------------------------------------

/** @type {import("../vendor.js").Signal<Alert[]>} */
const open = signal([]);
/** Those that somebody has dealt with, once they are asked for. @type {import("../vendor.js").Signal<Alert[] | null>} */
export const resolved = signal(null);
const RANK = { critical: 0, warning: 1 };
const gravestFirst = (/** @type {Alert} */ a, /** @type {Alert} */ b) =>
  (RANK[a.severity] ?? 2) - (RANK[b.severity] ?? 2) || millis(b.created_at) - millis(a.created_at);
/** How many nobody has dealt with, in all accounts. */
export const alertCount = computed(() => open.value.length);
/** Those that nobody has dealt with, the gravest first. */
export const openAlerts = computed(() => open.value.filter(({ account_id }) => !costAccount.value || account_id === costAccount.value).toSorted(gravestFirst));

export async function readAlerts() {
  try {
    open.value = (await api.alerts({ resolved: "false", limit: MOST })).items;
  } catch {
    // The last list stays, and what comes live joins it; the sums say when the database is away.
  }
}

export async function readResolved() {
  resolved.value = (await api.alerts({ account: costAccount.value, resolved: "true", limit: PAGE })).items;
}

let soon;

/** Told live. */
export function alerted({ alert_id, alert_type, current_value, campaign, timestamp, ...rest }, { account }) {
  if (open.value.some(({ id }) => id === alert_id)) return;
  const alert = { ...rest, id: alert_id, account_id: account, threshold_type: alert_type, alert_value: current_value, campaign_id: campaign ?? null, created_at: timestamp, resolved_at: null };
  open.value = [alert, ...open.value];
  soon ??= setTimeout(() => {
    soon = undefined;
    if (readingCosts.value !== "first") void readCosts();
  }, SOON);
}

/** @param {Alert} alert @param {string} note */
export async function resolve(alert, note) {
  const { timestamp } = await api.resolveAlert(alert.id, note);
  batch(() => {
    open.value = open.value.filter(({ id }) => id !== alert.id);
    if (resolved.value) resolved.value = [{ ...alert, resolved_at: timestamp, resolution_note: note }, ...resolved.value];
  });
  void readCosts();
}

// -- thresholds -----------------------------------------------------------------------------------------------------------

/** @type {import("../vendor.js").Signal<Threshold[]>} */
const all = signal([]);
export const thresholds = computed(() => all.value.filter(({ account_id }) => !costAccount.value || account_id === costAccount.value));
/** What may be chosen. @type {import("../vendor.js").Signal<{ types: string[], operators: string[] }>} */
export const thresholdWords = signal({ types: [], operators: [] });
export const thresholdsFailure = signal("");

export async function readThresholds() {
  if (operated.value.length === 0) return;
  try {
    const { items, types, operators } = await api.thresholds();
    batch(() => ((all.value = items), (thresholdWords.value = { types, operators }), (thresholdsFailure.value = "")));
  } catch (error) {
    thresholdsFailure.value = error.message;
  }
}

/** @param {Partial<Threshold> & { account: string, threshold_name: string }} fields */
export async function putThreshold(fields) {
  await api.putThreshold(fields);
  await readThresholds();
}

/** @param {string} id */
export async function removeThreshold(id) {
  await api.removeThreshold(id);
  await readThresholds();
}

export function forgetCosts() {
  clearTimeout(soon);
  soon = undefined;
  asked += 1;
  batch(() => {
    [open.value, all.value, accountCosts.value] = [[], [], []];
    [costAccount.value, spending.value, resolved.value] = ["", null, null];
    [readingCosts.value, costsFailure.value, thresholdsFailure.value] = ["first", "", ""];
  });
}

// -- words ----------------------------------------------------------------------------------------------------------------

const KINDS = {
  daily_spend: ["Spent in a day", money],
  cost_per_lead: ["Cost per lead", money],
  rate_limit: ["Calls of a service", (value) => `${Number(value).toLocaleString()} %`],
  anomaly: ["An unusual hour", (value) => `${Number(value).toLocaleString(undefined, { maximumFractionDigits: 1 })} ×`],
};
/** What each means, for a form. */
export const KIND_HINTS = {
  daily_spend: "What was spent since midnight, UTC.",
  cost_per_lead: "What was paid for leads in the last hour, by their number.",
  rate_limit: "Calls in the last hour, in percent of what the service allows.",
  anomaly: "The last hour, as a multiple of a usual one.",
};
/** @param {string} kind */
export const kindName = (kind) => KINDS[kind]?.[0] ?? text(kind);
/** A value as its kind is told. @param {string} kind @param {unknown} value */
export const inUnits = (kind, value) => (KINDS[kind]?.[1] ?? money)(value);

const COMPARISONS = { ">": "more than", ">=": "at least", "<": "less than", "<=": "at most", "=": "exactly" };
/** @param {string} operator */
export const comparison = (operator) => COMPARISONS[operator] ?? text(operator);

/** @param {string} service */
export const serviceName = (service) => {
  const spaced = text(service).replace(/_+/g, " ").trim() || "Unnamed";
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
};
