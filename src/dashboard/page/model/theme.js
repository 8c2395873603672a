// Light or dark: the system's choice until the person makes one here, kept in this browser.
import { signal } from "../vendor.js";

const KEY = "leadwire.theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const chosen = () => document.documentElement.dataset.theme;

export const dark = signal(chosen() ? chosen() === "dark" : system.matches);

system.addEventListener("change", () => {
  if (!chosen()) dark.value = system.matches;
});

export function toggleTheme() {
  dark.value = !dark.value;
  const theme = dark.value ? "dark" : "light";
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Storage is switched off: the choice lasts until the page is closed.
  }
}
