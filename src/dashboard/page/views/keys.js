// The keyboard: j and k or the arrows move through the leads, / searches, Escape steps back.
import { close, open, opened } from "../model/route.js";

const typing = (element) => element?.matches?.("input, textarea, select, [contenteditable]");

function move(by) {
  const links = [...document.querySelectorAll(".row-link")];
  if (links.length === 0) return;
  const current = document.activeElement?.closest?.(".row")?.querySelector(".row-link");
  const marked = current ?? document.querySelector(".row.opened .row-link");
  const at = marked ? links.indexOf(marked) + by : 0;
  const next = links[Math.max(0, Math.min(links.length - 1, at))];
  next.focus();
  next.closest(".row").scrollIntoView({ block: "nearest" });
  if (opened.value) open(next.closest(".row").dataset.lead);
}

function stepBack() {
  const active = document.activeElement;
  if (active?.id === "search") {
    active.blur();
  } else if (opened.value) {
    const link = document.querySelector(".row.opened .row-link");
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
    if (event.key.startsWith("Arrow") && event.target.closest?.(".panel")) return;
    event.preventDefault();
    move(steps[event.key]);
  } else if (event.key === "/") {
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
