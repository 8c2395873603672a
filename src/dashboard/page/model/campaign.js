// The opened campaign: its leads, its log and its files.
import { batch, effect, signal } from "../vendor.js";
import { api } from "./api.js";
import { campaignOf, put, touch } from "./campaigns.js";
import { gather } from "./gather.js";

const PAGE = 50;
/** As many as an answer holds. */
const MOST = 250;
const EVENTS = 50;
/** What comes in bursts is read again once for many. */
const SOON = 1000;
const FILES_WITHIN = 60_000;

/** @typedef {{ id: string, name: string, status: string, confidence_score: number | null, processing_stage: string | null, city: string | null, website: string | null }} Prospect */

/** @type {import("../vendor.js").Signal<Prospect[]>} newest first */
export const prospects = signal([]);
export const moreProspects = signal(null);
/** @type {import("../vendor.js").Signal<{ id: string, lifecycle_event: string, previous_state: string | null, new_state: string, triggered_by: string, created_at: string }[]>} newest first */
export const events = signal([]);
/** Made when it ended. @type {import("../vendor.js").Signal<{ name: string, size: number, made_at: string }[]>} */
export const files = signal([]);
/** `first`, `more`, `error`, or nothing. */
export const readingCampaign = signal("first");
export const campaignFailure = signal("");

let campaign = "";
/** When the opened one was. */
let completed = 0;
let soon;

/** Reads as much as is shown again. */
export async function readCampaign() {
  const id = campaign;
  if (!id) return;
  try {
    const [about, log, leads] = await Promise.all([api.campaign(id), api.campaignEvents(id, EVENTS), api.prospects({ campaign_id: id, limit: Math.min(MOST, Math.max(PAGE, prospects.value.length)) })]);
    if (id !== campaign) return;
    batch(() => {
      put(about.campaign);
      [files.value, events.value, prospects.value, moreProspects.value] = [about.files, log, leads.items, leads.next];
      readingCampaign.value = "";
    });
    if (makesFiles(about.campaign)) readSoon();
  } catch (error) {
    if (id === campaign) batch(() => ((campaignFailure.value = error.message), (readingCampaign.value = "error")));
  }
}

/** Nothing tells when the files of one that was just completed are there. */
const makesFiles = ({ status, exported_at }) => status === "completed" && !exported_at && Date.now() - completed < FILES_WITHIN;

export async function readMoreProspects() {
  const id = campaign;
  readingCampaign.value = "more";
  try {
    const { items, next } = await api.prospects({ campaign_id: id, limit: PAGE, cursor: moreProspects.value });
    if (id !== campaign) return;
    const known = new Set(prospects.value.map((each) => each.id));
    batch(() => ((prospects.value = [...prospects.value, ...items.filter((each) => !known.has(each.id))]), (moreProspects.value = next), (readingCampaign.value = "")));
  } catch (error) {
    if (id === campaign) batch(() => ((campaignFailure.value = error.message), (readingCampaign.value = "error")));
  }
}

/** @param {string} id @returns {() => void} the way to leave it */
export function enterCampaign(id) {
  campaign = id;
  completed = 0;
  void readCampaign();
  // However it came to its end, and whoever told of that.
  let before;
  const stop = effect(() => {
    const status = campaignOf(id)?.status;
    if (status === "completed" && before && before !== status) {
      completed = Date.now();
      readSoon();
    }
    before = status;
  });
  return () => {
    stop();
    campaign = "";
    live.clear();
    clearTimeout(soon);
    soon = undefined;
    batch(() => ((prospects.value = []), (events.value = []), (files.value = []), (moreProspects.value = null), (readingCampaign.value = "first")));
  };
}

/** @param {"start" | "complete" | "cancel"} what */
export async function take(what) {
  const id = campaign;
  await api.changeCampaign(id, what);
  touch(id);
  void readCampaign();
}

// -- live -----------------------------------------------------------------------------------------------------------------

const live = gather((leads) => {
  const known = new Map(prospects.value.map((each) => [each.id, each]));
  const fresh = leads.some(({ id }) => !known.has(id));
  for (const lead of leads) if (known.has(lead.id)) known.set(lead.id, { ...known.get(lead.id), ...lead });
  prospects.value = [...known.values()];
  if (fresh) readSoon();
});

/** A stage of a prospect's enrichment was done. */
export function enriched({ lead, score, status, stage }) {
  if (typeof lead?.campaign_id !== "string") return;
  touch(lead.campaign_id);
  if (lead.campaign_id === campaign) live.add({ ...lead, confidence_score: score, status, processing_stage: stage });
}

/** Somebody has deleted it. @param {{ id: string }} deleted */
export function prospectGone({ id }) {
  if (prospects.value.some((each) => each.id === id)) prospects.value = prospects.value.filter((each) => each.id !== id);
}

/** Its log has another line. @param {{ campaign_id: string }} told */
export const happened = ({ campaign_id }) => void (campaign_id === campaign && readSoon());

function readSoon() {
  soon ??= setTimeout(() => {
    soon = undefined;
    void readCampaign();
  }, SOON);
}

// -- files ----------------------------------------------------------------------------------------------------------------

/** Hands a file to the browser. @param {{ blob: Blob, name: string }} file */
function save({ blob, name }) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The browser has taken hold of it by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** @param {string} id @param {string} format @param {number} minConfidence */
export const download = async (id, format, minConfidence) => save(await api.exportCampaign(id, format, minConfidence));

/** @param {string} id @param {string} name */
export const downloadFile = async (id, name) => save(await api.campaignFile(id, name));
