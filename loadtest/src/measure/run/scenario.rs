//! The keys of `kind = "leads"`: what is sent, by whom it is seen, what breaks meanwhile, and what must hold.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Result, bail, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::{
    super::scenarios::{Keys, between, within},
    clients::Clients,
    faults::{Broken, Fault, Part, Storm},
};

use crate::platform::meta::Deliveries;

/// One run.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::measure) struct Scenario {
    #[serde(default)]
    pub(super) hub: HubSettings,
    pub(super) accounts: Accounts,
    #[serde(default)]
    pub(super) webhooks: Webhooks,
    #[serde(default)]
    pub(super) platform: Platform,
    pub(super) phases: Vec<Phase>,
    #[serde(default)]
    pub(super) faults: Vec<Fault>,
    #[serde(default)]
    pub(super) clients: Clients,
    /// How long to wait, at the end, for what was not pushed or stored yet.
    #[serde(default = "a_minute")]
    pub(super) drain_seconds: f64,
    #[serde(default)]
    pub(super) targets: Targets,
}

/// The hub under test.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HubSettings {
    #[serde(default)]
    pub database: Store,
    /// `"section.key" = value`, as in the hub's settings file.
    #[serde(default)]
    pub settings: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Store {
    /// The embedded SQLite.
    #[default]
    Embedded,
    /// A database of its own on the server that `--postgres` names.
    Postgres,
}

/// Who has pages, and who looks on.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Accounts {
    /// All of one agency.
    pub count: usize,
    /// Of each account's user.
    pub sessions: usize,
    /// Of all leads, this share comes for the first account; the others share the rest in turns. Even by default.
    pub first_share: Option<f64>,
}

/// How the platform posts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Webhooks {
    /// What happens at the platform.
    pub what: What,
    /// Who write messages to each account, in turns, each in a chat of their own.
    pub people: u64,
    /// Connections of the platform.
    pub connections: usize,
    /// Leads in one POST.
    pub batch: usize,
    /// The share of POSTs that are delivered again.
    pub redelivered: f64,
    /// How often at most.
    pub copies: u32,
    /// POSTs change places within so many; 1 keeps the order.
    pub shuffle: usize,
}

impl Default for Webhooks {
    fn default() -> Self {
        Self { what: What::Leads, people: 20, connections: 64, batch: 1, redelivered: 0.0, copies: 1, shuffle: 1 }
    }
}

impl Webhooks {
    pub(super) const fn deliveries(&self) -> Deliveries {
        let Self { batch, redelivered, copies, shuffle, .. } = *self;
        Deliveries { batch, redelivered, copies, shuffle }
    }
}

/// What the webhooks tell of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::measure) enum What {
    /// Filled-in forms, whose answers the hub has to fetch.
    #[default]
    Leads,
    /// Messages of people to each account.
    Messages,
}

impl What {
    /// The type of the envelopes that sessions get.
    pub(super) const fn envelope(self) -> &'static str {
        match self {
            Self::Leads => "new_lead",
            Self::Messages => "message:new",
        }
    }
}

/// How the platform answers.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Platform {
    /// What a call takes.
    pub latency_ms: u64,
}

/// A stretch of the schedule.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Phase {
    pub name: String,
    pub seconds: f64,
    /// Leads a second.
    pub rate: f64,
    /// Where the rate gets to, evenly; by default it stays.
    pub to: Option<f64>,
    /// In place of `accounts.first_share`.
    pub first_share: Option<f64>,
}

/// What must hold besides nothing being lost, duplicated or leaked. In milliseconds unless it says otherwise.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Targets {
    pub acknowledge_p50_ms: Option<f64>,
    pub acknowledge_p99_ms: Option<f64>,
    pub push_p50_ms: Option<f64>,
    pub push_p99_ms: Option<f64>,
    /// Of the accounts but the first.
    pub others_push_p99_ms: Option<f64>,
    /// Of the accounts but the first: the p99 in phases of another name than the first phase's, as a multiple of that in
    /// the phase of that name before it; the median.
    pub others_push_p99_of_first_phase: Option<f64>,
    /// Of the longest chat of the first account.
    pub first_page_p99_ms: Option<f64>,
    pub rss_mib: Option<f64>,
}

const fn a_minute() -> f64 {
    60.0
}

impl Scenario {
    pub(super) fn length(&self) -> Duration {
        Duration::from_secs_f64(self.phases.iter().map(|phase| phase.seconds).sum())
    }

    /// Whether sessions may end before the run does.
    pub(super) fn cuts_sessions(&self) -> bool {
        [Broken::HubKilled, Broken::HubRestarted, Broken::ClientsCut].into_iter().any(|what| self.has(what))
    }

    pub(super) fn has(&self, what: Broken) -> bool {
        self.faults.iter().any(|fault| fault.what == what)
    }

    /// When the platform hears no answers, in order.
    pub(super) fn storms(&self) -> Vec<Storm> {
        let mut storms: Vec<Storm> = self.faults.iter().filter_map(Fault::storm).collect();
        storms.sort_by_key(|storm| storm.from);
        storms
    }

    fn check_storms(&self) -> Result<()> {
        for pair in self.storms().windows(2) {
            ensure!(pair[0].to <= pair[1].from, "faults: one retry-storm begins before the one before it came down");
        }
        Ok(())
    }
}

impl Keys for Scenario {
    fn check(&self) -> Result<()> {
        // With one, nobody could see a leak.
        within("accounts.count", self.accounts.count, 2, 1000)?;
        within("accounts.sessions", self.accounts.sessions, 1, 20_000)?;
        within("webhooks.people", usize::try_from(self.webhooks.people).unwrap_or(usize::MAX), 1, 1_000_000)?;
        within("webhooks.connections", self.webhooks.connections, 1, 4096)?;
        within("webhooks.batch", self.webhooks.batch, 1, 1000)?;
        within("webhooks.copies", self.webhooks.copies as usize, 1, 46)?;
        within("webhooks.shuffle", self.webhooks.shuffle, 1, 10_000)?;
        between("webhooks.redelivered", self.webhooks.redelivered, 0.0, 1.0)?;
        between("accounts.first_share", self.accounts.first_share.unwrap_or(0.0), 0.0, 1.0)?;
        between("drain_seconds", self.drain_seconds, 0.0, 3600.0)?;
        ensure!(!self.phases.is_empty(), "phases: at least one [[phases]] is needed");
        for phase in &self.phases {
            let of = |key: &str| format!("phases: {key} of {}", phase.name);
            between(&of("seconds"), phase.seconds, 0.1, 24.0 * 3600.0)?;
            between(&of("rate"), phase.rate, 0.0, 100_000.0)?;
            between(&of("to"), phase.to.unwrap_or(0.0), 0.0, 100_000.0)?;
            between(&of("first_share"), phase.first_share.unwrap_or(0.0), 0.0, 1.0)?;
        }
        self.clients.check()?;
        let length = self.length().as_secs_f64();
        for fault in &self.faults {
            fault.check(length)?;
            if fault.what.part() == Part::Database && self.hub.database != Store::Postgres {
                bail!("faults: {} needs hub.database = \"postgres\"", fault.what);
            }
        }
        self.check_storms()?;
        if let Some(key) = self.hub.settings.keys().find(|key| !key.contains('.')) {
            bail!("hub.settings: `{key}` has no section: write \"section.key\" = value");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::scenarios;

    const SMALL: &str = "about = \"x\"\naccounts = { count = 2, sessions = 1 }\n";

    fn wrong(text: &str) -> String {
        format!("{:#}", scenarios::read("mine", &format!("{SMALL}{text}")).unwrap_err())
    }

    #[test]
    fn a_mistake_is_named_with_its_line() {
        let unknown = wrong("[[phases]]\nname = \"a\"\nseconds = 1.0\nrate = 1.0\nspeed = 3\n");
        assert!(unknown.contains("line 7") && unknown.contains("speed"), "{unknown}");
        let negative = wrong("[[phases]]\nname = \"a\"\nseconds = -1.0\nrate = 1.0\n");
        assert!(negative.contains("phases: seconds of a = -1: use 0.1 to"), "{negative}");
        assert!(wrong("phases = []\n").contains("at least one"));
        let phase = "[[phases]]\nname = \"a\"\nseconds = 1.0\nrate = 1.0\n";
        assert!(wrong(&format!("{phase}[[faults]]\nat = 0.5\nwhat = \"database-stopped\"\n")).contains("postgres"));
        assert!(wrong(&format!("{phase}[[faults]]\nat = 9.0\nwhat = \"hub-killed\"\n")).contains("faults: at = 9"));
    }
}
