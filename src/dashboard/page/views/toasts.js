import { html } from "../vendor.js";
import { open } from "../model/route.js";
import { dismiss, dismissAll, hiddenToasts, hold, toasts } from "../model/toasts.js";
import { Close } from "./icons.js";

const KINDS = { lead: "New lead", alert: "Cost alert", error: "Something went wrong" };

const Toast = ({ toast: { key, kind, title, body, lead } }) => html`
  <li class=${`toast toast-${kind}`}>
    <span class="toast-node"></span>
    <div class="toast-words">
      <span class="toast-kind">${KINDS[kind]}</span>
      ${lead
        ? html`<button type="button" class="toast-title" onClick=${() => (open(lead), dismiss(key))}><bdi>${title}</bdi></button>`
        : html`<strong class="toast-title"><bdi>${title}</bdi></strong>`}
      ${body && html`<bdi class="toast-body">${body}</bdi>`}
    </div>
    <button type="button" class="icon-button small" aria-label="Dismiss" onClick=${() => dismiss(key)}><${Close} /></button>
  </li>
`;

/** The region stays in the page, so that what appears in it is read aloud. */
export function Toasts() {
  const more = hiddenToasts.value;
  return html`
    <section class="toasts" aria-label="Notifications" onPointerEnter=${() => hold(true)} onPointerLeave=${() => hold(false)}
      onFocusIn=${() => hold(true)} onFocusOut=${() => hold(false)}>
      ${more > 0 && html`<button type="button" class="toast-more" onClick=${dismissAll}>+${more.toLocaleString()} more · dismiss all</button>`}
      <ul aria-live="polite" aria-relevant="additions">
        ${toasts.value.map((toast) => html`<${Toast} key=${toast.key} toast=${toast} />`)}
      </ul>
    </section>
  `;
}
