import { html, useEffect, useMemo } from "../vendor.js";
import { accountCosts, costAccount, costsFailure, narrowCosts, readAlerts, readCosts, readThresholds, readingCosts, serviceName, spending } from "../model/costs.js";
import { often } from "../model/often.js";
import { accountName, accounts } from "../model/session.js";
import { money, text } from "../model/text.js";
import { Alerts } from "./alerts.js";
import { Unread } from "./split.js";
import { Thresholds } from "./thresholds.js";

/** Sums are told by nothing but alerts. */
const EVERY = 10_000;
/** Bars of one picture; the rest is one more. */
const MOST_BARS = 6;

const Tile = ({ name, value, more }) => html`<div class="tile"><dt>${name}</dt><dd>${value}</dd>${more && html`<dd class="tile-more">${more}</dd>`}</div>`;

function Tiles({ sums, days }) {
  const yesterday = days.at(-2)?.total ?? 0;
  return html`
    <dl class="tiles">
      <${Tile} name="Today" value=${money(sums.daily_spend)} more=${`yesterday ${money(yesterday)}`} />
      <${Tile} name="Last hour" value=${money(sums.hourly_spend)} />
      <${Tile} name="Per lead" value=${sums.cost_per_lead_24h === null ? "–" : money(sums.cost_per_lead_24h)} more="in 24 hours" />
      <${Tile} name="Per campaign" value=${sums.cost_per_campaign_24h === null ? "–" : money(sums.cost_per_campaign_24h)} more="in 24 hours" />
    </dl>
  `;
}

/** All accounts' days as one row of days. */
function useDays() {
  const each = accountCosts.value;
  return useMemo(() => {
    const days = new Map();
    for (const { day, total } of each.flatMap((account) => account.days)) days.set(day, (days.get(day) ?? 0) + total);
    return [...days].map(([day, total]) => ({ day, total })).sort((a, b) => (a.day < b.day ? -1 : 1));
  }, [each]);
}

const dayName = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" });
const dayShort = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", timeZone: "UTC" });

/** Thirty days as columns; what each is stands in its title and in words for those who can't see it. */
function Days({ days }) {
  const most = Math.max(...days.map(({ total }) => total), 0);
  if (most === 0) return html`<p class="quiet">Nothing was spent in thirty days.</p>`;
  const sum = days.reduce((before, { total }) => before + total, 0);
  return html`
    <div class="days" role="img" aria-label=${`Thirty days, together ${money(sum)}; the most on one day was ${money(most)}`}>
      <span class="days-most" aria-hidden="true">most in a day ${money(most)}</span>
      <div class="columns" aria-hidden="true">
        ${days.map(({ day, total }, at) => html`
          <span key=${day} class=${`column ${at === days.length - 1 ? "today" : ""}`} title=${`${dayName.format(Date.parse(day))}: ${money(total)}`}>
            <i style=${{ height: total ? `max(3px, ${(100 * total) / most}%)` : "1px" }}></i>
          </span>
        `)}
      </div>
      <p class="days-ends" aria-hidden="true"><span>${dayShort.format(Date.parse(days[0].day))}</span><span>Today (UTC)</span></p>
    </div>
  `;
}

/** Names and amounts, the largest first, each with its share as a bar. */
function Bars({ amounts, nothing }) {
  const sorted = amounts.filter(({ amount }) => amount > 0).toSorted((a, b) => b.amount - a.amount);
  if (sorted.length === 0) return html`<p class="quiet">${nothing}</p>`;
  const rest = sorted.slice(MOST_BARS).reduce((sum, { amount }) => sum + amount, 0);
  const shown = [...sorted.slice(0, MOST_BARS), ...(rest > 0 ? [{ name: `${sorted.length - MOST_BARS} more`, amount: rest }] : [])];
  const most = Math.max(...shown.map(({ amount }) => amount));
  return html`
    <ul class="bars">
      ${shown.map(({ name, amount }) => html`
        <li key=${name}>
          <span class="bars-name" title=${name}><bdi>${name}</bdi></span><span class="bars-amount">${money(amount)}</span>
          <span class="bars-bar"><i style=${{ width: `${(100 * amount) / most}%` }}></i></span>
        </li>
      `)}
    </ul>
  `;
}

function Pictures({ sums, days }) {
  const services = Object.entries(sums.top_spending_services_today ?? {}).map(([name, amount]) => ({ name: serviceName(name), amount }));
  const each = accountCosts.value.map(({ account_id, daily_spend }) => ({ name: text(accountName(account_id)), amount: daily_spend }));
  return html`
    <section class="card wide"><h2>Thirty days</h2><${Days} days=${days} /></section>
    <section class="card"><h2>Services today</h2><${Bars} amounts=${services} nothing="Nothing was spent today." /></section>
    ${accounts.value.length > 1 && !costAccount.value && html`<section class="card"><h2>Accounts today</h2><${Bars} amounts=${each} nothing="Nothing was spent today." /></section>`}
  `;
}

/** What is spent at others' APIs, what came of it, and what it is held against. */
export function Costs() {
  useEffect(() => often(EVERY, readCosts), []);
  useEffect(() => (void readAlerts(), void readThresholds()), []);
  const sums = spending.value;
  const days = useDays();
  return html`
    <div class="list costs" aria-busy=${readingCosts.value === "first"} tabindex="-1">
      <header class="costs-head">
        <h1>Costs</h1>
        ${costAccount.value && html`<p><bdi>${text(accountName(costAccount.value))}</bdi> <button type="button" class="link" onClick=${() => narrowCosts("")}>Show all accounts</button></p>`}
      </header>
      ${!sums && readingCosts.value === "error" && html`<${Unread} what="The costs" failure=${costsFailure.value} again=${readCosts} />`}
      ${!sums && readingCosts.value === "first" && html`<div class="tiles waiting-tiles" aria-hidden="true"><i></i><i></i><i></i><i></i></div>`}
      ${sums && readingCosts.value === "error" && html`<p class="stale" role="alert">${costsFailure.value} These are the last known sums.</p>`}
      ${sums && html`<${Tiles} sums=${sums} days=${days} />`}
      <div class="cards">
        <${Alerts} />
        ${sums && html`<${Pictures} sums=${sums} days=${days} />`}
        <${Thresholds} />
      </div>
    </div>
  `;
}
