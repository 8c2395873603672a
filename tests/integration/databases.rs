//! Prospecting databases: their webhooks in the origin's shapes, and rows of the hub's own tables, whoever writes them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use loadtest::hub::{Setup, Tenant};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::{House, PATIENCE, postgres, until};

const LEAD: &str = include_str!("../../src/inbound/providers/prospecting/samples/lead_insert.json");
const STATUS: &str = include_str!("../../src/inbound/providers/prospecting/samples/lead_status.json");
const ALERT: &str = include_str!("../../src/inbound/providers/prospecting/samples/alert_daily.json");
const CAMPAIGN: &str = include_str!("../../src/inbound/providers/prospecting/samples/campaign_nested.json");
const ROW_COST: &str = include_str!("../../src/inbound/providers/prospecting/samples/row_cost.json");

const LEADS: &str = "/api/webhooks/lead-enrichment";
const COSTS: &str = "/api/webhooks/cost-alert";
const CAMPAIGNS: &str = "/api/webhooks/campaign-lifecycle";
const TOKENS: [&str; 2] = ["token-of-the-first-database-of-two", "token-of-the-second-database-of-two"];
const HUBS: &str = "token-of-the-whole-hub";

/// A house whose tenants have a prospecting source each.
struct Databases {
    house: House,
    sources: [String; 2],
}

impl Databases {
    async fn open_with(change: impl FnOnce(Setup) -> Setup) -> Result<Self> {
        let house = House::open_with(change).await?;
        let first = house.hub.add_prospecting(&house.tenants[0].account, TOKENS[0]).await?;
        let second = house.hub.add_prospecting(&house.tenants[1].account, TOKENS[1]).await?;
        let databases = Self { house, sources: [first, second] };
        for (source, token) in databases.sources.iter().zip(TOKENS) {
            until("the directory", PATIENCE, || async {
                let answer = databases.post(&format!("/webhook/prospecting/{source}"), token, "{}").await?;
                Ok(if answer.status() == 200 { Ok(()) } else { Err(answer.status().to_string()) })
            })
            .await?;
        }
        Ok(databases)
    }

    async fn post(&self, path: &str, token: &str, body: &str) -> Result<Response> {
        let request = self.house.hub.http().post(self.house.hub.url(path)).body(body.to_owned());
        let request = if token.is_empty() { request } else { request.bearer_auth(token) };
        Ok(request.header("content-type", "application/json").send().await?)
    }

    async fn answered(&self, path: &str, token: &str, body: &str) -> Result<Value> {
        let answer = self.post(path, token, body).await?;
        ensure!(answer.status() == 200, "{path}: {} {}", answer.status(), answer.text().await?);
        ensure!(answer.headers()["content-type"] == "application/json");
        Ok(answer.json().await?)
    }

    /// What happened to a campaign, as the tenant's manager is told.
    async fn events(&self, tenant: usize, campaign: &str) -> Result<Vec<Value>> {
        let path = format!("{CAMPAIGNS}/events/{campaign}?limit=500");
        let answer: Value = self.house.get(tenant, &path).await?.error_for_status()?.json().await?;
        ensure!(
            answer["campaign_id"] == campaign && answer["count"] == answer["events"].as_array().map_or(0, Vec::len)
        );
        Ok(answer["events"].as_array().context("no list")?.clone())
    }

    async fn has_events(&self, tenant: usize, campaign: &str, count: usize) -> Result<Vec<Value>> {
        until("the log", PATIENCE, || async {
            let events = self.events(tenant, campaign).await?;
            let done = events.iter().filter(|event| !event["processed_at"].is_null()).count();
            Ok(if events.len() >= count && done >= count { Ok(events) } else { Err(format!("{done} of {count}")) })
        })
        .await
    }
}

#[tokio::test]
async fn every_door_opens_to_its_token_and_to_no_other() -> Result<()> {
    let databases = Databases::open_with(|setup| {
        setup
            .environment([("WEBHOOK_AUTH_TOKEN".to_owned(), HUBS.into())])
            .set("prospecting.tokens", json!(["another-one"]))
    })
    .await?;
    let own = [0, 1].map(|at| format!("/webhook/prospecting/{}", databases.sources[at]));
    for (path, body) in [
        (LEADS, LEAD),
        ("/api/webhooks/lead-enrichment/lead-enrichment", STATUS),
        (COSTS, ALERT),
        ("/api/webhooks/cost-alert/cost-alert", ALERT),
        (CAMPAIGNS, CAMPAIGN),
        (&own[0], CAMPAIGN),
    ] {
        for token in [TOKENS[0], HUBS, "another-one"] {
            databases.answered(path, token, body).await.context(token.to_owned())?;
        }
        for token in ["", "wrong", "token_101"] {
            let refused = databases.post(path, token, body).await?;
            ensure!(refused.status() == 401, "{path} {token}: {}", refused.status());
            ensure!(refused.json::<Value>().await?["error"] == "Unauthorized");
        }
    }
    ensure!(databases.post(&own[1], TOKENS[0], CAMPAIGN).await?.status() == 401, "it is another's address");
    Ok(())
}

#[tokio::test]
async fn without_any_token_the_doors_are_shut() -> Result<()> {
    let house = House::open().await?;
    for path in [LEADS, COSTS, CAMPAIGNS] {
        for token in ["", "undefined", "null"] {
            let answer = house.hub.http().post(house.hub.url(path)).bearer_auth(token).body(LEAD).send().await?;
            ensure!(answer.status() == 401, "{path}: {}", answer.status());
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_is_incomplete_is_refused_and_what_is_too_large_as_well() -> Result<()> {
    let databases = Databases::open_with(|setup| setup).await?;
    let refused = databases.post(LEADS, TOKENS[0], &LEAD.replace("\"lead_id\": 1", "\"lead_id\": null")).await?;
    ensure!(refused.status() == 400);
    ensure!(refused.json::<Value>().await?["required"] == json!(["lead_id", "business_name", "location"]));
    let refused = databases.post(CAMPAIGNS, TOKENS[0], "{}").await?;
    ensure!(refused.status() == 400);
    ensure!(refused.json::<Value>().await?["error"] == "Missing required fields: campaign_id, lifecycle_event");
    let padded = |size: usize| LEAD.replacen('{', &format!("{{\"padding\":\"{}\",", "x".repeat(size)), 1);
    databases.answered(LEADS, TOKENS[0], &padded(9 << 20)).await?;
    for (path, size) in [(LEADS, 11 << 20), (COSTS, (1 << 20) + 1)] {
        ensure!(databases.post(path, TOKENS[0], &padded(size)).await?.status() == 413, "{path} {size}");
    }
    Ok(())
}

#[tokio::test]
async fn what_a_database_elsewhere_tells_is_shown_to_its_account_and_kept_once() -> Result<()> {
    let databases = Databases::open_with(|setup| setup).await?;
    let house = &databases.house;
    let (mut mine, mut others) = (house.session(0).await?, house.session(1).await?);
    for _ in 0..3 {
        let answer = databases.answered(CAMPAIGNS, TOKENS[0], CAMPAIGN).await?;
        ensure!(answer["result"]["qualified_leads"] == 34, "{answer}");
        databases.answered(LEADS, TOKENS[0], LEAD).await?;
        databases.answered(LEADS, TOKENS[0], STATUS).await?;
        databases.answered(COSTS, TOKENS[0], ROW_COST).await?;
    }
    let shown = mine.next_of("campaign:lifecycle", PATIENCE).await?;
    let payload = &shown["payload"];
    ensure!(payload["external_id"] == "456" && payload["lifecycle_event"] == "completed", "{shown}");
    ensure!(payload["progress"]["total_leads"] == 87 && payload["previous_state"] == "processing", "{shown}");
    ensure!(shown["room"] == house.tenants[0].room());
    let updated = mine.next_of("lead:updated", PATIENCE).await?;
    ensure!(updated["payload"]["lead"]["status"] == "qualified", "{updated}");
    ensure!(updated["payload"]["lead"]["confidence_score"] == 81, "{updated}");
    let events = databases.has_events(0, "456", 1).await?;
    ensure!(events.len() == 1 && events[0]["lifecycle_event"] == "completed", "{events:?}");
    let same = databases.has_events(0, payload["campaign_id"].as_str().context("no id")?, 1).await?;
    ensure!(same == events, "by either id");
    ensure!(databases.events(1, "456").await?.is_empty(), "another agency's");

    // The next is the second campaign: the same was told once, and to nobody else.
    databases.answered(CAMPAIGNS, TOKENS[0], &CAMPAIGN.replace("456", "457")).await?;
    databases.answered(CAMPAIGNS, TOKENS[1], &CAMPAIGN.replace("456", "458")).await?;
    ensure!(mine.next_of("campaign:lifecycle", PATIENCE).await?["payload"]["external_id"] == "457");
    ensure!(others.next_of("campaign:lifecycle", PATIENCE).await?["payload"]["external_id"] == "458");
    let rows = rows_of_leads(house)?;
    ensure!(rows == [("1".to_owned(), "qualified".to_owned())], "{rows:?}");
    Ok(())
}

/// Theirs id and status of each lead in the embedded database.
fn rows_of_leads(house: &House) -> Result<Vec<(String, String)>> {
    use diesel::{QueryableByName, RunQueryDsl, sql_query, sql_types::Text};
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        external_id: String,
        #[diesel(sql_type = Text)]
        status: String,
    }
    let rows = sql_query("SELECT external_id, status FROM enhanced_leads").load::<Row>(&mut other_program(house)?)?;
    Ok(rows.into_iter().map(|row| (row.external_id, row.status)).collect())
}

fn other_program(house: &House) -> Result<SqliteConnection> {
    let mut other = SqliteConnection::establish(&house.hub.data_dir().join("store.sqlite3").to_string_lossy())?;
    other.batch_execute("PRAGMA busy_timeout = 10000; PRAGMA foreign_keys = ON")?;
    Ok(other)
}

#[tokio::test]
async fn the_health_routes_tell_whether_the_database_is_there() -> Result<()> {
    let house = House::open().await?;
    for (path, service) in [
        ("lead-enrichment/health", "lead-enrichment-webhook"),
        ("lead-enrichment/lead-enrichment/health", "lead-enrichment-webhook"),
        ("cost-alert/health", "cost-alert-webhook"),
    ] {
        let answer = house.hub.http().get(house.hub.telemetry_url(&format!("/api/webhooks/{path}"))).send().await?;
        let health: Value = answer.error_for_status()?.json().await?;
        ensure!(
            health["status"] == "healthy" && health["service"] == service && health["version"] == "1.0.0",
            "{health}"
        );
        ensure!(health["dependencies"]["supabase"] == "connected", "{health}");
    }
    let lifecycle = house.hub.telemetry_url("/api/webhooks/campaign-lifecycle/health");
    let answer = house.hub.http().get(lifecycle).send().await?;
    let health: Value = answer.error_for_status()?.json().await?;
    ensure!(health["webhook_type"] == "campaign_lifecycle" && health["integrations"]["supabase"] == true, "{health}");
    let events = house.hub.http().get(house.hub.url("/api/webhooks/campaign-lifecycle/events/1")).send().await?;
    ensure!(events.status() == 401, "only with a login");
    Ok(())
}

#[tokio::test]
async fn the_hubs_own_endpoint_is_seen_and_can_be_switched_off_and_nothing_else() -> Result<()> {
    let databases = Databases::open_with(|setup| setup).await?;
    let (hub, tenant) = (&databases.house.hub, &databases.house.tenants[0]);
    let ask = async |method: Method, path: &str, body: Value| -> Result<(u16, Value)> {
        let answer = hub.http().request(method, hub.url(path)).bearer_auth(&tenant.token).json(&body).send().await?;
        Ok((answer.status().as_u16(), answer.json().await.unwrap_or_default()))
    };
    let (_, listed) = ask(Method::GET, "/api/endpoints", json!({})).await?;
    let own = &listed["items"][0];
    ensure!(own["own"] == true && own["url"] == format!("leadwire:{}", databases.sources[0]), "{listed}");
    let path = format!("/api/endpoints/{}", own["id"].as_str().context("no id")?);
    for (method, path, body) in [
        (Method::PUT, path.clone(), json!({"url": "https://crm.example/"})),
        (Method::PUT, path.clone(), json!({"enabled": true, "types": ["new_lead"]})),
        (Method::DELETE, path.clone(), json!({})),
        (Method::POST, format!("{path}/rotate"), json!({})),
        (Method::POST, format!("{path}/test"), json!({})),
    ] {
        ensure!(ask(method, &path, body).await?.0 == 403, "{path}");
    }
    let add = json!({"url": own["url"], "account": tenant.account, "types": ["new_lead"]});
    ensure!(ask(Method::POST, "/api/endpoints", add).await?.0 == 400, "nobody makes such a URL");
    let (status, changed) = ask(Method::PUT, &path, json!({"enabled": false})).await?;
    ensure!(status == 200 && changed["endpoint"]["enabled"] == false, "{changed}");
    Ok(())
}

#[tokio::test]
async fn a_campaign_that_another_program_writes_is_told_once_with_the_embedded_database() -> Result<()> {
    let databases = Databases::open_with(|setup| setup).await?;
    let mut other = other_program(&databases.house)?;
    others_campaigns(&databases, async |statements| Ok(other.batch_execute(&statements)?)).await
}

#[tokio::test]
async fn a_campaign_that_another_program_writes_is_told_once_with_postgresql() -> Result<()> {
    postgres::with_database(|database| async move {
        let url = database.url().to_owned();
        let databases = Databases::open_with(|setup| setup.store_url(&url)).await?;
        others_campaigns(&databases, async |statements| {
            postgres::admin(&url, &statements).await;
            Ok(())
        })
        .await
    })
    .await
}

async fn others_campaigns(databases: &Databases, mut write: impl AsyncFnMut(String) -> Result<()>) -> Result<()> {
    let house = &databases.house;
    let (mut mine, mut others) = (house.session(0).await?, house.session(1).await?);
    for (tenant, id) in house.tenants.iter().zip(["cmp_mine", "cmp_theirs"]) {
        write(campaign(tenant, id)).await?;
    }
    write(
        "UPDATE campaigns SET status = 'processing';
         UPDATE campaign_processing_status SET stage_progress = 60, processed_leads = 6;
         UPDATE campaigns SET status = 'completed', leads_found = 15;"
            .to_owned(),
    )
    .await?;
    for (session, id) in [(&mut mine, "cmp_mine"), (&mut others, "cmp_theirs")] {
        let mut told = Vec::new();
        for _ in 0..4 {
            let shown = session.next_of("campaign:lifecycle", PATIENCE).await?;
            ensure!(shown["payload"]["campaign_id"] == id, "{shown}");
            told.push(shown["payload"].clone());
        }
        let events: Vec<&Value> = told.iter().map(|told| &told["lifecycle_event"]).collect();
        ensure!(events == ["created", "processing_started", "progress_update", "completed"], "{events:?}");
        ensure!(told[2]["progress"]["stage_progress"] == 60.0 && told[3]["new_state"] == "completed", "{told:?}");
    }
    let events = databases.has_events(0, "cmp_mine", 4).await?;
    ensure!(events.len() == 4 && events[0]["lifecycle_event"] == "completed", "{events:?}");
    ensure!(databases.events(1, "cmp_mine").await?.is_empty(), "another agency's");

    // A lead's new status is told as well, in its own order, and nothing came twice in between.
    let mut leads = house.session(0).await?;
    let Tenant { agency, account, .. } = &house.tenants[0];
    write(format!(
        "INSERT INTO enhanced_leads (id, agency_id, account_id, name) VALUES ('lead_mine', '{agency}', '{account}', 'Grill');
         UPDATE enhanced_leads SET status = 'qualified', confidence_score = 81;
         UPDATE campaigns SET status = 'paused' WHERE id = 'cmp_mine';"
    ))
    .await?;
    let updated = leads.next_of("lead:updated", PATIENCE).await?;
    ensure!(updated["payload"]["lead"]["id"] == "lead_mine" && updated["payload"]["lead"]["status"] == "qualified");
    ensure!(mine.next_of("campaign:lifecycle", PATIENCE).await?["payload"]["lifecycle_event"] == "status_changed");
    Ok(())
}

fn campaign(tenant: &Tenant, id: &str) -> String {
    let Tenant { agency, account, .. } = tenant;
    format!(
        "INSERT INTO campaigns (id, agency_id, account_id, name, target_count)
         VALUES ('{id}', '{agency}', '{account}', 'Webhook Test Campaign', 50);
         INSERT INTO campaign_processing_status (campaign_id, agency_id, account_id, total_leads)
         VALUES ('{id}', '{agency}', '{account}', 10);"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_lose_nothing_of_what_was_written_and_tell_it_under_one_id_with_the_embedded_database() -> Result<()> {
    kills(None).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_lose_nothing_of_what_was_written_and_tell_it_under_one_id_with_postgresql() -> Result<()> {
    postgres::with_database(|database| kills(Some(database.url().to_owned()))).await
}

async fn kills(store: Option<String>) -> Result<()> {
    let url = store.clone();
    let mut databases = Databases::open_with(|setup| {
        let setup = setup.set("outbox.lease", "2s").set("outbox.timeout", "1s");
        if let Some(url) = &url { setup.store_url(url) } else { setup }
    })
    .await?;
    let write = async |house: &House, statements: String| -> Result<()> {
        match &store {
            Some(url) => postgres::admin(url, &statements).await,
            None => other_program(house)?.batch_execute(&statements)?,
        }
        Ok(())
    };
    write(&databases.house, campaign(&databases.house.tenants[0], "cmp_mine")).await?;
    let mut posted = 0;
    for kill in 0..5 {
        for number in 0..20 {
            write(
                &databases.house,
                format!("UPDATE campaigns SET status = 'step {kill} {number}' WHERE id = 'cmp_mine'"),
            )
            .await?;
            databases.answered(CAMPAIGNS, TOKENS[0], &CAMPAIGN.replace("456", &(1000 + posted).to_string())).await?;
            posted += 1;
        }
        databases.house.hub.kill().await?;
        // Written while it is away.
        write(&databases.house, format!("UPDATE campaigns SET status = 'away {kill}' WHERE id = 'cmp_mine'")).await?;
        databases.house.hub.start().await?;
    }
    let own = 6 + 5 * 20;
    let events = databases.has_events(0, "cmp_mine", own).await?;
    ensure!(events.len() == own, "{} of {own}", events.len());
    for foreign in 0..100 {
        databases.has_events(0, &(1000 + foreign).to_string(), 1).await?;
    }
    databases.house.hub.stop().await?;
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for shown in logged(&databases.house)?.iter().filter(|shown| shown["type"] == "campaign:lifecycle") {
        let payload = &shown["payload"];
        let what = format!("{} {} {}", payload["campaign_id"], payload["lifecycle_event"], payload["new_state"]);
        told.entry(what).or_default().insert(shown["id"].to_string());
    }
    let mine = told.keys().filter(|what| what.contains("cmp_mine")).count();
    ensure!((mine, told.len() - mine) == (own, 100), "{mine} of {own}, {} of 100", told.len() - mine);
    ensure!(told.values().all(|ids| ids.len() == 1), "one event has one id: {told:?}");
    Ok(())
}

/// All that was ever pushed.
fn logged(house: &House) -> Result<Vec<Value>> {
    use diesel::{QueryableByName, RunQueryDsl, sql_query, sql_types::Binary};
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Binary)]
        envelope: Vec<u8>,
    }
    let mut inbox = SqliteConnection::establish(&house.hub.data_dir().join("inbox.sqlite3").to_string_lossy())?;
    let rows: Vec<Row> = sql_query("SELECT envelope FROM log").load(&mut inbox)?;
    rows.into_iter().map(|row| Ok(serde_json::from_slice(&row.envelope)?)).collect()
}
