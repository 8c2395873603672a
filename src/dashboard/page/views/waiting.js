import { html } from "../vendor.js";
import { readingMessages } from "../model/conversation.js";
import { reply, waiting } from "../model/outbox.js";
import { exact, hour, millis } from "../model/text.js";
import { Clock, Tick, Warning } from "./icons.js";

/** How far a reply is, in a word or a sentence. */
function Standing({ send }) {
  const { state, reason, unreached } = send;
  if (state === "sent") return html`<span class="told" title="Sent"><${Tick} /><span class="unseen">Sent</span></span>`;
  const words = unreached ? "Waits for the connection" : state === "pending" && reason ? "Waits for another try" : "Sending…";
  return html`<span class="told sending" title=${reason?.message ?? words}><${Clock} />${words}</span>`;
}

/** Replies that are not messages yet, below the messages. */
export function Waiting() {
  // Only the messages tell which of these has become one.
  if (waiting.value.length === 0 || readingMessages.value === "first") return null;
  return html`
    <section class="waiting-sends" aria-label="On their way">
      <ol>
        ${waiting.value.map((send) => {
          const failed = send.state === "failed";
          const stamp = millis(send.timestamp);
          return html`
            <li class=${`said own ${failed ? "has-failed" : "is-waiting"}`} key=${send.client_id}>
              <div class="bubble" dir="auto">
                <p class="said-text">${send.text}</p>
                <p class="said-when">
                  ${failed ? html`<span class="failed-word"><${Warning} />Not sent</span>` : null}
                  <time datetime=${new Date(stamp).toISOString()} title=${exact(stamp)}>${hour(stamp)}</time>
                  ${failed ? null : html`<${Standing} send=${send} />`}
                </p>
              </div>
              ${failed && html`
                <div class="failed-why" role="alert">
                  <p>${send.reason?.message}</p>
                  <button type="button" class="button" onClick=${() => reply(send.text)}>Send again</button>
                </div>
              `}
            </li>
          `;
        })}
      </ol>
    </section>
  `;
}
