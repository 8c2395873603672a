//! `kind = "fanout"`: what one envelope costs when thousands of dashboards get it: CPU a delivery, memory a session,
//! latency.

mod bare;
mod publisher;

use std::{ops::Range, time::Duration};

use anyhow::{Context, Result};
use serde::Deserialize;
use tokio::time::sleep;

use super::{
    Common, Report,
    gauge::Gauge,
    process, progress,
    scenarios::{Keys, Run, between, within},
    sessions::{Plan, Remote, Summary, Wanted, raise_file_limit},
};
use crate::hub::{Hub, Tenant};
use bare::Bare;
pub(super) use publisher::Publisher;

/// The keys.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scenario {
    /// All subscribed to the same account.
    sessions: usize,
    envelopes: u32,
    /// Length of a frame, header included; the hub's own keys take some 300 of it at least.
    bytes: usize,
    /// Between which hub and bare loop take turns.
    rounds: u32,
    /// Whether the envelopes of a round are published back to back. Else each is when all sessions have the one before.
    burst: bool,
    /// Pause after all sessions have what was published.
    gap_ms: u64,
    /// Worker threads of the hub; by default one a core.
    #[serde(default)]
    workers: usize,
    #[serde(default)]
    targets: Targets,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Targets {
    /// Against a bare send(2) loop; looked at with `--baseline`.
    cpu_of_bare: Option<f64>,
    delivery_p99_ms: Option<f64>,
    rss_kib_per_session: Option<f64>,
}

impl Keys for Scenario {
    fn check(&self) -> Result<()> {
        within("sessions", self.sessions, 1, 100_000)?;
        within("envelopes", self.envelopes as usize, 1, 1_000_000)?;
        within("rounds", self.rounds as usize, 1, self.envelopes as usize)?;
        within("bytes", self.bytes, 1, 60_000)?;
        within("workers", self.workers, 0, 1024)?;
        #[expect(clippy::cast_precision_loss, reason = "a pause is short")]
        between("gap_ms", self.gap_ms as f64, 0.0, 60_000.0)
    }
}

impl Scenario {
    fn wanted(&self, address: String, plan: Plan) -> Wanted {
        Wanted { address, plan, count: self.sessions, envelopes: self.envelopes, at_once: 64 }
    }

    /// What is published before everybody must have it.
    fn steps(&self, numbers: Range<u32>) -> impl Iterator<Item = Range<u32>> + use<> {
        let step = if self.burst { numbers.len().max(1) } else { 1 };
        let end = numbers.end;
        numbers.step_by(step).map(move |from| from..(from.saturating_add(u32::try_from(step).unwrap_or(end)).min(end)))
    }

    const fn gap(&self) -> Duration {
        Duration::from_millis(self.gap_ms)
    }
}

/// What has not reached all sessions after this long is lost.
const PATIENCE: Duration = Duration::from_secs(20);
const PAGE: u64 = 100_200_300_400_600;

/// Runs the measurement.
///
/// # Errors
/// If the hub can't be started, or a session can't be had or ends.
pub(super) fn measure(options: &Run, name: &str, scenario: &Scenario) -> Result<Report> {
    // The hub inherits the limit.
    raise_file_limit(u64::try_from(scenario.sessions)? + 512)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(options, name, scenario))
}

async fn run(options: &Run, name: &str, scenario: &Scenario) -> Result<Report> {
    let mut report = Report::new(name, options.common.seed);
    let (mut hub, tenant) = start_hub(&options.common, scenario.sessions, scenario.workers).await?;
    let pid = hub.pid().context("the hub has ended")?;
    let publisher = Publisher::prepare(&hub, &tenant, scenario.bytes).await?;
    report.count("frame, header included", publisher.frame_bytes);

    let gauge = Gauge::start(pid)?;
    let alone = cost_alone(&publisher, scenario, pid).await?;
    let before = process::resident_kib(pid)?;
    let address = hub.address().to_string();
    let plan = Plan::native(&address, &[&tenant.room()], &tenant.token, false);
    let mut sessions = Remote::start(&scenario.wanted(address, plan))?;
    sessions.connect(scenario.sessions).await?;
    // What the handshakes needed for a moment is given back by then.
    sleep(Duration::from_secs(1)).await;
    let resident = process::resident_kib(pid)?.saturating_sub(before);
    let own_resident = process::resident_kib(sessions.pid()?)?;
    let mut bare = if options.baseline { Some(Bare::start(scenario, publisher.frame_bytes).await?) } else { None };

    let mut sides = Sides { scenario, pid, publisher, sessions };
    let measured = sides.rounds(&mut bare).await?;
    let tally = sides.sessions.finish().await?;
    let rss = per_session(resident, scenario.sessions);
    report.figure("RSS an idle session", rss, "KiB");
    report.figure("harness: RSS a session, the program included", per_session(own_resident, scenario.sessions), "KiB");
    describe(&mut report, scenario, &measured, &tally);
    report.figure("hub: CPU an envelope that no session sees", alone, "µs");
    if let Some(bare) = bare {
        let tally = bare.finish().await?;
        let expected = u64::from(scenario.envelopes) * u64::try_from(scenario.sessions)?;
        report.must_be_zero("bare send: lost", expected.saturating_sub(tally.delivered));
        report.figure_of("bare send: CPU a send, median round", &measured.bare, "µs");
        report.latencies("bare send: latency", tally.latency);
        let ratios = |less: f64| -> Vec<f64> {
            measured.hub.iter().zip(&measured.bare).map(|(hub, bare)| (hub - less) / bare).collect()
        };
        report.figure_of("hub / bare send, CPU, publishing and storing included", &ratios(0.0), "×");
        let ratios = ratios(alone / f64::from(u32::try_from(scenario.sessions)?));
        let ratio = report.figure_of("hub / bare send, CPU, median of rounds", &ratios, "×");
        report.at_most("hub / bare send, CPU", scenario.targets.cpu_of_bare, Some(ratio), "×");
    }
    report.at_most("RSS an idle session", scenario.targets.rss_kib_per_session, Some(rss), "KiB");
    gauge.finish(&mut report);
    hub.stop().await?;
    Ok(report)
}

fn describe(report: &mut Report, scenario: &Scenario, measured: &Rounds, tally: &Summary) {
    let expected = u64::from(scenario.envelopes) * scenario.sessions as u64;
    report.count("deliveries", tally.delivered);
    report.must_be_zero("lost", expected.saturating_sub(tally.delivered));
    report.must_be_zero("duplicated", tally.duplicated);
    report.must_be_zero("not expected", tally.unexpected);
    report.count("envelopes that were late or lost", measured.late);
    report.latencies("delivery latency", tally.latency);
    report.figure_of("hub: CPU a delivery, median round", &measured.hub, "µs");
    let own_rates: Vec<f64> = measured.own.iter().map(|micros| 1e6 / micros).collect();
    report.figure_of("harness: frames read in a second of a core", &own_rates, "/s");
    let p99 = tally.latency.map(|latency| latency.p99);
    report.at_most("delivery latency p99", scenario.targets.delivery_p99_ms, p99, "ms");
}

#[expect(clippy::cast_precision_loss, reason = "kibibytes of one machine")]
pub(super) fn per_session(kib: u64, sessions: usize) -> f64 {
    kib as f64 / sessions.max(1) as f64
}

/// What an envelope costs before any session is told of it, in microseconds: the request that changes the lead, the
/// hub's log, its storing. It is no part of what fanning out costs, and with few sessions much of the whole.
async fn cost_alone(publisher: &Publisher<'_>, scenario: &Scenario, pid: u32) -> Result<f64> {
    const ENVELOPES: u32 = 100;
    let before = process::cpu(pid)?;
    for numbers in scenario.steps(0..ENVELOPES) {
        publisher.burst(numbers).await?;
        sleep(scenario.gap()).await;
    }
    Ok(cost(process::cpu(pid)?.saturating_sub(before), ENVELOPES as usize))
}

/// A hub with an account for so many sessions.
pub(super) async fn start_hub(common: &Common, sessions: usize, workers: usize) -> Result<(Hub, Tenant)> {
    let _step = progress::step("starting the hub");
    let setup = common
        .setup_for(sessions)?
        .set("server.workers", workers)
        // Nothing is asked of the platform here.
        .graph_url("http://127.0.0.1:9");
    let mut hub = Hub::prepare(setup).await?;
    let tenant = hub.add_tenant("Fanout", PAGE, "EAAB-fanout").await?;
    hub.start().await?;
    Ok((hub, tenant))
}

/// Who publishes and who reads.
struct Sides<'a> {
    scenario: &'a Scenario,
    /// Of the hub.
    pid: u32,
    publisher: Publisher<'a>,
    sessions: Remote,
}

/// What the rounds took, each a delivery in microseconds.
#[derive(Default)]
struct Rounds {
    hub: Vec<f64>,
    /// The process with the sessions.
    own: Vec<f64>,
    bare: Vec<f64>,
    /// Envelopes that did not reach everybody in time.
    late: u64,
}

impl Sides<'_> {
    /// Hub and bare loop take turns.
    async fn rounds(&mut self, bare: &mut Option<Bare>) -> Result<Rounds> {
        let Scenario { envelopes, rounds, .. } = *self.scenario;
        let bar = progress::bar("envelopes", envelopes.into());
        let mut measured = Rounds::default();
        let bound = |round: u32| u64::from(envelopes) * u64::from(round) / u64::from(rounds);
        for round in 0..rounds {
            let numbers = u32::try_from(bound(round))?..u32::try_from(bound(round + 1))?;
            self.round(numbers.clone(), &mut measured, &bar).await?;
            if let Some(bare) = bare {
                measured.bare.push(bare.round(self.scenario, numbers).await?);
            }
        }
        Ok(measured)
    }

    async fn round(&mut self, numbers: Range<u32>, measured: &mut Rounds, bar: &progress::Progress) -> Result<()> {
        let own_pid = self.sessions.pid()?;
        let (cpu, own_cpu) = (process::cpu(self.pid)?, process::cpu(own_pid)?);
        let deliveries = numbers.len() * self.scenario.sessions;
        for numbers in self.scenario.steps(numbers) {
            self.publisher.burst(numbers.clone()).await?;
            let (late, p99) = self.sessions.reached(numbers.clone(), PATIENCE).await?;
            measured.late += late;
            bar.say(format!("p99 {p99:.1} ms"));
            bar.inc(numbers.len() as u64);
            sleep(self.scenario.gap()).await;
        }
        measured.hub.push(cost(process::cpu(self.pid)?.saturating_sub(cpu), deliveries));
        measured.own.push(cost(process::cpu(own_pid)?.saturating_sub(own_cpu), deliveries));
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "no run has 2^53 deliveries")]
pub(super) fn cost(cpu: Duration, deliveries: usize) -> f64 {
    cpu.as_secs_f64() * 1e6 / deliveries.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_one_step_and_else_each_envelope_is() {
        let scenario = |burst| Scenario {
            sessions: 1,
            envelopes: 9,
            bytes: 300,
            rounds: 2,
            burst,
            gap_ms: 0,
            workers: 0,
            targets: Targets::default(),
        };
        let steps =
            |burst, numbers| scenario(burst).steps(numbers).map(|step| (step.start, step.end)).collect::<Vec<_>>();
        assert_eq!(steps(true, 4..9), [(4, 9)]);
        assert_eq!(steps(false, 7..9), [(7, 8), (8, 9)]);
        assert_eq!(scenario(true).steps(4..4).count(), 0);
    }
}
