import { html } from "../vendor.js";
import { change } from "../model/feed.js";
import { mayEdit } from "../model/session.js";
import { STATUSES, statusClass, text } from "../model/text.js";
import { Chevron } from "./icons.js";

/** A lead's status: a menu for those who may change it, a word for the others. */
export function Status({ lead }) {
  const status = text(lead.status);
  const shape = `status ${statusClass(status)}`;
  if (!mayEdit(lead.account_id)) return html`<span class=${shape}><span class="dot"></span><bdi class="status-word">${status}</bdi></span>`;
  const options = STATUSES.includes(status) ? STATUSES : [status, ...STATUSES];
  return html`
    <span class=${`${shape} editable`}>
      <span class="dot"></span><span class="status-word" aria-hidden="true">${status}</span><${Chevron} />
      <select aria-label=${`Status of ${text(lead.name)}`} value=${status} onChange=${(event) => change(lead, { status: event.currentTarget.value })}>
        ${options.map((option) => html`<option key=${option} value=${option}>${option}</option>`)}
      </select>
    </span>
  `;
}
