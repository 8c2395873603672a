// Small drawings. They say nothing that the text beside them doesn't, so they are hidden from screen readers.
import { html } from "../vendor.js";

const Icon = ({ children, size = 16 }) => html`
  <svg class="icon" width=${size} height=${size} viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.5"
    stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">${children}</svg>
`;

/** The wire and its two ends. */
export const Mark = () => html`
  <svg class="mark" viewBox="0 0 32 32" width="28" height="28" fill="none" aria-hidden="true" focusable="false">
    <path class="mark-wire" d="M9 3v17.5a5 5 0 0 0 5 5h7" stroke-width="3" stroke-linecap="round" />
    <circle class="mark-node" cx="9" cy="11" r="3.8" stroke-width="2.6" />
    <circle class="mark-end" cx="24.5" cy="25.5" r="3.8" />
  </svg>
`;

export const Search = () => html`<${Icon}><circle cx="7" cy="7" r="4.5" /><path d="m10.5 10.5 3 3" /><//>`;
export const Close = () => html`<${Icon}><path d="m4 4 8 8M12 4l-8 8" /><//>`;
export const Sun = () => html`<${Icon}><circle cx="8" cy="8" r="2.75" /><path d="M8 1.5v1M8 13.5v1M1.5 8h1M13.5 8h1M3.4 3.4l.7.7M11.9 11.9l.7.7M3.4 12.6l.7-.7M11.9 4.1l.7-.7" /><//>`;
export const Moon = () => html`<${Icon}><path d="M13 9.6A5.5 5.5 0 0 1 6.4 3a5.5 5.5 0 1 0 6.6 6.6Z" /><//>`;
export const Phone = () => html`<${Icon}><path d="M5.6 2.5 6.9 5.4 5.4 6.8a8 8 0 0 0 3.8 3.8l1.4-1.5 2.9 1.3v2.3a1.2 1.2 0 0 1-1.3 1.2A10.4 10.4 0 0 1 2.1 3.8 1.2 1.2 0 0 1 3.3 2.5Z" /><//>`;
export const Mail = () => html`<${Icon}><rect x="2" y="3.5" width="12" height="9" rx="1.5" /><path d="m2.5 4.5 5.5 4 5.5-4" /><//>`;
export const Copy = () => html`<${Icon}><rect x="5.5" y="5.5" width="8" height="8" rx="1.5" /><path d="M10.5 5.5V4A1.5 1.5 0 0 0 9 2.5H4A1.5 1.5 0 0 0 2.5 4v5A1.5 1.5 0 0 0 4 10.5h1.5" /><//>`;
export const Check = () => html`<${Icon}><path d="m3 8.5 3.2 3L13 4.5" /><//>`;
export const Warning = () => html`<${Icon}><path d="M8 2 14.5 13.5h-13Z" /><path d="M8 6.5v3M8 11.6v.1" /><//>`;
export const Up = () => html`<${Icon}><path d="M8 13V3M3.5 7.5 8 3l4.5 4.5" /><//>`;
export const Chevron = () => html`<${Icon} size="12"><path d="m4 6 4 4 4-4" /><//>`;
export const Back = () => html`<${Icon}><path d="M13 8H3M7.5 3.5 3 8l4.5 4.5" /><//>`;
export const Person = () => html`<${Icon}><circle cx="8" cy="5.5" r="2.75" /><path d="M2.75 13.5a5.4 5.4 0 0 1 10.5 0" /><//>`;
export const Bubbles = () => html`<${Icon}><path d="M2.5 4A1.5 1.5 0 0 1 4 2.5h8A1.5 1.5 0 0 1 13.5 4v5a1.5 1.5 0 0 1-1.5 1.5H7.5l-3.2 3v-3H4A1.5 1.5 0 0 1 2.5 9Z" /><//>`;
export const Clip = () => html`<${Icon}><path d="m12.8 7.6-4.9 4.9a3 3 0 0 1-4.3-4.3l5.2-5.2a2 2 0 0 1 2.9 2.9l-5 5a1 1 0 0 1-1.5-1.5l4.5-4.5" /><//>`;
export const Ticks = () => html`<${Icon} size="14"><path d="m1.5 8.5 3 3 6-7M8 11l.5.5 6-7" /><//>`;
export const Clock = () => html`<${Icon} size="14"><circle cx="8" cy="8" r="5.5" /><path d="M8 5v3l2 1.5" /><//>`;
export const Send = () => html`<${Icon}><path d="M13.5 2.5 7 9M13.5 2.5 9.2 13.5 7 9 2.5 6.8Z" /><//>`;
export const Tick = () => html`<${Icon} size="14"><path d="m3 8.5 3.2 3L13 4.5" /><//>`;
export const Leave = () => html`<${Icon}><path d="M6.5 2.5h-3a1 1 0 0 0-1 1v9a1 1 0 0 0 1 1h3M10.5 11l3-3-3-3M13.5 8h-7" /><//>`;
export const Target = () => html`<${Icon}><circle cx="8" cy="8" r="5.75" /><circle cx="8" cy="8" r="2.25" /><path d="M8 .75v2M8 13.25v2M.75 8h2M13.25 8h2" /><//>`;
export const Coins = () => html`<${Icon}><ellipse cx="8" cy="4" rx="5" ry="2.25" /><path d="M3 4v4c0 1.25 2.25 2.25 5 2.25S13 9.25 13 8V4M3 8v4c0 1.25 2.25 2.25 5 2.25s5-1 5-2.25V8" /><//>`;
export const Plug = () => html`<${Icon}><path d="M5.5 1.75v3M10.5 1.75v3M3.5 4.75h9V7a4.5 4.5 0 0 1-9 0ZM8 11.5v3" /><//>`;
export const Download = () => html`<${Icon}><path d="M8 2.5v8M4.5 7.5 8 11l3.5-3.5M2.5 13.5h11" /><//>`;
