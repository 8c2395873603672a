//! A new master key while a hub runs: what was sealed opens, who was signed in stays so.

use std::{fs, path::PathBuf, time::SystemTime};

use anyhow::{Context, Result, ensure};
use loadtest::{
    fault::Database,
    hub::PASSWORD,
    platform::meta::{Webhook, post},
};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{House, PATIENCE, next_lead, postgres::with_database, until};

const OWN_SECRET: &str = "a secret of the agency's own app";

fn key_file(house: &House) -> PathBuf {
    house.hub.data_dir().join("master.key")
}

fn keys(house: &House) -> Result<Vec<String>> {
    Ok(fs::read_to_string(key_file(house))?.lines().map(str::to_owned).collect())
}

/// Signs in as the tenant's manager; the cookie.
async fn login(house: &House) -> Result<String> {
    let body = json!({"email": house.tenants[0].email, "password": PASSWORD});
    let answer = house.hub.http().post(house.hub.url("/api/login")).json(&body).send().await?.error_for_status()?;
    let cookie = answer.headers().get("set-cookie").context("no cookie")?.to_str()?;
    Ok(cookie.split(';').next().unwrap_or_default().to_owned())
}

async fn me(house: &House, cookie: &str) -> Result<StatusCode> {
    Ok(house.hub.http().get(house.hub.url("/api/me")).header("cookie", cookie).send().await?.status())
}

async fn rotation_is_not_noticed_by_anybody(house: House, rotate: &[&str]) -> Result<()> {
    let own = house.platform.add_page(303, "token_303");
    let source =
        house.hub.add_own_app_source(&house.tenants[0].account, 303, "token_303", OWN_SECRET, "verify").await?;
    let mut session = house.session(0).await?;
    let cookie = login(&house).await?;
    let before = keys(&house)?;

    house.hub.run(rotate, &[]).await?;

    let after = keys(&house)?;
    ensure!(after.len() == 2 && after[1] == before[0] && after[0] != before[0], "the new key is the first");
    ensure!(me(&house, &cookie).await? == StatusCode::OK, "a login ended");
    let url = house.hub.url(&format!("/webhook/meta/{source}"));
    let lead = own.add_lead(loadtest::platform::Lead::person(1, "Joe", "joe@example.com", "+16195550101"));
    let webhook = Webhook::lead(own.change_for(lead).context("no lead")?);
    until("the source's address", PATIENCE, || async {
        let answer = post(house.hub.http(), &url, webhook.body(), OWN_SECRET).await?.status();
        Ok(if answer == StatusCode::OK { Ok(()) } else { Err(format!("it answers {answer}")) })
    })
    .await?;
    ensure!(next_lead(&mut session).await? == lead, "the session is the one from before, the token opens the platform");

    let early = house.hub.run(&["key", "rotate-master", "--finish"], &[]).await.err().context("it did not wait")?;
    ensure!(format!("{early:#}").contains("not before"), "{early:#}");
    // As if a login's time had passed.
    let file = fs::File::options().write(true).open(key_file(&house))?;
    file.set_modified(SystemTime::UNIX_EPOCH)?;
    let new_login = login(&house).await?;
    house.hub.run(&["key", "rotate-master", "--finish"], &[]).await?;
    ensure!(keys(&house)? == after[..1], "the older key is forgotten, so nothing was under it");
    until("the end of logins of the forgotten key", PATIENCE, || async {
        let status = me(&house, &cookie).await?;
        Ok(if status == StatusCode::UNAUTHORIZED { Ok(()) } else { Err(format!("{status}")) })
    })
    .await?;
    ensure!(me(&house, &new_login).await? == StatusCode::OK, "a login of the new key ended");
    everything_opens_after_a_restart(house, &new_login).await
}

async fn everything_opens_after_a_restart(mut house: House, cookie: &str) -> Result<()> {
    house.hub.stop().await?;
    house.hub.start().await?;
    ensure!(me(&house, cookie).await? == StatusCode::OK);
    house.tenants[0].token = house.hub.run(&["token", "issue", "--user", &house.tenants[0].user], &[]).await?;
    let mut session = house.session(0).await?;
    let lead = house.lead(0, "After").await?;
    ensure!(next_lead(&mut session).await? == lead);
    let told = house.hub.run(&["audit", "list", "--action", "master_key.rotated", "--json"], &[]).await?;
    let told: Vec<Value> = told.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    ensure!(told.len() >= 3 && told.iter().all(|one| one["address"] == "cli"), "{told:?}");
    Ok(())
}

#[tokio::test]
async fn a_new_master_key_is_noticed_by_nobody_on_sqlite() -> Result<()> {
    rotation_is_not_noticed_by_anybody(House::open().await?, &["key", "rotate-master"]).await
}

#[tokio::test]
async fn a_new_master_key_is_noticed_by_nobody_on_postgresql() -> Result<()> {
    with_database(|database: Database| async move {
        let house = House::open_with(|setup| setup.store_url(database.url())).await?;
        let told =
            house.hub.run(&["key", "rotate-master"], &[]).await.err().context("it did not wait for other nodes")?;
        ensure!(format!("{told:#}").contains("--all-nodes"), "{told:#}");
        ensure!(keys(&house)?[1].starts_with("next "), "announced, and not the first yet");
        rotation_goes_on(house).await
    })
    .await
}

async fn rotation_goes_on(house: House) -> Result<()> {
    let text = fs::read_to_string(key_file(&house))?;
    let first = text.lines().next().context("no key")?.to_owned();
    // The hub has the announced key already; what follows is what a single node does.
    let cookie = login(&house).await?;
    house.hub.run(&["key", "rotate-master", "--all-nodes"], &[]).await?;
    ensure!(keys(&house)?[1] == first && me(&house, &cookie).await? == StatusCode::OK);
    house.hub.run(&["key", "rotate-master", "--finish", "--now"], &[]).await?;
    until("the end of logins of the forgotten key", PATIENCE, || async {
        let status = me(&house, &cookie).await?;
        Ok(if status == StatusCode::UNAUTHORIZED { Ok(()) } else { Err(format!("{status}")) })
    })
    .await?;
    let cookie = login(&house).await?;
    everything_opens_after_a_restart(house, &cookie).await
}

#[tokio::test]
async fn a_rotation_that_was_cut_off_at_any_step_is_finished_by_the_next() -> Result<()> {
    for step in ["announced", "first"] {
        let house = House::open().await?;
        let before = keys(&house)?.remove(0);
        let new = "cd".repeat(32);
        // What was sealed is not sealed again yet.
        let cut_off = if step == "first" { format!("{new}\n{before}\n") } else { format!("{before}\nnext {new}\n") };
        fs::write(key_file(&house), cut_off)?;
        house.hub.run(&["key", "rotate-master"], &[]).await?;
        ensure!(keys(&house)? == [new, before], "{step}: the rotation that was begun, and no other");
        house.hub.run(&["key", "rotate-master", "--finish", "--now"], &[]).await?;
        let sources = house.hub.run(&["source", "list"], &[]).await?;
        ensure!(sources.contains(&house.tenants[1].source), "{step}: all opens with the new key alone: {sources}");
    }
    Ok(())
}
