// Short messages in the corner: at most three at once, the rest counted.
import { computed, signal } from "../vendor.js";

/** Three would cover half a phone. */
const small = matchMedia("(max-width: 760px)");
const shown = signal(small.matches ? 1 : 3);
small.addEventListener("change", () => (shown.value = small.matches ? 1 : 3));

const STAYS = { lead: 6000, alert: 9000, error: 9000 };

/** @typedef {{ key: number, kind: "lead" | "alert" | "error", title: string, body?: string, lead?: string, until: number }} Toast */

/** @type {import("../vendor.js").Signal<Toast[]>} */
const all = signal([]);
export const toasts = computed(() => all.value.slice(-shown.value).reverse());
export const hiddenToasts = computed(() => Math.max(0, all.value.length - shown.value));
/** Set while the pointer or the focus is on them. */
let held = false;
let keys = 0;
let timer;

/** @param {Omit<Toast, "key" | "until">} what */
export function toast(what) {
  const kept = all.value.length < 500 ? all.value : all.value.slice(-499);
  all.value = [...kept, { ...what, key: ++keys, until: Date.now() + STAYS[what.kind] }];
  sweepLater();
}

/** @param {number} key */
export function dismiss(key) {
  all.value = all.value.filter((each) => each.key !== key);
}

export function dismissAll() {
  all.value = [];
}

/** Time stands still for toasts that somebody is reading. @param {boolean} now */
export function hold(now) {
  if (held === now) return;
  held = now;
  if (!now) all.value = all.value.map((each) => ({ ...each, until: Math.max(each.until, Date.now() + 2500) }));
  sweepLater();
}

function sweepLater() {
  clearTimeout(timer);
  if (held || all.value.length === 0) return;
  const next = Math.min(...all.value.map(({ until }) => until));
  timer = setTimeout(() => {
    const now = Date.now();
    all.value = all.value.filter(({ until }) => until > now);
    sweepLater();
  }, Math.max(50, next - Date.now()));
}
