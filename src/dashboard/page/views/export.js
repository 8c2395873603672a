import { html, useState } from "../vendor.js";
import { download } from "../model/campaign.js";
import { Answer, Dialog, useAnswer } from "./dialog.js";

const FORMATS = [
  ["csv", "CSV", "All leads, one a line."],
  ["xlsx", "Excel", "The same as a workbook."],
  ["summary", "Summary", "The campaign's sums."],
  ["analysis", "Analysis", "What the leads' scores are made of."],
];

/** What to download. @param {{ campaign: { id: string }, close: () => void }} props */
export function Export({ campaign, close }) {
  const [least, setLeast] = useState(0);
  const { busy, problem, submit } = useAnswer(async (given) => {
    await download(campaign.id, String(given.get("format")), least);
    close();
  });
  return html`
    <${Dialog} title="Download" close=${close}>
      <form onSubmit=${submit}>
        <fieldset class="field checks">
          <legend>What</legend>
          ${FORMATS.map(([format, words, more], at) => html`<label class="check" key=${format}><input type="radio" name="format" value=${format} defaultChecked=${at === 0} /><span>${words}<small>${more}</small></span></label>`)}
        </fieldset>
        <label class="field"><span>Only leads with a score of at least ${least}</span><input type="range" min="0" max="100" step="5" value=${least} onInput=${(event) => setLeast(Number(event.currentTarget.value))} /></label>
        <${Answer} problem=${problem} busy=${busy} close=${close}>Download<//>
      </form>
    <//>
  `;
}
