//! The keys of `kind = "leads"`: what is sent, by whom it is seen, what breaks meanwhile, and what must hold.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Result, bail, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::super::scenarios::{Keys, between, within};
use crate::platform::{Failure, meta::Deliveries};

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
        Self { connections: 64, batch: 1, redelivered: 0.0, copies: 1, shuffle: 1 }
    }
}

impl Webhooks {
    pub(super) const fn deliveries(&self) -> Deliveries {
        let Self { batch, redelivered, copies, shuffle, .. } = *self;
        Deliveries { batch, redelivered, copies, shuffle }
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
}

/// Something that breaks.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fault {
    /// Seconds after the first webhook.
    pub at: f64,
    pub what: Broken,
    /// How long.
    #[serde(default)]
    pub seconds: f64,
    /// How slow, where something is slow.
    #[serde(default)]
    pub delay_ms: u64,
    /// How the platform's calls fail, where they do.
    pub failure: Option<Failing>,
    /// The share of the calls that fail, by default all.
    pub share: Option<f64>,
}

/// The platform's failures that time or another try mends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Failing {
    /// Code 2: the service is away.
    Unavailable,
    /// Code 32: the page has used up its calls.
    PageLimit,
    /// No answer, ever.
    Hang,
    /// The connection is closed without an answer.
    Close,
    /// A page of HTML with status 502.
    NotJson,
}

impl Failing {
    pub(super) const fn failure(self) -> Failure {
        match self {
            Self::Unavailable => Failure::Unavailable,
            Self::PageLimit => Failure::PageLimit,
            Self::Hang => Failure::Hang,
            Self::Close => Failure::Close,
            Self::NotJson => Failure::NotJson { status: 502 },
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Broken {
    /// `kill -9`, and started again after `seconds`.
    HubKilled,
    /// Asked to stop, and started again after `seconds`: a deployment.
    HubRestarted,
    /// Every connection to the database breaks, and none is accepted.
    DatabaseStopped,
    /// The database's connections stay and carry nothing.
    DatabaseFrozen,
    /// What the database answers is lost on its way.
    DatabaseHalfOpen,
    /// Everything to and from the database takes `delay_ms` longer.
    DatabaseSlow,
    /// Every session's connection breaks; they come back at once.
    ClientsCut,
    /// The first account's page token is revoked; after `seconds` the hub is given a new one.
    TokenRevoked,
    /// A `share` of the platform's calls fails with `failure`.
    PlatformFails,
    /// Every call to the platform takes `delay_ms`.
    PlatformSlow,
}

/// What one task breaks, one after the other; the tasks go side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Hub,
    Database,
    Platform,
}

impl Broken {
    pub(super) const fn part(self) -> Part {
        match self {
            Self::HubKilled | Self::HubRestarted | Self::ClientsCut | Self::TokenRevoked => Part::Hub,
            Self::DatabaseStopped | Self::DatabaseFrozen | Self::DatabaseHalfOpen | Self::DatabaseSlow => {
                Part::Database
            }
            Self::PlatformFails | Self::PlatformSlow => Part::Platform,
        }
    }
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
        let cutting = [Broken::HubKilled, Broken::HubRestarted, Broken::ClientsCut];
        self.faults.iter().any(|fault| cutting.contains(&fault.what))
    }
}

impl Keys for Scenario {
    fn check(&self) -> Result<()> {
        // With one, nobody could see a leak.
        within("accounts.count", self.accounts.count, 2, 1000)?;
        within("accounts.sessions", self.accounts.sessions, 1, 20_000)?;
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
        }
        for fault in &self.faults {
            between("faults: at", fault.at, 0.0, self.length().as_secs_f64())?;
            between("faults: seconds", fault.seconds, 0.0, 3600.0)?;
            between("faults: share", fault.share.unwrap_or(1.0), 0.001, 1.0)?;
            if fault.what.part() == Part::Database && self.hub.database != Store::Postgres {
                bail!("faults: {:?} needs hub.database = \"postgres\"", fault.what);
            }
            if fault.what == Broken::PlatformFails && fault.failure.is_none() {
                bail!("faults: PlatformFails needs failure = \"unavailable\", or another");
            }
        }
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
