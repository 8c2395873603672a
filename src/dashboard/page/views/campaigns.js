import { html, useEffect, useState } from "../vendor.js";
import { addCampaign, campaignFilter, campaigns, campaignsFailure, hasMoreCampaigns, narrowCampaigns, percent, readCampaigns, readMoreCampaigns, readingCampaigns, sought, standing } from "../model/campaigns.js";
import { campaignAddress, goTo, openedCampaign } from "../model/route.js";
import { accountName, accounts, edited } from "../model/session.js";
import { count, money, text } from "../model/text.js";
import { Campaign } from "./campaign.js";
import { Answer, Dialog, useAnswer } from "./dialog.js";
import { Badge, Bar, Item, Listed, NothingOpened } from "./split.js";

/** How many leads of how many, and what they cost. */
function numbers({ progress, leads_found, target_count, total_cost }) {
  const total = progress?.total_leads || leads_found;
  const done = progress && total > 0 ? `${progress.processed_leads.toLocaleString()} of ${count(total, "lead")}` : target_count ? `${count(target_count, "lead")} wanted` : "";
  const cost = Math.max(Number(total_cost) || 0, Number(progress?.processing_cost) || 0);
  return [done, cost > 0 && `cost ${money(cost)}`].filter(Boolean).join(", ");
}

function Entry({ campaign, several }) {
  const [word, tone] = standing(campaign.status);
  const place = [sought(campaign), several && text(accountName(campaign.account_id))].filter(Boolean).join(" · ");
  return html`
    <${Item} where=${campaignAddress(campaign.id)} tone=${tone} name=${campaign.name} opened=${openedCampaign.value === campaign.id} end=${html`<${Badge} tone=${tone}>${word}<//>`}>
      <${Bar} percent=${percent(campaign)} tone=${tone} label=${`Progress of ${text(campaign.name)}`} />
      <p class="item-line"><bdi>${numbers(campaign) || "Not begun"}</bdi></p>
      ${place && html`<p class="item-place"><bdi>${place}</bdi></p>`}
    <//>
  `;
}

function Nothing({ add }) {
  const { status, account_id } = campaignFilter.value;
  if (status || account_id) {
    return html`
      <div class="empty">
        <h2>No campaigns match</h2>
        <p>There is none of this kind.</p>
        <button type="button" class="button" onClick=${() => narrowCampaigns({ status: "", account_id: "" })}>Show all campaigns</button>
      </div>
    `;
  }
  return html`
    <div class="empty">
      <h2>No campaigns yet</h2>
      <p>A campaign gathers businesses of one kind in one place, and finds out about each. Those of your prospecting database appear here by themselves.</p>
      ${edited.value.length > 0 && html`<button type="button" class="button primary" onClick=${add}>New campaign</button>`}
    </div>
  `;
}

function Foot() {
  if (readingCampaigns.value === "error") {
    return html`<div class="foot" role="alert"><span>${campaignsFailure.value}</span><button type="button" class="button" onClick=${readCampaigns}>Try again</button></div>`;
  }
  if (!hasMoreCampaigns.value) return html`<p class="foot end">That's all of them.</p>`;
  const busy = readingCampaigns.value === "more";
  return html`<div class="foot"><button type="button" class="button" disabled=${busy} onClick=${readMoreCampaigns}>${busy ? "Loading…" : "Load more"}</button></div>`;
}

const number = (given) => (given === "" ? null : Number(given));

/** @param {{ close: () => void, done: (campaign: any) => void }} props */
function AddCampaign({ close, done }) {
  const { busy, problem, submit } = useAnswer(async (given) => {
    const words = (name) => String(given.get(name)).trim() || null;
    const fields = Object.fromEntries(["name", "search_query", "business_type", "location"].map((name) => [name, words(name)]));
    done(await addCampaign({ ...fields, account_id: given.get("account"), target_count: number(given.get("target")), budget_limit: number(given.get("budget")) }));
  });
  const mine = edited.value;
  const field = (name, words, more) => html`<label class="field"><span>${words}</span><input name=${name} maxlength="200" ...${more} /></label>`;
  return html`
    <${Dialog} title="New campaign" close=${close}>
      <form onSubmit=${submit}>
        ${mine.length > 1
          ? html`<label class="field"><span>Account</span><select name="account" value=${campaignFilter.value.account_id || mine[0].id}>${mine.map(({ id, name }) => html`<option key=${id} value=${id}>${text(name)}</option>`)}</select></label>`
          : html`<input type="hidden" name="account" value=${mine[0]?.id} />`}
        ${field("name", "Name", { required: true, placeholder: "Dentists in Porto, autumn" })}
        <div class="field-pair">
          ${field("business_type", "Business type", { placeholder: "Dentist" })}
          ${field("location", "Location", { placeholder: "Porto" })}
        </div>
        ${field("search_query", "Search query", { placeholder: "dental clinic implants" })}
        <div class="field-pair">
          ${field("target", "Leads wanted", { type: "number", min: 1, step: 1, inputmode: "numeric" })}
          ${field("budget", "Budget", { type: "number", min: 0, step: "any", inputmode: "decimal" })}
        </div>
        <${Answer} problem=${problem} busy=${busy} close=${close}>Create<//>
      </form>
    <//>
  `;
}

/** Campaigns with how far each is, and the opened one beside them. */
export function Campaigns() {
  const [adding, setAdding] = useState(false);
  useEffect(() => void readCampaigns(), []);
  const all = campaigns.value;
  const several = accounts.value.length > 1 && !campaignFilter.value.account_id;
  const done = (campaign) => {
    setAdding(false);
    goTo(campaignAddress(campaign.id));
  };
  const add = edited.value.length > 0 && all.length > 0 && html`<button type="button" class="button small" onClick=${() => setAdding(true)}>New</button>`;
  return html`
    <div class="split">
      <${Listed} title="Campaigns" add=${add} reading=${readingCampaigns.value} failure=${campaignsFailure.value} again=${readCampaigns} empty=${all.length === 0}
        nothing=${html`<${Nothing} add=${() => setAdding(true)} />`}>
        <ol>${all.map((campaign) => html`<${Entry} key=${campaign.id} campaign=${campaign} several=${several} />`)}</ol>
        ${all.length > 0 && html`<${Foot} />`}
      <//>
      ${openedCampaign.value
        ? html`<${Campaign} id=${openedCampaign.value} key=${openedCampaign.value} />`
        : html`<${NothingOpened}>Choose a campaign to see its leads.<//>`}
      ${adding && html`<${AddCampaign} close=${() => setAdding(false)} done=${done} />`}
    </div>
  `;
}
