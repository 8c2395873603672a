import { html, useEffect, useRef, useState } from "../vendor.js";
import { change } from "../model/feed.js";
import { mayEdit } from "../model/session.js";
import { text } from "../model/text.js";

/** Notes are kept when the field is left, or with Ctrl or Cmd and Enter. What others write arrives while nobody types here. */
export function Notes({ lead }) {
  const kept = text(lead.notes);
  const [draft, setDraft] = useState(kept);
  const [state, setState] = useState("");
  const editing = useRef(false);
  const latest = useRef({ lead, draft, kept });
  latest.current = { lead, draft, kept };

  useEffect(() => {
    if (!editing.current) setDraft(kept);
  }, [kept]);

  /** What is on its way: leaving the field and closing the panel often come together. */
  const sent = useRef(undefined);
  const save = async () => {
    const now = latest.current;
    if (now.draft === now.kept || now.draft === sent.current) return;
    sent.current = now.draft;
    setState("Saving…");
    setState((await change(now.lead, { notes: now.draft })) ? "Saved" : "Not saved");
    sent.current = undefined;
  };
  // The panel may go while something is unsaved: another lead was opened, or Escape pressed.
  useEffect(() => () => void (editing.current && save()), []);

  if (!mayEdit(lead.account_id)) {
    return kept ? html`<section class="part"><h3>Notes</h3><p class="message" dir="auto">${kept}</p></section>` : null;
  }
  const keys = (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void save();
  };
  return html`
    <section class="part">
      <h3><label for="notes">Notes</label><span class="saved" role="status">${state}</span></h3>
      <textarea id="notes" class="notes" dir="auto" rows="3" placeholder="What was said, what is next" value=${draft}
        onFocus=${() => (editing.current = true)}
        onInput=${(event) => (setDraft(event.currentTarget.value), setState(""))}
        onKeyDown=${keys}
        onBlur=${() => ((editing.current = false), void save())}></textarea>
    </section>
  `;
}
