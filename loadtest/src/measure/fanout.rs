//! What one envelope costs when thousands of dashboards get it: CPU a delivery, memory a session, latency.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{
    Common, Report,
    child::Child,
    process, progress,
    sessions::{self, Summary, marked},
};
use crate::{
    client::Socket,
    hub::{Hub, Tenant},
};

/// Measure what it costs to push an envelope to many sessions.
#[derive(Debug, Args)]
pub struct Fanout {
    #[command(flatten)]
    common: Common,
    /// Sessions, all subscribed to the same account.
    #[arg(long, default_value_t = 5000)]
    sessions: usize,
    /// Envelopes, published one after the other.
    #[arg(long, default_value_t = 200)]
    envelopes: u32,
    /// Length of a frame, header included; the hub's own keys take some 300 of it at least.
    #[arg(long, default_value_t = 300)]
    bytes: usize,
    /// Also measure a bare loop of send(2) in the same run, in turns, and quote the median ratio.
    #[arg(long)]
    baseline: bool,
    /// Pause after an envelope has reached all sessions, in milliseconds.
    #[arg(long, default_value_t = 20)]
    gap_ms: u64,
    /// Rounds, between which hub and bare loop take turns.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Worker threads of the hub; by default one a core.
    #[arg(long, default_value_t = 0)]
    workers: usize,
}

impl Fanout {
    /// What all measurements take.
    #[must_use]
    pub const fn common(&self) -> &Common {
        &self.common
    }
}

/// An envelope that has not reached all sessions after this long is lost.
const PATIENCE: Duration = Duration::from_secs(10);
const PAGE: u64 = 100_200_300_400_600;

/// Runs the measurement.
///
/// # Errors
/// If the hub can't be started, or a session can't be had or ends.
pub fn measure(options: &Fanout) -> Result<Report> {
    // The hub inherits the limit.
    sessions::raise_file_limit(u64::try_from(options.sessions)? + 512)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(options))
}

async fn run(options: &Fanout) -> Result<Report> {
    let mut report = Report::new("fanout", options.common.seed);
    let (mut hub, tenant) = start_hub(options).await?;
    let pid = hub.pid().context("the hub has ended")?;
    let mut publisher = Publisher::prepare(&hub, &tenant, options.bytes).await?;
    report.count("frame, header included", publisher.frame_bytes);

    let before = process::resident_kib(pid)?;
    let dashboards = Dashboards { child: sessions(options, hub.address().to_string(), Some(&tenant)).await?, pid };
    // What the handshakes needed for a moment is given back by then.
    sleep(Duration::from_secs(1)).await;
    let resident = process::resident_kib(pid)?.saturating_sub(before);
    let own_resident = process::resident_kib(dashboards.child.pid()?)?;
    let mut hub_side = dashboards;
    let mut bare = if options.baseline { Some(Bare::start(options, publisher.frame_bytes).await?) } else { None };

    let rounds = options.rounds.clamp(1, options.envelopes.max(1));
    let bar = progress::bar("envelopes", options.envelopes.into());
    let (mut costs, mut own_costs, mut bare_costs, mut lost) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for round in 0..rounds {
        let numbers = options.envelopes * round / rounds..options.envelopes * (round + 1) / rounds;
        let round = hub_side.round(options, &mut publisher, numbers.clone(), &bar).await?;
        costs.push(round.hub);
        own_costs.push(round.own);
        lost += round.late;
        if let Some(bare) = &mut bare {
            bare_costs.push(bare.round(options, numbers).await?);
        }
    }
    bar.finish_and_clear();

    let tally = finish(&mut hub_side.child).await?;
    let expected = u64::from(options.envelopes) * u64::try_from(options.sessions)?;
    report.count("deliveries", tally.delivered);
    report.must_be_zero("lost", expected.saturating_sub(tally.delivered));
    report.must_be_zero("duplicated", tally.duplicated);
    report.must_be_zero("not expected", tally.unexpected);
    report.count("envelopes that were late or lost", lost);
    report.figure("RSS an idle session", per_session(resident, options.sessions), "KiB");
    report.latencies("delivery latency", tally.latency);
    report.figure_of("hub: CPU a delivery, median round", &costs, "µs");
    let own_rates: Vec<f64> = own_costs.iter().map(|micros| 1e6 / micros).collect();
    report.figure_of("harness: frames read in a second of a core", &own_rates, "/s");
    report.figure("harness: RSS a session, the program included", per_session(own_resident, options.sessions), "KiB");
    if let Some(mut bare) = bare {
        let tally = finish(&mut bare.sessions).await?;
        report.must_be_zero("bare send: lost", expected.saturating_sub(tally.delivered));
        report.figure_of("bare send: CPU a send, median round", &bare_costs, "µs");
        report.latencies("bare send: latency", tally.latency);
        let ratios: Vec<f64> = costs.iter().zip(&bare_costs).map(|(hub, bare)| hub / bare).collect();
        report.figure_of("hub / bare send, CPU, median of rounds", &ratios, "×");
    }
    hub.stop().await?;
    Ok(report)
}

#[expect(clippy::cast_precision_loss, reason = "kibibytes of one machine")]
fn per_session(kib: u64, sessions: usize) -> f64 {
    kib as f64 / sessions.max(1) as f64
}

async fn start_hub(options: &Fanout) -> Result<(Hub, Tenant)> {
    let step = progress::step("starting the hub");
    let enough = options.sessions + 1000;
    let setup = ["user", "account", "address"]
        .iter()
        .fold(options.common.setup()?, |setup, of| setup.set(&format!("realtime.sessions_per_{of}"), enough))
        .set("server.max_connections", enough)
        .set("server.workers", options.workers)
        // Nothing is asked of the platform here.
        .graph_url("http://127.0.0.1:9");
    let mut hub = Hub::prepare(setup).await?;
    let tenant = hub.add_tenant("Fanout", PAGE, "EAAB-fanout").await?;
    hub.start().await?;
    step.finish_and_clear();
    Ok((hub, tenant))
}

/// Starts the process with the sessions and waits until it has them all.
async fn sessions(options: &Fanout, address: String, tenant: Option<&Tenant>) -> Result<Child> {
    let mut arguments = vec![
        "sessions".to_owned(),
        format!("--address={address}"),
        format!("--count={}", options.sessions),
        format!("--envelopes={}", options.envelopes),
    ];
    arguments.extend(tenant.map(|tenant| format!("--room={}", tenant.room())));
    let token = tenant.map_or("", |tenant| &tenant.token);
    let mut child = Child::start(&arguments, &[(sessions::TOKEN, token)])?;
    let bar = progress::bar("connecting", u64::try_from(options.sessions)?);
    loop {
        let line = child.hear().await?;
        if let Some(connected) = line.strip_prefix("connected ") {
            bar.set_position(connected.parse()?);
        } else if line == "ready" {
            bar.finish_and_clear();
            return Ok(child);
        }
    }
}

async fn finish(child: &mut Child) -> Result<Summary> {
    child.tell("finish").await?;
    Ok(serde_json::from_str(&child.hear_of("tally").await?)?)
}

/// The sessions at the hub.
struct Dashboards {
    child: Child,
    /// Of the hub.
    pid: u32,
}

/// What a round took.
struct Round {
    /// CPU of the hub a delivery, in microseconds.
    hub: f64,
    /// The same of the process with the sessions.
    own: f64,
    /// Envelopes that did not reach everybody in time.
    late: u64,
}

impl Dashboards {
    /// Publishes these envelopes, each after all sessions have the one before.
    async fn round(
        &mut self,
        options: &Fanout,
        publisher: &mut Publisher<'_>,
        numbers: std::ops::Range<u32>,
        bar: &ProgressBar,
    ) -> Result<Round> {
        let own_pid = self.child.pid()?;
        let (cpu, own_cpu) = (process::cpu(self.pid)?, process::cpu(own_pid)?);
        let (count, mut late) = (numbers.len(), 0);
        for number in numbers {
            publisher.publish(number.into()).await?;
            late += u64::from(!done(&mut self.child, number).await?);
            bar.inc(1);
            sleep(Duration::from_millis(options.gap_ms)).await;
        }
        let deliveries = count * options.sessions;
        let hub = cost(process::cpu(self.pid)?.saturating_sub(cpu), deliveries);
        Ok(Round { hub, own: cost(process::cpu(own_pid)?.saturating_sub(own_cpu), deliveries), late })
    }
}

/// Waits until all sessions have this envelope; `false` if that takes too long.
async fn done(child: &mut Child, number: u32) -> Result<bool> {
    let wanted = number.to_string();
    let reached = async {
        while child.hear_of("done").await? != wanted {}
        anyhow::Ok(())
    };
    match timeout(PATIENCE, reached).await {
        Ok(reached) => reached.map(|()| true),
        Err(_) => Ok(false),
    }
}

#[expect(clippy::cast_precision_loss, reason = "no run has 2^53 deliveries")]
fn cost(cpu: Duration, deliveries: usize) -> f64 {
    cpu.as_secs_f64() * 1e6 / deliveries.max(1) as f64
}

/// The bare loop, and sessions of its own.
struct Bare {
    sender: Child,
    sessions: Child,
}

impl Bare {
    async fn start(options: &Fanout, frame_bytes: u64) -> Result<Self> {
        let (sessions_argument, bytes) = (format!("--sessions={}", options.sessions), format!("--bytes={frame_bytes}"));
        let mut sender = Child::start(&["bare-send".into(), sessions_argument, bytes], &[])?;
        let address = sender.hear_of("listening").await?;
        let sessions = sessions(options, address, None).await?;
        sender.hear_of("accepted").await?;
        Ok(Self { sender, sessions })
    }

    /// CPU a send in microseconds.
    async fn round(&mut self, options: &Fanout, numbers: std::ops::Range<u32>) -> Result<f64> {
        let pid = self.sender.pid()?;
        let (cpu, count) = (process::cpu(pid)?, numbers.len());
        for number in numbers {
            self.sender.tell(&number.to_string()).await?;
            if !done(&mut self.sessions, number).await? {
                bail!("the bare loop's envelope {number} did not reach all sockets");
            }
            sleep(Duration::from_millis(options.gap_ms)).await;
        }
        Ok(cost(process::cpu(pid)?.saturating_sub(cpu), count * options.sessions))
    }
}

/// Changes the notes of a lead over and over: each change is an envelope.
struct Publisher<'a> {
    hub: &'a Hub,
    token: &'a str,
    lead: String,
    notes: usize,
    frame_bytes: u64,
}

impl<'a> Publisher<'a> {
    /// Makes the lead, and finds out how long the notes must be for a frame of the length asked for.
    async fn prepare(hub: &'a Hub, tenant: &'a Tenant, bytes: usize) -> Result<Self> {
        let fields = json!({"account": tenant.account, "name": "Fay Fanout", "email": "fay@example.com"});
        let request = hub.http().post(hub.url("/api/leads/create")).bearer_auth(&tenant.token).json(&fields);
        let created: Value = request.send().await?.error_for_status().context("no lead could be made")?.json().await?;
        let lead = created["data"]["id"].as_str().context("the new lead has no id")?.to_owned();
        let mut publisher = Self { hub, token: &tenant.token, lead, notes: 0, frame_bytes: 0 };

        let mut socket = Socket::connect(&hub.ws_url(), &tenant.token).await?;
        socket.subscribe(&tenant.room()).await?;
        let shortest = publisher.frame_of(&mut socket).await?;
        publisher.notes = marked(0, 0).len() + bytes.saturating_sub(shortest);
        publisher.frame_bytes = u64::try_from(publisher.frame_of(&mut socket).await?)?;
        socket.close().await?;
        Ok(publisher)
    }

    /// Publishes once and measures the frame that comes.
    async fn frame_of(&self, socket: &mut Socket) -> Result<usize> {
        self.publish(0).await?;
        socket.next_of("lead:updated", PATIENCE).await.context("a changed lead was not pushed")?;
        let payload = socket.last_length();
        Ok(payload + if payload < 126 { 2 } else { 4 })
    }

    async fn publish(&self, number: u64) -> Result<()> {
        let url = self.hub.url(&format!("/api/leads/{}", self.lead));
        let change = json!({"notes": marked(number, self.notes)});
        let answer = self.hub.http().put(url).bearer_auth(self.token).json(&change).send().await?;
        answer.error_for_status().context("the lead could not be changed")?;
        Ok(())
    }
}
