// What is shown lives in the address, so that back steps back and a link leads there: the leads, one of them in full
// (`#lead_…`), another view (`#inbox`, `#campaigns`, `#costs`, `#endpoints`) or one thing in it (`#chat_…`, `#campaign/…`,
// `#ep_…`).
import { computed, signal } from "../vendor.js";

/** @typedef {"leads" | "inbox" | "campaigns" | "costs" | "endpoints"} View */

const VIEWS = ["inbox", "campaigns", "costs", "endpoints"];
/** What an address begins with that shows one thing, and the view that it stands in. */
const THINGS = { "#chat_": "inbox", "#campaign/": "campaigns", "#ep_": "endpoints" };

const hash = signal(location.hash);
const named = (kind) => computed(() => (new RegExp(`^#${kind}_[0-9A-Za-z]+$`).test(hash.value) ? hash.value.slice(1) : ""));

/** The opened lead, or nothing. */
export const opened = named("lead");
/** The opened chat, or nothing. */
export const openedChat = named("chat");
/** The opened endpoint, or nothing. */
export const openedEndpoint = named("ep");
/** The opened campaign, or nothing. Other programs give theirs ids of any kind. */
export const openedCampaign = computed(() => {
  if (!hash.value.startsWith("#campaign/")) return "";
  try {
    return decodeURIComponent(hash.value.slice("#campaign/".length));
  } catch {
    return "";
  }
});
/** Whether one thing is shown in full. */
export const hasOpened = computed(() => Boolean(opened.value || openedChat.value || openedEndpoint.value || openedCampaign.value));

/** @param {string} at @returns {View} */
const viewOf = (at) =>
  VIEWS.find((each) => at === `#${each}`) ?? Object.entries(THINGS).find(([beginning]) => at.startsWith(beginning))?.[1] ?? "leads";
/** @type {import("../vendor.js").Signal<View>} */
export const view = computed(() => viewOf(hash.value));

const sync = () => (hash.value = location.hash);
addEventListener("hashchange", sync);
addEventListener("popstate", sync);

/** @param {string} id */
export const address = (id) => `#${encodeURIComponent(id)}`;
/** @param {string} id */
export const campaignAddress = (id) => `#campaign/${encodeURIComponent(id)}`;
/** @param {View} which */
export const viewAddress = (which) => (which === "leads" ? location.pathname : `#${which}`);

/** Opens what has this address. @param {string} where */
export function goTo(where) {
  // From one to the next is no step to go back through.
  if (hasOpened.value && viewOf(where) === view.value) history.replaceState(null, "", where);
  else history.pushState(null, "", where);
  sync();
}

/** Opens a lead, a chat or an endpoint. @param {string} id */
export const open = (id) => goTo(address(id));

export function close() {
  if (!hasOpened.value) return;
  history.replaceState(null, "", viewAddress(view.value));
  sync();
}

/** @param {View} which */
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
