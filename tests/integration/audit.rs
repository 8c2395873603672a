//! Security events, as operators and owners see them.

use std::net::Ipv4Addr;

use anyhow::{Context, Result, ensure};
use loadtest::hub::PASSWORD;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{House, PATIENCE, until};

/// What `leadwire audit list --json` knows of an action.
async fn recorded(house: &House, action: &str) -> Result<Vec<Value>> {
    let list = house.hub.run(&["audit", "list", "--action", action, "--json"], &[]).await?;
    list.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// Waits until at least so many are recorded: logins do not wait for that.
async fn has_recorded(house: &House, action: &str, count: usize) -> Result<Vec<Value>> {
    until("the record", PATIENCE, || async {
        let found = recorded(house, action).await?;
        Ok(if found.len() >= count { Ok(found) } else { Err(format!("{} of {action}", found.len())) })
    })
    .await
}

async fn login(house: &House, email: &str, password: &str) -> Result<StatusCode> {
    let body = json!({"email": email, "password": password});
    Ok(house.hub.http().post(house.hub.url("/api/login")).json(&body).send().await?.status())
}

#[tokio::test]
async fn logins_failures_and_lock_outs_are_recorded_and_logged_without_addresses_in_clear() -> Result<()> {
    let house = House::open_with(|setup| setup.set("auth.login_attempts", 3)).await?;
    let tenant = &house.tenants[0];
    ensure!(login(&house, &tenant.email, PASSWORD).await? == StatusCode::OK);
    ensure!(login(&house, "nobody@example.com", "wrong").await? == StatusCode::UNAUTHORIZED);
    let mut answers = Vec::new();
    for _ in 0..5 {
        answers.push(login(&house, &tenant.email, "wrong").await?);
    }
    ensure!(answers.last() == Some(&StatusCode::TOO_MANY_REQUESTS), "{answers:?}");

    let succeeded = has_recorded(&house, "login.succeeded", 1).await?;
    let one = &succeeded[0];
    ensure!(one["actor"] == tenant.user.as_str() && one["agency_id"] == tenant.agency.as_str(), "{one}");
    ensure!(one["address"] == Ipv4Addr::LOCALHOST.to_string(), "{one}");
    let failed = has_recorded(&house, "login.failed", 2).await?;
    let (known, unknown): (Vec<&Value>, Vec<&Value>) = failed.iter().partition(|one| !one["agency_id"].is_null());
    ensure!(known.iter().all(|one| one["target"] == tenant.user.as_str() && one["actor"] == "unknown"), "{known:?}");
    ensure!(unknown.len() == 1 && unknown[0]["details"]["email_hash"].is_string(), "{unknown:?}");
    let locked_out = has_recorded(&house, "login.locked_out", 1).await?;
    ensure!(locked_out[0]["target"] == tenant.user.as_str(), "{locked_out:?}");

    let log = house.hub.log_tail(200);
    for line in ["a login failed", "a login was refused"] {
        ensure!(log.contains(line), "`{line}` is not in the log");
    }
    let all = [log, format!("{failed:?}{locked_out:?}{succeeded:?}")].concat();
    ensure!(!all.contains("nobody@example.com") && !all.contains(&tenant.email), "an address is told in clear");
    Ok(())
}

#[tokio::test]
async fn an_attacker_fills_neither_the_record_nor_the_log_and_is_counted() -> Result<()> {
    let house = House::open_with(|setup| setup.set("auth.login_attempts", 5)).await?;
    for number in 0..300 {
        login(&house, &format!("guess{number}@example.com"), "wrong").await?;
    }
    let failed = has_recorded(&house, "login.failed", 1).await?.len();
    let refused = has_recorded(&house, "login.locked_out", 1).await?.len();
    // Five of a kind a minute; the attack may have lasted into a second one.
    ensure!(failed + refused <= 24, "{failed} and {refused} records of 300 attempts");
    let lines = house.hub.log_tail(1_000).lines().filter(|line| line.contains("a login ")).count();
    ensure!((1..=24).contains(&lines), "{lines} lines of 300 attempts");
    let summed = house.hub.metric("leadwire_audit_records_total").await?;
    ensure!(summed > 200.0, "{summed} were counted");
    Ok(())
}

#[tokio::test]
async fn what_an_operator_changes_at_the_command_line_is_recorded_as_theirs() -> Result<()> {
    let house = House::open().await?;
    let tenant = &house.tenants[0];
    house
        .hub
        .run(&["member", "add", "--user", &tenant.user, "--account", &tenant.account, "--role", "owner"], &[])
        .await?;
    let changed = recorded(&house, "member.changed").await?;
    let newest = changed.first().context("nothing is recorded")?;
    ensure!(newest["address"] == "cli", "{newest}");
    ensure!(newest["actor"].as_str().is_some_and(|actor| actor.starts_with("operator:")), "{newest}");
    ensure!(newest["details"] == json!({"role": "owner", "was": "manager"}), "{newest}");
    let owner = house.get(0, "/api/audit?action=member.changed").await?;
    ensure!(owner.status() == StatusCode::OK || owner.status() == StatusCode::FORBIDDEN, "{}", owner.status());
    until("the new role", PATIENCE, || async {
        let answer = house.get(0, "/api/audit?action=member.changed").await?;
        Ok(if answer.status() == StatusCode::OK { Ok(()) } else { Err(format!("{}", answer.status())) })
    })
    .await?;
    let page: Value = house.get(0, "/api/audit?action=member.changed").await?.json().await?;
    ensure!(page["items"][0]["id"] == newest["id"], "{page}");
    ensure!(house.get(1, "/api/audit").await?.status() == StatusCode::FORBIDDEN, "managers see none of it");
    Ok(())
}

#[tokio::test]
async fn a_replay_stands_in_the_record_of_the_agency_whose_events_go_on() -> Result<()> {
    let house = House::open().await?;
    let tenant = &house.tenants[0];
    house.hub.run(&["source", "disable", &tenant.source], &[]).await?;
    // Until the hub knows of it, leads are fetched as before.
    until("a parked lead", PATIENCE, || async {
        house.lead(0, "Ann").await?;
        let parked = house.attention(0).await?.iter().any(|item| item["kind"] == "source_gone");
        Ok(if parked { Ok(()) } else { Err("nothing is parked".to_owned()) })
    })
    .await?;
    house.hub.run(&["inbox", "replay", "--reason", "source_gone"], &[]).await?;
    let replayed = recorded(&house, "inbox.replayed").await?;
    ensure!(replayed.len() == 1 && replayed[0]["agency_id"] == tenant.agency.as_str(), "{replayed:?}");
    ensure!(replayed[0]["details"]["reason"] == "source_gone", "{replayed:?}");
    Ok(())
}
