//! What a run takes place on: the hub, its accounts, and the simulated platform.

use std::time::Duration;

use anyhow::{Context, Result};

use super::{
    super::{progress, scenarios::Run},
    faults::{Broken, Platform},
    plan::Plan,
    scenario::Scenario,
    stored,
};
use crate::{
    fault::Clock,
    hub::{Hub, Setup, Tenant},
    platform::{self, Settings, Simulator},
};

const FIRST_PAGE: u64 = 100_200_300_400_700;

/// Everything that was started.
pub(super) struct Stage {
    pub hub: Hub,
    pub platform: Platform,
    pub tenants: Vec<Tenant>,
    /// The hub's own, if it is to jump.
    pub clock: Option<Clock>,
}

impl Stage {
    /// A hub whose accounts all belong to one agency, each with a page and a user of its own.
    pub(super) async fn open(options: &Run, scenario: &Scenario, plan: &Plan, store: Option<&str>) -> Result<Self> {
        let _step = progress::step("starting the hub");
        let clock = scenario.has(Broken::ClockJump).then(|| Clock::new(options.faketime.as_deref())).transpose();
        let clock = clock.context("clock-jump needs libfaketime (--faketime FILE says where it is)")?;
        let latency = Duration::from_millis(scenario.platform.latency_ms);
        let simulator = Simulator::start(Settings { latency, ..Settings::default() })?;
        let mut hub =
            Hub::prepare(setup(options, scenario, store, clock.as_ref())?.graph_url(&simulator.url())).await?;
        let agency = hub.add_agency("Loadtest").await?;
        let (mut tenants, mut pages) = (Vec::new(), Vec::new());
        for (page, index) in (FIRST_PAGE..).zip(0..plan.accounts) {
            let token = format!("EAAB-run-{index}");
            tenants.push(hub.add_tenant_of(&agency, &format!("Account {index}"), page, &token).await?);
            let leads = simulator.add_page(page, &token);
            let first = plan.first_id;
            let happened = move |id: u64| stored::happened(usize::try_from(id - first).unwrap_or(usize::MAX));
            leads.generate_leads(first..=u64::MAX, move |id| platform::Lead::generated(id, happened(id)));
            pages.push(leads);
        }
        hub.start().await?;
        Ok(Self { hub, platform: Platform { simulator, pages, latency }, tenants, clock })
    }
}

fn setup(options: &Run, scenario: &Scenario, store: Option<&str>, clock: Option<&Clock>) -> Result<Setup> {
    let sessions = scenario.accounts.sessions * scenario.accounts.count + 10 * scenario.clients.count();
    let mut setup = options.common.setup_for(sessions)?;
    if let Some(url) = store {
        setup = setup.store_url(url);
    }
    if scenario.has(Broken::DiskFull) {
        setup = setup.bears_full_disk();
    }
    if let Some(clock) = clock {
        setup = setup.environment(clock.environment());
    }
    for (key, value) in &scenario.hub.settings {
        setup = setup.set(key, value.clone());
    }
    Ok(setup)
}
