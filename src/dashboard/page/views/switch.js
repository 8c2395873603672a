import { html } from "../vendor.js";
import { unread } from "../model/chats.js";
import { alertCount } from "../model/costs.js";
import { follow, show, view, viewAddress } from "../model/route.js";
import { operated } from "../model/session.js";
import { Bubbles, Coins, Person, Plug, Target } from "./icons.js";

const Side = ({ which, name, icon, number, what }) => html`
  <a class="side" href=${viewAddress(which)} title=${name} aria-current=${view.value === which ? "page" : undefined} onClick=${(event) => follow(event, () => show(which))}>
    ${icon}<span class="side-name">${name}</span>
    ${number > 0 && html`<span class="count">${number.toLocaleString()}</span><span class="unseen"> ${what}</span>`}
  </a>
`;

/** The views; on a phone at the thumb. Endpoints are for those who manage an account. */
export const Switch = () => html`
  <nav class="switch" aria-label="Views">
    <${Side} which="leads" name="Leads" icon=${html`<${Person} />`} />
    <${Side} which="inbox" name="Inbox" icon=${html`<${Bubbles} />`} number=${unread.value} what="unread" />
    <${Side} which="campaigns" name="Campaigns" icon=${html`<${Target} />`} />
    <${Side} which="costs" name="Costs" icon=${html`<${Coins} />`} number=${alertCount.value} what="open alerts" />
    ${operated.value.length > 0 && html`<${Side} which="endpoints" name="Endpoints" icon=${html`<${Plug} />`} />`}
  </nav>
`;
