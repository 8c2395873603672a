//! What is in the store, and since when, as the REST interface tells: whether all that was acknowledged is there at the
//! end, once and in its account, and how soon each lead was.

use std::{
    cell::RefCell,
    collections::HashMap,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::time::MissedTickBehavior;

use super::{
    super::{latency::Latencies, requests::HAPPENED},
    ledger::Ledger,
    plan::Plan,
    scenario::What,
};
use crate::hub::{Hub, Tenant};

/// What the store has of one account's leads.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Stored {
    pub found: u64,
    pub missing: u64,
    pub duplicated: u64,
    pub foreign: u64,
}

#[derive(Deserialize)]
struct Listing {
    data: Vec<Row>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Row {
    meta_lead_id: Option<String>,
    account_id: String,
}

/// Between two looks, each at one account's newest: the accounts take turns.
const LOOK: Duration = Duration::from_millis(25);
/// A lead that is not among the newest by then may have been stored behind them: it is looked for.
const LATE: Duration = Duration::from_secs(1);
/// A hub that doesn't answer by then is asked anew.
const PATIENCE: Duration = Duration::from_secs(2);
/// Leads in a look; when the last of them is new, it looks at those before as well, at more at a time: a hub under load is
/// not to be slowed by who looks on.
const NEWEST: &str = "20";
const BEFORE: &str = "500";

/// When the leads were first seen in the store.
pub(super) struct Seen {
    plan: Rc<Plan>,
    known: Vec<bool>,
    /// For each account, the late lead that was looked for last.
    tried: Vec<usize>,
    /// From when a webhook was due.
    pub after: Latencies,
    /// From one look at an account to the next: what the times are exact to.
    pub apart: Latencies,
}

impl Seen {
    fn new(plan: Rc<Plan>) -> Result<Self> {
        let (after, apart) = (Latencies::new()?, Latencies::new()?);
        let (known, tried) = (vec![false; plan.events()], vec![0; plan.accounts]);
        Ok(Self { plan, known, tried, after, apart })
    }

    /// A lead of the account that was due a while ago and is not known: one after the other, and then from the first on.
    fn late(&mut self, account: usize, since_start: Duration) -> Option<usize> {
        let due = self.plan.due_within(since_start.saturating_sub(LATE));
        let is_late = |event: &usize| !self.known[*event] && self.plan.account_of(*event) == account;
        let tried = self.tried[account];
        let late = (tried + 1..due).find(is_late).or_else(|| (0..due.min(tried + 1)).find(is_late));
        self.tried[account] = late.unwrap_or_default();
        late
    }

    /// Whether the last of the rows was new.
    fn note(&mut self, rows: &[Row], start: Instant, now: Instant) -> bool {
        let mut is_new = false;
        for row in rows {
            let id = row.meta_lead_id.as_ref().and_then(|id| id.parse().ok());
            let event = id.and_then(|id| self.plan.event_of(id));
            is_new = event.is_some_and(|event| !std::mem::replace(&mut self.known[event], true));
            if let Some(event) = event.filter(|_| is_new) {
                self.after.record(now.saturating_duration_since(self.plan.due(start, event)));
            }
        }
        is_new
    }
}

/// Who looks meanwhile, at each account's newest leads and at one that is late.
pub(super) struct Looker {
    http: reqwest::Client,
    url: String,
    tenants: Vec<Tenant>,
    pub seen: RefCell<Seen>,
}

impl Looker {
    pub(super) fn new(hub: &Hub, tenants: &[Tenant], plan: &Rc<Plan>) -> Result<Self> {
        let (seen, tenants) = (RefCell::new(Seen::new(Rc::clone(plan))?), tenants.to_vec());
        Ok(Self { http: hub.http().clone(), url: hub.url("/api/leads"), tenants, seen })
    }

    /// Looks for as long as it is polled. A hub that is away is asked again.
    pub(super) async fn look(&self, ledger: &RefCell<Ledger>) {
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = vec![None; self.tenants.len()];
        for account in (0..self.tenants.len()).cycle() {
            ticks.tick().await;
            let start = ledger.borrow().start();
            if !self.look_at(account, start, None).await {
                continue;
            }
            let now = Instant::now();
            let before: Option<Instant> = last[account].replace(now);
            before.inspect(|before| self.seen.borrow_mut().apart.record(now.saturating_duration_since(*before)));
            let late = self.seen.borrow_mut().late(account, start.elapsed());
            if let Some(event) = late {
                self.look_at(account, start, Some(("until", until(event)))).await;
            }
        }
    }

    /// The newest of the account, or the newest until then, and those before as long as all are new. Whether it was answered.
    async fn look_at(&self, account: usize, start: Instant, mut from: Option<(&str, String)>) -> bool {
        loop {
            let Some(Listing { data, next }) = self.page(account, from).await else { return false };
            let go_on = self.seen.borrow_mut().note(&data, start, Instant::now());
            let Some(next) = next.filter(|_| go_on) else { return true };
            from = Some(("cursor", next));
        }
    }

    async fn page(&self, account: usize, from: Option<(&str, String)>) -> Option<Listing> {
        let limit = if matches!(from, Some(("cursor", _))) { BEFORE } else { NEWEST };
        let mut query = vec![("limit", limit.to_owned())];
        query.extend(from);
        let request = self.http.get(&self.url).query(&query).bearer_auth(&self.tenants[account].token);
        request.timeout(PATIENCE).send().await.ok()?.error_for_status().ok()?.json().await.ok()
    }
}

/// When an event's lead happened: each a second after the one before, so that the list of an account is in their order.
pub(super) fn happened(event: usize) -> i64 {
    HAPPENED.saturating_add_unsigned(event as u64)
}

/// For a list that begins with the event's lead.
fn until(event: usize) -> String {
    let after = DateTime::from_timestamp(happened(event + 1), 0).unwrap_or_default();
    after.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Looks until nothing is missing, or until the time is up; for each account what it found.
pub(super) async fn wait(
    hub: &Hub,
    tenants: &[Tenant],
    ledger: &RefCell<Ledger>,
    seen: &RefCell<Seen>,
    what: What,
    end: Instant,
) -> Result<Vec<Stored>> {
    loop {
        let mut all = Vec::with_capacity(tenants.len());
        for (account, tenant) in tenants.iter().enumerate() {
            let rows = match what {
                What::Leads => leads(hub, tenant).await?,
                What::Messages => messages(hub, tenant).await?,
            };
            seen.borrow_mut().note(&rows, ledger.borrow().start(), Instant::now());
            let mut stored = Stored::default();
            stored.compare(&tenant.account, ledger.borrow().acknowledged_of(account), &rows);
            all.push(stored);
        }
        if all.iter().all(|stored| stored.missing == 0) || Instant::now() >= end {
            return Ok(all);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

impl Stored {
    fn compare(&mut self, account: &str, wanted: impl Iterator<Item = u64>, rows: &[Row]) {
        let mut times: HashMap<&str, u64> = HashMap::new();
        for row in rows {
            self.foreign += u64::from(row.account_id != account);
            *times.entry(row.meta_lead_id.as_deref().unwrap_or_default()).or_default() += 1;
        }
        self.duplicated += times.values().map(|times| times - 1).sum::<u64>();
        self.found += rows.len() as u64;
        self.missing += wanted.filter(|id| !times.contains_key(id.to_string().as_str())).count() as u64;
    }
}

/// All leads that the tenant's user may see, page by page.
async fn leads(hub: &Hub, tenant: &Tenant) -> Result<Vec<Row>> {
    let (mut rows, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut query = vec![("limit", "500")];
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let request = hub.http().get(hub.url("/api/leads")).query(&query).bearer_auth(&tenant.token);
        let page: Listing =
            request.send().await?.error_for_status()?.json().await.context("/api/leads is not as expected")?;
        rows.extend(page.data);
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(rows),
        }
    }
}

/// All messages of all chats that the tenant's user may see.
async fn messages(hub: &Hub, tenant: &Tenant) -> Result<Vec<Row>> {
    #[derive(Deserialize)]
    struct Items<T> {
        items: Vec<T>,
        total: usize,
    }
    #[derive(Deserialize)]
    struct Chat {
        id: String,
    }
    #[derive(Deserialize)]
    struct Message {
        platform_id: String,
        account_id: String,
    }
    async fn all<T: DeserializeOwned>(hub: &Hub, tenant: &Tenant, path: &str) -> Result<Vec<T>> {
        let mut all = Vec::new();
        loop {
            let query = [("limit", "250".to_owned()), ("offset", all.len().to_string())];
            let request = hub.http().get(hub.url(path)).query(&query).bearer_auth(&tenant.token);
            let page: Items<T> = request
                .send()
                .await?
                .error_for_status()?
                .json()
                .await
                .with_context(|| format!("{path} is not as expected"))?;
            let is_last = page.items.is_empty() || all.len() + page.items.len() >= page.total;
            all.extend(page.items);
            if is_last {
                return Ok(all);
            }
        }
    }
    let mut rows = Vec::new();
    for chat in all::<Chat>(hub, tenant, "/api/chats").await? {
        let messages = all::<Message>(hub, tenant, &format!("/api/chats/{}/messages", chat.id)).await?;
        rows.extend(messages.into_iter().map(|message| Row {
            meta_lead_id: message.platform_id.strip_prefix("m_").map(str::to_owned),
            account_id: message.account_id,
        }));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::{
        super::scenario::{Accounts, Phase, Webhooks},
        *,
    };

    #[test]
    fn a_lead_is_stored_when_it_is_seen_first_and_a_look_goes_on_while_all_is_new() {
        let accounts = Accounts { count: 1, sessions: 1, first_share: None };
        let phase = Phase { name: String::new(), seconds: 4.0, rate: 1.0, to: None, first_share: None };
        let plan = Rc::new(Plan::new(100, &accounts, &[phase], &Webhooks::default().deliveries(), Vec::new(), 1));
        let (mut seen, start) = (Seen::new(plan).unwrap(), Instant::now());
        let row = |id: &str| Row { meta_lead_id: Some(id.into()), account_id: "a".into() };
        assert!(seen.note(&[row("100")], start, start + Duration::from_millis(530)));
        assert!(!seen.note(&[row("101"), row("100"), row("7")], start, start + Duration::from_secs(3)));
        let after = seen.after.quantiles().unwrap();
        assert_eq!(until(1), "2026-09-21T14:13:22Z");
        let late = [4, 5, 5, 5].map(|seconds| seen.late(0, Duration::from_secs(seconds)));
        assert_eq!(late, [Some(2), Some(3), Some(2), Some(3)], "all that are late get their turn");
        assert!((after.p50 - 30.0).abs() < 0.1 && (after.max - 1500.0).abs() < 2.0, "{after:?}");
    }

    #[test]
    fn missing_doubled_and_foreign_rows_are_counted() {
        let row = |id: &str, account: &str| Row { meta_lead_id: Some(id.into()), account_id: account.into() };
        let rows = [row("1", "a"), row("2", "a"), row("2", "a"), row("9", "b")];
        let mut stored = Stored::default();
        stored.compare("a", [1, 2, 3].into_iter(), &rows);
        assert_eq!(stored, Stored { found: 4, missing: 1, duplicated: 1, foreign: 1 });
    }
}
