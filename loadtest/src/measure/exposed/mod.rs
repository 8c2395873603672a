//! `kind = "exposed"`: strangers attack in every way at once while another agency's webhooks and dashboards go on; and what
//! a request costs the hub that reaches no valid signature or session.

mod attackers;
mod cheap;
mod honest;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tokio::task::LocalSet;

use super::{
    Common, Report,
    gauge::Gauge,
    latency::Latencies,
    progress,
    requests::HAPPENED,
    scenarios::{Keys, Run, between, within},
    sessions::raise_file_limit,
};
use crate::{
    hub::{Hub, Tenant},
    platform::{self, Settings, Simulator},
};
use attackers::Attackers;
use honest::Honest;

/// The keys.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scenario {
    /// Signed webhooks of the honest agency, a second.
    rate: f64,
    /// Its dashboards.
    sessions: usize,
    /// Without attackers and with them, in turns.
    rounds: u32,
    /// Of each half of a round.
    seconds: f64,
    /// Requests of each kind of stranger whose CPU is counted.
    requests: usize,
    #[serde(default)]
    targets: Targets,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Targets {
    p99_ratio: Option<f64>,
    cpu_us: Option<f64>,
}

impl Keys for Scenario {
    fn check(&self) -> Result<()> {
        between("rate", self.rate, 1.0, 2000.0)?;
        within("sessions", self.sessions, 1, 100)?;
        within("rounds", self.rounds as usize, 1, 20)?;
        between("seconds", self.seconds, 1.0, 120.0)?;
        within("requests", self.requests, 1, 100_000)
    }
}

/// The page of the honest agency, and that of the one that is attacked.
const PAGES: [u64; 2] = [100_200_300_400_500, 100_200_300_400_600];
/// What the hub needs to settle between two halves: bodies and logins of strangers end by then.
const PAUSE: Duration = Duration::from_secs(6);

/// Runs the measurement.
///
/// # Errors
/// If the hub can't be started or filled, or it ends.
pub(super) fn measure(options: &Run, name: &str, scenario: &Scenario) -> Result<Report> {
    ensure!(!options.baseline, "the kind exposed compares with itself: leave out --baseline");
    raise_file_limit(4096)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, run(options, name, scenario))
}

/// A hub as it comes, but for its platform: what it bears is what it bears by default.
async fn start_hub(common: &Common) -> Result<(Hub, Simulator, [Tenant; 2])> {
    let _step = progress::step("starting the hub");
    let simulator = Simulator::start(Settings::default())?;
    for page in PAGES {
        simulator
            .add_page(page, "EAAB-exposed")
            .generate_leads(1..=u64::MAX, |id| platform::Lead::generated(id, HAPPENED));
    }
    let setup = common.setup()?.graph_url(&simulator.url()).set("auth.login_attempts", 10);
    let mut hub = Hub::prepare(setup).await?;
    let tenants = [
        hub.add_tenant("Honest", PAGES[0], "EAAB-exposed").await?,
        hub.add_tenant("Attacked", PAGES[1], "EAAB-exposed").await?,
    ];
    hub.add_unipile(&tenants[1].account, "unipile-attacked", "a secret that nobody outside of here knows").await?;
    hub.start().await?;
    Ok((hub, simulator, tenants))
}

async fn run(options: &Run, name: &str, scenario: &Scenario) -> Result<Report> {
    let (mut hub, _simulator, [honest, attacked]) = start_hub(&options.common).await?;
    let pid = hub.pid().context("the hub has ended")?;
    let mut gauge = Gauge::start(pid)?;
    let mut report = Report::new(name, options.common.seed);
    let mut agency = Honest::open(&hub, &honest, scenario.sessions, options.common.first_id()).await?;
    let length = Duration::from_secs_f64(scenario.seconds);
    agency.post(scenario.rate, Duration::from_secs(1)).await?;
    let (mut quiet, mut loud, mut ratios, mut refused) = (Latencies::new()?, Latencies::new()?, Vec::new(), 0);
    let mut tally = attackers::Tally::default();
    let bar = progress::bar("rounds", u64::from(scenario.rounds));
    for _ in 0..scenario.rounds {
        let half = agency.post(scenario.rate, length).await?;
        let without = half.latencies.quantile(0.99);
        quiet.add(&half.latencies)?;
        refused += half.refused;
        let began = std::time::Instant::now();
        let attackers = Attackers::start(hub.address(), &attacked.email)?;
        let half = agency.post(scenario.rate, length).await?;
        gauge.mark(began, "attacked");
        tally.add(attackers.stop()?);
        let with = half.latencies.quantile(0.99);
        ratios.extend(with.zip(without).map(|(with, without)| with / without));
        loud.add(&half.latencies)?;
        refused += half.refused;
        ensure!(hub.is_ready().await, "the hub is not ready any more; its last words:\n{}", hub.log_tail(20));
        bar.inc(1);
        tokio::time::sleep(PAUSE).await;
    }
    report.latencies("without attackers: acknowledged after", quiet.quantiles());
    report.latencies("with attackers: acknowledged after", loud.quantiles());
    report.percentiles("without attackers", &quiet);
    report.percentiles("with attackers", &loud);
    let ratio = report.figure_of("with attackers / without, p99, median of rounds", &ratios, "×");
    report.at_most("with attackers / without, p99, median of rounds", scenario.targets.p99_ratio, Some(ratio), "×");
    report.must_be_zero("honest webhooks that were refused", refused);
    let (posted, lost) = agency.end().await?;
    report.count("honest webhooks acknowledged", posted);
    report.must_be_zero("envelopes that an honest dashboard has missed", lost);
    tally.report(&mut report);
    cheap::measure(&mut report, &hub, scenario.requests, scenario.targets.cpu_us).await?;
    gauge.finish(&mut report);
    hub.stop().await?;
    Ok(report)
}
