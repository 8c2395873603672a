import { html, useEffect, useRef, useState } from "../vendor.js";
import { campaignFailure, downloadFile, enterCampaign, events, files, moreProspects, prospects, readCampaign, readMoreProspects, readingCampaign, take } from "../model/campaign.js";
import { campaignOf, percent, standing, steps } from "../model/campaigns.js";
import { accountName, accounts, mayEdit } from "../model/session.js";
import { exact, label, millis, money, size, text, webLink } from "../model/text.js";
import { toast } from "../model/toasts.js";
import { Confirm } from "./dialog.js";
import { Export } from "./export.js";
import { Download } from "./icons.js";
import { Ago } from "./row.js";
import { Badge, Bar, Detail, Known, NotFound } from "./split.js";

/** A prospect's statuses: word and tone. */
const LEAD = {
  new: ["New", "off"],
  processing: ["Processing", "busy"],
  "pre-validation-filtered": ["Filtered out", "off"],
  qualified: ["Qualified", "good"],
  enriched: ["Enriched", "wait"],
  error: ["Failed", "bad"],
};

const EVENTS = {
  created: "Created",
  processing_started: "Started",
  progress_update: "Progress",
  completed: "Completed",
  error: "Failed",
  cancelled: "Cancelled",
  status_changed: "Status changed",
};

function Lead({ lead }) {
  const [word, tone] = LEAD[lead.status] ?? [label(lead.status), "off"];
  const site = webLink(lead.website);
  return html`
    <tr>
      <th scope="row"><bdi>${text(lead.name)}</bdi>${(site || lead.city) && html`<small>${lead.city && html`<bdi>${text(lead.city)}</bdi>`}${lead.city && site && " · "}${site && html`<a href=${site.href} target="_blank" rel="noopener noreferrer"><bdi>${site.host}</bdi></a>`}</small>`}</th>
      <td class="score">${lead.confidence_score ?? "–"}</td>
      <td><${Badge} tone=${tone}>${word}<//></td>
      <td class="stage">${label(lead.processing_stage)}</td>
    </tr>
  `;
}

function Leads() {
  const all = prospects.value;
  const state = readingCampaign.value;
  if (all.length === 0) {
    if (state === "first") return html`<p class="quiet">Reading the leads…</p>`;
    return state === "" && html`<p class="quiet">No leads yet. They appear here the moment they are found or added.</p>`;
  }
  return html`
    <div class="table-scroll">
      <table class="leads">
        <thead><tr><th scope="col">Business</th><th scope="col" class="score">Score</th><th scope="col">Status</th><th scope="col" class="stage">Stage</th></tr></thead>
        <tbody>${all.map((lead) => html`<${Lead} key=${lead.id} lead=${lead} />`)}</tbody>
      </table>
    </div>
    ${moreProspects.value && html`<div class="foot"><button type="button" class="button" disabled=${state === "more"} onClick=${readMoreProspects}>${state === "more" ? "Loading…" : "Load more"}</button></div>`}
  `;
}

const Log = () => html`
  <ol class="log">
    ${events.value.map(({ id, lifecycle_event, previous_state, new_state, created_at }) => html`
      <li key=${id}>
        <strong>${EVENTS[lifecycle_event] ?? label(lifecycle_event)}</strong>
        ${previous_state && previous_state !== new_state && html`<span><bdi>${standing(previous_state)[0]}</bdi> → <bdi>${standing(new_state)[0]}</bdi></span>`}
        <${Ago} stamp=${created_at} />
      </li>
    `)}
  </ol>
`;

const Files = ({ id }) => html`
  <ul class="files">
    ${files.value.map(({ name, size: bytes, made_at }) => {
      const fetch = () => downloadFile(id, name).catch((error) => toast({ kind: "error", title: "Not downloaded", body: error.message }));
      return html`<li key=${name}><button type="button" class="file" onClick=${fetch}><${Download} /><bdi>${text(name)}</bdi><span>${size(bytes)}</span></button><${Ago} stamp=${made_at} /></li>`;
    })}
  </ul>
`;

function Numbers({ campaign }) {
  const { progress, leads_found, target_count, total_cost, budget_limit } = campaign;
  const cost = Math.max(Number(total_cost) || 0, Number(progress?.processing_cost) || 0);
  const number = (name, value, of) => html`<div class="tile"><dt>${name}</dt><dd>${value}${of && html`<small> of ${of}</small>`}</dd></div>`;
  return html`
    <dl class="tiles">
      ${number("Found", Math.max(leads_found, progress?.total_leads ?? 0).toLocaleString(), target_count && Number(target_count).toLocaleString())}
      ${number("Processed", (progress?.processed_leads ?? 0).toLocaleString())}
      ${number("Qualified", (progress?.qualified_leads ?? 0).toLocaleString())}
      ${progress?.error_leads > 0 && number("Failed", progress.error_leads.toLocaleString())}
      ${number("Cost", money(cost), budget_limit !== null && budget_limit !== undefined && money(budget_limit))}
    </dl>
  `;
}

const CANCEL = "What is under way is finished; nothing more is begun. A campaign that was cancelled can't be started again.";
const COMPLETE = "It has all that it is to have: its files are made, and no more of its leads are enriched.";

/** What those who work on the account can do to it; another database changes its own. */
function Actions({ campaign, ask }) {
  const may = steps(campaign.status);
  if (!mayEdit(campaign.account_id) || campaign.external_id) return null;
  const start = () => take("start").catch((error) => toast({ kind: "error", title: "Not started", body: error.message }));
  return html`
    ${may.start && html`<button type="button" class="button primary" onClick=${start}>${campaign.status === "error" ? "Start again" : "Start"}</button>`}
    ${may.complete && html`<button type="button" class="button" onClick=${() => ask("complete")}>Complete</button>`}
    ${may.cancel && html`<button type="button" class="button danger-quiet" onClick=${() => ask("cancel")}>Cancel campaign</button>`}
  `;
}

const facts = (campaign) => [
  ["Why", campaign.status_reason && html`<bdi>${text(campaign.status_reason)}</bdi>`],
  ["Changed in", campaign.external_id && "the prospecting database that told of it"],
  ["Account", accounts.value.length > 1 ? html`<bdi>${text(accountName(campaign.account_id))}</bdi>` : ""],
  ["Location", campaign.location && html`<bdi>${text(campaign.location)}</bdi>`],
  ["Business type", campaign.business_type && html`<bdi>${text(campaign.business_type)}</bdi>`],
  ["Search query", campaign.search_query && html`<bdi>${text(campaign.search_query)}</bdi>`],
  ["Created", exact(millis(campaign.created_at))],
  ["Expected end", campaign.status === "processing" ? exact(millis(campaign.progress?.estimated_completion)) : ""],
];

/** The bar with what is being done. */
function Moving({ campaign }) {
  const [, tone] = standing(campaign.status);
  const done = percent(campaign);
  const stage = campaign.status === "processing" && campaign.progress?.current_stage;
  return html`
    <div class="moving">
      <p><strong>${Math.floor(done)} %</strong>${stage && html`<span>${label(stage)}</span>`}</p>
      <${Bar} percent=${done} tone=${tone} label="Progress" />
    </div>
  `;
}

/** One campaign: how far it is, what it found, what happened to it, and its files. */
export function Campaign({ id }) {
  const campaign = campaignOf(id);
  const heading = useRef(null);
  const [asking, ask] = useState("");
  useEffect(() => enterCampaign(id), [id]);
  useEffect(() => {
    if (matchMedia("(max-width: 760px)").matches) heading.current?.focus();
  }, [id, Boolean(campaign)]);
  if (!campaign) {
    if (readingCampaign.value !== "error") return html`<section class="detail" aria-busy="true"></section>`;
    return html`<${NotFound} words=${campaignFailure.value} back="Back to the campaigns" />`;
  }
  const [word, tone] = standing(campaign.status);
  const done = () => ask("");
  return html`
    <${Detail} label="Campaign" name=${campaign.name} heading=${heading} head=${html`<${Badge} tone=${tone}>${word}<//>`}>
      ${readingCampaign.value === "error" && html`<p class="stale" role="alert">${campaignFailure.value} <button type="button" class="link" onClick=${readCampaign}>Try again</button></p>`}
      <${Moving} campaign=${campaign} />
      <${Numbers} campaign=${campaign} />
      <div class="actions">
        <${Actions} campaign=${campaign} ask=${ask} />
        <button type="button" class="button" onClick=${() => ask("export")}>Download…</button>
      </div>
      <${Known} facts=${facts(campaign)} />
      <section class="part"><h3>Leads</h3><${Leads} /></section>
      ${files.value.length > 0 && html`<section class="part"><h3>Files</h3><${Files} id=${id} /></section>`}
      ${events.value.length > 0 && html`<section class="part"><h3>Log</h3><${Log} /></section>`}
      ${asking === "export" && html`<${Export} campaign=${campaign} close=${done} />`}
      ${asking === "complete" && html`<${Confirm} title="Complete the campaign?" words=${COMPLETE} doIt="Complete" go=${() => take("complete")} close=${done} />`}
      ${asking === "cancel" && html`<${Confirm} title="Cancel the campaign?" words=${CANCEL} doIt="Cancel campaign" go=${() => take("cancel")} close=${done} />`}
    <//>
  `;
}
