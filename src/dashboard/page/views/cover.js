import { html, useState } from "../vendor.js";
import { isLeft, resumeEndpoint, stopEndpoint, takeOver } from "../model/endpoints.js";
import { accountName } from "../model/session.js";
import { exact, millis, text } from "../model/text.js";
import { toast } from "../model/toasts.js";

/** Runs something that a person asked for, and says when it did not work. */
function useAct() {
  const [busy, setBusy] = useState(false);
  const act = async (doIt) => {
    setBusy(true);
    try {
      await doIt();
    } catch (error) {
      toast({ kind: "error", title: "Not changed", body: error.message });
    }
    setBusy(false);
  };
  return { busy, act };
}

const who = ({ responsible, responsible_name }) => (responsible ? text(responsible_name ?? "Somebody who is gone") : "Nobody");

const standing = (cover) => {
  if (cover.stopped_at) return html`Stopped <span>${exact(millis(cover.stopped_at))}</span>${cover.stopped_by_name && html` by <bdi>${text(cover.stopped_by_name)}</bdi>`}`;
  if (isLeft(cover)) return html`Nothing is sent: <bdi>${who(cover)}</bdi> answered for it`;
  return html`<bdi>${who(cover)}</bdi> answers for it`;
};

function Covered({ endpoint, cover }) {
  const { busy, act } = useAct();
  const { account_id: account, stopped_at: stopped } = cover;
  const toggle = () => act(() => (stopped ? resumeEndpoint : stopEndpoint)(endpoint.id, account));
  return html`
    <li class=${`covered tone-${isLeft(cover) ? "bad" : stopped ? "off" : "good"}`}>
      <span class="dot"></span>
      <span class="covered-who"><bdi>${accountName(account)}</bdi><small>${standing(cover)}</small></span>
      <button type="button" class="button small" disabled=${busy} onClick=${toggle}>${stopped ? "Resume" : "Stop"}</button>
    </li>
  `;
}

/** The accounts that it covers, each with who answers for it; any of them can be stopped alone. */
export function Cover({ endpoint }) {
  const { busy, act } = useAct();
  const open = endpoint.cover.filter((cover) => isLeft(cover) || cover.responsible === null);
  if (endpoint.own) return null;
  return html`
    <section class="cover">
      <header>
        <h3>Accounts</h3>
        ${open.length > 0 && html`<button type="button" class="button small primary" disabled=${busy} onClick=${() => act(() => takeOver(endpoint.id, open.map((cover) => cover.account_id)))}>Take over</button>`}
      </header>
      <ol>${endpoint.cover.map((cover) => html`<${Covered} key=${cover.account_id} endpoint=${endpoint} cover=${cover} />`)}</ol>
      ${!endpoint.whole && html`<p class="quiet">It covers accounts of others as well: those who manage all of them may change it.</p>`}
    </section>
  `;
}
