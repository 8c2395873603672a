import { html, useEffect, useState } from "../vendor.js";
import { cancelReplay, countReplay, deliveryFilter, isOver, replay, startReplay } from "../model/deliveries.js";
import { typeName } from "../model/endpoints.js";
import { count } from "../model/text.js";
import { Close } from "./icons.js";
import { Answer, Dialog, useAnswer } from "./dialog.js";
import { Bar } from "./split.js";

const HOUR = 3600_000;
const TIMES = [[HOUR, "The last hour"], [24 * HOUR, "The last day"], [7 * 24 * HOUR, "The last week"], [0, "All that is kept"]];
/** Only what is over can be made again. */
const OVER = [["parked", "Parked"], ["delivered", "Delivered"], ["cancelled", "Cancelled"], ["", "All that is over"]];

/** @param {{ span: number, state: string, type: string }} chosen */
const what = ({ span, state, type }) => ({
  since: new Date(span ? Date.now() - span : 0).toISOString(),
  ...(state && { state }),
  ...(type && { type }),
});

/** How many these would be, counted anew with each choice; a sentence when the hub will not. */
function useCount(chosen) {
  const [counted, setCounted] = useState({});
  useEffect(() => {
    let wanted = true;
    setCounted({});
    countReplay(what(chosen)).then(
      (total) => wanted && setCounted({ total }),
      (error) => wanted && setCounted({ problem: error.message }),
    );
    return () => (wanted = false);
  }, [chosen.span, chosen.state, chosen.type]);
  return counted;
}

/** Which ones to send again, how many that would be, and then doing it. */
export function Replay({ endpoint, types, close }) {
  const { state, type } = deliveryFilter.value;
  const [chosen, choose] = useState({ span: 24 * HOUR, state: state && state !== "pending" ? state : "parked", type });
  const { total, problem: uncounted } = useCount(chosen);
  const { busy, problem, submit } = useAnswer(async () => {
    await startReplay(what(chosen));
    close();
  });
  const field = (name, label, choices) => html`
    <label class="field"><span>${label}</span>
      <select value=${chosen[name]} onChange=${(event) => choose({ ...chosen, [name]: name === "span" ? Number(event.currentTarget.value) : event.currentTarget.value })}>
        ${choices.map(([key, words]) => html`<option key=${key} value=${key}>${words}</option>`)}
      </select>
    </label>
  `;
  const sum = uncounted ?? (total === undefined ? "Counting…" : total === 0 ? "There is nothing of this kind." : `${count(total, "delivery", "deliveries")} would be sent again.`);
  return html`
    <${Dialog} title="Send deliveries again" close=${close}>
      <form onSubmit=${submit}>
        <p class="dialog-words">They go out under the ids that they have, so that a receiver knows what it has had already.</p>
        ${field("state", "Which", OVER)}
        ${field("type", "Type", [["", "All types"], ...types.map((each) => [each, typeName(each)])])}
        ${field("span", "From", TIMES)}
        <p class="would" role="status">${sum}</p>
        <${Answer} problem=${problem || (endpoint.enabled ? "" : "Enable the endpoint first.")} busy=${busy} close=${close} disabled=${!total || !endpoint.enabled}>Send again<//>
      </form>
    <//>
  `;
}

/** How far a replay is; stays until it is put away. */
export function Progress() {
  const now = replay.value;
  if (!now) return null;
  const { total, pending, delivered, parked, cancelled } = now;
  const over = isOver(now);
  const done = delivered + parked;
  const words = cancelled ? `Stopped after ${done.toLocaleString()} of ${total.toLocaleString()}` : over ? `Sent ${count(total, "delivery", "deliveries")} again` : `Sending again: ${done.toLocaleString()} of ${total.toLocaleString()}`;
  return html`
    <div class="replay" role="status">
      <p>
        <strong>${words}</strong>
        <span>${[delivered && `${delivered.toLocaleString()} delivered`, parked && `${parked.toLocaleString()} parked`, !over && pending && `${pending.toLocaleString()} to go`].filter(Boolean).join(", ")}</span>
      </p>
      <${Bar} percent=${total ? (100 * done) / total : 100} label="Replay" tone=${parked ? "bad" : over && !cancelled ? "good" : "busy"} />
      ${over
        ? html`<button type="button" class="icon-button small" aria-label="Dismiss" onClick=${() => (replay.value = null)}><${Close} /></button>`
        : html`<button type="button" class="button small" onClick=${cancelReplay}>Stop</button>`}
    </div>
  `;
}
