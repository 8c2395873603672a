//! Breaks what is planned when it is planned, and mends it.

use std::{
    cell::{Cell, RefCell},
    sync::atomic::Ordering,
    time::{Duration, Instant, UNIX_EPOCH},
};

use anyhow::{Context, Result, ensure};
use chrono::DateTime;
use http::header::DATE;
use tokio::sync::watch;

use super::{
    super::{super::report::Mark, clients::Honest},
    menu::{Broken, Fault, Part},
};
use crate::{
    fault::{Clock, Mode, Proxy, disk},
    hub::{Hub, Tenant},
    platform::{Behaviour, Page, Simulator},
};

/// The simulated platform, and how fast it is when nothing is wrong.
pub(in super::super) struct Platform {
    pub simulator: Simulator,
    /// One of each account.
    pub pages: Vec<Page>,
    pub latency: Duration,
}

/// What can be broken, and what is told of it.
pub(in super::super) struct Breaker<'a> {
    pub faults: &'a [Fault],
    pub tenants: &'a [Tenant],
    pub platform: &'a Platform,
    pub clock: Option<&'a Clock>,
    pub honest: &'a Honest,
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
    pub(in super::super) async fn break_hub(&self, hub: &mut Hub, cut: &watch::Sender<u64>) -> Result<()> {
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
                Broken::DiskFull => {
                    let pid = hub.pid().context("the hub ended before its disk was full")?;
                    disk::fill(pid)?;
                    tokio::time::sleep(Duration::from_secs_f64(fault.seconds)).await;
                    disk::relieve(pid).context("the hub did not live through a full disk")?;
                }
                Broken::ClockJump => self.jump(hub, fault).await?,
                _ => cut.send_modify(|times| *times += 1),
            }
            self.mark(fault, from);
        }
        Ok(())
    }

    async fn jump(&self, hub: &Hub, fault: &Fault) -> Result<()> {
        let clock = self.clock.context("the hub was started with the clock that everybody has")?;
        let ahead = fault.jump_s.unwrap_or(0);
        jump_to(clock, hub, ahead).await?;
        if fault.seconds > 0.0 {
            tokio::time::sleep(Duration::from_secs_f64(fault.seconds)).await;
            jump_to(clock, hub, 0).await?;
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
        self.honest.restarts.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Breaks the way to the database as planned, and lets it be whole in between.
    pub(in super::super) async fn break_database(&self, database: &Proxy) {
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
    pub(in super::super) async fn break_platform(&self) {
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
        let at_once = fault.what == Broken::ClientsCut || (fault.what == Broken::ClockJump && fault.seconds <= 0.0);
        let to_ms = (!at_once).then(|| self.now());
        self.marks.borrow_mut().push(Mark { from_ms, to_ms, text: fault.what.to_string().replace('-', " ") });
    }
}

/// How far the hub's clock may be from where it was sent: what it tells is cut to seconds, and the sending takes one.
const NEAR: i64 = 4;
/// How long it may take to be there.
const UNTIL_SEEN: Duration = Duration::from_secs(10);

/// Sends the clock so many seconds ahead, and waits until the hub goes by it.
async fn jump_to(clock: &Clock, hub: &Hub, ahead: i64) -> Result<()> {
    clock.jump(ahead)?;
    let end = Instant::now() + UNTIL_SEEN;
    loop {
        let seen = ahead_of_here(hub).await?;
        if (seen - ahead).abs() <= NEAR {
            return Ok(());
        }
        ensure!(Instant::now() < end, "the hub's clock is {seen} s ahead of the true time and not {ahead} s");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// How many seconds the hub's clock is ahead of this process's, by the date in its answers.
async fn ahead_of_here(hub: &Hub) -> Result<i64> {
    let answer = hub.http().get(hub.url("/health")).send().await?;
    let date = answer.headers().get(DATE).context("the hub's answers have no date")?;
    let there = DateTime::parse_from_rfc2822(date.to_str()?)?.timestamp();
    Ok(there - i64::try_from(UNIX_EPOCH.elapsed()?.as_secs())?)
}
