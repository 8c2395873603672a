//! `kind = "connect-storm"`: very many sessions that connect at once, do nothing for a while, are cut off and come back.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tokio::time::sleep;

use super::{
    Report,
    fanout::{Publisher, per_session, start_hub},
    gauge::Gauge,
    process, progress,
    scenarios::{Keys, Run, between, within},
    sessions::{Connected, Plan, Remote, Wanted, raise_file_limit},
};

/// The keys.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scenario {
    /// All of one user.
    sessions: usize,
    /// Handshakes under way.
    at_once: usize,
    login: Login,
    /// How long the idle sessions are watched.
    quiet_seconds: f64,
    /// How often all are cut off at once and come back.
    reconnects: u32,
    /// Envelopes that are published while they are away each time, and that they must get when they come back.
    #[serde(default)]
    missed: u32,
    #[serde(default)]
    targets: Targets,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Login {
    /// `Authorization`, with the handshake.
    Bearer,
    /// The first frame.
    FirstFrame,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Targets {
    all_subscribed_s: Option<f64>,
    /// The same after a cut.
    all_back_s: Option<f64>,
    /// After a cut, until all have what they missed.
    all_caught_up_s: Option<f64>,
    rss_kib_per_session: Option<f64>,
    idle_cpu_us_per_s: Option<f64>,
}

impl Scenario {
    /// Those that are missed, and one that finds all back.
    const fn envelopes_each_time(&self) -> u32 {
        self.missed + 1
    }
}

impl Keys for Scenario {
    fn check(&self) -> Result<()> {
        within("sessions", self.sessions, 1, 100_000)?;
        within("at_once", self.at_once, 1, 4096)?;
        within("reconnects", self.reconnects as usize, 0, 10)?;
        within("missed", self.missed as usize, 0, 100_000)?;
        between("quiet_seconds", self.quiet_seconds, 0.1, 3600.0)
    }
}

/// What has not reached all sessions after this long is lost.
const PATIENCE: Duration = Duration::from_secs(30);
/// Of the envelope that must reach all.
const FRAME_BYTES: usize = 300;

/// Runs the measurement.
///
/// # Errors
/// If the hub can't be started, or a session can't be had or ends.
pub(super) fn measure(options: &Run, name: &str, scenario: &Scenario) -> Result<Report> {
    ensure!(!options.baseline, "there is nothing bare to compare the kind connect-storm with: leave out --baseline");
    // The hub inherits the limit.
    raise_file_limit(u64::try_from(scenario.sessions)? + 512)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(options, name, scenario))
}

async fn run(options: &Run, name: &str, scenario: &Scenario) -> Result<Report> {
    let (mut hub, tenant) = start_hub(&options.common, scenario.sessions, 0).await?;
    let pid = hub.pid().context("the hub has ended")?;
    let publisher = Publisher::prepare(&hub, &tenant, FRAME_BYTES).await?;
    let mut report = Report::new(name, options.common.seed);
    let address = hub.address().to_string();
    let first_frame = scenario.login == Login::FirstFrame;
    let rooms = [tenant.room(), tenant.operators_room()];
    let sessions = Remote::start(&Wanted {
        plan: Plan::native(&address, &rooms.each_ref().map(String::as_str), &tenant.token, first_frame),
        address,
        count: scenario.sessions,
        envelopes: 1 + scenario.reconnects * scenario.envelopes_each_time(),
        at_once: scenario.at_once,
    })?;
    let mut storm = Storm { scenario, pid, publisher, sessions, gauge: Gauge::start(pid)? };

    storm.first(&mut report).await?;
    let (mut back, mut caught_up) = (Vec::new(), Vec::new());
    for number in 1..=scenario.reconnects {
        let (subscribed, complete) = storm.again(&mut report, number).await?;
        back.push(subscribed);
        caught_up.push(complete);
    }
    if !back.is_empty() {
        let seconds = report.figure_of("after a cut: all subscribed after", &back, "s");
        report.at_most("after a cut: all subscribed", scenario.targets.all_back_s, Some(seconds), "s");
    }
    if !back.is_empty() && scenario.missed > 0 {
        let seconds = report.figure_of("after a cut: all have what they missed after", &caught_up, "s");
        report.at_most("after a cut: all caught up", scenario.targets.all_caught_up_s, Some(seconds), "s");
    }

    let tally = storm.sessions.finish().await?;
    let envelopes = 1 + scenario.reconnects * scenario.envelopes_each_time();
    let expected = u64::from(envelopes) * u64::try_from(scenario.sessions)?;
    report.count("deliveries", tally.delivered);
    report.must_be_zero("lost", expected.saturating_sub(tally.delivered));
    report.must_be_zero("duplicated", tally.duplicated);
    report.must_be_zero("not expected", tally.unexpected);
    report.latencies("delivery latency", tally.latency);
    storm.gauge.finish(&mut report);
    hub.stop().await?;
    Ok(report)
}

struct Storm<'a> {
    scenario: &'a Scenario,
    /// Of the hub.
    pid: u32,
    publisher: Publisher<'a>,
    sessions: Remote,
    gauge: Gauge,
}

impl Storm<'_> {
    /// All connect, are idle, and get an envelope.
    async fn first(&mut self, report: &mut Report) -> Result<()> {
        let Scenario { sessions, ref targets, .. } = *self.scenario;
        let (resident, sockets) = (process::resident_kib(self.pid)?, process::socket_kib());
        let connected = self.connect(report, "first").await?;
        // What the handshakes needed for a moment is given back by then.
        sleep(Duration::from_secs(1)).await;
        let resident = process::resident_kib(self.pid)?.saturating_sub(resident);
        let rss = per_session(resident, sessions);
        report.figure("RSS an idle session", rss, "KiB");
        if let Some((before, now)) = sockets.zip(process::socket_kib()) {
            let kib = per_session(now.saturating_sub(before), sessions);
            report.figure("kernel memory of an idle session's sockets, both ends", kib, "KiB");
        }
        let idle = self.idle().await?;
        report.figure("hub: idle CPU a session in a second", idle, "µs");
        report.at_most("all subscribed", targets.all_subscribed_s, Some(connected.seconds), "s");
        report.at_most("RSS an idle session", targets.rss_kib_per_session, Some(rss), "KiB");
        report.at_most("idle CPU a session in a second", targets.idle_cpu_us_per_s, Some(idle), "µs");
        self.reach_all(0).await
    }

    /// All are cut off, come back, get what they missed, and another envelope; the seconds until all are subscribed, and
    /// until all have what they missed.
    async fn again(&mut self, report: &mut Report, number: u32) -> Result<(f64, f64)> {
        let each = self.scenario.envelopes_each_time();
        let missed = 1 + (number - 1) * each..number * each;
        self.sessions.cut().await?;
        for away in missed.clone() {
            self.publisher.publish(away).await?;
        }
        let begin = Instant::now();
        let connected = self.connect(report, &format!("after cut {number}")).await?;
        self.sessions.reached(missed.clone(), PATIENCE).await?;
        let caught_up = begin.elapsed().as_secs_f64();
        self.reach_all(missed.end).await?;
        Ok((connected.seconds, caught_up))
    }

    async fn connect(&mut self, report: &mut Report, when: &str) -> Result<Connected> {
        let (begin, cpu) = (Instant::now(), process::cpu(self.pid)?);
        let connected = self.sessions.connect(self.scenario.sessions).await?;
        let cpu = process::cpu(self.pid)?.saturating_sub(cpu);
        self.gauge.mark(begin, &format!("connecting, {when}"));
        report.figure(format!("{when}: all subscribed after"), connected.seconds, "s");
        report.latencies(&format!("{when}: subscribed after"), Some(connected.each));
        report.figure(format!("{when}: hub's CPU a session"), micros(cpu, self.scenario.sessions), "µs");
        Ok(connected)
    }

    /// CPU of the hub a session and second while nothing is published.
    async fn idle(&mut self) -> Result<f64> {
        let _step = progress::step("watching the idle sessions");
        let (begin, cpu) = (Instant::now(), process::cpu(self.pid)?);
        sleep(Duration::from_secs_f64(self.scenario.quiet_seconds)).await;
        let cpu = process::cpu(self.pid)?.saturating_sub(cpu);
        let seconds = begin.elapsed().as_secs_f64();
        self.gauge.mark(begin, "idle");
        Ok(micros(cpu, self.scenario.sessions) / seconds)
    }

    /// Late or lost is counted at the end.
    async fn reach_all(&mut self, number: u32) -> Result<()> {
        self.publisher.publish(number).await?;
        self.sessions.reached(number..number + 1, PATIENCE).await.map(drop)
    }
}

#[expect(clippy::cast_precision_loss, reason = "at most 100,000 sessions")]
fn micros(cpu: Duration, sessions: usize) -> f64 {
    cpu.as_secs_f64() * 1e6 / sessions as f64
}
