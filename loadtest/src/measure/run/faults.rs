//! What breaks during a run, and comes back.

use std::{
    cell::{Cell, RefCell},
    time::{Duration, Instant},
};

use anyhow::Result;
use tokio::sync::watch;

use super::{
    super::report::Mark,
    scenario::{Broken, Fault, Part},
};
use crate::{
    fault::{Mode, Proxy},
    hub::{Hub, Tenant},
    platform::{Behaviour, Page, Simulator},
};

/// The simulated platform, and how fast it is when nothing is wrong.
pub(super) struct Platform {
    pub simulator: Simulator,
    /// One of each account.
    pub pages: Vec<Page>,
    pub latency: Duration,
}

/// What can be broken, and what is told of it.
pub(super) struct Breaker<'a> {
    pub faults: &'a [Fault],
    pub tenants: &'a [Tenant],
    pub platform: &'a Platform,
    pub start: Instant,
    /// The hub's process, while it runs.
    pub pid: &'a Cell<Option<u32>>,
    pub marks: &'a RefCell<Vec<Mark>>,
}

impl Breaker<'_> {
    fn of(&self, part: Part) -> impl Iterator<Item = &Fault> {
        self.faults.iter().filter(move |fault| fault.what.part() == part)
    }

    /// Breaks the hub, its clients' connections and its token as planned.
    pub(super) async fn break_hub(&self, hub: &mut Hub, cut: &watch::Sender<u64>) -> Result<()> {
        for fault in self.of(Part::Hub) {
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
                Broken::TokenRevoked => self.revoke_token(hub, fault).await?,
                _ => cut.send_modify(|times| *times += 1),
            }
            self.mark(fault, from);
        }
        Ok(())
    }

    async fn revoke_token(&self, hub: &Hub, fault: &Fault) -> Result<()> {
        let (Some(page), Some(tenant)) = (self.platform.pages.first(), self.tenants.first()) else { return Ok(()) };
        page.revoke_token();
        tokio::time::sleep(Duration::from_secs_f64(fault.seconds)).await;
        let token = format!("EAAB-after-{}", fault.at);
        page.set_token(&token);
        hub.set_source_token(&tenant.source, &token).await
    }

    async fn back(&self, hub: &mut Hub, fault: &Fault) -> Result<()> {
        tokio::time::sleep(Duration::from_secs_f64(fault.seconds)).await;
        hub.start().await?;
        self.pid.set(hub.pid());
        Ok(())
    }

    /// Breaks the way to the database as planned, and lets it be whole in between.
    pub(super) async fn break_database(&self, database: &Proxy) {
        for fault in self.of(Part::Database) {
            let mode = match fault.what {
                Broken::DatabaseStopped => Mode::Refuse,
                Broken::DatabaseFrozen => Mode::Freeze,
                Broken::DatabaseHalfOpen => Mode::HalfOpen,
                _ => Mode::Slow { delay: Duration::from_millis(fault.delay_ms) },
            };
            let from = self.wait(fault.at).await;
            database.set(mode);
            tokio::time::sleep(Duration::from_secs_f64(fault.seconds)).await;
            database.set(Mode::Pass);
            self.mark(fault, from);
        }
    }

    /// Lets the platform fail as planned, and answer in between.
    pub(super) async fn break_platform(&self) {
        let Platform { simulator, pages, latency } = self.platform;
        let all = |behaviour: &Behaviour| pages.iter().for_each(|page| page.behave(behaviour.clone()));
        for fault in self.of(Part::Platform) {
            let from = self.wait(fault.at).await;
            if let Some(failing) = fault.failure {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share is 0 to 1")]
                let part = (fault.share.unwrap_or(1.0) * 1000.0).round() as u32;
                all(&Behaviour::fails_share(part, 1000, failing.failure()));
            } else {
                simulator.set_latency(Duration::from_millis(fault.delay_ms));
            }
            tokio::time::sleep(Duration::from_secs_f64(fault.seconds)).await;
            all(&Behaviour::answers());
            simulator.set_latency(*latency);
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
            Broken::TokenRevoked => "token revoked",
            Broken::PlatformFails => "platform fails",
            Broken::PlatformSlow => "platform slow",
        };
        let to_ms = (fault.what != Broken::ClientsCut).then(|| self.now());
        self.marks.borrow_mut().push(Mark { from_ms, to_ms, text: text.to_owned() });
    }
}
