//! How fast leads reach dashboards: webhooks on a fixed schedule, and what becomes of each.
//!
//! Latencies count from when a webhook was *due*, not from when it was sent: a hub that makes the sender wait does not
//! look better for it (coordinated omission).

mod ledger;
mod schedule;
mod stored;
mod watch;

use std::{
    cell::RefCell,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use clap::Args;
use tokio::task::LocalSet;

use super::{Common, Report, process, progress, requests::HAPPENED};
use crate::{
    hub::{Hub, Tenant},
    platform::{self, Settings, Simulator},
};
use ledger::{Ledger, Plan};

/// Measure how fast leads reach dashboards, and whether all do, once, and only where they may.
#[derive(Debug, Args)]
pub struct Lead {
    #[command(flatten)]
    common: Common,
    /// Webhooks a second, over all accounts.
    #[arg(long, default_value_t = 500)]
    rate: u32,
    /// How long.
    #[arg(long, default_value_t = 20)]
    seconds: u32,
    /// Sessions of each account.
    #[arg(long, default_value_t = 5)]
    sessions: usize,
    /// Accounts that leads come for, in turns. With one, another looks on and must see nothing.
    #[arg(long, default_value_t = 2)]
    accounts: usize,
    /// Connections for the webhooks.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// How long a call to the platform takes, in milliseconds.
    #[arg(long, default_value_t = 0)]
    platform_ms: u64,
    /// How long to wait, at the end, for leads that were not pushed or stored yet, in seconds.
    #[arg(long, default_value_t = 60)]
    drain: u64,
}

impl Lead {
    /// What all measurements take.
    #[must_use]
    pub const fn common(&self) -> &Common {
        &self.common
    }
}

const FIRST_PAGE: u64 = 100_200_300_400_700;

/// Runs the measurement.
///
/// # Errors
/// If the hub can't be started or filled, or a connection breaks.
pub fn measure(options: &Lead) -> Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, run(options))
}

async fn run(options: &Lead) -> Result<Report> {
    let plan = Plan {
        first_id: options.common.first_id(),
        events: options.rate as usize * options.seconds as usize,
        accounts: options.accounts.max(1),
        sessions: options.sessions.max(1),
        interval: Duration::from_secs(1) / options.rate.max(1),
    };
    let step = progress::step("starting the hub");
    let (mut hub, _simulator, tenants) = start_hub(options, &plan).await?;
    step.finish_and_clear();
    let ledger = Rc::new(RefCell::new(Ledger::new(plan.clone())?));
    let watchers = watch::open(&hub, &tenants, &plan, &ledger).await?;

    let pid = hub.pid().context("the hub has ended")?;
    let cpu = process::cpu(pid)?;
    // Each is then used every two seconds at least, before a hub closes it as idle.
    let connections = options.connections.min(2 * options.rate as usize);
    schedule::send(&hub, &tenants, &plan, connections, &ledger).await?;
    let cpu = process::cpu(pid)?.saturating_sub(cpu);
    let drain = Instant::now() + Duration::from_secs(options.drain);
    let step = progress::step("waiting until all are pushed and stored");
    while !ledger.borrow().is_complete() && Instant::now() < drain {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let stored = stored::wait(&hub, &tenants, &ledger, drain).await?;
    step.finish_and_clear();

    let mut report = Report::new("lead", options.common.seed);
    ledger.borrow().report(&mut report);
    report.must_be_zero("acknowledged, but not stored", stored.missing);
    report.must_be_zero("stored twice", stored.duplicated);
    report.must_be_zero("stored in another account", stored.foreign);
    report.figure("hub: CPU while webhooks came", cpu.as_secs_f64() / f64::from(options.seconds.max(1)), "cores");
    for closed in watchers.borrow().iter() {
        report.problem(closed);
    }
    hub.stop().await?;
    Ok(report)
}

/// A hub whose accounts all belong to one agency, each with a page and a user of its own.
async fn start_hub(options: &Lead, plan: &Plan) -> Result<(Hub, Simulator, Vec<Tenant>)> {
    let latency = Duration::from_millis(options.platform_ms);
    let simulator = Simulator::start(Settings { latency, ..Settings::default() })?;
    let enough = plan.sessions * (plan.accounts + 1) + 100;
    let setup = ["user", "account", "address"]
        .iter()
        .fold(options.common.setup()?, |setup, of| setup.set(&format!("realtime.sessions_per_{of}"), enough))
        .graph_url(&simulator.url());
    let mut hub = Hub::prepare(setup).await?;
    let agency = hub.add_agency("Loadtest").await?;
    let mut tenants = Vec::new();
    for (page, index) in (FIRST_PAGE..).zip(0..plan.accounts.max(2)) {
        let token = format!("EAAB-lead-{index}");
        tenants.push(hub.add_tenant_of(&agency, &format!("Account {index}"), page, &token).await?);
        let leads = simulator.add_page(page, &token);
        leads.generate_leads(plan.first_id..=u64::MAX, |id| platform::Lead::generated(id, HAPPENED));
    }
    hub.start().await?;
    Ok((hub, simulator, tenants))
}
