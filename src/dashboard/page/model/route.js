// What is shown lives in the address, so that back steps back and a link leads there: the leads, one of them in full
// (`#lead_…`), the inbox (`#inbox`) or a chat in it (`#chat_…`).
import { computed, signal } from "../vendor.js";

const hash = signal(location.hash);
const named = (kind) => computed(() => (new RegExp(`^#${kind}_[0-9A-Za-z]+$`).test(hash.value) ? hash.value.slice(1) : ""));

/** The opened lead, or nothing. */
export const opened = named("lead");
/** The opened chat, or nothing. */
export const openedChat = named("chat");
/** @type {import("../vendor.js").Signal<"leads" | "inbox">} */
export const view = computed(() => (openedChat.value || hash.value === "#inbox" ? "inbox" : "leads"));

const sync = () => (hash.value = location.hash);
addEventListener("hashchange", sync);
addEventListener("popstate", sync);

/** @param {string} id */
export const address = (id) => `#${encodeURIComponent(id)}`;
/** @param {"leads" | "inbox"} which */
export const viewAddress = (which) => (which === "inbox" ? "#inbox" : location.pathname);

/** Opens a lead or a chat. @param {string} id */
export function open(id) {
  // From one to the next is no step to go back through.
  if ((id.startsWith("chat_") ? openedChat : opened).value) history.replaceState(null, "", address(id));
  else history.pushState(null, "", address(id));
  sync();
}

export function close() {
  if (!opened.value && !openedChat.value) return;
  history.replaceState(null, "", viewAddress(view.value));
  sync();
}

/** @param {"leads" | "inbox"} which */
export function show(which) {
  if (view.value === which) return;
  history.pushState(null, "", viewAddress(which));
  sync();
}

/** For links: a plain click goes there without a new page. @param {MouseEvent} event @param {() => void} go */
export function follow(event, go) {
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  event.preventDefault();
  go();
}
