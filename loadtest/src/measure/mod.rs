//! The measurements: what each sends, what it counts, and the clients it counts with.
//!
//! The clients are written for the purpose. Load generator and hub share a machine here, so that every microsecond a
//! client burns is taken from what it measures.

mod bare;
mod campaigns;
mod child;
mod deliveries;
mod events;
mod exposed;
mod fanout;
mod frames;
mod gauge;
mod http;
mod ingest;
mod latency;
mod platform;
mod process;
mod progress;
mod report;
mod requests;
mod run;
mod scenarios;
mod sessions;
mod storm;
mod target;

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::hub::Setup;

pub use bare::{endpoint as bare_endpoint, sender as bare_send};
pub use platform::{Platform, run as platform};
pub use report::{Compare, Report, compare};
pub use scenarios::{Run, run};
pub use sessions::{Sessions, raise_file_limit, run as sessions};

/// What all measurements take.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// The hub's program; `leadwire` next to this one by default.
    #[arg(long, value_name = "FILE")]
    pub hub: Option<PathBuf>,
    /// Makes the same ids again: runs with the same seed send the same webhooks.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Also write the figures into this file, as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Also write them into this file as a page with plots, for a browser.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

impl Common {
    fn setup(&self) -> Result<Setup> {
        self.hub.as_ref().map_or_else(Setup::beside_this_program, |path| Ok(Setup::new(path)))
    }

    /// A hub that takes so many sessions of one user, twice over: those that ended may still be counted.
    fn setup_for(&self, sessions: usize) -> Result<Setup> {
        let enough = 2 * sessions + 1000;
        let setup = ["user", "account", "address"]
            .iter()
            .fold(self.setup()?, |setup, of| setup.set(&format!("realtime.sessions_per_{of}"), enough));
        Ok(setup.set("server.max_connections", enough))
    }

    /// The first of the ids of this run. Seeds are a thousand million ids apart.
    const fn first_id(&self) -> u64 {
        9_100_000_000_000_000 + (self.seed % 1_000_000) * 1_000_000_000
    }
}

/// Cores that this machine has for everybody.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
