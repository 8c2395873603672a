// Campaigns: searches for prospects, and how far each is. What is told live is shown at once; sums that no envelope has are
// read again, a campaign at a time.
import { batch, computed, signal } from "../vendor.js";
import { api } from "./api.js";
import { view } from "./route.js";
import { label, text } from "./text.js";

/**
 * @typedef {{ status: string, total_leads: number, processed_leads: number, qualified_leads: number, error_leads: number, processing_cost: number, current_stage: string | null, stage_progress: number, started_at: string | null, completed_at: string | null, estimated_completion: string | null }} Progress
 * @typedef {{ id: string, account_id: string, external_id: string | null, name: string, search_query: string | null, location: string | null, business_type: string | null, target_count: number | null, budget_limit: number | null, status: string, status_reason: string | null, leads_found: number, total_cost: number, created_at: string, progress: Progress | null, exported_at: string | null }} Campaign
 */

const PAGE = 50;
/** Frames come in bursts; a campaign is read again once for several. */
const TOGETHER = 1000;
/** Of a storm only so many at once are read again one by one. */
const MOST_AT_ONCE = 8;

const UNFILTERED = { status: "", account_id: "" };
export const campaignFilter = signal(UNFILTERED);
/** @type {import("../vendor.js").Signal<Campaign[]>} newest first */
export const campaigns = signal([]);
/** The opened one when the list does not hold it. @type {import("../vendor.js").Signal<Campaign | null>} */
const apart = signal(null);
/** `first`: nothing is known yet; `more`; `error`: the last reading failed. */
export const readingCampaigns = signal("first");
export const campaignsFailure = signal("");
const cursor = signal(null);
export const hasMoreCampaigns = computed(() => cursor.value !== null);
let asked = new AbortController();

/** @param {string} id */
export const campaignOf = (id) => campaigns.value.find((each) => each.id === id) ?? (apart.value?.id === id ? apart.value : undefined);

/** Puts a campaign where it is. @param {Campaign} campaign */
export function put(campaign) {
  const at = campaigns.value.findIndex(({ id }) => id === campaign.id);
  if (at >= 0) campaigns.value = campaigns.value.with(at, campaign);
  else apart.value = campaign;
}

export async function readCampaigns() {
  asked.abort();
  asked = new AbortController();
  const { signal: abort } = asked;
  try {
    const { items, next } = await api.campaigns({ ...campaignFilter.value, limit: PAGE }, abort);
    batch(() => ((campaigns.value = items), (cursor.value = next), (readingCampaigns.value = "")));
  } catch (error) {
    if (!abort.aborted) batch(() => ((campaignsFailure.value = error.message), (readingCampaigns.value = "error")));
  }
}

export async function readMoreCampaigns() {
  const { signal: abort } = asked;
  readingCampaigns.value = "more";
  try {
    const { items, next } = await api.campaigns({ ...campaignFilter.value, limit: PAGE, cursor: cursor.value }, abort);
    const known = new Set(campaigns.value.map(({ id }) => id));
    batch(() => ((campaigns.value = [...campaigns.value, ...items.filter(({ id }) => !known.has(id))]), (cursor.value = next), (readingCampaigns.value = "")));
  } catch (error) {
    if (!abort.aborted) batch(() => ((campaignsFailure.value = error.message), (readingCampaigns.value = "error")));
  }
}

/** @param {Partial<typeof UNFILTERED>} part */
export function narrowCampaigns(part) {
  batch(() => ((campaignFilter.value = { ...campaignFilter.value, ...part }), (campaigns.value = []), (cursor.value = null), (readingCampaigns.value = "first")));
  void readCampaigns();
}

/** @param {object} fields @returns {Promise<Campaign>} */
export async function addCampaign(fields) {
  const added = await api.addCampaign(fields);
  if (!campaignOf(added.id)) campaigns.value = [added, ...campaigns.value];
  return added;
}

export function forgetCampaigns() {
  asked.abort();
  clearTimeout(timer);
  timer = undefined;
  touched.clear();
  batch(() => ((campaigns.value = []), (apart.value = null), (cursor.value = null), (campaignFilter.value = UNFILTERED), (readingCampaigns.value = "first")));
}

// -- live -----------------------------------------------------------------------------------------------------------------

const touched = new Set();
let timer;

/** Something happened to it: its sums are read again soon. @param {string} id */
export function touch(id) {
  // Who goes there reads them anyway.
  if (view.peek() !== "campaigns") return;
  touched.add(id);
  timer ??= setTimeout(async () => {
    const ids = [...touched];
    touched.clear();
    const known = ids.filter(campaignOf);
    if (known.length < ids.length || known.length > MOST_AT_ONCE) await readCampaigns();
    const each = known.length > MOST_AT_ONCE ? [] : known;
    const read = await Promise.allSettled(each.map((known) => api.campaign(known)));
    batch(() => read.forEach(({ value }) => value && put(value.campaign)));
    timer = undefined;
    if (touched.size) touch([...touched][0]);
  }, TOGETHER);
}

/** What an envelope says of a campaign; what it does not say stays. */
export function lived({ campaign_id, new_state, progress }) {
  const mine = campaignOf(campaign_id);
  if (mine) {
    const told = Object.fromEntries(Object.entries(progress ?? {}).filter(([, value]) => value !== null));
    put({ ...mine, status: new_state ?? mine.status, progress: progress ? { ...mine.progress, ...told } : mine.progress });
  }
  touch(campaign_id);
}

/** Somebody has deleted it. @param {{ id: string }} deleted */
export function campaignGone({ id }) {
  campaigns.value = campaigns.value.filter((each) => each.id !== id);
  if (apart.value?.id === id) apart.value = null;
}

// -- words ----------------------------------------------------------------------------------------------------------------

/** The statuses that the hub gives: word and tone. */
export const STATUS_WORDS = {
  pending: ["Pending", "wait"],
  processing: ["Processing", "busy"],
  completed: ["Completed", "good"],
  error: ["Failed", "bad"],
  cancelled: ["Cancelled", "off"],
};
/** @param {string} status @returns {[string, string]} */
export const standing = (status) => STATUS_WORDS[status] ?? [label(status), "off"];

/** 0 to 100. @param {Campaign} campaign */
export function percent({ status, progress }) {
  if (status === "completed") return 100;
  if (!progress) return 0;
  return progress.total_leads > 0 ? (100 * progress.processed_leads) / progress.total_leads : Number(progress.stage_progress) || 0;
}

/** @param {Campaign} campaign */
export const sought = ({ search_query, business_type, location }) =>
  [text(search_query) || text(business_type), text(location)].filter(Boolean).join(" in ");

/** As the hub's own rule has it: what has ended stays so. @param {string} status */
export const steps = (status) => ({
  start: !["processing", "completed", "cancelled"].includes(status),
  complete: status === "processing",
  cancel: !["completed", "cancelled"].includes(status),
});
