import { html, useState } from "../vendor.js";
import { KIND_HINTS, comparison, costAccount, inUnits, kindName, putThreshold, readThresholds, removeThreshold, thresholdWords, thresholds, thresholdsFailure } from "../model/costs.js";
import { accountName, accounts, operated } from "../model/session.js";
import { text } from "../model/text.js";
import { toast } from "../model/toasts.js";
import { Answer, Confirm, Dialog, useAnswer } from "./dialog.js";

const DAY = 24 * 60;

const often = (minutes) => {
  if (minutes === 0) return "each time";
  if (minutes % DAY === 0) return minutes === DAY ? "at most once a day" : `at most once in ${minutes / DAY} days`;
  if (minutes % 60 === 0) return minutes === 60 ? "at most once an hour" : `at most once in ${minutes / 60} hours`;
  return `at most once in ${minutes} min`;
};

const rule = ({ threshold_type: kind, comparison_operator, threshold_value }) => `${kindName(kind)}: ${comparison(comparison_operator)} ${inUnits(kind, threshold_value)}`;

/** Asks for a threshold's rule; its name and account are what it is known by, and stay. */
function Form({ threshold, close }) {
  const [kind, setKind] = useState(threshold?.threshold_type ?? "daily_spend");
  const { types, operators } = thresholdWords.value;
  const { busy, problem, submit } = useAnswer(async (given) => {
    await putThreshold({
      account: threshold?.account_id ?? String(given.get("account")),
      threshold_name: threshold?.threshold_name ?? String(given.get("name")).trim(),
      threshold_type: kind,
      comparison_operator: String(given.get("operator")),
      threshold_value: Number(given.get("value")),
      alert_frequency_minutes: Number(given.get("minutes")),
    });
    close();
  });
  const managed = operated.value;
  return html`
    <${Dialog} title=${threshold ? `Edit “${text(threshold.threshold_name)}”` : "Add a threshold"} close=${close}>
      <form onSubmit=${submit}>
        ${!threshold && (managed.length > 1
          ? html`<label class="field"><span>Account</span><select name="account" value=${costAccount.value || managed[0].id}>${managed.map(({ id, name }) => html`<option key=${id} value=${id}>${text(name)}</option>`)}</select></label>`
          : html`<input type="hidden" name="account" value=${managed[0]?.id} />`)}
        ${!threshold && html`<label class="field"><span>Name</span><input name="name" required maxlength="100" placeholder="Daily limit" /></label>`}
        <label class="field"><span>Watches</span>
          <select name="kind" value=${kind} onChange=${(event) => setKind(event.currentTarget.value)}>${types.map((each) => html`<option key=${each} value=${each}>${kindName(each)}</option>`)}</select>
          <small>${KIND_HINTS[kind]}</small>
        </label>
        <div class="field-pair">
          <label class="field"><span>Alerts when it is</span><select name="operator" value=${threshold?.comparison_operator ?? ">"}>${operators.map((each) => html`<option key=${each} value=${each}>${comparison(each)}</option>`)}</select></label>
          <label class="field"><span>Value</span><input name="value" type="number" required min="0" max="99999999" step="any" inputmode="decimal" value=${threshold?.threshold_value ?? ""} /></label>
        </div>
        <label class="field"><span>Minutes between two alerts</span><input name="minutes" type="number" required min="0" max=${366 * DAY} step="1" inputmode="numeric" value=${threshold?.alert_frequency_minutes ?? 60} /></label>
        <${Answer} problem=${problem} busy=${busy} close=${close}>${threshold ? "Save" : "Add it"}<//>
      </form>
    <//>
  `;
}

function Row({ threshold, ask }) {
  const { threshold_name: name, is_active, alert_frequency_minutes: minutes, account_id } = threshold;
  const toggle = async () => {
    try {
      await putThreshold({ account: account_id, threshold_name: name, is_active: !is_active });
    } catch (error) {
      toast({ kind: "error", title: `${name}: not changed`, body: error.message });
    }
  };
  const several = accounts.value.length > 1 && !costAccount.value;
  return html`
    <li class=${`threshold ${is_active ? "" : "off"}`}>
      <div class="threshold-what">
        <strong><bdi>${text(name)}</bdi></strong>
        <p>${rule(threshold)}; ${often(minutes)}${several && html` · <bdi>${text(accountName(account_id))}</bdi>`}</p>
      </div>
      <button type="button" class="toggle" role="switch" aria-checked=${is_active} aria-label=${`${text(name)} alerts`} onClick=${toggle}><i></i></button>
      <button type="button" class="button small" onClick=${() => ask("edit")}>Edit</button>
      <button type="button" class="button small danger-quiet" onClick=${() => ask("remove")}>Remove</button>
    </li>
  `;
}

/** For those who manage an account: what its spending is held against. */
export function Thresholds() {
  const [asking, setAsking] = useState(null);
  if (operated.value.length === 0) return null;
  const close = () => setAsking(null);
  const all = thresholds.value;
  return html`
    <section class="card wide thresholds">
      <header class="card-head"><h2>Thresholds</h2><button type="button" class="button small" onClick=${() => setAsking({ what: "add" })}>Add</button></header>
      ${thresholdsFailure.value && html`<p class="problem" role="alert">${thresholdsFailure.value} <button type="button" class="link" onClick=${readThresholds}>Try again</button></p>`}
      ${all.length === 0 && !thresholdsFailure.value && html`<p class="quiet">Nothing is watched. Add a threshold, and whoever looks at the account is told when it is passed.</p>`}
      <ol>${all.map((threshold) => html`<${Row} key=${threshold.id} threshold=${threshold} ask=${(what) => setAsking({ what, threshold })} />`)}</ol>
      ${asking?.what === "add" && html`<${Form} close=${close} />`}
      ${asking?.what === "edit" && html`<${Form} threshold=${asking.threshold} close=${close} />`}
      ${asking?.what === "remove" && html`
        <${Confirm} title=${`Remove “${text(asking.threshold.threshold_name)}”?`} words="Nothing is held against it any more. Its alerts stay." doIt="Remove" go=${() => removeThreshold(asking.threshold.id)} close=${close} />
      `}
    </section>
  `;
}
