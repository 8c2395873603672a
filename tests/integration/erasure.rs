//! What people delete is gone: from what is shown, from what is sent, and from the disk.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use leadwire::domain::clock;
use loadtest::{
    client::Socket,
    platform::{Lead, meta::Webhook},
};
use reqwest::{Response, StatusCode};
use serde_json::Value;

use crate::support::{House, PATIENCE, next_lead, until};

const NAME: &str = "Zebulon Quagmire";
const NEEDLES: [&str; 3] = ["Quagmire", "5550177731", "zebulon@quagmire.example"];

/// Files below a folder that have one of these texts.
fn holding(folder: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(holding(&path)?);
            continue;
        }
        let bytes = fs::read(&path)?;
        for needle in NEEDLES {
            if bytes.windows(needle.len()).any(|part| part == needle.as_bytes()) {
                found.push(format!("{needle} in {}", path.display()));
            }
        }
    }
    Ok(found)
}

async fn delete(house: &House, tenant: usize, path: &str) -> Result<Response> {
    Ok(house.hub.http().delete(house.hub.url(path)).bearer_auth(&house.tenants[tenant].token).send().await?)
}

#[tokio::test]
async fn a_deleted_lead_is_in_no_resume_in_no_file_and_comes_back_by_no_redelivery() -> Result<()> {
    let house = House::open().await?;
    let mut session = house.session(0).await?;
    let first = house.lead(0, "Before").await?;
    let before = session.next_of("new_lead", PATIENCE).await?;
    let person = Lead::person(clock::now().timestamp(), NAME, NEEDLES[2], "+15550177731");
    let doomed = house.pages[0].add_lead(person);
    let webhook = Webhook::lead(house.change(0, doomed)?);
    house.accepted(webhook.body()).await?;
    let shown = session.next_of("new_lead", PATIENCE).await?;
    ensure!(shown["payload"]["lead"]["name"] == NAME);
    house.has_stored(0, &[first, doomed]).await?;
    ensure!(!holding(&house.hub.data_dir())?.is_empty(), "the test would find it");

    let id = shown["payload"]["lead"]["id"].as_str().context("no id")?;
    let path = format!("/api/leads/{id}");
    ensure!(delete(&house, 1, &path).await?.status() == StatusCode::NOT_FOUND, "another agency's");
    let answer: Value = delete(&house, 0, &path).await?.error_for_status()?.json().await?;
    ensure!(answer["success"] == true && answer["message"].as_str().is_some_and(|text| text.contains("backups")));
    let gone = session.next_of("lead:updated", PATIENCE).await?;
    ensure!(gone["payload"]["deleted"] == true && gone["payload"]["lead"]["id"] == id);

    // Who was away while it all happened.
    let mut back = Socket::connect(&house.hub.ws_url(), &house.tenants[0].token).await?;
    back.next_of("welcome", PATIENCE).await?;
    let since = before["position"].as_str().context("no position")?;
    let subscribed = back.subscribe_since(&house.tenants[0].room(), since).await?;
    ensure!(subscribed["recovered"] == "complete", "{subscribed}");
    let (tombstone, told) = (back.next_envelope(PATIENCE).await?, back.next_envelope(PATIENCE).await?);
    ensure!(tombstone["type"] == "erased" && tombstone["prev"] == before["position"], "{tombstone}");
    ensure!(tombstone["id"] == shown["id"] && tombstone["position"] == shown["position"], "{tombstone}");
    ensure!(told["type"] == "lead:updated" && told["prev"] == tombstone["position"], "{told}");
    ensure!(NEEDLES.iter().all(|needle| !format!("{tombstone}{told}").contains(needle)));

    // The platform sends it once more, and the hub starts anew.
    house.accepted(webhook.redelivered(clock::now().timestamp()).body()).await?;
    let last = house.lead(0, "After").await?;
    ensure!(next_lead(&mut session).await? == last, "a redelivery brought it back");
    house.has_stored(0, &[first, last]).await?;
    until("the disk", PATIENCE, || async {
        let holding = holding(&house.hub.data_dir())?;
        Ok(if holding.is_empty() { Ok(()) } else { Err(holding.join(", ")) })
    })
    .await
}

#[tokio::test]
async fn a_person_is_erased_from_all_that_one_agency_holds_and_from_nothing_of_another() -> Result<()> {
    let house = House::open().await?;
    let mut sessions = [house.session(0).await?, house.session(1).await?];
    let person = || Lead::person(clock::now().timestamp(), NAME, NEEDLES[2], "(555) 017-7731");
    let ids = [0, 1].map(|tenant| house.pages[tenant].add_lead(person()));
    let both = Webhook::new(clock::now().timestamp()).with(house.change(0, ids[0])?).with(house.change(1, ids[1])?);
    house.accepted(both.body()).await?;
    let kept = house.lead(0, "Somebody Else").await?;
    house.has_stored(0, &[ids[0], kept]).await?;
    house.has_stored(1, &[ids[1]]).await?;
    // Nobody signed it.
    let refused = format!(r#"{{"object":"page","entry":[{{"id":"9","phone":"+1 555 017 7731 for {NAME}"}}]}}"#);
    let forged =
        house.hub.http().post(house.hub.url("/webhook")).header("X-Hub-Signature-256", "sha256=00").body(refused);
    ensure!(forged.send().await?.status() != StatusCode::OK);

    let agency = house.tenants[0].agency.clone();
    let erase = ["erase", "--agency", &agency, "--phone", "+1 555-017-7731", "--email", "ZEBULON@quagmire.example"];
    let counted: Value = serde_json::from_str(&house.hub.run(&[&erase[..], &["--dry-run"]].concat(), &[]).await?)?;
    ensure!(counted["leads"] == 1 && house.stored(0).await?.len() == 2, "{counted}");
    ensure!(house.hub.run(&erase, &[]).await.is_err(), "not unless it is said");
    let receipt = house.hub.run(&[&erase[..], &["--yes"]].concat(), &[]).await?;
    ensure!(NEEDLES.iter().all(|needle| !receipt.contains(needle)), "{receipt}");
    let receipt: Value = serde_json::from_str(&receipt)?;
    ensure!(receipt["database"]["leads"] == 1 && receipt["inbox"]["quarantine"] == 1, "{receipt}");
    ensure!(receipt["inbox"]["envelopes"] == 1 && receipt["files_wiped"] == true, "{receipt}");
    let told = sessions[0].next_of("lead:updated", PATIENCE).await?;
    ensure!(told["payload"]["deleted"] == true, "the hub noticed: {told}");
    house.has_stored(0, &[kept]).await?;
    house.has_stored(1, &[ids[1]]).await?;
    let again: Value = serde_json::from_str(&house.hub.run(&[&erase[..], &["--yes"]].concat(), &[]).await?)?;
    ensure!(again["database"]["leads"] == 0 && again["inbox"]["envelopes"] == 0, "nothing was left: {again}");

    let other = house.tenants[1].agency.clone();
    let erase = ["erase", "--agency", &other, "--email", NEEDLES[2], "--yes"];
    house.hub.run(&erase, &[]).await?;
    until("the disk", PATIENCE, || async {
        let holding = holding(&house.hub.data_dir())?;
        Ok(if holding.is_empty() { Ok(()) } else { Err(holding.join(", ")) })
    })
    .await
}

#[tokio::test]
async fn a_deletion_that_a_crash_cut_off_is_finished_by_the_next_start() -> Result<()> {
    let mut house = House::open().await?;
    let mut session = house.session(0).await?;
    let doomed = house.pages[0].add_lead(Lead::person(clock::now().timestamp(), NAME, NEEDLES[2], "+15550177731"));
    house.accepted(Webhook::lead(house.change(0, doomed)?).body()).await?;
    let shown = session.next_of("new_lead", PATIENCE).await?;
    house.has_stored(0, &[doomed]).await?;
    house.hub.kill().await?;
    // As it stands when the transaction of the deletion is all that was done.
    let store = leadwire::store::Store::open(
        &format!("sqlite://{}", house.hub.data_dir().join("store.sqlite3").display()),
        1,
        PATIENCE,
        leadwire::store::Vault::new([0; 32]),
    )
    .await?;
    let account = house.tenants[0].account.parse()?;
    let id = shown["payload"]["lead"]["id"].as_str().context("no id")?.parse()?;
    store.erase_lead(&[account], id, false).await?.context("it is not there")?;
    drop(store);
    house.hub.start().await?;
    let mut session = house.session(0).await?;
    let room = house.tenants[0].room();
    session.subscribe_since(&room, "0-0").await?;
    until("the disk", PATIENCE, || async {
        let holding = holding(&house.hub.data_dir())?;
        Ok(if holding.is_empty() { Ok(()) } else { Err(holding.join(", ")) })
    })
    .await?;
    let told = session.next_of("lead:updated", PATIENCE).await?;
    ensure!(told["payload"]["deleted"] == true, "dashboards hear of it: {told}");
    Ok(())
}

#[tokio::test]
async fn an_erasure_that_is_killed_wherever_it_is_leaves_nothing_when_it_is_run_again() -> Result<()> {
    let house = House::open().await?;
    let doomed = house.pages[0].add_lead(Lead::person(clock::now().timestamp(), NAME, NEEDLES[2], "+15550177731"));
    house.accepted(Webhook::lead(house.change(0, doomed)?).body()).await?;
    let kept = house.lead(0, "Somebody Else").await?;
    house.has_stored(0, &[doomed, kept]).await?;
    let agency = house.tenants[0].agency.clone();
    let erase = ["erase", "--agency", &agency, "--email", NEEDLES[2], "--yes"];
    let mut cut_off = 0;
    for millis in (5..).step_by(5) {
        // What is not awaited any more is ended with kill -9.
        let run = tokio::time::timeout(Duration::from_millis(millis), house.hub.run(&erase, &[])).await;
        if let Ok(ended) = run {
            ended?;
            break;
        }
        cut_off += 1;
    }
    ensure!(cut_off > 0, "nothing was cut off");
    let again: Value = serde_json::from_str(&house.hub.run(&erase, &[]).await?)?;
    ensure!(again["database"]["leads"] == 0, "nothing was left: {again}");
    house.has_stored(0, &[kept]).await?;
    until("the disk", PATIENCE, || async {
        let holding = holding(&house.hub.data_dir())?;
        Ok(if holding.is_empty() { Ok(()) } else { Err(holding.join(", ")) })
    })
    .await
}
