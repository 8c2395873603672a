import { html } from "../vendor.js";
import { filter, narrow } from "../model/feed.js";
import { accountName, accounts } from "../model/session.js";
import { STATUSES, statusClass, text } from "../model/text.js";
import { Chevron } from "./icons.js";

const Choice = ({ part, value, children, dot }) => html`
  <button type="button" class="choice" aria-pressed=${filter.value[part] === value} onClick=${() => narrow({ [part]: value })}>
    ${dot && html`<span class=${`dot ${dot}`}></span>`}<bdi class="choice-name">${children}</bdi>
  </button>
`;

/** What to show: by status and, for people with several accounts, by account. */
export function Rail() {
  return html`
    <nav class="rail" aria-label="Filters">
      <div class="choices" role="group" aria-label="Status">
        <h2>Status</h2>
        <${Choice} part="status" value="" dot="dot-all">All leads<//>
        ${STATUSES.map((status) => html`<${Choice} key=${status} part="status" value=${status} dot=${statusClass(status)}>${status}<//>`)}
      </div>
      ${accounts.value.length > 1 && html`<${Accounts} />`}
      <p class="hints" aria-hidden="true"><kbd>j</kbd><kbd>k</kbd> move<span></span><kbd>esc</kbd> close</p>
    </nav>
  `;
}

/** A list while it is short, a menu when the agency is large or the screen small. */
function Accounts() {
  const all = accounts.value;
  return html`
    <div class=${`choices accounts ${all.length > 12 ? "many" : ""}`} role="group" aria-label="Account">
      <h2>Account</h2>
      <span class="account-menu">
        <bdi aria-hidden="true">${accountName(filter.value.account) || "All accounts"}</bdi><${Chevron} />
        <select aria-label="Account" value=${filter.value.account} onChange=${(event) => narrow({ account: event.currentTarget.value })}>
          <option value="">All accounts</option>
          ${all.map(({ id, name }) => html`<option key=${id} value=${id}>${text(name)}</option>`)}
        </select>
      </span>
      <div class="account-list">
        <${Choice} part="account" value="">All accounts<//>
        ${all.length <= 12 && all.map(({ id, name }) => html`<${Choice} key=${id} part="account" value=${id}>${text(name)}<//>`)}
      </div>
    </div>
  `;
}
