import { html, useLayoutEffect, useRef, useState } from "../vendor.js";
import { Close } from "./icons.js";

const fine = matchMedia("(pointer: fine)");

/**
 * A question that must be answered before anything else. `firm`: not closed by a click beside it, for what is shown once.
 * @param {{ title: string, close: () => void, firm?: boolean, children: any }} props
 */
export function Dialog({ title, close, firm, children }) {
  const box = useRef(null);
  useLayoutEffect(() => {
    const shown = box.current;
    shown.showModal();
    // Where somebody types; a phone would cover half of the question with its keyboard.
    const first = fine.matches ? "input:not([type=hidden]), select" : "h2";
    (shown.querySelector(first) ?? shown.querySelector(".dialog-foot .button"))?.focus();
    // The focus goes back to where it was.
    return () => shown.close();
  }, []);
  const beside = (event) => !firm && event.target === box.current && close();
  return html`
    <dialog class="dialog" ref=${box} aria-label=${title} onCancel=${close} onPointerDown=${beside}>
      <div class="dialog-in">
        <header class="dialog-head">
          <h2 tabindex="-1"><bdi>${title}</bdi></h2>
          <button type="button" class="icon-button" onClick=${close} aria-label="Close" title="Close (Esc)"><${Close} /></button>
        </header>
        ${children}
      </div>
    </dialog>
  `;
}

/**
 * The answer to a question that changes something: busy while it is under way, and a sentence if it fails.
 * @param {(given: FormData) => Promise<unknown>} go
 */
export function useAnswer(go) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    setProblem("");
    try {
      await go(new FormData(event.currentTarget));
    } catch (error) {
      setProblem(error.message);
    }
    setBusy(false);
  };
  return { busy, problem, submit };
}

/** The foot of a form in a dialog: why it failed, and the two ways on. */
export const Answer = ({ problem, busy, close, children, danger, disabled }) => html`
  <footer class="dialog-foot">
    <p class="problem" role="alert">${problem}</p>
    <button type="button" class="button" onClick=${close}>Cancel</button>
    <button type="submit" class=${`button ${danger ? "danger" : "primary"}`} disabled=${busy || disabled}>${busy ? "One moment…" : children}</button>
  </footer>
`;

/** "Really?" @param {{ title: string, words: string, doIt: string, go: () => Promise<unknown>, close: () => void }} props */
export function Confirm({ title, words, doIt, go, close }) {
  const { busy, problem, submit } = useAnswer(async () => {
    await go();
    close();
  });
  return html`
    <${Dialog} title=${title} close=${close}>
      <form onSubmit=${submit}>
        <p class="dialog-words">${words}</p>
        <${Answer} problem=${problem} busy=${busy} close=${close} danger>${doIt}<//>
      </form>
    <//>
  `;
}
