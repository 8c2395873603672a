import { html } from "../vendor.js";
import { seconds } from "../model/clock.js";
import { filter, narrow } from "../model/feed.js";
import { status } from "../model/live.js";
import { signOut, user } from "../model/session.js";
import { text } from "../model/text.js";
import { dark, toggleTheme } from "../model/theme.js";
import { Leave, Mark, Moon, Search, Sun } from "./icons.js";

const SETTLE = 250;
let settling;

const settle = (event) => {
  const q = event.currentTarget.value;
  clearTimeout(settling);
  settling = setTimeout(() => narrow({ q }), SETTLE);
};

const seek = (event) => {
  event.preventDefault();
  clearTimeout(settling);
  narrow({ q: event.currentTarget.elements.q.value });
};

function SearchBox() {
  return html`
    <form class="search" role="search" onSubmit=${seek}>
      <${Search} />
      <input id="search" name="q" type="search" placeholder="Search name, phone, email" aria-label="Search leads"
        autocomplete="off" spellcheck=${false} maxlength="200" value=${filter.value.q} onInput=${settle} />
      <kbd>/</kbd>
    </form>
  `;
}

/** What the connection says, in two words at most. */
function words({ state, retryAt }) {
  const left = retryAt ? Math.max(0, Math.ceil((retryAt - seconds.value) / 1000)) : 0;
  switch (state) {
    case "open":
      return "Live";
    case "waiting":
      return left > 0 ? `Reconnecting in ${left} s` : "Reconnecting";
    case "offline":
      return "Offline";
    case "signed-out":
      return "Signed out";
    case "stopped":
      return "No access";
    default:
      return "Connecting";
  }
}

/** The countdown is for eyes; what is read aloud changes with the state only. */
const aloud = { open: "Live", waiting: "Connection lost, reconnecting", offline: "Offline", connecting: "Connecting", stopped: "No access" };

function Connection() {
  const { state } = status.value;
  return html`
    <span class=${`live live-${state}`}>
      <span class="live-dot"></span><span aria-hidden="true">${words(status.value)}</span>
      <span class="unseen" role="status">${aloud[state] ?? "Signed out"}</span>
    </span>
  `;
}

export function Header() {
  const { name, email, agency } = user.value;
  const who = text(name) || text(email);
  return html`
    <header class="header">
      <a class="skip" href="#main" onClick=${skip}>Skip to the leads</a>
      <div class="brand"><${Mark} /><span class="wordmark">Leadwire</span></div>
      <${SearchBox} />
      <div class="header-end">
        <${Connection} />
        <button class="icon-button" type="button" onClick=${toggleTheme}
          aria-label=${dark.value ? "Use the light theme" : "Use the dark theme"} title=${dark.value ? "Light theme" : "Dark theme"}>
          ${dark.value ? html`<${Sun} />` : html`<${Moon} />`}
        </button>
        <span class="who" title=${`${text(email)}${agency ? `, ${text(agency.name)}` : ""}`}>
          <bdi class="who-name">${who}</bdi>
          <bdi class="who-agency">${text(agency?.name)}</bdi>
        </span>
        <button class="icon-button" type="button" onClick=${signOut} aria-label="Sign out" title="Sign out"><${Leave} /></button>
      </div>
    </header>
  `;
}

const skip = (event) => {
  event.preventDefault();
  document.querySelector(".row-link")?.focus();
};
