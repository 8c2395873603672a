import { html } from "../vendor.js";
import { unread } from "../model/chats.js";
import { follow, show, view, viewAddress } from "../model/route.js";
import { Bubbles, Person } from "./icons.js";

const Side = ({ which, icon, children }) => html`
  <a class="side" href=${viewAddress(which)} aria-current=${view.value === which ? "page" : undefined} onClick=${(event) => follow(event, () => show(which))}>
    ${icon}${children}
  </a>
`;

/** Leads or inbox; on a phone at the thumb. */
export const Switch = () => html`
  <nav class="switch" aria-label="Views">
    <${Side} which="leads" icon=${html`<${Person} />`}>Leads<//>
    <${Side} which="inbox" icon=${html`<${Bubbles} />`}>
      Inbox ${unread.value && html`<span class="count">${unread.value}</span><span class="unseen"> unread</span>`}
    <//>
  </nav>
`;
