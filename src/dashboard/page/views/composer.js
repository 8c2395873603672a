import { html, useLayoutEffect, useRef, useState } from "../vendor.js";
import { sayTyping } from "../model/people.js";
import { drafts, longest, obstacle, reply } from "../model/outbox.js";
import { accountName, mayEdit } from "../model/session.js";
import { count } from "../model/text.js";
import { Send } from "./icons.js";

/** This near the limit it is shown how much is left. */
const NEAR = 0.85;

/** Whether the browser gives a box the height of its text by itself. */
const FITS = CSS.supports("field-sizing", "content");

/** Why nothing can be sent, in a sentence. */
function reasonFor(chat) {
  if (!mayEdit(chat.account_id)) return `You can read ${accountName(chat.account_id) || "this account"}, and not answer for it.`;
  if (chat.is_ignored) return "This chat is ignored. Take it up again to answer.";
  return obstacle.value && !["role", "ignored"].includes(obstacle.value.code) ? obstacle.value.message : "";
}

/** How much of what the messenger takes is used. */
function used(text) {
  const { characters, bytes } = longest.value;
  if (bytes) return { size: new TextEncoder().encode(text).length, most: bytes, unit: "byte" };
  return { size: [...text].length, most: characters ?? Infinity, unit: "character" };
}

/** Where a reply is written. Enter sends, Shift and Enter begins a line. */
export function Composer({ chat }) {
  const [text, setText] = useState(drafts.get(chat.id) ?? "");
  const box = useRef(null);
  const reason = reasonFor(chat);
  const { size, most, unit } = used(text.trim());
  const over = size - most;
  useLayoutEffect(() => {
    const { current: area } = box;
    if (!area || FITS) return;
    area.style.height = "auto";
    area.style.height = `${area.scrollHeight}px`;
  }, [text, Boolean(reason)]);
  const write = (words) => {
    if (words) drafts.set(chat.id, words);
    else drafts.delete(chat.id);
    setText(words);
    sayTyping(Boolean(words.trim()));
  };
  const send = (event) => {
    event.preventDefault();
    const words = box.current.value;
    if (!words.trim() || over > 0) return;
    reply(words);
    write("");
    box.current.focus();
  };
  const press = (event) => {
    // An Enter that ends a word of an input method is no Enter.
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) send(event);
  };
  if (reason) return html`<p class="composer closed" role="note">${reason}</p>`;
  return html`
    <form class="composer" onSubmit=${send}>
      <div class="composer-box">
        <textarea
          ref=${box}
          rows="1"
          value=${text}
          placeholder="Write a reply"
          aria-label="Reply"
          aria-invalid=${over > 0}
          enterkeyhint="send"
          onInput=${(event) => write(event.target.value)}
          onKeyDown=${press}
        ></textarea>
        <button type="submit" class="composer-send" disabled=${!text.trim() || over > 0} aria-label="Send" title="Send (Enter)"><${Send} /></button>
      </div>
      ${size > most * NEAR && html`<p class=${`composer-left ${over > 0 ? "over" : ""}`} role="status">${over > 0 ? `${count(over, unit)} too many` : `${count(-over, unit)} left`}</p>`}
    </form>
  `;
}
