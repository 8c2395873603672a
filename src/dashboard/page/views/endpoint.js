import { html, useEffect, useRef, useState } from "../vendor.js";
import { seconds } from "../model/clock.js";
import { doneWithDeliveries, enterDeliveries } from "../model/deliveries.js";
import { HEALTH, changeEndpoint, endpointName, endpointOf, endpointsFailure, readEndpoints, readingEndpoints, removeEndpoint, rotateSecret, typeName } from "../model/endpoints.js";
import { api } from "../model/api.js";
import { close } from "../model/route.js";
import { count, duration, exact, millis, text } from "../model/text.js";
import { toast } from "../model/toasts.js";
import { CopyButton } from "./copy.js";
import { Cover } from "./cover.js";
import { Deliveries } from "./deliveries.js";
import { Confirm } from "./dialog.js";
import { EditEndpoint, Secret } from "./endpoint-form.js";
import { Ago } from "./row.js";
import { Badge, Detail, Known, NotFound } from "./split.js";

/** Seconds until it is tried again, renewed each second. */
function Resumes({ at }) {
  const left = Math.ceil((millis(at) - seconds.value) / 1000);
  return html`<span>${left > 0 ? `in ${left} s` : "now"}</span>`;
}

const said = ({ status, error }) => (status ? `was answered ${status}` : `failed: ${text(error)}`);

/** How it does, and what there is to do. */
function Standing({ endpoint }) {
  const { state, last_attempt: last, paused_until, retrying, parked } = endpoint.health;
  const parkedWords = parked > 0 && html` ${count(parked, "delivery is", "deliveries are")} parked: send them again when it works.`;
  if (state === "disabled") return html`<p>Nothing is sent, and nothing is kept for it until it is enabled.${parkedWords}</p>`;
  if (state === "left_behind") return html`<p>Whoever answered for it does not manage it any more, so nothing is sent until somebody takes it over. What waits is kept for a while.</p>`;
  if (state === "gone") return html`<p>It answered 410 Gone, so it was disabled. Enable it when it is back, then send again what is parked.</p>`;
  if (state === "paused") return html`<p>It failed too often and is left alone for a moment; the next try is <${Resumes} at=${paused_until} />.</p>`;
  if (state === "failing") {
    return html`
      <p>
        ${last && html`The newest attempt <bdi>${said(last)}</bdi> (<${Ago} stamp=${last.started_at} />).`}
        ${retrying > 0 && html` ${count(retrying, "delivery is", "deliveries are")} tried again by ${retrying === 1 ? "itself" : "themselves"}, for 36 hours.`}${parkedWords}
      </p>
    `;
  }
  return html`<p>${last ? html`The newest attempt took ${duration(last.duration_ms)} (<${Ago} stamp=${last.started_at} />).` : "Nothing went there yet. Send a test to see whether it listens."}${parkedWords}</p>`;
}

/** What the endpoint made of a test. */
function Tested({ result }) {
  if (!result) return null;
  const { delivered, status, duration_ms, answer, error } = result;
  return html`
    <p class=${`tested tone-${delivered ? "good" : "bad"}`} role="status">
      <span class="dot"></span>
      <span><strong>${delivered ? "The test was delivered" : "The test was not delivered"}</strong> ${status ? `${status} in ${duration(duration_ms)}` : html`<bdi>${text(error)}</bdi>`}${status && answer ? html`: <bdi class="quote">${text(answer)}</bdi>` : ""}</span>
    </p>
  `;
}

const facts = (endpoint) => [
  ["URL", html`<span class="with-copy"><bdi class="mono">${endpoint.url}</bdi><${CopyButton} value=${endpoint.url} what="the URL" /></span>`],
  ["Added by", endpoint.created_by && text(endpoint.created_by_name ?? "Somebody who is gone")],
  ["Sends", endpoint.types.map(typeName).join(", ")],
  ["Order", endpoint.ordered ? "Strictly in order for each lead, chat and campaign" : ""],
  ["Token", endpoint.has_token ? "Sent with each" : ""],
  ["Old secret", millis(endpoint.previous_secret_until) > Date.now() ? html`signs as well until <span>${exact(millis(endpoint.previous_secret_until))}</span>` : ""],
];

/** What can be done to it: the hub's own can only be switched. */
function Actions({ endpoint, ask, test, testing }) {
  const toggle = async () => {
    try {
      await changeEndpoint(endpoint.id, { enabled: !endpoint.enabled });
    } catch (error) {
      toast({ kind: "error", title: "Not changed", body: error.message });
    }
  };
  return html`
    ${!endpoint.own && html`<button type="button" class="button" disabled=${testing} onClick=${test}>${testing ? "Sending…" : "Send a test"}</button>`}
    ${!endpoint.own && html`<button type="button" class="button" onClick=${() => ask("edit")}>Edit</button>`}
    <button type="button" class="button" onClick=${toggle}>${endpoint.enabled ? "Disable" : "Enable"}</button>
    ${!endpoint.own && html`<button type="button" class="button" onClick=${() => ask("rotate")}>Rotate secret</button>`}
    ${!endpoint.own && html`<button type="button" class="button danger-quiet" onClick=${() => ask("remove")}>Remove</button>`}
  `;
}

function useTest(id) {
  const [result, setResult] = useState(null);
  const [testing, setTesting] = useState(false);
  const test = async () => {
    setTesting(true);
    try {
      setResult(await api.testEndpoint(id));
      void readEndpoints();
    } catch (error) {
      setResult({ delivered: false, error: error.message });
    }
    setTesting(false);
  };
  return { result, testing, test };
}

/** One endpoint: how it does, what it is, and what went there. */
export function Endpoint({ id }) {
  const endpoint = endpointOf(id);
  const heading = useRef(null);
  const [asking, ask] = useState("");
  const [secret, setSecret] = useState("");
  const { result, testing, test } = useTest(id);
  useEffect(() => enterDeliveries(id), [id]);
  useEffect(() => {
    if (matchMedia("(max-width: 760px)").matches) heading.current?.focus();
  }, [id, Boolean(endpoint)]);
  if (!endpoint) {
    const words = { first: "", error: endpointsFailure.value }[readingEndpoints.value] ?? "It was removed, or it is not yours to manage.";
    return words ? html`<${NotFound} words=${words} back="Back to the endpoints" />` : html`<section class="detail" aria-busy="true"></section>`;
  }
  const [word, tone] = HEALTH[endpoint.health.state] ?? HEALTH.healthy;
  const done = () => ask("");
  return html`
    <${Detail} label="Endpoint" name=${endpointName(endpoint)} heading=${heading} head=${html`<${Badge} tone=${tone}>${word}<//>`}>
      <div class=${`standing tone-${tone}`}><${Standing} endpoint=${endpoint} /></div>
      <${Known} facts=${facts(endpoint)} />
      <${Cover} endpoint=${endpoint} />
      ${endpoint.whole && html`<div class="actions"><${Actions} endpoint=${endpoint} ask=${ask} test=${test} testing=${testing} /></div>`}
      <${Tested} result=${result} />
      <${Deliveries} endpoint=${endpoint} />
      ${asking === "edit" && html`<${EditEndpoint} endpoint=${endpoint} close=${done} moved=${setSecret} />`}
      ${asking === "rotate" && html`
        <${Confirm} title="Rotate the secret?" words="A new secret signs from now on. The one before signs as well for a day, so that the receiver can change over." doIt="Rotate"
          go=${async () => setSecret(await rotateSecret(id))} close=${done} />
      `}
      ${asking === "remove" && html`
        <${Confirm} title="Remove the endpoint?" words="What waits for it goes with it, and so does the record of what went there. This can't be undone." doIt="Remove"
          go=${async () => (await doneWithDeliveries(() => removeEndpoint(id)), close())} close=${done} />
      `}
      ${secret && html`<${Secret} secret=${text(secret)} close=${() => setSecret("")} />`}
    <//>
  `;
}
