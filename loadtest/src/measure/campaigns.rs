//! `kind = "campaigns"`: a prospecting database that another program writes, the websites of its businesses, and a dashboard
//! that sees every stage of every business once, and each campaign to its end.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use futures_util::future::{join, join_all};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_postgres::{Client, NoTls};

use super::{
    Report,
    latency::Latencies,
    progress,
    scenarios::{Keys, Run, within},
};
use crate::{
    client::Socket,
    fault::Database,
    hub::{Hub, Tenant},
    platform::{Business, NameServer, Town},
};

/// The keys.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scenario {
    /// At once, each in an account of its own.
    campaigns: usize,
    /// In each of them; they have their websites in common.
    businesses: usize,
    #[serde(default)]
    targets: Targets,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Targets {
    first_stage_p99_ms: Option<f64>,
}

impl Keys for Scenario {
    fn check(&self) -> Result<()> {
        within("campaigns", self.campaigns, 1, 50)?;
        within("businesses", self.businesses, 1, 250)
    }
}

/// Without any word of a campaign for this long it is given up.
const PATIENCE: Duration = Duration::from_mins(1);
const STAGES: [&str; 4] = ["pre_validation", "discovery", "validation", "scoring"];

/// Runs the measurement.
///
/// # Errors
/// If the hub can't be started or filled, or the database can't be written.
pub(super) fn measure(options: &Run, name: &str, scenario: &Scenario) -> Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let server = options.postgres.as_deref().context("this scenario needs PostgreSQL: name one with --postgres")?;
        let database = Database::create(server).await?;
        let outcome = run(options, name, scenario, &database).await;
        database.remove().await?;
        outcome
    })
}

/// What one dashboard saw.
#[derive(Default)]
struct Seen {
    /// Business and stage: how often.
    stages: HashMap<(String, String), u64>,
    /// Business: when its first stage was told.
    first: HashMap<String, Instant>,
    events: HashMap<String, u64>,
    /// Of others.
    foreign: u64,
}

async fn run(options: &Run, name: &str, scenario: &Scenario, database: &Database) -> Result<Report> {
    let step = progress::step("starting the hub and the websites");
    let (town, names) = (Town::open(u32::try_from(scenario.businesses)?)?, NameServer::start()?);
    let setup = options.common.setup()?.store_url(database.url());
    let setup = setup.set("prospecting.allow_private", json!(["127.0.0.0/8"])).set("prospecting.host_pause", "0s");
    let mut hub = Hub::prepare(setup.set("prospecting.nameserver", names.address().to_string())).await?;
    let mut tenants = Vec::new();
    for number in 0..scenario.campaigns {
        let page = 100_200_300_400_600 + number as u64;
        let tenant = hub.add_tenant(&format!("Campaign {number}"), page, "EAAB-campaigns").await?;
        hub.add_prospecting(&tenant.account, &format!("token-of-the-database-of-campaign-{number}")).await?;
        tenants.push(tenant);
    }
    hub.start().await?;
    let mut sockets = Vec::new();
    for tenant in &tenants {
        let mut socket = Socket::connect(&hub.ws_url(), &tenant.token).await?;
        socket.subscribe(&tenant.room()).await?;
        sockets.push(socket);
    }
    drop(step);
    let (client, connection) = tokio_postgres::connect(database.url(), NoTls).await?;
    let driver = tokio::spawn(connection);
    let step = progress::step("businesses are looked at");
    let began = Instant::now();
    let watching = sockets.into_iter().zip(&tenants).map(|(socket, tenant)| watch(socket, tenant));
    let writing = async {
        let mut written = HashMap::new();
        for tenant in &tenants {
            write(&client, tenant, &town.businesses(), &mut written).await?;
        }
        anyhow::Ok(written)
    };
    let (seen, written) = join(join_all(watching), writing).await;
    let written = written?;
    let took = began.elapsed();
    drop((step, client));
    driver.await??;
    let mut report = Report::new(name, options.common.seed);
    judge(&mut report, scenario, &written, &seen)?;
    report.figure("all campaigns took", took.as_secs_f64(), "s");
    hub.stop().await?;
    Ok(report)
}

/// As programs do that find businesses: the campaign, then one row a business, then the work begins. When each was committed.
async fn write(
    client: &Client,
    tenant: &Tenant,
    businesses: &[Business],
    written: &mut HashMap<String, Instant>,
) -> Result<()> {
    let Tenant { agency, account, .. } = tenant;
    let campaign = "INSERT INTO campaigns (agency_id, account_id, name, location, target_count, status)
                    VALUES ($1, $2, 'Businesses of San Diego', 'San Diego, CA', $3, 'processing') RETURNING id";
    let target = i64::try_from(businesses.len())?;
    let campaign: String = client.query_one(campaign, &[agency, account, &target]).await?.get(0);
    let lead = "INSERT INTO enhanced_leads (agency_id, account_id, campaign_id, name, address, city, state, postal_code, country,
                                            source, category, phone, website)
                SELECT $1, $2, $3, d->>'name', d->>'address', d->>'city', d->>'state', d->>'postal_code', d->>'country',
                       d->>'source', d->>'category', d->>'phone', d->>'website' FROM (SELECT $4::text::jsonb AS d) listing
                RETURNING id";
    let lead = client.prepare(lead).await?;
    for business in businesses {
        let listing = business.listing().to_string();
        let row = client.query_one(&lead, &[agency, account, &campaign, &listing]).await?;
        written.insert(row.get(0), Instant::now());
    }
    Ok(())
}

/// Until its campaign has come to an end, or nothing comes any more.
async fn watch(mut socket: Socket, tenant: &Tenant) -> Seen {
    let mut seen = Seen::default();
    while let Ok(envelope) = socket.next_envelope(PATIENCE).await {
        seen.foreign += u64::from(envelope["account"] != tenant.account);
        let payload = &envelope["payload"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match envelope["type"].as_str() {
            Some("lead:enriched") => {
                let lead = text(&payload["lead"]["id"]);
                seen.first.entry(lead.clone()).or_insert_with(Instant::now);
                *seen.stages.entry((lead, text(&payload["stage"]))).or_default() += 1;
            }
            Some("campaign:lifecycle") => {
                let event = text(&payload["lifecycle_event"]);
                *seen.events.entry(event.clone()).or_default() += 1;
                if matches!(event.as_str(), "completed" | "error" | "cancelled") {
                    break;
                }
            }
            _ => {}
        }
    }
    seen
}

fn judge(report: &mut Report, scenario: &Scenario, written: &HashMap<String, Instant>, seen: &[Seen]) -> Result<()> {
    let mut latencies = Latencies::new()?;
    for (lead, at) in seen.iter().flat_map(|seen| &seen.first) {
        if let Some(committed) = written.get(lead) {
            latencies.record(at.saturating_duration_since(*committed));
        }
    }
    let sum = |count: &dyn Fn(&Seen) -> u64| seen.iter().map(count).sum::<u64>();
    let event = |name: &str| sum(&|seen| seen.events.get(name).copied().unwrap_or_default());
    let stages = (written.len() * STAGES.len()) as u64;
    report.latencies("first stage", latencies.quantiles());
    report.count("businesses", written.len() as u64);
    report.count("stages told", sum(&|seen| seen.stages.len() as u64));
    report.count("progress told", event("progress_update"));
    report.must_be_zero("stages lost", stages.saturating_sub(sum(&|seen| seen.stages.len() as u64)));
    report.must_be_zero("stages told twice", sum(&|seen| seen.stages.values().map(|times| times - 1).sum()));
    report.must_be_zero("campaigns not created", (scenario.campaigns as u64).abs_diff(event("created")));
    report.must_be_zero("campaigns not completed", (scenario.campaigns as u64).abs_diff(event("completed")));
    report.must_be_zero("seen by another account", sum(&|seen| seen.foreign));
    let p99 = latencies.quantile(0.99);
    report.at_most("first stage p99", scenario.targets.first_stage_p99_ms, p99, "ms");
    Ok(())
}
