import { html, useState } from "../vendor.js";
import { deliveries, deliveriesFailure, deliveryFilter, moreDeliveries, narrowDeliveries, readDeliveries, readMoreDeliveries, readingDeliveries, startReplay } from "../model/deliveries.js";
import { endpointTypes, typeName } from "../model/endpoints.js";
import { count, duration, exact, millis, text } from "../model/text.js";
import { toast } from "../model/toasts.js";
import { Chevron } from "./icons.js";
import { Progress, Replay } from "./replay.js";
import { Ago } from "./row.js";
import { Badge, Pick } from "./split.js";

export const STATES = {
  pending: ["Waiting", "wait"],
  delivered: ["Delivered", "good"],
  parked: ["Parked", "bad"],
  cancelled: ["Cancelled", "off"],
};

const REASONS = {
  endpoint_gone: "The endpoint answered 410 Gone.",
  endpoint_moved: "The endpoint was sent to another address while this waited.",
  left_behind: "Nobody answered for the endpoint; it goes out when somebody takes it over.",
  stopped: "The endpoint was stopped for this account.",
  not_covered: "The endpoint does not cover this account any more.",
  gave_up: "Tried for too long.",
  replay_cancelled: "The replay was stopped before its turn.",
};

const clock = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** Each try: when, what was answered, how long it took, and why it failed. */
const Attempts = ({ attempts }) => html`
  <table class="attempts">
    <thead><tr><th scope="col">#</th><th scope="col">Time</th><th scope="col">Answer</th><th scope="col">Took</th></tr></thead>
    <tbody>
      ${attempts.map(({ attempt, started_at, status, duration_ms, answer, error }) => {
        const well = status >= 200 && status < 300;
        return html`
          <tr key=${attempt} class=${`tone-${well ? "good" : "bad"}`}>
            <td>${attempt}</td>
            <td><time datetime=${started_at} title=${exact(millis(started_at))}>${clock.format(millis(started_at))}</time></td>
            <td><span class="attempt-status">${status ?? "No answer"}</span>${(error || (answer && !well)) && html`<bdi class="quote">${text(error ?? answer)}</bdi>`}</td>
            <td>${duration(duration_ms)}</td>
          </tr>
        `;
      })}
    </tbody>
  </table>
`;

function Again({ id, enabled }) {
  const [busy, setBusy] = useState(false);
  const again = async () => {
    setBusy(true);
    try {
      await startReplay({ delivery: id });
    } catch (error) {
      toast({ kind: "error", title: "Not sent again", body: error.message });
    }
    setBusy(false);
  };
  return html`<button type="button" class="button small" disabled=${busy || !enabled} title=${enabled ? undefined : "Enable the endpoint first"} onClick=${again}>Send again</button>`;
}

/** One delivery; opened it shows its attempts. */
function Delivery({ delivery, enabled, whole }) {
  const [open, setOpen] = useState(false);
  const { id, type, subject, state, reason, next_try, created_at, attempts } = delivery;
  const [word, tone] = STATES[state] ?? STATES.pending;
  const last = attempts.at(-1);
  return html`
    <li class=${`delivery tone-${tone}`}>
      <button type="button" class="delivery-line" aria-expanded=${open} onClick=${() => setOpen(!open)}>
        <span class="delivery-what"><span>${typeName(type)}</span><bdi class="mono">${subject}</bdi></span>
        <span class="delivery-last">${last ? `${last.status ?? "No answer"}${attempts.length > 1 ? `, ${attempts.length} attempts` : ""}` : "Not tried yet"}</span>
        <${Badge} tone=${tone}>${word}<//>
        <span class="delivery-when"><${Ago} stamp=${created_at} /></span>
        <${Chevron} />
      </button>
      ${open && html`
        <div class="delivery-more">
          ${reason && html`<p>${REASONS[reason] ?? html`<bdi>${text(reason)}</bdi>`}</p>`}
          ${attempts.length > 0 && html`<${Attempts} attempts=${attempts} />`}
          <div class="delivery-foot">
            <span class="mono"><bdi>${id}</bdi></span>
            ${state === "pending" ? next_try && html`<span>Next try ${clock.format(millis(next_try))}</span>` : whole && html`<${Again} id=${id} enabled=${enabled} />`}
          </div>
        </div>
      `}
    </li>
  `;
}

function Foot() {
  if (readingDeliveries.value === "error") {
    return html`<div class="foot" role="alert"><span>${deliveriesFailure.value}</span><button type="button" class="button" onClick=${readDeliveries}>Try again</button></div>`;
  }
  if (!moreDeliveries.value) return null;
  const busy = readingDeliveries.value === "more";
  return html`<div class="foot"><button type="button" class="button" disabled=${busy} onClick=${readMoreDeliveries}>${busy ? "Loading…" : "Load more"}</button></div>`;
}

/** What went to an endpoint, the newest first. */
export function Deliveries({ endpoint }) {
  const [asking, setAsking] = useState(false);
  const { state, type } = deliveryFilter.value;
  const all = deliveries.value;
  const types = [...new Set([...endpointTypes.value, ...endpoint.types, "test"])];
  const nothing = state || type ? "No delivery matches. Choose other states or types." : "Nothing went there yet. What happens from now on is listed here with every attempt.";
  return html`
    <section class="deliveries" aria-busy=${readingDeliveries.value === "first"}>
      <header class="deliveries-head">
        <h3>Deliveries</h3>
        <${Pick} name="State" value=${state} pick=${(next) => narrowDeliveries({ state: next })} choices=${[["", "All states"], ...Object.entries(STATES).map(([key, [word]]) => [key, word])]} />
        <${Pick} name="Type" value=${type} pick=${(next) => narrowDeliveries({ type: next })} choices=${[["", "All types"], ...types.map((each) => [each, typeName(each)])]} />
        ${endpoint.whole && html`<button type="button" class="button small" onClick=${() => setAsking(true)}>Send again…</button>`}
      </header>
      <${Progress} />
      ${all.length === 0 && readingDeliveries.value === "" && html`<p class="quiet">${nothing}</p>`}
      <ol aria-label=${count(all.length, "delivery", "deliveries")}>
        ${all.map((delivery) => html`<${Delivery} key=${delivery.id} delivery=${delivery} enabled=${endpoint.enabled} whole=${endpoint.whole} />`)}
      </ol>
      <${Foot} />
      ${asking && html`<${Replay} endpoint=${endpoint} types=${types} close=${() => setAsking(false)} />`}
    </section>
  `;
}
