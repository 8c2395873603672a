//! `kind = "ingest"`: how fast webhooks are accepted: a closed loop of signed POSTs over keep-alive connections.

use std::{
    cell::RefCell,
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::{
    Common, Report,
    child::Child,
    cores,
    gauge::Gauge,
    http::Connection,
    latency::Latencies,
    process, progress,
    requests::{HAPPENED, Requests, What},
    scenarios::{Keys, Run, between, within},
};
use crate::{
    hub::Hub,
    platform::{self, Settings, Simulator},
};

/// The keys.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scenario {
    /// What the webhooks tell of.
    what: What,
    /// Keep-alive connections, each with one request under way.
    connections: usize,
    /// How long the hub is measured, over all rounds.
    seconds: f64,
    /// Between which hub and bare endpoint take turns.
    rounds: u32,
    /// Worker threads of the hub and of the bare endpoint; by default one a core.
    workers: Option<usize>,
    #[serde(default)]
    targets: Targets,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Targets {
    acknowledge_p99_ms: Option<f64>,
    /// Against a bare endpoint; looked at with `--baseline`.
    rate_of_bare: Option<f64>,
}

impl Keys for Scenario {
    fn check(&self) -> Result<()> {
        within("connections", self.connections, 1, 4096)?;
        between("seconds", self.seconds, 0.1, 3600.0)?;
        within("rounds", self.rounds as usize, 1, 1000)?;
        within("workers", self.workers.unwrap_or(1), 1, 1024)
    }
}

const PAGE: u64 = 100_200_300_400_500;
/// Requests made ahead for a second of a round, per second; more are made as they are needed.
const MADE_AHEAD: usize = 25_000;
const WARM_UP: Duration = Duration::from_millis(500);
/// A connection waits this long after a 503, as a platform does, only that it takes less.
const AFTER_REFUSAL: Duration = Duration::from_millis(10);

/// One side of the comparison.
struct Side {
    address: SocketAddr,
    pid: u32,
    requests: Requests,
    rounds: Vec<Round>,
}

/// What happened in one round.
struct Round {
    acknowledged: u64,
    refused: u64,
    elapsed: Duration,
    cpu: Duration,
    latencies: Latencies,
}

impl Round {
    fn new() -> Result<Self> {
        let (elapsed, cpu) = (Duration::ZERO, Duration::ZERO);
        Ok(Self { acknowledged: 0, refused: 0, elapsed, cpu, latencies: Latencies::new()? })
    }

    #[expect(clippy::cast_precision_loss, reason = "no round has 2^53 requests")]
    fn rate(&self) -> f64 {
        self.acknowledged as f64 / self.elapsed.as_secs_f64()
    }

    #[expect(clippy::cast_precision_loss, reason = "no round has 2^53 requests")]
    fn cpu_micros(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.acknowledged.max(1) as f64
    }
}

/// Runs the measurement.
///
/// # Errors
/// If the hub can't be started or filled, or a connection breaks.
pub(super) fn measure(options: &Run, name: &str, scenario: &Scenario) -> Result<Report> {
    // One thread: the client then takes no more than one core, and no time for its threads to wake each other.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(options, name, scenario))
}

/// A hub with one page, whose leads are there to be fetched.
async fn start_hub(common: &Common, workers: usize) -> Result<(Hub, Simulator)> {
    let _step = progress::step("starting the hub");
    let simulator = Simulator::start(Settings::default())?;
    let page = simulator.add_page(PAGE, "EAAB-ingest");
    page.generate_leads(1..=u64::MAX, |id| platform::Lead::generated(id, HAPPENED));
    let setup = common.setup()?.graph_url(&simulator.url()).set("server.workers", workers);
    let mut hub = Hub::prepare(setup).await?;
    hub.add_tenant("Ingest", PAGE, "EAAB-ingest").await?;
    hub.start().await?;
    Ok((hub, simulator))
}

async fn run(options: &Run, name: &str, scenario: &Scenario) -> Result<Report> {
    let workers = scenario.workers.unwrap_or_else(cores);
    let (mut hub, _simulator) = start_hub(&options.common, workers).await?;
    let side = |address, pid| {
        let requests = Requests::new(scenario.what, PAGE, address, options.common.first_id());
        Side { address, pid, requests, rounds: Vec::new() }
    };
    let pid = hub.pid().context("the hub has ended")?;
    let mut hub_side = side(hub.address(), pid);
    let mut bare = None;
    if options.baseline {
        let (child, address) = bare_endpoint(workers).await?;
        bare = Some((side(address, child.pid()?), child));
    }
    let gauge = Gauge::start(pid)?;
    let acknowledged = rounds(scenario, &mut hub_side, bare.as_mut().map(|(side, _)| side)).await?;
    let accepted = accepted(&hub, acknowledged).await?;

    let mut report = Report::new(name, options.common.seed);
    let latencies = describe(&mut report, "hub", &hub_side.rounds)?;
    if let Some((bare, _)) = &bare {
        describe(&mut report, "bare", &bare.rounds)?;
        let rate = compare(&mut report, &hub_side.rounds, &bare.rounds);
        report.at_least("hub / bare, rate", scenario.targets.rate_of_bare, Some(rate), "×");
    }
    let p99 = latencies.quantile(0.99);
    report.at_most("hub: acknowledgement p99", scenario.targets.acknowledge_p99_ms, p99, "ms");
    report.percentiles("acknowledged", &latencies);
    report.count("acknowledged", acknowledged);
    report.count("accepted, by the hub's count", accepted);
    if accepted < acknowledged {
        report.problem(format!("{acknowledged} events were acknowledged, but the hub accepted {accepted}"));
    }
    gauge.finish(&mut report);
    hub.stop().await?;
    Ok(report)
}

/// The bare endpoint in a process of its own, and its address.
pub(super) async fn bare_endpoint(workers: usize) -> Result<(Child, SocketAddr)> {
    let mut child = Child::start(&["bare-endpoint".into(), "--workers".into(), workers.to_string()], &[])?;
    let address = child.hear_of("listening").await?.parse()?;
    Ok((child, address))
}

/// Hub and bare endpoint take turns; how many the hub acknowledged.
async fn rounds(scenario: &Scenario, hub: &mut Side, mut bare: Option<&mut Side>) -> Result<u64> {
    let Scenario { connections, rounds, seconds, .. } = *scenario;
    let mut acknowledged = hub.round(connections, WARM_UP).await?.acknowledged;
    if let Some(bare) = &mut bare {
        bare.round(connections, WARM_UP).await?;
    }
    let length = Duration::from_secs_f64(seconds) / rounds;
    let bar = progress::bar("rounds", rounds.into());
    for _ in 0..rounds {
        let round = hub.round(connections, length).await?;
        acknowledged += round.acknowledged;
        let p99 = round.latencies.quantile(0.99).unwrap_or_default();
        bar.say(format!("acknowledged {:.0}/s, p99 {p99:.1} ms", round.rate()));
        bar.inc(1);
        hub.rounds.push(round);
        if let Some(bare) = &mut bare {
            let round = bare.round(connections, length).await?;
            bare.rounds.push(round);
        }
    }
    Ok(acknowledged)
}

impl Side {
    /// Sends as fast as the answers come, for this long.
    async fn round(&mut self, connections: usize, length: Duration) -> Result<Round> {
        let ahead = MADE_AHEAD * usize::try_from(length.as_millis())? / 1000;
        // In the order of their ids, as a platform sends them.
        let ready = (0..ahead).map(|_| self.requests.make()).collect();
        let supply = RefCell::new(Supply { ready, requests: &mut self.requests });
        let mut open = Vec::with_capacity(connections);
        for _ in 0..connections {
            open.push(Connection::open(self.address).await.context("can't connect")?);
        }
        let cpu = process::cpu(self.pid)?;
        let start = Instant::now();
        let drivers = open.into_iter().map(|connection| drive(connection, &supply, start + length));
        let done = futures_util::future::try_join_all(drivers).await?;
        let (elapsed, cpu) = (start.elapsed(), process::cpu(self.pid)?.saturating_sub(cpu));
        let mut round = Round { elapsed, cpu, ..Round::new()? };
        for part in &done {
            round.acknowledged += part.acknowledged;
            round.refused += part.refused;
            round.latencies.add(&part.latencies)?;
        }
        Ok(round)
    }
}

/// Requests made ahead, and the maker for when they are used up.
struct Supply<'a> {
    ready: VecDeque<Vec<u8>>,
    requests: &'a mut Requests,
}

/// One connection's loop until the round ends.
async fn drive(mut connection: Connection, supply: &RefCell<Supply<'_>>, end: Instant) -> Result<Round> {
    let mut round = Round::new()?;
    loop {
        let request = {
            let mut supply = supply.borrow_mut();
            let ready = supply.ready.pop_front();
            ready.unwrap_or_else(|| supply.requests.make())
        };
        let sent = Instant::now();
        if sent >= end {
            return Ok(round);
        }
        match connection.exchange(&request).await.context("a connection broke")? {
            200 => {
                round.acknowledged += 1;
                round.latencies.record(sent.elapsed());
            }
            503 => {
                round.refused += 1;
                tokio::time::sleep(AFTER_REFUSAL).await;
            }
            status => bail!("a webhook was answered with status {status}"),
        }
    }
}

/// What the hub counts as accepted; waits a little, for it may count behind its answers.
async fn accepted(hub: &Hub, acknowledged: u64) -> Result<u64> {
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        let counted = hub.metric("leadwire_inbox_accepted_events_total").await?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a counter")]
        let counted = counted as u64;
        if counted >= acknowledged || Instant::now() > end {
            return Ok(counted);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn describe(report: &mut Report, name: &str, rounds: &[Round]) -> Result<Latencies> {
    let mut latencies = Latencies::new()?;
    for round in rounds {
        latencies.add(&round.latencies)?;
    }
    let rates: Vec<f64> = rounds.iter().map(Round::rate).collect();
    let cpu: Vec<f64> = rounds.iter().map(Round::cpu_micros).collect();
    report.figure_of(format!("{name}: acknowledgements, median round"), &rates, "/s");
    report.figure_of(format!("{name}: CPU an acknowledgement, median round"), &cpu, "µs");
    report.latencies(&format!("{name}: acknowledgement"), latencies.quantiles());
    report.count(format!("{name}: refused with 503"), rounds.iter().map(|round| round.refused).sum());
    Ok(latencies)
}

/// Hub and bare endpoint took turns: each round is compared with its neighbour. The ratio of their rates.
fn compare(report: &mut Report, hub: &[Round], bare: &[Round]) -> f64 {
    let ratios = |of: fn(&Round) -> f64| -> Vec<f64> { hub.iter().zip(bare).map(|(a, b)| of(a) / of(b)).collect() };
    report.figure_of("hub / bare, CPU, median of rounds", &ratios(Round::cpu_micros), "×");
    report.figure_of("hub / bare, rate, median of rounds", &ratios(Round::rate), "×")
}
