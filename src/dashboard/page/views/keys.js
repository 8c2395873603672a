// The keyboard: j and k or the arrows move through the list, a letter switches to another view, / searches, r replies, Escape
// steps back.
import { close, goTo, hasOpened, openedChat, show, view } from "../model/route.js";
import { operated } from "../model/session.js";

const typing = (element) => element?.matches?.("input, textarea, select, [contenteditable]");

/** What the list on screen is made of, and what opens it. */
const ITEM = ".row, .chat, .item";
const LINK = ".row-link, .chat-link, .item-link";
const OPENED = ".row.opened .row-link, .chat.opened .chat-link, .item.opened .item-link";
/** The letter that leads to each view. */
const LETTERS = { l: "leads", i: "inbox", c: "campaigns", o: "costs", e: "endpoints" };

function move(by) {
  const links = [...document.querySelectorAll(LINK)];
  if (links.length === 0) return;
  const current = document.activeElement?.closest?.(ITEM)?.querySelector(LINK);
  const marked = current ?? document.querySelector(OPENED);
  const at = marked ? links.indexOf(marked) + by : 0;
  const next = links[Math.max(0, Math.min(links.length - 1, at))];
  next.focus();
  next.closest(ITEM).scrollIntoView({ block: "nearest" });
  if (hasOpened.value) goTo(next.getAttribute("href"));
}

function stepBack() {
  const active = document.activeElement;
  if (active?.matches?.("#search, .composer textarea")) {
    active.blur();
  } else if (hasOpened.value) {
    const link = document.querySelector(OPENED);
    close();
    link?.focus({ preventScroll: true });
  } else if (typing(active)) {
    active.blur();
  }
}

function press(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  // A dialog has the keyboard to itself.
  if (document.querySelector("dialog[open]")) return;
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
    if (event.key.startsWith("Arrow") && event.target.closest?.(".panel, .conversation, .detail")) return;
    event.preventDefault();
    move(steps[event.key]);
  } else if (event.key in LETTERS) {
    if (event.key !== "e" || operated.value.length) show(LETTERS[event.key]);
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
