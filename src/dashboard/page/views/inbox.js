import { html, useEffect, useLayoutEffect, useRef } from "../vendor.js";
import { chatFilter, chats, chatsFailure, hasMoreChats, narrowChats, readChats, readMoreChats, readingChats } from "../model/chats.js";
import { status } from "../model/live.js";
import { openedChat } from "../model/route.js";
import { accounts } from "../model/session.js";
import { Chat } from "./chat.js";
import { Conversation } from "./conversation.js";
import { Skeleton } from "./list.js";

const NOTHING = {
  open: ["No messages yet", "What people write appears here the moment it is sent. There is nothing to refresh."],
  unread: ["All read", "Nobody waits for an answer that you haven't seen."],
  ignored: ["Nothing ignored", "Chats that somebody puts aside are kept here."],
};

function Empty() {
  const { show, account } = chatFilter.value;
  const [heading, words] = NOTHING[show];
  return html`
    <div class="empty">
      <h2>${heading}</h2>
      <p>${words}</p>
      ${(show !== "open" || account) && html`<button type="button" class="button" onClick=${() => narrowChats({ show: "open", account: "" })}>Show all chats</button>`}
    </div>
  `;
}

const Failed = () => html`
  <div class="empty" role="alert">
    <h2>The chats can't be read just now</h2>
    <p>${chatsFailure.value} New messages still appear live.</p>
    <button type="button" class="button" onClick=${() => readChats(false)}>Try again</button>
  </div>
`;

function Foot() {
  if (readingChats.value === "error") {
    return html`<div class="foot" role="alert"><span>${chatsFailure.value}</span><button type="button" class="button" onClick=${() => readChats(false)}>Try again</button></div>`;
  }
  if (!hasMoreChats.value) return html`<p class="foot end">That's all of them.</p>`;
  return html`
    <div class="foot">
      <button type="button" class="button" disabled=${readingChats.value === "more"} onClick=${readMoreChats}>
        ${readingChats.value === "more" ? "Loading…" : "Load more"}
      </button>
    </div>
  `;
}

/** The chats, those with the newest messages first. */
function Chats() {
  const list = useRef(null);
  useEffect(() => {
    if (readingChats.value === "none") void readChats(true);
  }, [readingChats.value]);
  useLayoutEffect(() => {
    list.current.scrollTop = 0;
  }, [chatFilter.value]);
  const nothing = chats.value.length === 0;
  const waits = ["none", "first"].includes(readingChats.value);
  const several = accounts.value.length > 1 && !chatFilter.value.account;
  return html`
    <div class=${`list chats ${["live", "catching-up"].includes(status.value.state) ? "is-live" : ""}`} ref=${list} aria-busy=${waits} tabindex="-1">
      <h1 class="unseen">Inbox</h1>
      ${nothing && waits && html`<${Skeleton} />`}
      ${nothing && readingChats.value === "error" && html`<${Failed} />`}
      ${nothing && readingChats.value === "" && html`<${Empty} />`}
      <ol>
        ${chats.value.map((chat) => html`<${Chat} key=${chat.id} chat=${chat} opened=${openedChat.value === chat.id} several=${several} />`)}
      </ol>
      ${!nothing && html`<${Foot} />`}
    </div>
  `;
}

/** The chats and the opened one beside them; over them on a phone. */
export const Inbox = () => html`
  <div class="inbox">
    <${Chats} />
    ${openedChat.value
      ? html`<${Conversation} id=${openedChat.value} key=${openedChat.value} />`
      : html`<div class="no-conversation"><p>Choose a chat to read it.</p></div>`}
  </div>
`;
