//! `kind = "deliveries"`: rows of a database on their way to an endpoint, from the trigger that notes them to the endpoint.
//!
//! Prospects are written by another program into the hub's PostgreSQL; leads by the hub itself, which gets them as webhooks.
//! The time of the trigger stands in what the endpoint gets, by the clock of this machine.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, Result, bail, ensure};
use chrono::DateTime;
use futures_util::future::try_join_all;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_postgres::NoTls;

use super::{
    Report,
    gauge::Gauge,
    http::Connection,
    latency::Latencies,
    progress,
    requests::{self, HAPPENED, Requests},
    scenarios::{Keys, Run, between, within},
};
use crate::{
    fault::Database,
    hub::{Hub, Tenant},
    platform::{self, Received, Receiver, Settings, Simulator},
};

/// The keys.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scenario {
    /// What is written, and by whom.
    what: What,
    /// Keep the hub's tables in PostgreSQL.
    postgres: bool,
    /// Rows a second, each in a transaction of its own.
    rate: f64,
    seconds: f64,
    /// Connections that write.
    connections: usize,
    /// The hub is killed then, in seconds, and started again a second later.
    kill_after: Option<f64>,
    #[serde(default)]
    targets: Targets,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum What {
    /// Rows that another program writes.
    Prospects,
    /// Rows that the hub writes.
    Leads,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Targets {
    delivered_p99_ms: Option<f64>,
}

impl Keys for Scenario {
    fn check(&self) -> Result<()> {
        between("rate", self.rate, 1.0, 100_000.0)?;
        between("seconds", self.seconds, 0.1, 3600.0)?;
        within("connections", self.connections, 1, 100)?;
        ensure!(self.postgres || self.what == What::Leads, "postgres = false: others write into PostgreSQL only");
        let kills_writer = self.kill_after.is_some() && self.what == What::Leads;
        ensure!(!kills_writer, "kill_after: who writes is not killed; use what = \"prospects\"");
        Ok(())
    }
}

const PAGE: u64 = 100_200_300_400_501;
const PATH: &str = "/crm";
/// For what has not arrived when the last row was written.
const PATIENCE: Duration = Duration::from_mins(1);
const AWAY: Duration = Duration::from_secs(1);

/// Runs the measurement.
///
/// # Errors
/// If the hub can't be started or filled, or the database can't be written.
pub(super) fn measure(options: &Run, name: &str, scenario: &Scenario) -> Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        if !scenario.postgres {
            return run(options, name, scenario, None).await;
        }
        let server = options.postgres.as_deref().context("this scenario needs PostgreSQL: name one with --postgres")?;
        let database = Database::create(server).await?;
        let outcome = run(options, name, scenario, Some(&database)).await;
        database.remove().await?;
        outcome
    })
}

/// What there is to measure with.
struct Stage {
    hub: Hub,
    tenant: Tenant,
    receiver: Receiver,
    _simulator: Simulator,
}

impl Stage {
    async fn set(options: &Run, scenario: &Scenario, database: Option<&Database>) -> Result<Self> {
        let _step = progress::step("starting the hub");
        let simulator = Simulator::start(Settings::default())?;
        let page = simulator.add_page(PAGE, "EAAB-deliveries");
        page.generate_leads(1..=u64::MAX, |id| platform::Lead::generated(id, HAPPENED));
        let setup = options.common.setup()?.graph_url(&simulator.url());
        let setup = setup.set("outbox.allow_private", json!(["127.0.0.0/8"]));
        let setup = database.map_or(setup.clone(), |database| setup.store_url(database.url()));
        let mut hub = Hub::prepare(setup).await?;
        let tenant = hub.add_tenant("Deliveries", PAGE, "EAAB-deliveries").await?;
        hub.start().await?;
        let receiver = Receiver::start()?;
        let kind = match scenario.what {
            What::Prospects => "lead_enrichment",
            What::Leads => "new_lead",
        };
        let endpoint = json!({"url": receiver.url(PATH), "account": tenant.account, "types": [kind]});
        let request = hub.http().post(hub.url("/api/endpoints")).bearer_auth(&tenant.token).json(&endpoint);
        request.send().await?.error_for_status().context("the endpoint could not be added")?;
        Ok(Self { hub, tenant, receiver, _simulator: simulator })
    }
}

async fn run(options: &Run, name: &str, scenario: &Scenario, database: Option<&Database>) -> Result<Report> {
    let mut stage = Stage::set(options, scenario, database).await?;
    let pid = stage.hub.pid().context("the hub has ended")?;
    // A hub that is killed is another process afterwards.
    let gauge = scenario.kill_after.is_none().then(|| Gauge::start(pid)).transpose()?;
    let bar = progress::step(format!("writing for {} s", scenario.seconds));
    let began = Instant::now();
    let written = match (scenario.what, database, scenario.kill_after) {
        (What::Prospects, Some(database), None) => prospects(scenario, database, &stage.tenant).await?,
        (What::Prospects, Some(database), Some(after)) => {
            let killing = async {
                sleep(Duration::from_secs_f64(after)).await;
                stage.hub.kill().await?;
                sleep(AWAY).await;
                stage.hub.start().await
            };
            // The writers know the database only, and go on.
            tokio::try_join!(prospects(scenario, database, &stage.tenant), killing)?.0
        }
        _ => leads(scenario, &stage.hub, options.common.first_id()).await?,
    };
    let took = began.elapsed();
    drop(bar);
    wait(&stage.receiver, written).await;
    let mut report = Report::new(name, options.common.seed);
    judge(&mut report, scenario, &stage.receiver, written)?;
    #[expect(clippy::cast_precision_loss, reason = "no run writes 2^53 rows")]
    report.figure("rows written", written as f64 / took.as_secs_f64(), "/s");
    if let Some(gauge) = gauge {
        gauge.finish(&mut report);
    }
    stage.hub.stop().await?;
    Ok(report)
}

/// Rows for each connection, and how far apart.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "within bounds"
)]
fn share(scenario: &Scenario) -> (u64, Duration) {
    let connections = scenario.connections as f64;
    let each = (scenario.rate * scenario.seconds / connections).ceil() as u64;
    (each, Duration::from_secs_f64(connections / scenario.rate))
}

/// Another program that finds prospects: one row a transaction; how many.
async fn prospects(scenario: &Scenario, database: &Database, tenant: &Tenant) -> Result<u64> {
    let (each, apart) = share(scenario);
    let write = async |number: usize| -> Result<()> {
        let (client, connection) = tokio_postgres::connect(database.url(), NoTls).await?;
        let driver = tokio::spawn(connection);
        let statement = "INSERT INTO enhanced_leads (agency_id, account_id, name, address, city, phone, website, source)
                         VALUES ($1, $2, $3, '12 Bay St', 'San Diego', '+16195550100', 'https://harbor.example', 'loadtest')";
        let statement = client.prepare(statement).await?;
        let mut ticks = interval(apart);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        for row in 0..each {
            ticks.tick().await;
            let name = format!("Business {number}-{row}");
            client.execute(&statement, &[&tenant.agency, &tenant.account, &name]).await?;
        }
        drop(client);
        driver.await??;
        Ok(())
    };
    try_join_all((0..scenario.connections).map(write)).await.context("prospects could not be written")?;
    Ok(each * scenario.connections as u64)
}

/// Webhooks with leads, which the hub fetches, pushes and stores; how many.
async fn leads(scenario: &Scenario, hub: &Hub, first: u64) -> Result<u64> {
    let (each, apart) = share(scenario);
    let post = async |number: usize| -> Result<()> {
        let mut connection = Connection::open(hub.address()).await?;
        let mut requests = Requests::new(requests::What::Leads, PAGE, hub.address(), first + number as u64 * each);
        let mut ticks = interval(apart);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        for _ in 0..each {
            ticks.tick().await;
            let status = connection.exchange(&requests.make()).await?;
            if status != 200 {
                bail!("a webhook was answered with status {status}");
            }
        }
        Ok(())
    };
    try_join_all((0..scenario.connections).map(post)).await.context("webhooks could not be posted")?;
    Ok(each * scenario.connections as u64)
}

async fn wait(receiver: &Receiver, written: u64) {
    let step = progress::step("waiting for deliveries");
    let end = Instant::now() + PATIENCE;
    let mut seen = HashSet::new();
    while Instant::now() < end && (seen.len() as u64) < written {
        sleep(Duration::from_millis(200)).await;
        if receiver.count() as u64 >= written {
            seen = receiver.received(PATH).iter().map(Received::id).collect();
        }
        step.say(format!("{} of {written}", receiver.count()));
    }
}

fn judge(report: &mut Report, scenario: &Scenario, receiver: &Receiver, written: u64) -> Result<()> {
    let (mut latencies, mut times) = (Latencies::new()?, HashMap::new());
    let mut records = HashMap::new();
    for one in receiver.received(PATH) {
        let body = one.json();
        let noted = noted(&body).context("an event does not say when it happened")?;
        let number = times.entry(one.id()).or_insert(0_u64);
        *number += 1;
        if *number == 1 {
            latencies.record(one.at.duration_since(noted).unwrap_or_default());
            *records.entry(record(&body)).or_insert(0_u64) += 1;
        }
    }
    report.latencies("delivered", latencies.quantiles());
    report.percentiles("delivered", &latencies);
    report.count("written", written);
    report.count("delivered", times.len() as u64);
    report.must_be_zero("lost", written.saturating_sub(records.len() as u64));
    report.must_be_zero("one row as several events", records.values().map(|times| times - 1).sum());
    let again: u64 = times.values().map(|times| times - 1).sum();
    if scenario.kill_after.is_some() {
        // What was under way then may come again, under the same id.
        report.count("delivered again", again);
    } else {
        report.must_be_zero("delivered again", again);
    }
    let p99 = latencies.quantile(0.99);
    report.at_most("delivered after p99", scenario.targets.delivered_p99_ms, p99, "ms");
    Ok(())
}

/// When the trigger noted it.
fn noted(body: &Value) -> Option<SystemTime> {
    let time = body["webhook_metadata"]["trigger_time"].as_str().or(body["timestamp"].as_str())?;
    Some(DateTime::parse_from_rfc3339(time).ok()?.into())
}

/// What it is about.
fn record(body: &Value) -> String {
    let id = body["lead_id"].as_str().or(body["lead"]["id"].as_str());
    id.unwrap_or_default().to_owned()
}
