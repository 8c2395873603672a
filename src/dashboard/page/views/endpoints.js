import { html, useEffect, useState } from "../vendor.js";
import { HEALTH, endpointAccount, endpointName, endpoints, endpointsFailure, hostOf, readEndpoints, readingEndpoints, typeName } from "../model/endpoints.js";
import { often } from "../model/often.js";
import { address, goTo, openedEndpoint } from "../model/route.js";
import { accountName, accounts, operated } from "../model/session.js";
import { count, text } from "../model/text.js";
import { Endpoint } from "./endpoint.js";
import { AddEndpoint, Secret } from "./endpoint-form.js";
import { Badge, Item, Listed, NothingOpened } from "./split.js";

/** What stands still is not told live. */
const EVERY = 4000;

const waits = ({ pending, parked }) =>
  [pending > 0 && `${count(pending, "delivery", "deliveries")} waiting`, parked > 0 && `${parked.toLocaleString()} parked`].filter(Boolean).join(", ");

const place = ({ accounts: covered, url, description }) => {
  const whose = covered.length > 1 ? `${covered.length} accounts` : accounts.value.length > 1 ? accountName(covered[0]) : "";
  return [description.trim() && hostOf(url), whose].filter(Boolean).join(" · ");
};

function Entry({ endpoint }) {
  const [word, tone] = HEALTH[endpoint.health.state] ?? HEALTH.healthy;
  const types = endpoint.types.map(typeName).join(", ");
  const waiting = waits(endpoint.health);
  return html`
    <${Item} where=${address(endpoint.id)} tone=${tone} name=${endpointName(endpoint)} opened=${openedEndpoint.value === endpoint.id} end=${html`<${Badge} tone=${tone}>${word}<//>`}>
      <p class="item-line"><bdi>${waiting || types}</bdi></p>
      <p class="item-place"><bdi>${place(endpoint) || (waiting && types)}</bdi></p>
    <//>
  `;
}

const Nothing = ({ add }) => html`
  <div class="empty">
    <h2>${operated.value.length ? "No endpoints yet" : "Not yours to see"}</h2>
    <p>${!operated.value.length ? "Endpoints are for those who manage an account." : endpointAccount.value ? "Nothing of this account is sent anywhere." : "Add the address of your CRM or automation, and it gets leads and messages the moment they come, signed."}</p>
    ${operated.value.length > 0 && html`<button type="button" class="button primary" onClick=${add}>Add an endpoint</button>`}
  </div>
`;

/** Where the hub's webhooks go, and what became of them. */
export function Endpoints() {
  const [adding, setAdding] = useState(false);
  const [secret, setSecret] = useState("");
  useEffect(() => often(EVERY, readEndpoints), []);
  const all = endpoints.value;
  const added = ({ endpoint, secret: made }) => {
    setAdding(false);
    setSecret(made);
    goTo(address(endpoint.id));
  };
  const add = all.length > 0 && html`<button type="button" class="button small" onClick=${() => setAdding(true)}>Add</button>`;
  return html`
    <div class="split">
      <${Listed} title="Endpoints" add=${add} reading=${readingEndpoints.value} failure=${endpointsFailure.value} again=${readEndpoints} empty=${all.length === 0}
        nothing=${html`<${Nothing} add=${() => setAdding(true)} />`}>
        <ol>${all.map((endpoint) => html`<${Entry} key=${endpoint.id} endpoint=${endpoint} />`)}</ol>
      <//>
      ${openedEndpoint.value
        ? html`<${Endpoint} id=${openedEndpoint.value} key=${openedEndpoint.value} />`
        : html`<${NothingOpened}>Choose an endpoint to see what went there.<//>`}
      ${adding && html`<${AddEndpoint} close=${() => setAdding(false)} done=${added} />`}
      ${secret && html`<${Secret} secret=${text(secret)} close=${() => setSecret("")} />`}
    </div>
  `;
}
