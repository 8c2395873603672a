// The time as the page shows it: one tick for everything relative, faster while a countdown is on screen.
import { signal } from "../vendor.js";

/** Milliseconds since 1970, renewed every 20 seconds. */
export const now = signal(Date.now());
/** The same, renewed every second; read it only where seconds are shown. */
export const seconds = signal(Date.now());

setInterval(() => (now.value = Date.now()), 20_000);
setInterval(() => (seconds.value = Date.now()), 1000);
document.addEventListener("visibilitychange", () => (now.value = seconds.value = Date.now()));
