//! Whether what was acknowledged is in the store, once and in its account, as the REST interface tells.

use std::{
    cell::RefCell,
    collections::HashMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::ledger::Ledger;
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

/// Looks until nothing is missing, or until the time is up; for each account what it found.
pub(super) async fn wait(hub: &Hub, tenants: &[Tenant], ledger: &RefCell<Ledger>, end: Instant) -> Result<Vec<Stored>> {
    loop {
        let mut all = Vec::with_capacity(tenants.len());
        for (account, tenant) in tenants.iter().enumerate() {
            let rows = list(hub, tenant).await?;
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
async fn list(hub: &Hub, tenant: &Tenant) -> Result<Vec<Row>> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_doubled_and_foreign_rows_are_counted() {
        let row = |id: &str, account: &str| Row { meta_lead_id: Some(id.into()), account_id: account.into() };
        let rows = [row("1", "a"), row("2", "a"), row("2", "a"), row("9", "b")];
        let mut stored = Stored::default();
        stored.compare("a", [1, 2, 3].into_iter(), &rows);
        assert_eq!(stored, Stored { found: 4, missing: 1, duplicated: 1, foreign: 1 });
    }
}
