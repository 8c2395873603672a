// The opened lead lives in the address (`#lead_…`), so that back closes it and a link opens it.
import { signal } from "../vendor.js";

const inAddress = () => (/^#lead_[0-9A-Za-z]+$/.test(location.hash) ? location.hash.slice(1) : "");

export const opened = signal(inAddress());

addEventListener("hashchange", () => (opened.value = inAddress()));

/** @param {string} id */
export const address = (id) => `#${encodeURIComponent(id)}`;

/** @param {string} id */
export function open(id) {
  // From one lead to the next is no step to go back through.
  if (opened.value) history.replaceState(null, "", address(id));
  else history.pushState(null, "", address(id));
  opened.value = inAddress();
}

export function close() {
  if (!opened.value) return;
  history.replaceState(null, "", location.pathname);
  opened.value = "";
}
