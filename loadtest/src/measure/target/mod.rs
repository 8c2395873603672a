//! `kind = "target"`: any hub that runs already. How its sessions subscribe and how something is published there are
//! templates; what is counted is the same for all.

mod publish;

use std::{env, net::SocketAddr, ops::Range, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use reqwest::Url;
use serde::Deserialize;
use tokio::{
    net::{TcpStream, lookup_host},
    time::{sleep, timeout},
};

use super::{
    Report,
    fanout::{cost, per_session},
    process, progress,
    scenarios::{Keys, Run, between, within},
    sessions::{Plan, Remote, Summary, Wanted, Wire, raise_file_limit},
};
use publish::{Publish, Publisher};

/// The keys. `{url}`, `{channel}`, `{token}` and `{key}` stand in all templates.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scenario {
    /// Where the hub is.
    url: String,
    /// What the sessions subscribe to and where is published.
    channel: String,
    sessions: usize,
    /// What is published, one after the other.
    envelopes: u32,
    /// Pause after all sessions have an envelope.
    gap_ms: u64,
    /// What has not reached all sessions after this long is lost.
    patience_seconds: f64,
    /// Between which processor time is read.
    rounds: u32,
    /// Length of `{payload}`.
    payload_bytes: usize,
    /// The hub's processes, where they are on this machine: for their memory and processor time.
    #[serde(default)]
    pids: Vec<u32>,
    subscribe: Plan,
    publish: Publish,
}

impl Keys for Scenario {
    fn check(&self) -> Result<()> {
        within("sessions", self.sessions, 1, 200_000)?;
        within("envelopes", self.envelopes as usize, 1, 1_000_000)?;
        within("rounds", self.rounds as usize, 1, self.envelopes as usize)?;
        within("payload_bytes", self.payload_bytes, 0, 1_000_000)?;
        between("patience_seconds", self.patience_seconds, 0.1, 600.0)?;
        within("gap_ms", usize::try_from(self.gap_ms)?, 0, 60_000)?;
        ensure!(self.subscribe.wire != Wire::Frames, "subscribe.wire: use websocket or sse");
        let is_sse = self.subscribe.wire == Wire::Sse;
        ensure!(!is_sse || self.subscribe.steps.is_empty(), "subscribe.steps: an event source says nothing");
        self.publish.check()
    }
}

/// The variable that has the token of the sessions.
const TOKEN: &str = "LOADTEST_TOKEN";
/// The variable that has the key for publishing.
const KEY: &str = "LOADTEST_KEY";
/// How long an address may take to answer.
const CONNECT: Duration = Duration::from_secs(5);
/// So many lost envelopes in a row, and the rest is not tried.
const GIVE_UP: u64 = 3;
/// What was needed for a moment is given back by then, and what comes twice has come.
const SETTLE: Duration = Duration::from_secs(1);

/// Runs the measurement.
///
/// # Errors
/// If the hub is not there, refuses a session or to publish, or ends a session.
pub(super) fn measure(options: &Run, name: &str, scenario: &Scenario) -> Result<Report> {
    ensure!(!options.baseline, "there is nothing bare to compare the kind target with: leave out --baseline");
    // The process with the sessions inherits the limit.
    raise_file_limit(scenario.sessions as u64 + 64)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(options, name, scenario))
}

async fn run(options: &Run, name: &str, scenario: &Scenario) -> Result<Report> {
    let fill = |text: &str| {
        let said = |variable| env::var(variable).unwrap_or_default();
        let url = scenario.url.trim_end_matches('/');
        let text = text.replace("{url}", url).replace("{channel}", &scenario.channel);
        text.replace("{token}", &said(TOKEN)).replace("{key}", &said(KEY))
    };
    let plan = scenario.subscribe.map(fill);
    let address = reach(&plan.url).await?;
    let publisher = Publisher::new(scenario.publish.map(fill), scenario.payload_bytes)?;

    let before = resident_kib(&scenario.pids)?;
    let Scenario { sessions: count, envelopes, .. } = *scenario;
    let mut sessions = Remote::start(&Wanted { address: address.to_string(), plan, count, envelopes, at_once: 64 })?;
    sessions.connect(scenario.sessions).await?;
    sleep(SETTLE).await;
    let resident = resident_kib(&scenario.pids)?.saturating_sub(before);
    let own_resident = process::resident_kib(sessions.pid()?)?;

    let mut measuring = Measuring { scenario, publisher, sessions, published: 0, late: 0, costs: vec![], own: vec![] };
    measuring.rounds().await?;
    sleep(SETTLE).await;
    let mut report = Report::new(name, options.common.seed);
    let Measuring { sessions, published, late, costs, own, .. } = measuring;
    describe(&mut report, scenario, (published, late), &sessions.finish().await?);
    if !scenario.pids.is_empty() {
        report.figure("RSS an idle session", per_session(resident, scenario.sessions), "KiB");
        report.figure_of("hub: CPU a delivery, median round", &costs, "µs");
    }
    report.figure("harness: RSS a session, the program included", per_session(own_resident, scenario.sessions), "KiB");
    let own_rates: Vec<f64> = own.iter().map(|micros| 1e6 / micros).collect();
    report.figure_of("harness: frames read in a second of a core", &own_rates, "/s");
    Ok(report)
}

/// The first address of a URL's host that somebody listens at.
async fn reach(url: &str) -> Result<SocketAddr> {
    let parsed = Url::parse(url).with_context(|| format!("subscribe.url: {url}"))?;
    let scheme = parsed.scheme();
    ensure!(matches!(scheme, "http" | "ws"), "subscribe.url: sessions use no TLS, so {scheme}:// can't be measured");
    let (host, port) = parsed.host_str().zip(parsed.port_or_known_default()).context("subscribe.url has no host")?;
    let host = host.trim_matches(['[', ']']);
    let found = timeout(CONNECT, lookup_host((host, port))).await.context("the name server says nothing")?;
    let mut why = "it has no address".to_owned();
    for address in found.with_context(|| format!("the host {host} of {url} is not known"))? {
        why = match timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(_)) => return Ok(address),
            Ok(Err(error)) => format!("{address}: {error}"),
            Err(_) => format!("{address} says nothing for {} s", CONNECT.as_secs()),
        };
    }
    bail!("nobody is at {url}: {why}")
}

fn resident_kib(pids: &[u32]) -> Result<u64> {
    pids.iter().map(|&pid| process::resident_kib(pid)).sum()
}

fn cpu(pids: &[u32]) -> Result<Duration> {
    pids.iter().map(|&pid| process::cpu(pid)).sum()
}

fn describe(report: &mut Report, scenario: &Scenario, (published, late): (u32, u64), tally: &Summary) {
    let expected = u64::from(published) * scenario.sessions as u64;
    report.count("envelopes published", published.into());
    report.count("deliveries", tally.delivered);
    report.must_be_zero("lost", expected.saturating_sub(tally.delivered));
    report.must_be_zero("duplicated", tally.duplicated);
    report.must_be_zero("not expected", tally.unexpected);
    report.count("envelopes that were late or lost", late);
    report.latencies("publish → received", tally.latency);
    if tally.delivered == 0 {
        report.problem("nobody read anything: do subscribe and publish mean the same channel, and does {id} arrive?");
    } else if published < scenario.envelopes {
        report.problem(format!("given up after {GIVE_UP} envelopes in a row did not reach all sessions"));
    }
}

/// A run.
struct Measuring<'a> {
    scenario: &'a Scenario,
    publisher: Publisher,
    sessions: Remote,
    published: u32,
    /// Envelopes that did not reach everybody in time.
    late: u64,
    /// CPU a delivery of the hub, in microseconds.
    costs: Vec<f64>,
    /// The same of the process with the sessions.
    own: Vec<f64>,
}

impl Measuring<'_> {
    async fn rounds(&mut self) -> Result<()> {
        let Scenario { envelopes, rounds, .. } = *self.scenario;
        let bar = progress::bar("envelopes", envelopes.into());
        let bound = |round: u32| u64::from(envelopes) * u64::from(round) / u64::from(rounds);
        for round in 0..rounds {
            let numbers = u32::try_from(bound(round))?..u32::try_from(bound(round + 1))?;
            let (own_pid, begun) = (self.sessions.pid()?, self.published);
            let (used, own) = (cpu(&self.scenario.pids)?, process::cpu(own_pid)?);
            let goes_on = self.round(numbers, &bar).await?;
            let deliveries = (self.published - begun) as usize * self.scenario.sessions;
            self.costs.push(cost(cpu(&self.scenario.pids)?.saturating_sub(used), deliveries));
            self.own.push(cost(process::cpu(own_pid)?.saturating_sub(own), deliveries));
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    /// Publishes each when all sessions have the one before; whether it makes sense to go on.
    async fn round(&mut self, numbers: Range<u32>, bar: &progress::Progress) -> Result<bool> {
        let (mut in_a_row, patience) = (0, Duration::from_secs_f64(self.scenario.patience_seconds));
        for number in numbers {
            self.publisher.publish(number).await?;
            self.published += 1;
            let (late, p99) = self.sessions.reached(number..number + 1, patience).await?;
            self.late += late;
            in_a_row = if late > 0 { in_a_row + 1 } else { 0 };
            if in_a_row == GIVE_UP {
                return Ok(false);
            }
            bar.say(format!("p99 {p99:.1} ms"));
            bar.inc(1);
            sleep(Duration::from_millis(self.scenario.gap_ms)).await;
        }
        Ok(true)
    }
}
