import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../vendor.js";
import { chatOf, fetchChat, toggleIgnored } from "../model/chats.js";
import { now } from "../model/clock.js";
import { enter, hasOlder, messages, messagesFailure, readMessages, readOlder, readingMessages } from "../model/conversation.js";
import { enterOutbox, readSends, waiting } from "../model/outbox.js";
import { close } from "../model/route.js";
import { accounts, mayEdit } from "../model/session.js";
import { count, day, text } from "../model/text.js";
import { chatName, chatPlace } from "./chat.js";
import { Composer } from "./composer.js";
import { Back, Up } from "./icons.js";
import { Message } from "./message.js";
import { Assignee, Here, typing } from "./people.js";
import { Waiting } from "./waiting.js";

/** Messages this close together, of the same person, belong together. */
const TOGETHER = 5 * 60_000;
/** This near the end somebody reads what is newest. */
const NEAR = 60;

const sameVoice = (one, other) =>
  one && !one.message.is_event && Boolean(one.message.is_sender) === Boolean(other.message.is_sender) && text(one.message.sender_id) === text(other.message.sender_id);

/** Messages under their days, each with what its neighbours decide. */
function useDays(name) {
  const shown = messages.value;
  const today = new Date(now.value).toDateString();
  return useMemo(() => {
    const days = [];
    let before;
    for (const entry of shown) {
      if (entry.message.hidden) continue;
      const title = day(entry.at, now.peek());
      if (days.at(-1)?.title !== title) days.push({ title, said: [] });
      const first = days.at(-1).said.length === 0 || !sameVoice(before, entry);
      const voice = text(entry.message.sender_name).trim();
      const who = first && !entry.message.is_sender && voice !== name ? voice : "";
      days.at(-1).said.push({ entry, who, joined: !first && entry.at - before.at < TOGETHER });
      before = entry;
    }
    return days;
  }, [shown, today, name]);
}

function Older() {
  if (!hasOlder.value) return null;
  const waits = readingMessages.value === "older";
  return html`
    <div class="foot"><button type="button" class="button" disabled=${waits} onClick=${readOlder}>${waits ? "Loading…" : "Load older"}</button></div>
  `;
}

/**
 * Keeps the end in view for who reads there, and the place of everybody else. What came below is counted.
 * @param {import("../vendor.js").Ref<HTMLElement>} scroller
 */
function usePlace(scroller) {
  const [below, setBelow] = useState(0);
  const place = useRef({ atEnd: true, last: undefined, first: undefined, height: 0, width: 0 });
  const shown = messages.value;
  useLayoutEffect(() => {
    const { current: box } = scroller;
    const { atEnd, last, first, height } = place.current;
    const newest = shown.at(-1);
    if (atEnd) box.scrollTop = box.scrollHeight;
    else if (shown[0]?.id !== first) box.scrollTop += box.scrollHeight - height;
    else if (last) setBelow((n) => n + shown.filter((entry) => entry.at > last.at && entry.id !== last.id).length);
    Object.assign(place.current, { last: newest, first: shown[0]?.id, height: box.scrollHeight });
  }, [shown]);
  // What somebody sends here is seen to go.
  const queue = waiting.value;
  const queued = useRef(queue.length);
  useLayoutEffect(() => {
    const { current: box } = scroller;
    if (place.current.atEnd || queue.length > queued.current) box.scrollTop = box.scrollHeight;
    queued.current = queue.length;
    place.current.height = box.scrollHeight;
  }, [queue]);
  // A phone is turned, a window made smaller.
  useEffect(() => {
    const { current: box } = scroller;
    const observer = new ResizeObserver(() => {
      Object.assign(place.current, { width: box.clientWidth, height: box.scrollHeight });
      if (place.current.atEnd) box.scrollTop = box.scrollHeight;
    });
    observer.observe(box);
    return () => observer.disconnect();
  }, []);
  const scrolled = () => {
    const { current: box } = scroller;
    // Another width moves everything: nobody scrolled.
    if (box.clientWidth !== place.current.width) return;
    place.current.atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR;
    if (place.current.atEnd) setBelow(0);
  };
  return { below, scrolled };
}

function Messages({ name }) {
  const scroller = useRef(null);
  const { below, scrolled } = usePlace(scroller);
  const days = useDays(name);
  const toEnd = () => scroller.current.scrollTo({ top: scroller.current.scrollHeight, behavior: "smooth" });
  const state = readingMessages.value;
  return html`
    <div class="messages" ref=${scroller} onScroll=${scrolled} aria-busy=${state === "first"} tabindex="0" role="log" aria-label="Messages">
      ${state === "error" && html`<div class="foot" role="alert"><span>${messagesFailure.value}</span><button type="button" class="button" onClick=${readMessages}>Try again</button></div>`}
      <${Older} />
      ${state === "" && days.length === 0 && waiting.value.length === 0 && html`<p class="foot">There are no messages in this chat.</p>`}
      ${days.map(
        ({ title, said }) => html`
          <section key=${title} aria-label=${title}>
            <h3 class="messages-day"><span>${title}</span></h3>
            <ol>${said.map((each) => html`<${Message} key=${each.entry.id} ...${each} />`)}</ol>
          </section>
        `,
      )}
      <${Waiting} />
      ${below > 0 && html`<button type="button" class="new-above new-below" onClick=${toEnd}><${Up} /> ${count(below, "new message")}</button>`}
    </div>
  `;
}

/** The chat if it is at hand, else fetched: a link may lead to one that is not on the list. A string says why not. */
function useChat(id) {
  const [problem, setProblem] = useState("");
  const chat = chatOf(id);
  const missing = !chat;
  useEffect(() => {
    if (!missing) return undefined;
    let wanted = true;
    fetchChat(id).catch((error) => wanted && setProblem(error.message));
    return () => (wanted = false);
  }, [id, missing]);
  return chat ?? (problem || undefined);
}

/** One chat in full: who it is with, and what was said. */
export function Conversation({ id }) {
  const chat = useChat(id);
  const heading = useRef(null);
  useEffect(() => enter(id), [id]);
  useEffect(() => enterOutbox(id), [id]);
  // Told of by a pushed message, and not stored yet: there is nothing to read until the hub has said more.
  const pushed = chat?.updated_at === "";
  useEffect(() => {
    if (pushed) return;
    void readMessages();
    void readSends();
  }, [id, pushed]);
  // On a phone the chat covers the list: the focus goes with it. Beside the list it stays where the person works.
  useEffect(() => {
    if (matchMedia("(max-width: 760px)").matches) heading.current?.focus();
  }, [id, Boolean(chat)]);
  if (typeof chat === "string") {
    return html`<section class="conversation"><div class="empty"><h2>Not to be found</h2><p>${chat}</p><button type="button" class="button" onClick=${close}>Back to the inbox</button></div></section>`;
  }
  const name = chat ? chatName(chat) : "";
  const busy = typing();
  return html`
    <section class="conversation" aria-label="Chat">
      <header class="conversation-head">
        <button type="button" class="icon-button conversation-back" onClick=${close} aria-label="Back to the chats" title="Back (Esc)"><${Back} /></button>
        <div class="conversation-who">
          <h2 ref=${heading} tabindex="-1"><bdi>${name}</bdi></h2>
          <p role="status" class=${busy ? "typing" : ""}><bdi>${busy || (chat && chatPlace(chat, accounts.value.length > 1))}</bdi></p>
        </div>
        <${Here} />
        ${chat?.updated_at && html`<${Assignee} chat=${chat} />`}
        ${chat?.updated_at && mayEdit(chat.account_id) && html`<button type="button" class="button" onClick=${() => toggleIgnored(chat)}>${chat.is_ignored ? "Unignore" : "Ignore"}</button>`}
      </header>
      <${Messages} name=${name} />
      ${chat?.updated_at && html`<${Composer} chat=${chat} key=${id} />`}
    </section>
  `;
}
