import { html, useState } from "../vendor.js";
import { Check, Copy } from "./icons.js";

/** Puts a text on the clipboard. */
export function CopyButton({ value, what }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(value);
      setDone(true);
      setTimeout(setDone, 1600, false);
    } catch {
      // No clipboard without https: the text can still be selected.
    }
  };
  return html`
    <button type="button" class="icon-button small" onClick=${copy} aria-label=${done ? "Copied" : `Copy ${what}`} title=${`Copy ${what}`}>
      ${done ? html`<${Check} />` : html`<${Copy} />`}
    </button>
  `;
}
