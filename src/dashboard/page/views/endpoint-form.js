import { html, useState } from "../vendor.js";
import { addEndpoint, changeEndpoint, endpointAccount, endpointTypes, typeName } from "../model/endpoints.js";
import { accounts, operated } from "../model/session.js";
import { text } from "../model/text.js";
import { CopyButton } from "./copy.js";
import { Answer, Dialog, useAnswer } from "./dialog.js";

/** What both forms ask; a token that is there is not shown, and stays if nothing is typed. */
function Fields({ endpoint }) {
  const [types, setTypes] = useState(new Set(endpoint?.types ?? ["new_lead"]));
  const toggle = (type) => {
    const next = new Set(types);
    if (!next.delete(type)) next.add(type);
    setTypes(next);
  };
  return html`
    <label class="field"><span>URL</span><input name="url" type="url" required placeholder="https://crm.example/hooks/leads" spellcheck=${false} value=${endpoint?.url ?? ""} /></label>
    <fieldset class="field checks">
      <legend>Sends</legend>
      ${endpointTypes.value.map((type) => html`
        <label class="check" key=${type}>
          <input type="checkbox" name="types" value=${type} checked=${types.has(type)} onChange=${() => toggle(type)} required=${types.size === 0} />
          <span>${typeName(type)}<small>${type}</small></span>
        </label>
      `)}
    </fieldset>
    <label class="field"><span>Name <i>optional</i></span><input name="description" maxlength="200" value=${endpoint?.description ?? ""} /></label>
    <label class="field">
      <span>Bearer token <i>optional</i></span>
      <input name="token" type="password" autocomplete="off" placeholder=${endpoint?.has_token ? "Unchanged" : ""} />
    </label>
    ${endpoint?.has_token && html`<label class="check"><input type="checkbox" name="tokenless" /><span>Send no token any more</span></label>`}
    <label class="check">
      <input type="checkbox" name="ordered" checked=${endpoint?.ordered ?? false} />
      <span>Strictly in order<small>The next of a lead, chat or campaign waits until the one before is delivered.</small></span>
    </label>
  `;
}

const asked = (given) => ({
  url: String(given.get("url")).trim(),
  types: given.getAll("types"),
  description: String(given.get("description")).trim(),
  ordered: given.has("ordered"),
});

/** Who manages only some accounts may not add one for all: the hub says so too. */
const choices = () => [...(operated.value.length === accounts.value.length ? [["", "All accounts"]] : []), ...operated.value.map(({ id, name }) => [id, text(name)])];

/** @param {{ close: () => void, done: (added: any) => void }} props */
export function AddEndpoint({ close, done }) {
  const { busy, problem, submit } = useAnswer(async (given) => {
    const account = given.get("account") || null;
    const token = String(given.get("token"));
    done(await addEndpoint({ ...asked(given), account, ...(token && { token }) }));
  });
  const whose = choices();
  return html`
    <${Dialog} title="Add an endpoint" close=${close}>
      <form onSubmit=${submit}>
        ${whose.length > 1
          ? html`<label class="field"><span>Account</span><select name="account" value=${endpointAccount.value || (operated.value[0]?.id ?? "")}>${whose.map(([id, name]) => html`<option key=${id} value=${id}>${name}</option>`)}</select></label>`
          : html`<input type="hidden" name="account" value=${whose[0]?.[0] ?? ""} />`}
        <${Fields} />
        <${Answer} problem=${problem} busy=${busy} close=${close}>Add it<//>
      </form>
    <//>
  `;
}

/** @param {{ endpoint: import("../model/endpoints.js").Endpoint, close: () => void, moved: (secret: string) => void }} props */
export function EditEndpoint({ endpoint, close, moved }) {
  const { busy, problem, submit } = useAnswer(async (given) => {
    const typed = String(given.get("token"));
    const token = given.has("tokenless") ? { token: null } : typed ? { token: typed } : {};
    const secret = await changeEndpoint(endpoint.id, { ...asked(given), ...token });
    close();
    if (secret) moved(secret);
  });
  return html`
    <${Dialog} title="Edit the endpoint" close=${close}>
      <form onSubmit=${submit}>
        <${Fields} endpoint=${endpoint} />
        <p class="quiet">At another scheme, host or port it starts anew: without the old token, and with a new secret.</p>
        <${Answer} problem=${problem} busy=${busy} close=${close}>Save<//>
      </form>
    <//>
  `;
}

/** Shown once: the hub keeps it sealed. */
export const Secret = ({ secret, close }) => html`
  <${Dialog} title="The signing secret" close=${close} firm>
    <p class="dialog-words">Every webhook to this endpoint is signed with it. Copy it now into the receiver's settings: it is not shown again. If it gets lost, rotate it.</p>
    <div class="secret"><code>${secret}</code><${CopyButton} value=${secret} what="the secret" /></div>
    <footer class="dialog-foot"><button type="button" class="button primary" onClick=${close}>I have copied it</button></footer>
  <//>
`;
