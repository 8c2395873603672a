import { html } from "../vendor.js";
import { ORIGIN_REFUSED, status } from "../model/live.js";
import { Warning } from "./icons.js";

/** Why nothing comes in by itself at this address, and who can change that. */
export function Misplaced() {
  if (status.value.reason !== ORIGIN_REFUSED) return null;
  return html`
    <section class="attention misplaced" role="alert">
      <${Warning} />
      <p>
        <strong>No live updates at this address.</strong> The hub does not know ${location.origin} as its own. Whoever runs it
        sets <code>server.public_url</code> to this address, or has the proxy pass the <code>Host</code> header on.
      </p>
    </section>
  `;
}
