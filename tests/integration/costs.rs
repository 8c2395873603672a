//! Alerts of costs: decided in the database, told to the account's dashboards, resolved by people.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use loadtest::{
    client::Socket,
    hub::Tenant,
    platform::{Received, Receiver},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{House, PATIENCE, postgres, until};

const WITHIN: Duration = Duration::from_secs(2);

/// Writes as another program would.
async fn write(house: &House, store: Option<&str>, statements: &str) -> Result<()> {
    if let Some(url) = store {
        postgres::admin(url, statements).await;
        return Ok(());
    }
    let mut other = SqliteConnection::establish(&house.hub.data_dir().join("store.sqlite3").to_string_lossy())?;
    other.batch_execute("PRAGMA busy_timeout = 10000; PRAGMA foreign_keys = ON")?;
    Ok(other.batch_execute(statements)?)
}

fn cost(tenant: &Tenant, cost: &str) -> String {
    let Tenant { agency, account, .. } = tenant;
    format!(
        "INSERT INTO api_costs (agency_id, account_id, api_service, cost) VALUES ('{agency}', '{account}', 'hunter_io', {cost});"
    )
}

async fn open(store: Option<&str>) -> Result<House> {
    House::open_with(|setup| store.map_or(setup.clone(), |url| setup.store_url(url))).await
}

impl House {
    async fn ask(&self, tenant: usize, method: Method, path: &str, body: Value) -> Result<(StatusCode, Value)> {
        let request = self.hub.http().request(method, self.hub.url(path)).bearer_auth(&self.tenants[tenant].token);
        let answer = request.json(&body).send().await?;
        Ok((answer.status(), answer.json().await?))
    }
}

#[tokio::test]
async fn a_cost_that_another_program_writes_alerts_the_accounts_dashboards_with_the_embedded_database() -> Result<()> {
    alerts(None).await
}

#[tokio::test]
async fn a_cost_that_another_program_writes_alerts_the_accounts_dashboards_with_postgresql() -> Result<()> {
    postgres::with_database(|database| async move { alerts(Some(database.url())).await }).await
}

async fn alerts(store: Option<&str>) -> Result<()> {
    let house = open(store).await?;
    let (mut mine, mut others) = (house.session(0).await?, house.session(1).await?);
    write(&house, store, &cost(&house.tenants[0], "55.0")).await?;
    let began = Instant::now();
    let envelope = mine.next_of("cost:alert", PATIENCE).await?;
    let took = began.elapsed();
    println!("told after {took:?}");
    ensure!(took <= WITHIN, "{took:?}");
    let alert = &envelope["payload"];
    ensure!(alert["alert_type"] == "daily_spend" && alert["threshold_name"] == "daily_spend_limit", "{alert}");
    ensure!(alert["current_value"] == 55.0 && alert["threshold_value"] == 50.0, "{alert}");
    ensure!(alert["severity"] == "warning" && alert["api_service"] == "hunter_io", "{alert}");
    ensure!(alert["alert_data"]["api_breakdown"]["hunter_io"] == 55.0 && alert["timestamp"].is_string(), "{alert}");
    ensure!(envelope["account"] == house.tenants[0].account, "{envelope}");

    let status = "/api/webhooks/cost-alert/status";
    let (_, shown) = house.ask(0, Method::GET, status, json!({})).await?;
    ensure!(shown["status"] == "operational" && shown["cost_summary"]["daily_spend"] == 55.0, "{shown}");
    ensure!(shown["cost_summary"]["active_alerts_count"] == 1, "{shown}");
    ensure!(shown["active_alerts"][0]["id"] == alert["alert_id"], "{shown}");
    let resolve = format!("/api/webhooks/cost-alert/resolve/{}", alert["alert_id"].as_str().context("no id")?);
    let note = json!({"resolution_note": "a test"});
    let (refused, said) = house.ask(1, Method::POST, &resolve, note.clone()).await?;
    ensure!(refused == StatusCode::NOT_FOUND && said["status"] == "not_found", "{said}");
    let (_, resolved) = house.ask(0, Method::POST, &resolve, note).await?;
    ensure!(resolved["status"] == "resolved" && resolved["resolution_note"] == "a test", "{resolved}");

    // What the other agency hears of first is its own.
    write(&house, store, &cost(&house.tenants[1], "70")).await?;
    let envelope = others.next_of("cost:alert", PATIENCE).await?;
    ensure!(
        envelope["payload"]["current_value"] == 70.0 && envelope["account"] == house.tenants[1].account,
        "{envelope}"
    );
    let (_, shown) = house.ask(0, Method::GET, status, json!({})).await?;
    ensure!(shown["active_alerts"] == json!([]) && shown["cost_summary"]["daily_spend"] == 55.0, "{shown}");
    Ok(())
}

#[tokio::test]
async fn a_kill_loses_no_alert_and_gives_none_a_second_id_with_the_embedded_database() -> Result<()> {
    kills(None).await
}

#[tokio::test]
async fn a_kill_loses_no_alert_and_gives_none_a_second_id_with_postgresql() -> Result<()> {
    postgres::with_database(|database| async move { kills(Some(database.url())).await }).await
}

async fn kills(store: Option<&str>) -> Result<()> {
    let mut house = open(store).await?;
    let mut socket = house.session(0).await?;
    write(&house, store, &cost(&house.tenants[0], "55.0")).await?;
    let first = socket.next_of("cost:alert", PATIENCE).await?;
    announced(&house).await?;
    house.hub.kill().await?;
    // As a kill leaves it between the commit of an alert and the word of it; and a cost that comes meanwhile.
    write(&house, store, "UPDATE cost_alert_history SET announced_at = NULL").await?;
    write(&house, store, &cost(&house.tenants[1], "80.0")).await?;
    house.hub.start().await?;
    let again = resumed(&house, 0, &first).await?;
    ensure!(again["id"] == first["id"] && again["payload"] == first["payload"], "{first} {again}");
    let other = resumed(&house, 1, &Value::Null).await?;
    ensure!(other["payload"]["current_value"] == 80.0, "{other}");
    // Told once more, and not again once that is noted.
    announced(&house).await?;
    house.hub.kill().await?;
    house.hub.start().await?;
    write(&house, store, &cost(&house.tenants[0], "1")).await?;
    let next = resumed(&house, 0, &again).await;
    ensure!(next.is_err(), "{next:?}");
    Ok(())
}

/// Waits until the store knows that the first tenant's alert was told.
async fn announced(house: &House) -> Result<()> {
    until("the mark", PATIENCE, || async {
        let (_, page) = house.ask(0, Method::GET, "/api/cost-alerts", json!({})).await?;
        Ok(if page["items"][0]["announced_at"].is_string() { Ok(()) } else { Err(page.to_string()) })
    })
    .await
}

/// The first alert of the tenant after this envelope, or after the beginning.
async fn resumed(house: &House, tenant: usize, after: &Value) -> Result<Value> {
    let tenant = &house.tenants[tenant];
    let mut socket = Socket::connect(&house.hub.ws_url(), &tenant.token).await?;
    socket.next_of("welcome", PATIENCE).await?;
    let since = after["position"].as_str().unwrap_or("0-0");
    socket.send(&json!({"type": "subscribe", "room": tenant.room(), "since": since})).await?;
    socket.next_of("cost:alert", Duration::from_secs(3)).await
}

const TOKEN: &str = "token-of-a-prospecting-database-elsewhere";
const ALERT: &str = include_str!("../../src/inbound/providers/prospecting/samples/alert_daily.json");

#[tokio::test]
async fn an_alert_goes_out_whoever_raised_it_with_the_embedded_database() -> Result<()> {
    goes_out(None).await
}

#[tokio::test]
async fn an_alert_goes_out_whoever_raised_it_with_postgresql() -> Result<()> {
    postgres::with_database(|database| async move { goes_out(Some(database.url())).await }).await
}

async fn goes_out(store: Option<&str>) -> Result<()> {
    let house = House::open_with(|setup| {
        let setup = setup.set("outbox.allow_private", json!(["127.0.0.0/8"]));
        store.map_or(setup.clone(), |url| setup.store_url(url))
    })
    .await?;
    let receiver = Receiver::start()?;
    let endpoint = json!({"url": receiver.url("/crm"), "types": ["cost_alert"], "account": house.tenants[0].account});
    let (status, added) = house.ask(0, Method::POST, "/api/endpoints", endpoint).await?;
    ensure!(status.is_success(), "{added}");
    let (mut mine, mut others) = (house.session(0).await?, house.session(1).await?);

    write(&house, store, &cost(&house.tenants[0], "55.0")).await?;
    let told = mine.next_of("cost:alert", PATIENCE).await?["payload"].clone();
    let [got] = received(&receiver, 1).await?.try_into().map_err(|all| anyhow!("{all:?}"))?;
    let alert = got.json();
    ensure!(got.header("x-webhook-type") == "cost_alert" && got.header("x-alert-id") == told["alert_id"], "{got:?}");
    ensure!(alert["alert_id"] == told["alert_id"] && alert["alert_type"] == "daily_spend_threshold", "{alert}");
    ensure!(alert["current_value"] == 55.0 && alert["alert_data"]["total_daily_spend"] == 55.0, "{alert}");
    ensure!(alert["account_id"] == house.tenants[0].account && alert["severity"] == "warning", "{alert}");

    // Another system's alert is one like those that the hub raises: pushed, kept, sent on, resolved. Once.
    let source = house.hub.add_prospecting(&house.tenants[0].account, TOKEN).await?;
    let post = || house.hub.http().post(house.hub.url("/api/webhooks/cost-alert")).bearer_auth(TOKEN).body(ALERT);
    until("the source", PATIENCE, || async {
        let status = post().send().await?.status();
        Ok(if status == StatusCode::OK { Ok(()) } else { Err(format!("{source}: {status}")) })
    })
    .await?;
    let told = mine.next_of("cost:alert", PATIENCE).await?["payload"].clone();
    ensure!(told["threshold_name"] == "daily_spend_limit" && told["alert_type"] == "daily_spend", "{told}");
    ensure!(told["timestamp"] == "2026-11-21T21:52:35.727Z" && told["severity"] == "warning", "{told}");
    ensure!(post().send().await?.status() == StatusCode::OK);
    let got = received(&receiver, 2).await?.pop().context("nothing")?;
    ensure!(got.header("x-alert-id") == told["alert_id"] && got.json()["current_value"] == 55.0, "{got:?}");
    let (_, page) = house.ask(0, Method::GET, "/api/cost-alerts", json!({})).await?;
    ensure!(page["items"].as_array().map(Vec::len) == Some(2), "{page}");
    let resolve = format!("/api/webhooks/cost-alert/resolve/{}", told["alert_id"].as_str().context("no id")?);
    let (_, resolved) = house.ask(0, Method::POST, &resolve, json!({})).await?;
    ensure!(resolved["status"] == "resolved", "{resolved}");

    // What the other agency hears of first is its own.
    write(&house, store, &cost(&house.tenants[1], "70")).await?;
    let envelope = others.next_of("cost:alert", PATIENCE).await?;
    ensure!(envelope["account"] == house.tenants[1].account, "{envelope}");
    ensure!(receiver.count() == 2, "{} came", receiver.count());
    Ok(())
}

async fn received(receiver: &Receiver, count: usize) -> Result<Vec<Received>> {
    until("what goes out", PATIENCE, || async {
        let all = receiver.received("/crm");
        Ok(if all.len() >= count { Ok(all) } else { Err(format!("{} of {count}", all.len())) })
    })
    .await
}
