import { Component, html } from "../vendor.js";
import { now } from "../model/clock.js";
import { address, follow, open } from "../model/route.js";
import { accountName } from "../model/session.js";
import { ago, emailLink, exact, millis, phoneLink, statusClass, text } from "../model/text.js";
import { Status } from "./status.js";

/** A relative time; the exact one on hover. Alone in a component, so that a tick renders times and nothing else. */
export function Ago({ stamp }) {
  const at = millis(stamp);
  if (!at) return null;
  return html`<time datetime=${new Date(at).toISOString()} title=${exact(at)}>${ago(at, now.value)}</time>`;
}

/** A phone number or an address as a link if it can be one, as text otherwise. */
export const Reach = ({ value, link, kind }) => {
  const shown = text(value).trim();
  if (!shown) return null;
  return link
    ? html`<a class=${`reach ${kind}`} href=${link} title=${shown}><bdi>${shown}</bdi></a>`
    : html`<span class=${`reach ${kind}`} title=${shown}><bdi>${shown}</bdi></span>`;
};

/** The line under the name: what the person wrote, or where they came from. */
const aside = (lead) =>
  text(lead.message).trim() || text(lead.meta_data?.campaign_name).trim() || text(lead.insurance_type).trim() || (lead.is_manual ? "Added by hand" : "");

/** One lead. Renders again only when its own lead changes, however long the list is. */
export class Row extends Component {
  shouldComponentUpdate(next) {
    const { row, opened, several } = this.props;
    return next.row !== row || next.opened !== opened || next.several !== several;
  }

  render({ row: { id, lead, arrived }, opened, several }) {
    const line = aside(lead);
    const fresh = arrived && Date.now() - arrived < 60_000;
    return html`
      <li class=${`row ${statusClass(lead.status)} ${opened ? "opened" : ""} ${fresh ? "fresh" : ""}`} data-id=${id}>
        <span class="node"></span>
        <div class="row-who">
          <a class="row-link" href=${address(id)} aria-current=${opened ? "true" : undefined} onClick=${(event) => follow(event, () => open(id))}>
            <bdi>${text(lead.name)}</bdi>
          </a>
          ${(line || several) && html`<div class="row-aside">${several && html`<bdi class="aside-account">${accountName(lead.account_id)}${line && " · "}</bdi>`}<bdi>${line}</bdi></div>`}
        </div>
        <div class="row-reach">
          <${Reach} kind="phone" value=${lead.phone} link=${phoneLink(lead.phone)} />
          <${Reach} kind="email" value=${lead.email} link=${emailLink(lead.email)} />
        </div>
        ${several && html`<bdi class="row-account">${accountName(lead.account_id)}</bdi>`}
        <div class="row-status"><${Status} lead=${lead} /></div>
        <div class="row-when"><${Ago} stamp=${lead.created_at} /></div>
      </li>
    `;
  }
}
