import { html, useState } from "../vendor.js";
import { attention } from "../model/attention.js";
import { now } from "../model/clock.js";
import { accountName, accounts } from "../model/session.js";
import { ago, count, exact, millis, text } from "../model/text.js";
import { Chevron, Warning } from "./icons.js";

const STATES = {
  throttled: "A source is slowed down",
  token_invalid: "A source needs a new token",
  failing: "A source is failing",
  parked: "Parked events",
  undelivered: "Webhooks that were not delivered",
  source_unreadable: "A source's secrets can't be read",
  webhooks_missing: "A platform's webhooks don't come",
  sync_failing: "A platform can't be read",
};

const title = (item) => STATES[item.state] ?? "Something needs attention";

function Item({ item, items }) {
  const where = accounts.value.length > 1 ? accountName(item.account) : "";
  const at = millis(item.oldest);
  return html`
    <li>
      ${items > 1 && html`<strong>${title(item)}</strong>`}
      ${where && html`<bdi class="attention-where">${where}</bdi>`}
      <bdi class="attention-reason">${text(item.reason)}</bdi>
      <span class="attention-age">
        ${item.count > 0 && count(item.count, "event")}${item.count > 0 && at ? ", " : ""}
        ${at ? html`<time datetime=${new Date(at).toISOString()} title=${exact(at)}>since ${ago(at, now.value)}</time>` : ""}
      </span>
    </li>
  `;
}

/** For those who look after sources: one line that opens. Nothing when all is well. */
export function Attention() {
  const items = attention.value;
  const [open, setOpen] = useState(false);
  if (items.length === 0) return null;
  const first = items[0];
  return html`
    <section class="attention" role="status">
      <button type="button" class="attention-line" aria-expanded=${open} onClick=${() => setOpen(!open)}>
        <${Warning} />
        <span class="attention-sum">
          <strong>${items.length === 1 ? title(first) : `${count(items.length, "thing")} need attention`}</strong>
          ${!open && html`<bdi>${text(first.reason)}</bdi>`}
        </span>
        <${Chevron} />
      </button>
      ${open && html`<ul>${items.map((item) => html`<${Item} key=${item.key} item=${item} items=${items.length} />`)}</ul>`}
    </section>
  `;
}
