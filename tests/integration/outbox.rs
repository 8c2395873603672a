//! Webhooks that the hub sends: every one arrives, under one id, whatever fails on the way.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use hmac::{Hmac, KeyInit, Mac};
use loadtest::{
    fault::{Mode, Proxy},
    hub::{Hub, Setup, Tenant},
    platform::{Answer, Received, Receiver},
};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::{House, PATIENCE, postgres, until};

/// Short waits, so that a test sees many of them.
fn hasty(setup: Setup) -> Setup {
    setup
        .set("outbox.allow_private", json!(["127.0.0.0/8"]))
        .set("outbox.retry", json!(["100ms", "200ms", "400ms"]))
        .set("outbox.timeout", "1s")
        .set("outbox.lease", "2s")
        .set("outbox.breaker_calls", 1000)
}

async fn ask(hub: &Hub, tenant: &Tenant, method: Method, path: &str, body: Value) -> Result<Value> {
    let request = hub.http().request(method, hub.url(path)).bearer_auth(&tenant.token);
    let answer = request.json(&body).send().await?;
    let status = answer.status();
    let text = answer.text().await?;
    ensure!(status.is_success(), "{path}: {status} {text}");
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

impl House {
    /// An endpoint of the tenant's account: its path in the API, and its secret.
    async fn endpoint(&self, tenant: usize, url: &str, fields: Value) -> Result<(String, String)> {
        let tenant = &self.tenants[tenant];
        let mut body = json!({"url": url, "account": tenant.account, "types": ["new_lead"], "token": "crm"});
        let more = fields.as_object().context("no object")?.clone();
        body.as_object_mut().context("no object")?.extend(more);
        let added = ask(&self.hub, tenant, Method::POST, "/api/endpoints", body).await?;
        let id = added["endpoint"]["id"].as_str().context("no id")?;
        Ok((format!("/api/endpoints/{id}"), added["secret"].as_str().context("no secret")?.to_owned()))
    }

    /// Waits until all of the endpoint's deliveries are in this state.
    async fn all_are(&self, tenant: usize, endpoint: &str, state: &str, count: usize) -> Result<Vec<Value>> {
        until("the deliveries", PATIENCE, || async {
            let path = format!("{endpoint}/deliveries?limit=200");
            let listed = ask(&self.hub, &self.tenants[tenant], Method::GET, &path, json!({})).await?;
            let items = listed["items"].as_array().context("no list")?.clone();
            let done = items.iter().filter(|item| item["state"] == state).count();
            Ok(if done == count && items.len() == count {
                Ok(items)
            } else {
                Err(format!("{done} of {count}: {listed}"))
            })
        })
        .await
    }
}

async fn arrived(receiver: &Receiver, path: &str, count: usize) -> Result<Vec<Received>> {
    until("the receiver", PATIENCE, || async {
        let got = receiver.received(path);
        Ok(if got.len() >= count { Ok(got) } else { Err(format!("{} of {count}", got.len())) })
    })
    .await
}

fn signature(secret: &str, one: &Received) -> String {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{}.{}.", one.id(), one.header("webhook-timestamp")).as_bytes());
    mac.update(&one.body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[tokio::test]
async fn a_lead_goes_to_the_endpoint_signed_and_after_a_rotation_with_both_secrets() -> Result<()> {
    let (house, receiver) = (House::open_with(hasty).await?, Receiver::start()?);
    let (endpoint, secret) = house.endpoint(0, &receiver.url("/crm"), json!({})).await?;
    let id = house.lead(0, "Joe").await?;
    let one = arrived(&receiver, "/crm", 1).await?.remove(0);
    let body = one.json();
    ensure!(body["lead"]["meta_lead_id"] == json!(id.to_string()) && body["lead"]["name"] == "Joe", "{body}");
    ensure!(body["event_id"] == one.id() && body["account_id"] == house.tenants[0].account, "{body}");
    ensure!(one.header("authorization") == "Bearer crm" && one.header("content-type") == "application/json");
    ensure!(one.header("x-webhook-type") == "new_lead" && one.header("x-webhook-attempt") == "1");
    ensure!(one.header("webhook-signature") == signature(&secret, &one));

    let rotate = format!("{endpoint}/rotate");
    let rotated = ask(&house.hub, &house.tenants[0], Method::POST, &rotate, json!({})).await?;
    let newest = rotated["secret"].as_str().context("no secret")?;
    house.lead(0, "Ann").await?;
    let two = arrived(&receiver, "/crm", 2).await?.remove(1);
    ensure!(two.header("webhook-signature") == format!("{} {}", signature(newest, &two), signature(&secret, &two)));
    house.all_are(0, &endpoint, "delivered", 2).await.map(drop)
}

#[tokio::test]
async fn what_fails_is_tried_again_under_its_id_until_it_is_delivered_and_then_never_again() -> Result<()> {
    let (house, receiver) = (House::open_with(hasty).await?, Receiver::start()?);
    let (endpoint, _) = house.endpoint(0, &receiver.url("/crm"), json!({})).await?;
    receiver.answer(
        "/crm",
        [
            Answer::of(500),
            Answer::of(302).with("location", receiver.url("/elsewhere")),
            Answer::of(200).after(Duration::from_secs(3)),
            Answer::of(429).with("retry-after", "2"),
        ],
    );
    house.lead(0, "Joe").await?;
    let all = arrived(&receiver, "/crm", 5).await?;
    let ids: BTreeSet<String> = all.iter().map(Received::id).collect();
    ensure!(ids.len() == 1, "one event has one id: {ids:?}");
    let numbers: Vec<&str> = all.iter().map(|one| one.header("x-webhook-attempt")).collect();
    ensure!(numbers == ["1", "2", "3", "4", "5"], "{numbers:?}");
    ensure!(all[4].at.duration_since(all[3].at)? >= Duration::from_secs(2), "Retry-After is a minimum");
    ensure!(receiver.received("/elsewhere").is_empty(), "a redirect was followed");

    let items = house.all_are(0, &endpoint, "delivered", 1).await?;
    let attempts = items[0]["attempts"].as_array().context("no attempts")?;
    let said: Vec<&Value> = attempts.iter().map(|attempt| &attempt["status"]).collect();
    ensure!(said == [&json!(500), &json!(302), &Value::Null, &json!(429), &json!(200)], "{said:?}");
    ensure!(attempts[2]["error"].as_str().is_some_and(|error| error.contains("too long")), "{}", attempts[2]);
    ensure!(attempts[4]["answer"] == "noted");

    // The next one is through, and the first did not come again.
    house.lead(0, "Ann").await?;
    house.all_are(0, &endpoint, "delivered", 2).await?;
    ensure!(receiver.received("/crm").len() == 6);
    Ok(())
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_disabled_told_of_and_gets_what_it_missed_by_a_replay() -> Result<()> {
    let (house, receiver) = (House::open_with(hasty).await?, Receiver::start()?);
    let (endpoint, _) = house.endpoint(0, &receiver.url("/crm"), json!({})).await?;
    receiver.answer("/crm", [Answer::of(410)]);
    house.lead(0, "Joe").await?;
    let item = house.wants_attention(0, "undelivered", 1).await?;
    ensure!(
        item["reason"]
            .as_str()
            .is_some_and(|reason| reason.starts_with("The endpoint 127.0.0.1 answered that it is gone")),
        "{item}"
    );
    ensure!(house.attention(1).await?.iter().all(|item| item["kind"] != "undelivered"), "the other agency was told");
    let tenant = &house.tenants[0];
    let shown = ask(&house.hub, tenant, Method::GET, &endpoint, json!({})).await?;
    ensure!(shown["endpoint"]["enabled"] == false && shown["endpoint"]["disabled_reason"].is_string(), "{shown}");

    let id = house.lead(0, "Not kept for it").await?;
    until("the store", PATIENCE, || async {
        let stored = house.stored(0).await?;
        Ok(if stored.contains(&id.to_string()) { Ok(()) } else { Err("not stored".to_owned()) })
    })
    .await?;
    ask(&house.hub, tenant, Method::PUT, &endpoint, json!({"enabled": true})).await?;
    let replay = format!("{endpoint}/replay");
    let replay = ask(&house.hub, tenant, Method::POST, &replay, json!({"state": "parked"})).await?;
    ensure!(replay["replay"]["total"] == 1, "{replay}");
    house.all_are(0, &endpoint, "delivered", 1).await?;
    let all = receiver.received("/crm");
    ensure!(all.len() == 2 && all[0].id() == all[1].id(), "a replay keeps the id");
    let progress = format!("{endpoint}/replays/{}", replay["replay"]["id"].as_str().context("no id")?);
    let progress = ask(&house.hub, tenant, Method::GET, &progress, json!({})).await?;
    ensure!(progress["replay"]["delivered"] == 1 && progress["replay"]["pending"] == 0, "{progress}");
    Ok(())
}

#[tokio::test]
async fn nothing_is_sent_for_somebody_who_was_disabled_until_another_manager_takes_it_over() -> Result<()> {
    let (house, receiver) = (House::open_with(hasty).await?, Receiver::start()?);
    let tenant = &house.tenants[0];
    let (endpoint, _) = house.endpoint(0, &receiver.url("/crm"), json!({})).await?;
    house.lead(0, "Before").await?;
    house.all_are(0, &endpoint, "delivered", 1).await?;
    let bob = house.hub.add_user(&tenant.agency, "bob@example.com", "Bob", &[(&tenant.account, "manager")]).await?;
    let token = house.hub.issue_token(&bob).await?;
    house.hub.run(&["user", "disable", &tenant.user], &[]).await?;

    house.lead(0, "After").await?;
    let bob = Tenant { token, ..tenant.clone() };
    let parked = until("the list of what wants attention", PATIENCE, || async {
        // The hub has to hear of Bob first.
        let Ok(listed) = ask(&house.hub, &bob, Method::GET, "/api/attention", json!({})).await else {
            return Ok(Err("no list".to_owned()));
        };
        let items = listed["items"].as_array().context("no list")?;
        let left = items.iter().find(|item| item["kind"] == "left_behind").cloned();
        Ok(left.ok_or_else(|| listed.to_string()))
    })
    .await?;
    ensure!(
        parked["count"] == 1 && parked["reason"].as_str().is_some_and(|words| words.contains("take the endpoint over"))
    );
    ensure!(receiver.received("/crm").len() == 1, "it was sent for somebody who may not see it");

    ask(&house.hub, &bob, Method::POST, &format!("{endpoint}/take-over"), json!({})).await?;
    let all = arrived(&receiver, "/crm", 2).await?;
    ensure!(all[1].json()["lead"]["name"] == "After", "{}", all[1].json());
    Ok(())
}

#[tokio::test]
async fn what_was_claimed_ahead_does_not_go_to_an_endpoint_that_is_gone() -> Result<()> {
    let (house, receiver) =
        (House::open_with(|setup| hasty(setup).set("outbox.at_once", 1)).await?, Receiver::start()?);
    let (endpoint, _) = house.endpoint(0, &receiver.url("/crm"), json!({"types": ["lead_enrichment"]})).await?;
    receiver.answer("/crm", [200, 200, 200, 200, 200, 410].map(Answer::of));
    let tenant = &house.tenants[0];
    let mut other = SqliteConnection::establish(&house.hub.data_dir().join("store.sqlite3").to_string_lossy())?;
    other.batch_execute("PRAGMA busy_timeout = 10000; PRAGMA foreign_keys = ON")?;
    other.batch_execute(&format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)
         INSERT INTO enhanced_leads (agency_id, account_id, name) SELECT '{}', '{}', 'Business ' || i FROM n",
        tenant.agency, tenant.account
    ))?;
    house.wants_attention(0, "undelivered", 55).await?;
    ask(&house.hub, tenant, Method::PUT, &endpoint, json!({"enabled": true})).await?;
    ask(&house.hub, tenant, Method::POST, &format!("{endpoint}/replay"), json!({"state": "parked"})).await?;
    house.all_are(0, &endpoint, "delivered", 60).await?;
    ensure!(receiver.count() == 61, "{} came: each once, and one twice that was told 410", receiver.count());
    Ok(())
}

#[tokio::test]
async fn an_endpoint_that_was_away_gets_everything_when_it_is_back() -> Result<()> {
    let (house, receiver) = (House::open_with(hasty).await?, Receiver::start()?);
    let line = Proxy::start(receiver.address())?;
    line.set(Mode::Refuse);
    let (endpoint, _) = house.endpoint(0, &format!("http://{}/crm", line.address()), json!({"ordered": true})).await?;
    let mut sent = Vec::new();
    for number in 0..5 {
        sent.push(house.lead(0, &format!("Person {number}")).await?.to_string());
    }
    until("the failures", PATIENCE, || async {
        let failures = house.hub.metric("leadwire_deliveries_total").await?;
        Ok(if failures >= 10.0 { Ok(()) } else { Err(format!("{failures}")) })
    })
    .await?;
    line.set(Mode::Pass);
    house.all_are(0, &endpoint, "delivered", 5).await?;
    let got: BTreeSet<String> = receiver.received("/crm").iter().map(lead).collect();
    ensure!(got == sent.into_iter().collect());
    Ok(())
}

/// The platform's id of the lead that a webhook is about.
fn lead(one: &Received) -> String {
    one.json()["lead"]["meta_lead_id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_lose_no_webhook_and_give_none_a_second_id_with_the_embedded_database() -> Result<()> {
    kills(None).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_lose_no_webhook_and_give_none_a_second_id_with_postgresql() -> Result<()> {
    postgres::with_database(|database| kills(Some(database.url().to_owned()))).await
}

async fn kills(store: Option<String>) -> Result<()> {
    let receiver = Receiver::start()?;
    let url = store.clone();
    let mut house = House::open_with(|setup| match &url {
        Some(url) => hasty(setup).store_url(url),
        None => hasty(setup),
    })
    .await?;
    let (endpoint, _) = house.endpoint(0, &receiver.url("/crm"), json!({})).await?;
    let mut sent = BTreeSet::new();
    for kill in 0..4 {
        // Some are under way for as long as the hub still lives.
        receiver.answer("/crm", (0..3).map(|_| Answer::of(200).after(Duration::from_millis(300))));
        for number in 0..10 {
            sent.insert(house.lead(0, &format!("Person {kill} {number}")).await?.to_string());
        }
        if kill < 3 {
            house.hub.kill().await?;
            house.hub.start().await?;
        }
    }
    house.all_are(0, &endpoint, "delivered", sent.len()).await?;
    let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for one in receiver.received("/crm") {
        ids.entry(lead(&one)).or_default().insert(one.id());
    }
    ensure!(ids.keys().cloned().collect::<BTreeSet<_>>() == sent, "not every lead arrived");
    ensure!(ids.values().all(|ids| ids.len() == 1), "a lead came under two ids: {ids:?}");
    // What is delivered does not come again: neither by a restart, nor by its lease's end.
    let count = receiver.received("/crm").len();
    house.hub.kill().await?;
    house.hub.start().await?;
    house.lead(0, "Last").await?;
    house.all_are(0, &endpoint, "delivered", sent.len() + 1).await?;
    ensure!(receiver.received("/crm").len() == count + 1);
    Ok(())
}

const WITHIN: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_row_that_another_program_writes_into_the_embedded_database_arrives_within_a_second() -> Result<()> {
    let house = House::open_with(hasty).await?;
    let file = house.hub.data_dir().join("store.sqlite3");
    others_rows(&house, async |insert| {
        let mut other = SqliteConnection::establish(&file.to_string_lossy())?;
        other.batch_execute("PRAGMA busy_timeout = 10000; PRAGMA foreign_keys = ON")?;
        Ok(other.batch_execute(&insert)?)
    })
    .await
}

#[tokio::test]
async fn a_row_that_another_program_writes_into_postgresql_arrives_within_a_second() -> Result<()> {
    postgres::with_database(|database| async move {
        let url = database.url().to_owned();
        let house = House::open_with(|setup| hasty(setup).store_url(&url)).await?;
        others_rows(&house, async |insert| {
            postgres::admin(&url, &insert).await;
            Ok(())
        })
        .await
    })
    .await
}

async fn others_rows(house: &House, write: impl AsyncFn(String) -> Result<()>) -> Result<()> {
    let receiver = Receiver::start()?;
    house.endpoint(0, &receiver.url("/crm"), json!({"types": ["lead_enrichment"]})).await?;
    let Tenant { agency, account, .. } = &house.tenants[0];
    let mut slowest = Duration::ZERO;
    for number in 1..=5 {
        let insert = format!(
            "INSERT INTO enhanced_leads (agency_id, account_id, name) VALUES ('{agency}', '{account}', 'Grill {number}')"
        );
        write(insert).await?;
        let began = Instant::now();
        let got = arrived(&receiver, "/crm", number).await?;
        slowest = slowest.max(began.elapsed());
        ensure!(got[number - 1].json()["business_name"] == format!("Grill {number}"));
    }
    println!("the slowest took {slowest:?}");
    ensure!(slowest <= WITHIN, "{slowest:?}");
    Ok(())
}

#[tokio::test]
async fn two_agencies_never_cross_and_a_slow_endpoint_delays_no_other() -> Result<()> {
    let (house, receiver) = (House::open_with(hasty).await?, Receiver::start()?);
    let (slow, _) = house.endpoint(0, &receiver.url("/slow"), json!({})).await?;
    house.endpoint(0, &receiver.url("/fast"), json!({})).await?;
    house.endpoint(1, &receiver.url("/other"), json!({})).await?;
    receiver.answer("/slow", (0..1000).map(|_| Answer::of(200).after(Duration::from_secs(5))));
    let (mut mine, mut others) = (BTreeSet::new(), BTreeSet::new());
    for number in 0..20 {
        mine.insert(house.lead(0, &format!("Mine {number}")).await?.to_string());
        others.insert(house.lead(1, &format!("Other {number}")).await?.to_string());
    }
    let began = Instant::now();
    arrived(&receiver, "/fast", 20).await?;
    arrived(&receiver, "/other", 20).await?;
    ensure!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    let leads = |path: &str| receiver.received(path).iter().map(lead).collect::<BTreeSet<_>>();
    ensure!(leads("/fast") == mine && leads("/other") == others && leads("/slow").is_subset(&mine));
    let path = format!("{slow}/deliveries");
    let crossing = ask(&house.hub, &house.tenants[1], Method::GET, &path, json!({})).await;
    ensure!(crossing.is_err_and(|error| error.to_string().contains("404")), "the other agency's endpoint is there");
    Ok(())
}

#[tokio::test]
async fn without_leave_nothing_is_posted_to_an_address_that_is_not_public() -> Result<()> {
    let house = House::open_with(|setup| setup.set("outbox.allow_http", true)).await?;
    let receiver = Receiver::start()?;
    let refused = house.endpoint(0, &receiver.url("/crm"), json!({})).await;
    ensure!(refused.is_err_and(|error| error.to_string().contains("not public")));
    // A name is looked up when it is delivered to.
    let named = format!("http://localhost:{}/crm", receiver.address().port());
    let (endpoint, _) = house.endpoint(0, &named, json!({})).await?;
    let tested = ask(&house.hub, &house.tenants[0], Method::POST, &format!("{endpoint}/test"), json!({})).await?;
    ensure!(tested["delivered"] == false, "{tested}");
    ensure!(tested["error"].as_str().is_some_and(|error| error.contains("not public")), "{tested}");
    ensure!(receiver.received("/crm").is_empty());
    Ok(())
}
