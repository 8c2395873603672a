// What the views of campaigns, costs and endpoints are made of: a list beside the thing that is opened in it.
import { html } from "../vendor.js";
import { close, follow, goTo } from "../model/route.js";
import { status } from "../model/live.js";
import { text } from "../model/text.js";
import { Back } from "./icons.js";
import { Skeleton } from "./list.js";

/** @typedef {"good" | "busy" | "wait" | "bad" | "off"} Tone */

/** A state: its tone is a dot, its word is ink. @param {{ tone: Tone, children: string }} props */
export const Badge = ({ tone, children }) => html`<span class=${`badge tone-${tone}`}><span class="dot"></span><bdi>${children}</bdi></span>`;

/** How far something is. @param {{ percent: number, label: string, tone?: Tone }} props */
export const Bar = ({ percent, label, tone = "busy" }) => html`
  <div class=${`bar tone-${tone}`} role="progressbar" aria-label=${label} aria-valuemin="0" aria-valuemax="100" aria-valuenow=${Math.round(percent)}>
    <i style=${{ width: `${Math.min(100, Math.max(0, percent))}%` }}></i>
  </div>
`;

/** The choice of one among a few. @param {{ name: string, value: string, choices: [string, string][], pick: (value: string) => void }} props */
export const Pick = ({ name, value, choices, pick }) => html`
  <select class="pick" aria-label=${name} value=${value} onChange=${(event) => pick(event.currentTarget.value)}>
    ${choices.map(([key, words]) => html`<option key=${key} value=${key}>${words}</option>`)}
  </select>
`;

/** One thing in a list; the whole of it opens it. */
export const Item = ({ where, tone, name, opened, end, children }) => html`
  <li class=${`item tone-${tone} ${opened ? "opened" : ""}`}>
    <span class="node"></span>
    <div class="item-top">
      <a class="item-link" href=${where} aria-current=${opened ? "true" : undefined} onClick=${(event) => follow(event, () => goTo(where))}><bdi>${text(name)}</bdi></a>
      ${end}
    </div>
    ${children}
  </li>
`;

/** A list with its heading, from what a reading gave. `nothing` is shown when there is none. */
export function Listed({ title, add, reading, failure, again, empty, nothing, children }) {
  const live = ["live", "catching-up"].includes(status.value.state);
  return html`
    <div class=${`list items ${live ? "is-live" : ""}`} aria-busy=${reading === "first"} tabindex="-1">
      <header class="list-head"><h1>${title}</h1>${add}</header>
      ${empty && reading === "first" && html`<${Skeleton} />`}
      ${empty && reading === "error" && html`<${Unread} what=${title} failure=${failure} again=${again} />`}
      ${empty && reading === "" && nothing}
      ${children}
    </div>
  `;
}

/** What could not be read. */
export const Unread = ({ what, failure, again }) => html`
  <div class="empty" role="alert">
    <h2>${what} can't be read just now</h2>
    <p>${failure}</p>
    <button type="button" class="button" onClick=${again}>Try again</button>
  </div>
`;

/** One thing in full, over its list on a phone. `head` is the line under its name. */
export const Detail = ({ label, name, head, heading, children }) => html`
  <section class="detail" aria-label=${label}>
    <header class="detail-head">
      <button type="button" class="icon-button conversation-back" onClick=${close} aria-label="Back to the list" title="Back (Esc)"><${Back} /></button>
      <div class="detail-who">
        <h2 ref=${heading} tabindex="-1"><bdi>${text(name)}</bdi></h2>
        ${head}
      </div>
    </header>
    <div class="detail-scroll" tabindex="-1">${children}</div>
  </section>
`;

/** A link led to what is not there. */
export const NotFound = ({ words, back }) => html`
  <section class="detail">
    <div class="empty"><h2>Not to be found</h2><p>${words}</p><button type="button" class="button" onClick=${close}>${back}</button></div>
  </section>
`;

/** Beside a list in which nothing is opened. */
export const NothingOpened = ({ children }) => html`<div class="no-conversation"><p>${children}</p></div>`;

/** Labels and values; nothing for what is empty. */
export const Known = ({ facts }) => html`
  <dl class="known">
    ${facts.filter(([, value]) => value !== "" && value !== null && value !== undefined).map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}
  </dl>
`;
