//! What a report is made of. All of it is in the JSON file under the names of these fields.

use serde::{Deserialize, Deserializer, Serialize};

/// One measured value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    pub name: String,
    /// Not a number where there was nothing to measure; `null` in JSON.
    #[serde(deserialize_with = "number_or_null")]
    pub value: f64,
    pub unit: String,
    /// Half the width of the 95 % interval around the value, where several rounds or windows were measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<f64>,
    /// Whether anything but zero is a fault.
    #[serde(default)]
    pub must_be_zero: bool,
}

/// A value that was promised, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Target {
    pub name: String,
    /// In words: `≤ 25 ms`.
    pub wanted: String,
    #[serde(deserialize_with = "number_or_null")]
    pub measured: f64,
    pub unit: String,
    pub met: bool,
}

/// How latencies are distributed: shares of all (0 to 1) with the milliseconds that they took at most.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

/// What became of one account's leads, each column a count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerRow {
    /// The account's name.
    pub account: String,
    /// Webhooks that were to be sent.
    pub due: u64,
    /// Webhooks answered with 200.
    pub acknowledged: u64,
    /// Deliveries that the acknowledged ones should lead to, over all sessions.
    pub expected: u64,
    /// Deliveries read from a socket.
    pub live: u64,
    /// Deliveries made good by the list that a session reads after it was away.
    pub after_reconnect: u64,
    /// Leads found in the store.
    pub stored: u64,
    /// Deliveries that never came, neither way.
    pub lost: u64,
    /// Deliveries that came more than once.
    pub duplicated: u64,
    /// Deliveries that came before one which is older.
    pub out_of_order: u64,
    /// Deliveries of this account's leads to another account.
    pub leaked: u64,
}

/// How a run went, window by window.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Timeline {
    /// The windows, in the order of time.
    pub samples: Vec<Sample>,
    /// Phases and faults, shown in all plots.
    pub marks: Vec<Mark>,
}

/// One window. What only a running hub has is none while it is down.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Sample {
    /// The end of the window, since the start of the run.
    pub at_ms: u64,
    /// Webhooks that were due in this window.
    pub due: u64,
    /// Webhooks acknowledged in this window.
    pub acknowledged: u64,
    /// Deliveries read in this window.
    pub pushed: u64,
    /// From when a webhook was due to its acknowledgement.
    pub acknowledge_p50_ms: Option<f64>,
    /// The same, of the slowest hundredth.
    pub acknowledge_p99_ms: Option<f64>,
    /// From when a webhook was due to its frame.
    pub push_p50_ms: Option<f64>,
    /// The same, of the slowest hundredth.
    pub push_p99_ms: Option<f64>,
    /// Acknowledged, but not yet pushed to all, at the end of the window.
    pub waiting: u64,
    /// The age of the oldest of them.
    #[serde(deserialize_with = "number_or_null")]
    pub oldest_ms: f64,
    /// Resident memory of the hub.
    pub rss_kib: Option<u64>,
    /// What the kernel holds for TCP sockets, of all the machine.
    #[serde(default)]
    pub socket_kib: Option<u64>,
    /// Processor time of the hub in this window, by its length.
    pub cpu_cores: Option<f64>,
}

/// A phase or a fault: a band in the plots, or one upright line where it has no end and is a moment.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Mark {
    /// Since the start of the run.
    pub from_ms: u64,
    /// Since the start of the run; none for a moment.
    pub to_ms: Option<u64>,
    /// What happened, in a few words.
    pub text: String,
}

/// The machine that hub and load shared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    pub cores: usize,
    pub kernel: String,
}

impl Machine {
    /// The one this runs on.
    pub fn here() -> Self {
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self { cores: crate::measure::cores(), kernel: kernel.trim().to_owned() }
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "{} {}, Linux {}", self.cores, if self.cores == 1 { "core" } else { "cores" }, self.kernel)
    }
}

/// JSON has no "not a number": it is written as `null`, and read back from it.
fn number_or_null<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(f64::NAN))
}
