import { html, useEffect, useLayoutEffect, useMemo, useRef } from "../vendor.js";
import { now } from "../model/clock.js";
import { above, atTop, failure, filter, full, hasMore, narrow, read, reading, readMore, rows } from "../model/feed.js";
import { status } from "../model/live.js";
import { opened } from "../model/route.js";
import { accountName, accounts } from "../model/session.js";
import { count, day } from "../model/text.js";
import { Up } from "./icons.js";
import { Row } from "./row.js";

/** A click on the list's own "n new" goes up; arriving there forgets them. */
function NewAbove({ list }) {
  if (above.value === 0) return null;
  const up = () => list.current?.scrollTo({ top: 0, behavior: "smooth" });
  return html`<button type="button" class="new-above" onClick=${up}><${Up} /> ${count(above.value, "new lead")}</button>`;
}

export const Skeleton = () => html`
  <div class="skeleton" aria-hidden="true">
    ${[64, 48, 72, 56, 40, 68, 52, 60].map((width, at) => html`<div key=${at} class=${`bone w${width}`}><i></i><i></i><i></i></div>`)}
  </div>
`;

function Empty() {
  const { q, status: wanted, account } = filter.value;
  const asked = q || wanted || account;
  if (!asked) {
    return html`
      <div class="empty">
        <h2>The wire is quiet</h2>
        <p>New leads appear here the moment somebody sends a form. There is nothing to refresh.</p>
      </div>
    `;
  }
  return html`
    <div class="empty">
      <h2>No leads match</h2>
      <p>Nothing here for <bdi>${[wanted, account && accountName(account), q && `“${q}”`].filter(Boolean).join(", ")}</bdi>. New leads that match will still appear live.</p>
      <button type="button" class="button" onClick=${() => narrow({ q: "", status: "", account: "" })}>Show all leads</button>
    </div>
  `;
}

const Failed = () => html`
  <div class="empty" role="alert">
    <h2>The leads can't be read just now</h2>
    <p>${failure.value} New leads still appear live.</p>
    <button type="button" class="button" onClick=${() => read(false)}>Try again</button>
  </div>
`;

function Foot() {
  if (reading.value === "error" && rows.value.length) {
    return html`<div class="foot" role="alert"><span>${failure.value}</span><button type="button" class="button" onClick=${() => read(false)}>Try again</button></div>`;
  }
  if (full.value) return html`<p class="foot">These are the newest ${count(rows.value.length, "lead")}. Search to find older ones.</p>`;
  if (!hasMore.value) return rows.value.length ? html`<p class="foot end">That's all of them.</p>` : null;
  return html`
    <div class="foot">
      <button type="button" class="button" disabled=${reading.value === "more"} onClick=${readMore}>
        ${reading.value === "more" ? "Loading…" : "Load more"}
      </button>
    </div>
  `;
}

/** Rows under the day they came; memoised, because a minute's tick changes no row's day but at midnight. */
function Days({ several }) {
  const today = new Date(now.value).toDateString();
  const days = useMemo(() => {
    const groups = [];
    for (const row of rows.value) {
      const name = day(row.at, now.peek());
      if (groups.at(-1)?.name !== name) groups.push({ name, rows: [] });
      groups.at(-1).rows.push(row);
    }
    return groups;
  }, [rows.value, today]);
  return days.map(
    (group) => html`
      <section class="day" key=${group.name} aria-label=${group.name}>
        <h2 class="day-name"><span>${group.name}</span></h2>
        <ol class="rows">
          ${group.rows.map((row) => html`<${Row} key=${row.id} row=${row} opened=${opened.value === row.id} several=${several} />`)}
        </ol>
      </section>
    `,
  );
}

/** The leads, newest first, strung on the wire. */
export function List() {
  const list = useRef(null);
  const scrolled = () => {
    atTop.now = list.current.scrollTop < 40;
    if (atTop.now && above.peek()) above.value = 0;
  };
  useEffect(() => () => (atTop.now = true), []);
  useLayoutEffect(() => {
    list.current.scrollTop = 0;
  }, [filter.value]);

  const nothing = rows.value.length === 0;
  const several = accounts.value.length > 1 && !filter.value.account;
  return html`
    <div class=${`list ${["live", "catching-up"].includes(status.value.state) ? "is-live" : ""} ${several ? "several" : ""}`} ref=${list} onScroll=${scrolled}
      aria-busy=${reading.value === "first"} tabindex="-1">
      <h1 class="unseen">Leads</h1>
      <${NewAbove} list=${list} />
      ${nothing && reading.value === "first" && html`<${Skeleton} />`}
      ${nothing && reading.value === "error" && html`<${Failed} />`}
      ${nothing && reading.value === "" && html`<${Empty} />`}
      <${Days} several=${several} />
      ${(!nothing || hasMore.value) && html`<${Foot} />`}
    </div>
  `;
}
