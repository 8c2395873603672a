import { Component, html } from "../vendor.js";
import { address, follow, open } from "../model/route.js";
import { nameOf } from "../model/people.js";
import { accountName, mayEdit, user } from "../model/session.js";
import { messenger, text } from "../model/text.js";
import { Face, assigned } from "./people.js";
import { Ago } from "./row.js";

/** The other person's name, once somebody said it. */
export const chatName = (chat) => text(chat.name).trim() || "Unknown";

/** Where the chat takes place. */
export const chatPlace = (chat, several) => [messenger(chat.account_type), several && accountName(chat.account_id)].filter(Boolean).join(" · ");

/** One chat. Renders again only when its own chat changes, however long the list is. */
export class Chat extends Component {
  shouldComponentUpdate(next) {
    const { chat, opened, several } = this.props;
    return next.chat !== chat || next.opened !== opened || next.several !== several;
  }

  render({ chat, opened, several }) {
    // What lies open before somebody is being marked read.
    const unread = opened && mayEdit(chat.account_id) ? 0 : chat.unread_count;
    const preview = text(chat.last_message).trim();
    const task = chat.assignee;
    return html`
      <li class=${`chat ${unread ? "unread" : ""} ${opened ? "opened" : ""}`} data-id=${chat.id}>
        <span class="node"></span>
        <div class="chat-top">
          <a class="chat-link" href=${address(chat.id)} aria-current=${opened ? "true" : undefined} onClick=${(event) => follow(event, () => open(chat.id))}>
            <bdi>${chatName(chat)}</bdi>
          </a>
          <span class="chat-when"><${Ago} stamp=${chat.timestamp} /></span>
        </div>
        <div class="chat-middle">
          <bdi class=${`chat-last ${preview ? "" : "wordless"}`}>${preview || "No text"}</bdi>
          ${unread > 0 && html`<span class="count">${unread > 99 ? "99+" : unread}</span><span class="unseen"> unread</span>`}
        </div>
        <div class="chat-bottom">
          <bdi class="chat-place">${chatPlace(chat, several)}</bdi>
          ${task && html`<${Face} name=${nameOf(task) || user.value?.name} title=${`Assigned to ${assigned(task)}`} />`}
        </div>
      </li>
    `;
  }
}
