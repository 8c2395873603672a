import { html } from "../vendor.js";
import { seconds } from "../model/clock.js";
import { filter, narrow } from "../model/feed.js";
import { ORIGIN_REFUSED, status, tryNow } from "../model/live.js";
import { view } from "../model/route.js";
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

const WORDS = {
  connecting: "Connecting",
  reconnecting: "Reconnecting",
  "catching-up": "Catching up",
  live: "Live",
  offline: "Offline",
  "signed-out": "Signed out",
  stopped: "No access",
};

/** Attempts and the waits between them look the same but for the countdown: nothing is to flicker. */
function shownState({ state, attempt }) {
  if (state !== "waiting" && (state !== "connecting" || attempt === 0)) return state;
  return navigator.onLine ? "reconnecting" : "offline";
}

/** Seconds until the next attempt, renewed each second; nothing while one is under way. */
function Countdown({ at }) {
  const left = at ? Math.ceil((at - seconds.value) / 1000) : 0;
  return html`<span class="countdown">${left > 0 && `in ${left} s`}</span>`;
}

/** Quiet while all is well. The countdown is for eyes: what is read aloud changes with the state only. */
function Connection() {
  const { attempt, retryAt, reason } = status.value;
  const shown = shownState(status.value);
  const word = reason === ORIGIN_REFUSED ? "Not live" : (WORDS[shown] ?? WORDS.connecting);
  return html`
    <span class=${`connection is-${shown}`} title=${shown === "stopped" ? text(reason) : undefined}>
      <span class="connection-dot"></span><span class="connection-word" role="status">${word}</span>
      ${shown === "reconnecting" && html`<${Countdown} at=${retryAt} />`}
      ${attempt > 0 && html`<button type="button" class="connection-try" onClick=${tryNow}>Try now</button>`}
    </span>
  `;
}

export function Header() {
  const { name, email, agency } = user.value;
  const who = text(name) || text(email);
  return html`
    <header class="header">
      <a class="skip" href="#main" onClick=${skip}>Skip to the list</a>
      <div class="brand"><${Mark} /><span class="wordmark">Leadwire</span></div>
      ${view.value === "leads" && html`<${SearchBox} />`}
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
  document.querySelector(".row-link, .chat-link, .item-link, .main h1")?.focus();
};
