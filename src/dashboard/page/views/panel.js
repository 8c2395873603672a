import { html, useEffect, useRef, useState } from "../vendor.js";
import { fetchApart, find, keep } from "../model/feed.js";
import { close } from "../model/route.js";
import { accountName, accounts } from "../model/session.js";
import { emailLink, label, phoneLink, text } from "../model/text.js";
import { CopyButton } from "./copy.js";
import { Close, Mail, Phone } from "./icons.js";
import { Notes } from "./notes.js";
import { Ago } from "./row.js";
import { Status } from "./status.js";

/** The lead if it is at hand, else fetched: a link may lead to one that is not in the list. A string says why not. */
function useLead(id) {
  const [problem, setProblem] = useState("");
  const lead = find(id)?.lead;
  const missing = !lead;
  useEffect(() => {
    if (!missing) return keep(id);
    let wanted = true;
    fetchApart(id).catch((error) => wanted && setProblem(error.message));
    return () => (wanted = false);
  }, [id, missing]);
  return lead ?? (problem || undefined);
}

function Way({ what, value, link, icon }) {
  const shown = text(value).trim();
  if (!shown) return null;
  return html`
    <div class="way">
      <span class="way-icon">${icon}</span>
      ${link ? html`<a href=${link}><bdi>${shown}</bdi></a>` : html`<span class="way-plain"><bdi>${shown}</bdi></span>`}
      <${CopyButton} value=${shown} what=${what} />
    </div>
  `;
}

/** Labels and values; nothing for what is empty. */
function Facts({ title, facts }) {
  const told = facts.filter(([, value]) => value !== "" && value !== null && value !== undefined);
  if (told.length === 0) return null;
  return html`
    <section class="part">
      <h3>${title}</h3>
      <dl>${told.map(([name, value], at) => html`<div key=${at}><dt><bdi>${name}</bdi></dt><dd><bdi>${value}</bdi></dd></div>`)}</dl>
    </section>
  `;
}

/** Questions whose answers stand above already. */
const ABOVE = new Set(["full_name", "name", "phone_number", "phone", "email", "email_address", "message"]);

const answers = (lead) => {
  const given = lead.meta_data?.field_data;
  if (!Array.isArray(given)) return [];
  return given
    .filter((each) => each && !ABOVE.has(text(each.name).toLowerCase()))
    .map((each) => [label(each.name), text(each.values ?? each.value).replace(/_/g, " ") || "–"]);
};

const policy = (lead) => [
  ["Premium", Number(lead.premium) ? Number(lead.premium).toLocaleString() : ""],
  ["Coverage", Number(lead.coverage) ? Number(lead.coverage).toLocaleString() : ""],
  ["Insurance", text(lead.insurance_type)],
  ["Term", text(lead.policy_term)],
  ["Renews", text(lead.renewal_date)],
  ["Visa", text(lead.visa_type)],
  ["Trip", [lead.trip_start, lead.trip_end].map(text).filter(Boolean).join(" – ")],
];

const origin = (lead) => {
  const meta = lead.meta_data ?? {};
  return [
    ["Account", accounts.value.length > 1 ? accountName(lead.account_id) : ""],
    ["Campaign", text(meta.campaign_name)],
    ["Ad set", text(meta.adset_name)],
    ["Ad", text(meta.ad_name)],
    ["Platform", { fb: "Facebook", ig: "Instagram" }[meta.platform] ?? text(meta.platform)],
    ["Organic", meta.is_organic === true ? "Yes" : ""],
    ["Form", text(meta.form_id)],
    ["Lead", text(lead.meta_lead_id)],
    ["Added", lead.is_manual ? "By hand" : ""],
  ];
};

function Lead({ lead, heading }) {
  return html`
    <div class="panel-head">
      <h2 ref=${heading} tabindex="-1"><bdi>${text(lead.name)}</bdi></h2>
      <p class="panel-when">Sent <${Ago} stamp=${lead.created_at} /><${Changed} lead=${lead} /></p>
      <${Status} lead=${lead} />
    </div>
    <div class="ways">
      <${Way} what="phone number" value=${lead.phone} link=${phoneLink(lead.phone)} icon=${html`<${Phone} />`} />
      <${Way} what="email" value=${lead.email} link=${emailLink(lead.email)} icon=${html`<${Mail} />`} />
    </div>
    ${text(lead.message).trim() && html`<section class="part"><h3>Message</h3><p class="message" dir="auto">${text(lead.message)}</p></section>`}
    <${Notes} lead=${lead} key=${lead.id} />
    <${Facts} title="Answers" facts=${answers(lead)} />
    <${Facts} title="Policy" facts=${policy(lead)} />
    <${Facts} title="Came from" facts=${origin(lead)} />
  `;
}

const Changed = ({ lead }) =>
  Date.parse(lead.updated_at) - Date.parse(lead.created_at) > 60_000 ? html` · changed <${Ago} stamp=${lead.updated_at} />` : null;

/** One lead in full, beside the list; over it on a phone. */
export function Panel({ id }) {
  const lead = useLead(id);
  const heading = useRef(null);
  // On a phone the panel covers the list: the focus goes with it. Beside the list it stays where the person works.
  useEffect(() => {
    if (matchMedia("(max-width: 760px)").matches) heading.current?.focus();
  }, [id, Boolean(lead)]);
  return html`
    <aside class="panel" aria-label="Lead">
      <button type="button" class="icon-button panel-close" onClick=${close} aria-label="Close lead" title="Close (Esc)"><${Close} /></button>
      <div class="panel-scroll">
        ${lead === undefined && html`<div class="panel-head"><div class="bone w64"><i></i><i></i></div></div>`}
        ${typeof lead === "string" && html`<div class="empty"><h2>Not to be found</h2><p>${lead}</p></div>`}
        ${lead && typeof lead === "object" && html`<${Lead} lead=${lead} heading=${heading} />`}
      </div>
    </aside>
  `;
}
