import { html } from "../vendor.js";
import { assign } from "../model/chats.js";
import { here, nameOf, peopleOf, typists } from "../model/people.js";
import { mayEdit, user } from "../model/session.js";
import { text } from "../model/text.js";
import { Chevron } from "./icons.js";

/** More faces than this are counted. */
const FACES = 3;

/** The first letters of the first and the last name. @param {string} name */
function initials(name) {
  const words = text(name).trim().split(/\s+/);
  const letters = [words[0], words.length > 1 ? words.at(-1) : ""].map((word) => [...word][0] ?? "");
  return letters.join("").toUpperCase() || "?";
}

const capital = (words) => words.slice(0, 1).toUpperCase() + words.slice(1);

/** Somebody as a small round sign. Without a title the words beside it say who. */
export const Face = ({ name, title }) => html`<span class="face" title=${title}><span aria-hidden="true">${initials(name)}</span>${title && html`<span class="unseen">${title}</span>`}</span>`;

/** Who else looks at the chat. */
export function Here() {
  const names = [...here.value.values()];
  if (names.length === 0) return null;
  const rest = names.slice(FACES);
  return html`
    <span class="faces">
      ${names.slice(0, FACES).map((name) => html`<${Face} name=${name} title=${`${text(name) || "Somebody"} is here`} />`)}
      ${rest.length > 0 && html`<span class="face" title=${rest.map(text).join(", ")}>+${rest.length}</span>`}
    </span>
  `;
}

/** Who types, in words; nothing if nobody does. */
export function typing() {
  const names = [...typists.value.values()].map((name) => text(name) || "Somebody");
  if (names.length > 2) return "Several people are typing…";
  return names.length ? `${names.join(" and ")} ${names.length > 1 ? "are" : "is"} typing…` : "";
}

/** Whose task a chat is, for people. @param {string | null} id */
export const assigned = (id) => (id === user.value?.id ? "you" : nameOf(id) || "a former colleague");

/** Whose task it is to answer, and the way to give it to somebody else. */
export function Assignee({ chat }) {
  if (!mayEdit(chat.account_id)) return chat.assignee && html`<span class="assignee-said">Assigned to ${assigned(chat.assignee)}</span>`;
  const me = user.value?.id;
  const others = peopleOf(chat.account_id).filter(({ id }) => id !== me);
  const gone = chat.assignee && chat.assignee !== me && !others.some(({ id }) => id === chat.assignee);
  // A select keeps what was chosen, whatever became of it: the chat's own word is put back.
  const choose = async ({ target }) => {
    await assign(chat, target.value || null);
    target.value = chat.assignee ?? "";
  };
  return html`
    <span class=${`assignee ${chat.assignee ? "" : "nobody"}`}>
      ${chat.assignee && html`<${Face} name=${nameOf(chat.assignee) || user.value?.name} />`}
      <bdi aria-hidden="true">${chat.assignee ? capital(assigned(chat.assignee)) : "Unassigned"}</bdi><${Chevron} />
      <select aria-label="Assigned to" value=${chat.assignee ?? ""} onChange=${choose}>
        <option value="">Unassigned</option>
        ${me && html`<option value=${me}>You</option>`}
        ${others.map(({ id, name }) => html`<option key=${id} value=${id}>${text(name) || "Unnamed"}</option>`)}
        ${gone && html`<option value=${chat.assignee} disabled>${assigned(chat.assignee)}</option>`}
      </select>
    </span>
  `;
}
