//! The menu: what a scenario may let break.

use std::{fmt, time::Duration};

use anyhow::{Result, ensure};
use serde::Deserialize;

use super::super::super::scenarios::between;
use crate::platform::Failure;

/// Something that breaks.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Fault {
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
    /// How far the clock jumps: seconds ahead, or behind with a minus.
    pub jump_s: Option<i64>,
    /// How often a POST that got no answer comes again at most, by default once.
    pub copies: Option<u32>,
}

/// The platform's failures that time or another try mends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in super::super) enum Failing {
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
    pub(in super::super) const fn failure(self) -> Failure {
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
pub(in super::super) enum Broken {
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
    /// The hub's disk takes nothing more.
    DiskFull,
    /// The hub's wall clock jumps by `jump_s`; after `seconds`, if there are any, it jumps back.
    ClockJump,
    /// The platform hears no answer to any POST, though the hub gets them; after `seconds` all of those come again at
    /// once, each up to `copies` times.
    RetryStorm,
}

/// What one task breaks, one after the other; the tasks go side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Part {
    Hub,
    Database,
    Platform,
    Webhooks,
}

impl Broken {
    pub(in super::super) const fn part(self) -> Part {
        match self {
            Self::HubKilled
            | Self::HubRestarted
            | Self::ClientsCut
            | Self::TokenRevoked
            | Self::DiskFull
            | Self::ClockJump => Part::Hub,
            Self::DatabaseStopped | Self::DatabaseFrozen | Self::DatabaseHalfOpen | Self::DatabaseSlow => {
                Part::Database
            }
            Self::PlatformFails | Self::PlatformSlow => Part::Platform,
            Self::RetryStorm => Part::Webhooks,
        }
    }
}

impl fmt::Display for Broken {
    /// As in a scenario.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HubKilled => "hub-killed",
            Self::HubRestarted => "hub-restarted",
            Self::DatabaseStopped => "database-stopped",
            Self::DatabaseFrozen => "database-frozen",
            Self::DatabaseHalfOpen => "database-half-open",
            Self::DatabaseSlow => "database-slow",
            Self::ClientsCut => "clients-cut",
            Self::TokenRevoked => "token-revoked",
            Self::PlatformFails => "platform-fails",
            Self::PlatformSlow => "platform-slow",
            Self::DiskFull => "disk-full",
            Self::ClockJump => "clock-jump",
            Self::RetryStorm => "retry-storm",
        })
    }
}

/// When the platform hears no answers, and what comes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Storm {
    pub from: Duration,
    /// From here on it hears again, and everything without an answer comes at once.
    pub to: Duration,
    pub copies: u32,
}

/// Ten years back; ahead not so far that the sessions' logins run out, which are good for twelve hours.
const JUMPS: std::ops::RangeInclusive<i64> = -315_360_000..=36_000;

impl Fault {
    /// Refuses what can't be done in a run of this length.
    pub(in super::super) fn check(&self, length: f64) -> Result<()> {
        let what = self.what;
        between("faults: at", self.at, 0.0, length)?;
        between("faults: seconds", self.seconds, 0.0, 3600.0)?;
        between("faults: share", self.share.unwrap_or(1.0), 0.001, 1.0)?;
        for (key, given, of) in [
            ("failure", self.failure.is_some(), Broken::PlatformFails),
            ("share", self.share.is_some(), Broken::PlatformFails),
            ("jump_s", self.jump_s.is_some(), Broken::ClockJump),
            ("copies", self.copies.is_some(), Broken::RetryStorm),
        ] {
            ensure!(!given || what == of, "faults: {key} is for {of} and not for {what}");
        }
        match what {
            Broken::PlatformFails => {
                ensure!(self.failure.is_some(), "faults: {what} needs failure = \"unavailable\", or another");
            }
            Broken::DiskFull => ensure!(self.seconds > 0.0, "faults: {what} needs seconds: how long it is full"),
            Broken::ClockJump => {
                let jump = self.jump_s.unwrap_or(0);
                let can = jump != 0 && JUMPS.contains(&jump);
                ensure!(
                    can,
                    "faults: {what}: jump_s = {jump}: use {} to {} and not 0 (further ahead the sessions' logins run out)",
                    JUMPS.start(),
                    JUMPS.end()
                );
            }
            Broken::RetryStorm => {
                between("faults: copies", f64::from(self.copies.unwrap_or(1)), 1.0, 46.0)?;
                ensure!(self.seconds > 0.0, "faults: {what} needs seconds: how long no answer is heard");
                let ends = self.at + self.seconds;
                ensure!(ends <= length, "faults: {what} comes down at {ends} s, but live leads end at {length} s");
            }
            _ => {}
        }
        Ok(())
    }

    /// When this is one, the storm.
    pub(in super::super) fn storm(&self) -> Option<Storm> {
        let from = Duration::from_secs_f64(self.at);
        let to = from + Duration::from_secs_f64(self.seconds);
        (self.what == Broken::RetryStorm).then_some(Storm { from, to, copies: self.copies.unwrap_or(1) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), String> {
        let fault: Fault = toml::from_str(text).map_err(|error| error.to_string())?;
        fault.check(20.0).map_err(|error| error.to_string())
    }

    #[test]
    fn a_fault_is_known_by_the_name_that_it_has_in_a_scenario() {
        for what in ["disk-full", "clock-jump", "retry-storm", "hub-killed", "database-half-open"] {
            let fault: Fault = toml::from_str(&format!("at = 1.0\nwhat = \"{what}\"")).unwrap();
            assert_eq!(fault.what.to_string(), what);
        }
    }

    #[test]
    fn what_can_not_be_done_is_refused_with_the_reason() {
        let wrong = |text: &str| check(text).unwrap_err();
        let full = "at = 1.0\nwhat = \"disk-full\"\n";
        assert!(wrong(full).contains("needs seconds"));
        assert!(check(&format!("{full}seconds = 2.0")).is_ok());
        assert!(wrong(&format!("{full}seconds = 2.0\njump_s = 5")).contains("jump_s is for clock-jump"));
        let jump = "at = 1.0\nwhat = \"clock-jump\"\n";
        assert!(wrong(jump).contains("jump_s = 0"));
        assert!(wrong(&format!("{jump}jump_s = 90000")).contains("logins run out"));
        assert!(check(&format!("{jump}jump_s = -90000")).is_ok());
        let storm = "at = 15.0\nwhat = \"retry-storm\"\n";
        assert!(wrong(&format!("{storm}seconds = 6.0")).contains("comes down at 21 s"));
        assert!(wrong(&format!("{storm}seconds = 5.0\ncopies = 47")).contains("copies = 47"));
        assert!(check(&format!("{storm}seconds = 5.0\ncopies = 46")).is_ok());
        assert!(wrong("at = 1.0\nwhat = \"platform-fails\"").contains("needs failure"));
    }
}
