import { Component, html } from "../vendor.js";
import { exact, hour, label, text, webLink } from "../model/text.js";
import { Clip, Tick, Ticks } from "./icons.js";

const KINDS = { img: "Photo", image: "Photo", video: "Video", audio: "Audio", file: "File" };

/** An attachment by name or kind; a link only where its address is one of the web. */
function Attachment({ attachment }) {
  const given = attachment && typeof attachment === "object" ? attachment : {};
  const kind = text(given.type ?? given.attachment_type);
  const name = text(given.file_name ?? given.name).trim() || KINDS[kind.toLowerCase()] || label(kind) || "Attachment";
  const link = webLink(given.url ?? given.attachment_url ?? given.payload?.url);
  const words = html`<${Clip} /><bdi>${name}</bdi>${link && html`<bdi class="attachment-host">${link.host}</bdi>`}`;
  return link
    ? html`<a class="attachment" href=${link.href} target="_blank" rel="noopener noreferrer">${words}</a>`
    : html`<span class="attachment">${words}</span>`;
}

/** How far an own message is. */
function Mark({ seen, delivered }) {
  const word = seen ? "Seen" : delivered ? "Delivered" : "Sent";
  return html`<span class=${`mark-${word.toLowerCase()} told`} title=${word}>${seen || delivered ? html`<${Ticks} />` : html`<${Tick} />`}<span class="unseen">${word}</span></span>`;
}

/** The same reactions together, with how many there are. */
function Reactions({ reactions }) {
  const counts = new Map();
  for (const { value } of reactions) counts.set(text(value), (counts.get(text(value)) ?? 0) + 1);
  return html`<span class="reactions">${[...counts].map(([value, n]) => html`<bdi class="reaction" key=${value}>${value}${n > 1 && ` ${n}`}</bdi>`)}</span>`;
}

/** One message. Renders again only when it changes. */
export class Message extends Component {
  shouldComponentUpdate(next) {
    const { entry, who, joined } = this.props;
    return next.entry !== entry || next.who !== who || next.joined !== joined;
  }

  render({ entry: { id, at, message }, who, joined }) {
    const { deleted, edited, is_sender: own, is_event: event, sent_by_autopilot: program } = message;
    const words = text(message.text);
    const attachments = Array.isArray(message.attachments) ? message.attachments : [];
    const reactions = Array.isArray(message.reactions) ? message.reactions : [];
    const time = html`<time datetime=${new Date(at).toISOString()} title=${exact(at)}>${hour(at)}</time>`;
    if (event) return html`<li class="happened" data-id=${id}><bdi>${words || "Something happened in this chat"}</bdi> ${time}</li>`;
    return html`
      <li class=${`said ${own ? "own" : "theirs"} ${joined ? "joined" : ""}`} data-id=${id}>
        ${who && html`<bdi class="said-who">${who}</bdi>`}
        <div class="bubble" dir="auto">
          ${deleted ? html`<p class="said-gone">Message deleted</p>` : words && html`<p class="said-text">${words}</p>`}
          ${!deleted && !words && attachments.length === 0 && html`<p class="said-gone">No text</p>`}
          ${attachments.map((attachment, n) => html`<${Attachment} key=${n} attachment=${attachment} />`)}
          <p class="said-when">
            ${program && html`<span>Autopilot</span>`}${edited && !deleted ? html`<span title=${text(message.original)}>Edited</span>` : null}
            ${time}${own ? html`<${Mark} seen=${message.seen} delivered=${message.delivered} />` : null}
          </p>
        </div>
        ${reactions.length > 0 && html`<${Reactions} reactions=${reactions} />`}
      </li>
    `;
  }
}
