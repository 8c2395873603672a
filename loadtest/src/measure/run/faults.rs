//! What breaks during a run, and comes back.

use std::{
    cell::{Cell, RefCell},
    time::{Duration, Instant},
};

use anyhow::Result;
use tokio::sync::watch;

use super::{
    super::report::Mark,
    scenario::{Broken, Fault},
};
use crate::{
    fault::{Mode, Proxy},
    hub::Hub,
};

/// What can be broken, and what is told of it.
pub(super) struct Breaker<'a> {
    pub start: Instant,
    /// The hub's process, while it runs.
    pub pid: &'a Cell<Option<u32>>,
    pub marks: &'a RefCell<Vec<Mark>>,
}

impl Breaker<'_> {
    /// Breaks the hub and the clients' connections as planned.
    pub(super) async fn break_hub(&self, hub: &mut Hub, cut: &watch::Sender<u64>, faults: &[Fault]) -> Result<()> {
        for fault in faults.iter().filter(|fault| !fault.what.is_database()) {
            let from = self.wait(fault.at).await;
            match fault.what {
                Broken::HubKilled => {
                    self.pid.set(None);
                    hub.kill().await?;
                    self.back(hub, fault).await?;
                }
                Broken::HubRestarted => {
                    self.pid.set(None);
                    hub.stop().await?;
                    self.back(hub, fault).await?;
                }
                _ => cut.send_modify(|times| *times += 1),
            }
            self.mark(fault, from);
        }
        Ok(())
    }

    async fn back(&self, hub: &mut Hub, fault: &Fault) -> Result<()> {
        tokio::time::sleep(Duration::from_secs_f64(fault.seconds)).await;
        hub.start().await?;
        self.pid.set(hub.pid());
        Ok(())
    }

    /// Breaks the way to the database as planned, and lets it be whole in between.
    pub(super) async fn break_database(&self, database: &Proxy, faults: &[Fault]) {
        for fault in faults {
            let mode = match fault.what {
                Broken::DatabaseStopped => Mode::Refuse,
                Broken::DatabaseFrozen => Mode::Freeze,
                Broken::DatabaseHalfOpen => Mode::HalfOpen,
                Broken::DatabaseSlow => Mode::Slow { delay: Duration::from_millis(fault.delay_ms) },
                _ => continue,
            };
            let from = self.wait(fault.at).await;
            database.set(mode);
            tokio::time::sleep(Duration::from_secs_f64(fault.seconds)).await;
            database.set(Mode::Pass);
            self.mark(fault, from);
        }
    }

    async fn wait(&self, at: f64) -> u64 {
        tokio::time::sleep_until((self.start + Duration::from_secs_f64(at)).into()).await;
        self.now()
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn mark(&self, fault: &Fault, from_ms: u64) {
        let text = match fault.what {
            Broken::HubKilled => "hub killed",
            Broken::HubRestarted => "hub restarted",
            Broken::DatabaseStopped => "database stopped",
            Broken::DatabaseFrozen => "database frozen",
            Broken::DatabaseHalfOpen => "database half open",
            Broken::DatabaseSlow => "database slow",
            Broken::ClientsCut => "clients cut",
        };
        let to_ms = (fault.what != Broken::ClientsCut).then(|| self.now());
        self.marks.borrow_mut().push(Mark { from_ms, to_ms, text: text.to_owned() });
    }
}
