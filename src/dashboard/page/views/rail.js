import { html } from "../vendor.js";
import { campaignFilter, narrowCampaigns, STATUS_WORDS } from "../model/campaigns.js";
import { chatFilter, narrowChats } from "../model/chats.js";
import { costAccount, narrowCosts } from "../model/costs.js";
import { endpointAccount } from "../model/endpoints.js";
import { filter, narrow } from "../model/feed.js";
import { view } from "../model/route.js";
import { accountName, accounts } from "../model/session.js";
import { STATUSES, statusClass, text } from "../model/text.js";
import { Chevron } from "./icons.js";

const Choice = ({ pressed, pick, children, dot }) => html`
  <button type="button" class="choice" aria-pressed=${pressed} onClick=${pick}>
    ${dot && html`<span class=${`dot ${dot}`}></span>`}<bdi class="choice-name">${children}</bdi>
  </button>
`;

const status = (value, words, dot) => html`
  <${Choice} key=${value} pressed=${filter.value.status === value} pick=${() => narrow({ status: value })} dot=${dot}>${words}<//>
`;

const Statuses = () => html`
  <div class="choices" role="group" aria-label="Status">
    <h2>Status</h2>
    ${status("", "All leads", "dot-all")}
    ${STATUSES.map((each) => status(each, each, statusClass(each)))}
  </div>
`;

const shown = (value, words) => html`
  <${Choice} key=${value} pressed=${chatFilter.value.show === value} pick=${() => narrowChats({ show: value })}>${words}<//>
`;

const Shown = () => html`
  <div class="choices" role="group" aria-label="Show">
    <h2>Show</h2>
    ${shown("open", "All chats")}${shown("unread", "Unread")}${shown("ignored", "Ignored")}
  </div>
`;

const standing = (value, words, tone) => html`
  <${Choice} key=${value} pressed=${campaignFilter.value.status === value} pick=${() => narrowCampaigns({ status: value })} dot=${tone}>${words}<//>
`;

const Standings = () => html`
  <div class="choices" role="group" aria-label="Status">
    <h2>Status</h2>
    ${standing("", "All campaigns", "dot-all")}
    ${Object.entries(STATUS_WORDS).map(([value, [words, tone]]) => standing(value, words, `tone-${tone}`))}
  </div>
`;

/** Each view's filter, and how its account is read and chosen. */
const FILTERS = {
  leads: [Statuses, () => filter.value.account, (account) => narrow({ account })],
  inbox: [Shown, () => chatFilter.value.account, (account) => narrowChats({ account })],
  campaigns: [Standings, () => campaignFilter.value.account_id, (account_id) => narrowCampaigns({ account_id })],
  costs: [null, () => costAccount.value, narrowCosts],
  endpoints: [null, () => endpointAccount.value, (account) => (endpointAccount.value = account)],
};

/** What to show: by status or state and, for people with several accounts, by account. */
export function Rail() {
  const [Choices, account, pick] = FILTERS[view.value];
  const several = accounts.value.length > 1;
  const other = view.value === "leads" ? "inbox" : "leads";
  return html`
    <nav class=${`rail ${Choices || several ? "" : "bare"}`} aria-label="Filters">
      ${Choices && html`<${Choices} />`}
      ${several && html`<${Accounts} account=${account()} pick=${pick} />`}
      <p class="hints" aria-hidden="true"><kbd>j</kbd><kbd>k</kbd> move<span></span><kbd>${other[0]}</kbd> ${other}<span></span><kbd>esc</kbd> close</p>
    </nav>
  `;
}

/** A list while it is short, a menu when the agency is large or the screen small. */
function Accounts({ account, pick }) {
  const all = accounts.value;
  return html`
    <div class=${`choices accounts ${all.length > 12 ? "many" : ""}`} role="group" aria-label="Account">
      <h2>Account</h2>
      <span class="account-menu">
        <bdi aria-hidden="true">${accountName(account) || "All accounts"}</bdi><${Chevron} />
        <select aria-label="Account" value=${account} onChange=${(event) => pick(event.currentTarget.value)}>
          <option value="">All accounts</option>
          ${all.map(({ id, name }) => html`<option key=${id} value=${id}>${text(name)}</option>`)}
        </select>
      </span>
      <div class="account-list">
        <${Choice} pressed=${account === ""} pick=${() => pick("")}>All accounts<//>
        ${all.length <= 12 && all.map(({ id, name }) => html`<${Choice} key=${id} pressed=${account === id} pick=${() => pick(id)}>${text(name)}<//>`)}
      </div>
    </div>
  `;
}
