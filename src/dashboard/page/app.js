// The page: what is shown when, and what starts and stops with a login.
import { effect, html, render, useEffect } from "./vendor.js";
import { goLive, unseen } from "./model/live.js";
import { recognise, user } from "./model/session.js";
import { opened, view } from "./model/route.js";
import { listenToKeys } from "./views/keys.js";
import { Attention } from "./views/attention.js";
import { Campaigns } from "./views/campaigns.js";
import { Costs } from "./views/costs.js";
import { Endpoints } from "./views/endpoints.js";
import { Header } from "./views/header.js";
import { Inbox } from "./views/inbox.js";
import { List } from "./views/list.js";
import { Misplaced } from "./views/misplaced.js";
import { Login } from "./views/login.js";
import { Panel } from "./views/panel.js";
import { Rail } from "./views/rail.js";
import { Switch } from "./views/switch.js";
import { Mark } from "./views/icons.js";
import { Toasts } from "./views/toasts.js";

const VIEWS = { leads: List, inbox: Inbox, campaigns: Campaigns, costs: Costs, endpoints: Endpoints };

function Dashboard() {
  useEffect(goLive, []);
  useEffect(listenToKeys, []);
  const Shown = VIEWS[view.value];
  return html`
    <div class=${`frame with-${view.value} ${opened.value ? "with-panel" : ""}`}>
      <${Header} />
      <${Switch} />
      <${Rail} />
      <main class="main" id="main">
        <${Misplaced} />
        <${Attention} />
        <${Shown} />
      </main>
      ${opened.value && html`<${Panel} id=${opened.value} key=${opened.value} />`}
      <${Toasts} />
    </div>
  `;
}

/** Until the hub has said who we are; it may be away for a moment. */
function Waiting() {
  useEffect(() => {
    let timer;
    const ask = async (wait) => {
      if (!(await recognise())) timer = setTimeout(ask, wait, Math.min(wait * 2, 30_000));
    };
    void ask(1000);
    return () => clearTimeout(timer);
  }, []);
  return html`<div class="waiting" role="status"><${Mark} /><span class="waiting-words">Reaching the hub…</span></div>`;
}

function App() {
  if (user.value === undefined) return html`<${Waiting} />`;
  if (user.value === null) return html`<${Login} />`;
  return html`<${Dashboard} key=${user.value.id} />`;
}

effect(() => {
  document.title = unseen.value ? `(${unseen.value}) Leadwire` : "Leadwire";
});

render(html`<${App} />`, document.getElementById("app"));
