//! `leadwire audit`: who did what.

use std::time::Duration;

use chrono::TimeDelta;
use clap::Subcommand;

use super::{BadInput, database, table};
use crate::{
    config::Settings,
    domain::{
        AgencyId,
        audit::{Action, Actor, Entry},
        clock,
    },
    store::{AuditFilter, AuditScope},
};

/// Records read in one go.
const PAGE: u32 = 1_000;

/// Who did what.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Lists what was recorded, the newest first.
    List {
        /// Only this agency's; without it all, failed logins of nobody's as well.
        #[arg(long)]
        agency: Option<AgencyId>,
        /// Only what is no older, as `7d` or `12h`.
        #[arg(long, value_parser = humantime_serde::re::humantime::parse_duration)]
        since: Option<Duration>,
        /// Only this: `login.failed`, `member.added` and so on.
        #[arg(long)]
        action: Option<Action>,
        /// Only by this one: `usr_…`, `key_…`, `operator:name`, `hub` or `unknown`.
        #[arg(long)]
        actor: Option<Actor>,
        /// At most so many.
        #[arg(long, default_value_t = 100)]
        limit: u32,
        /// One JSON object a line, for other programs.
        #[arg(long)]
        json: bool,
    },
}

impl Audit {
    pub(super) async fn run(self, settings: &Settings) -> anyhow::Result<()> {
        let Self::List { agency, since, action, actor, limit, json } = self;
        let store = database::ready(settings).await?;
        let since = since.map(|age| {
            let age = TimeDelta::from_std(age).ok();
            let since = age.and_then(|age| clock::now().checked_sub_signed(age));
            since.ok_or_else(|| BadInput("--since is too long".to_owned()))
        });
        let scope = agency.map_or(AuditScope::Everything, AuditScope::Agency);
        let mut filter =
            AuditFilter { scope, since: since.transpose()?, until: None, action, actor, limit: PAGE, cursor: None };
        let mut entries: Vec<Entry> = Vec::new();
        let most = usize::try_from(limit)?;
        while entries.len() < most {
            filter.limit = u32::try_from(most - entries.len())?.min(PAGE);
            let page = store.audit(&filter).await?;
            entries.extend(page.entries);
            let Some(next) = page.next else { break };
            filter.cursor = Some(next);
        }
        show(entries, json)
    }
}

fn show(entries: Vec<Entry>, json: bool) -> anyhow::Result<()> {
    if json {
        for entry in entries {
            table::show(&format!("{}\n", serde_json::to_string(&entry)?));
        }
        return Ok(());
    }
    let rows = entries.into_iter().map(|entry| {
        [
            clock::rfc3339(entry.at),
            entry.action.to_string(),
            entry.actor.to_string(),
            database::or_dash(entry.address),
            database::or_dash(entry.target),
            database::or_dash(entry.agency),
            database::or_dash(entry.account),
            entry.details.to_string(),
        ]
    });
    table::print(["at", "action", "actor", "from", "target", "agency", "account", "details"], rows);
    Ok(())
}
