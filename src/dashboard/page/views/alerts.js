import { html, useEffect, useRef, useState } from "../vendor.js";
import { comparison, inUnits, kindName, openAlerts, readResolved, resolve, resolved, serviceName, thresholds } from "../model/costs.js";
import { accountName, accounts, mayEdit } from "../model/session.js";
import { count, text } from "../model/text.js";
import { toast } from "../model/toasts.js";
import { Ago } from "./row.js";
import { Badge } from "./split.js";
import { useAnswer } from "./dialog.js";

const SEVERITIES = { critical: ["Critical", "bad"], warning: ["Warning", "wait"] };
/** Shown before somebody asks for the rest. */
const FEW = 5;

const sentence = (alert) => {
  const { threshold_type: kind, alert_value, threshold_value } = alert;
  const operator = thresholds.value.find(({ id }) => id === alert.threshold_id)?.comparison_operator ?? ">";
  return `${kindName(kind)}: ${inUnits(kind, alert_value)} (threshold: ${comparison(operator)} ${inUnits(kind, threshold_value)})`;
};

const about = ({ account_id, api_service, campaign_id }) =>
  [accounts.value.length > 1 && accountName(account_id), api_service && serviceName(api_service), campaign_id && `Campaign ${campaign_id}`].filter(Boolean).join(" · ");

function Resolve({ alert, close }) {
  const note = useRef(null);
  useEffect(() => note.current?.focus(), []);
  const { busy, problem, submit } = useAnswer((given) => resolve(alert, String(given.get("note")).trim()));
  return html`
    <form class="resolve" onSubmit=${submit}>
      <label class="field"><span>What was done <i>optional</i></span><input name="note" maxlength="2000" ref=${note} /></label>
      <button type="submit" class="button primary small" disabled=${busy}>Resolve</button>
      <button type="button" class="button small" onClick=${close}>Cancel</button>
      ${problem && html`<p class="problem" role="alert">${problem}</p>`}
    </form>
  `;
}

function Alert({ alert }) {
  const [asking, setAsking] = useState(false);
  const [word, tone] = SEVERITIES[alert.severity] ?? SEVERITIES.warning;
  const where = about(alert);
  return html`
    <li class=${`alert tone-${tone}`}>
      <div class="alert-top"><${Badge} tone=${tone}>${word}<//><strong><bdi>${text(alert.threshold_name)}</bdi></strong><span class="alert-when"><${Ago} stamp=${alert.created_at} /></span></div>
      <p>${sentence(alert)}</p>
      ${where && html`<p class="alert-about"><bdi>${where}</bdi></p>`}
      ${!asking && mayEdit(alert.account_id) && html`<button type="button" class="button small" onClick=${() => setAsking(true)}>Resolve…</button>`}
      ${asking && html`<${Resolve} alert=${alert} close=${() => setAsking(false)} />`}
    </li>
  `;
}

const Done = ({ alert }) => html`
  <li class="alert done">
    <div class="alert-top"><strong><bdi>${text(alert.threshold_name)}</bdi></strong><span class="alert-when">resolved <${Ago} stamp=${alert.resolved_at} /></span></div>
    <p>${sentence(alert)}</p>
    ${alert.resolution_note && html`<p class="alert-about"><bdi>${text(alert.resolution_note)}</bdi></p>`}
  </li>
`;

/** Those that nobody has dealt with, the gravest first; the others on request. */
export function Alerts() {
  const [all, setAll] = useState(false);
  const open = openAlerts.value;
  const shown = all ? open : open.slice(0, FEW);
  const history = async () => {
    if (resolved.value) return (resolved.value = null);
    try {
      await readResolved();
    } catch (error) {
      toast({ kind: "error", title: "Not to be read", body: error.message });
    }
  };
  return html`
    <section class="card alerts">
      <header class="card-head"><h2>Alerts</h2><button type="button" class="link" aria-expanded=${resolved.value !== null} onClick=${history}>${resolved.value ? "Hide resolved" : "Show resolved"}</button></header>
      ${open.length === 0 && html`<p class="quiet">All is within its limits.</p>`}
      <ol aria-live="polite" aria-relevant="additions">${shown.map((alert) => html`<${Alert} key=${alert.id} alert=${alert} />`)}</ol>
      ${open.length > shown.length && html`<button type="button" class="button small" onClick=${() => setAll(true)}>Show all ${open.length.toLocaleString()}</button>`}
      ${resolved.value && (resolved.value.length ? html`<h3>Resolved</h3><ol aria-label=${count(resolved.value.length, "resolved alert")}>${resolved.value.map((alert) => html`<${Done} key=${alert.id} alert=${alert} />`)}</ol>` : html`<p class="quiet">Nothing was resolved yet.</p>`)}
    </section>
  `;
}
