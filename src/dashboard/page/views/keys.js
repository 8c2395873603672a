// The keyboard: j and k or the arrows move through the list, l and i switch to the leads and the inbox, / searches, r
// replies, Escape steps back.
import { close, open, opened, openedChat, show, view } from "../model/route.js";

const typing = (element) => element?.matches?.("input, textarea, select, [contenteditable]");

/** What the list on screen is made of, and what opens it. */
const ITEM = ".row, .chat";
const LINK = ".row-link, .chat-link";
const OPENED = ".row.opened .row-link, .chat.opened .chat-link";

function move(by) {
  const links = [...document.querySelectorAll(LINK)];
  if (links.length === 0) return;
  const current = document.activeElement?.closest?.(ITEM)?.querySelector(LINK);
  const marked = current ?? document.querySelector(OPENED);
  const at = marked ? links.indexOf(marked) + by : 0;
  const next = links[Math.max(0, Math.min(links.length - 1, at))];
  next.focus();
  const item = next.closest(ITEM);
  item.scrollIntoView({ block: "nearest" });
  if (opened.value || openedChat.value) open(item.dataset.id);
}

function stepBack() {
  const active = document.activeElement;
  if (active?.matches?.("#search, .composer textarea")) {
    active.blur();
  } else if (opened.value || openedChat.value) {
    const link = document.querySelector(OPENED);
    close();
    link?.focus({ preventScroll: true });
  } else if (typing(active)) {
    active.blur();
  }
}

function press(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.key === "Escape") return stepBack();
  if (typing(event.target)) {
    if (event.key === "ArrowDown" && event.target.id === "search") {
      event.preventDefault();
      move(0);
    }
    return;
  }
  const steps = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 };
  if (event.key in steps) {
    // Inside the opened lead the arrows scroll, as everywhere.
    if (event.key.startsWith("Arrow") && event.target.closest?.(".panel, .conversation")) return;
    event.preventDefault();
    move(steps[event.key]);
  } else if (event.key === "l" || event.key === "i") {
    show(event.key === "i" ? "inbox" : "leads");
  } else if (event.key === "r" && openedChat.value) {
    event.preventDefault();
    document.querySelector(".composer textarea")?.focus();
  } else if (event.key === "/" && view.value === "leads") {
    event.preventDefault();
    const search = document.getElementById("search");
    search?.focus();
    search?.select();
  }
}

export function listenToKeys() {
  addEventListener("keydown", press);
  return () => removeEventListener("keydown", press);
}
