//! Webhooks at Unipile: made, kept right, and nobody else's touched.

use anyhow::{Context, Result, ensure};
use loadtest::platform::unipile::{Trouble, Workspace};
use serde_json::{Value, json};

use super::{Agencies, KEY};
use crate::support::{PATIENCE, until};

const NOON: &str = "2026-07-06T12:00:00.000Z";

fn of<'a>(hooks: &'a [Value], source: &str, about: &str) -> Result<&'a Value> {
    let name = format!("leadwire_{source}_{about}");
    let mut found = hooks.iter().filter(|hook| hook["name"] == name.as_str());
    let first = found.next().with_context(|| format!("no {name}"))?;
    ensure!(found.next().is_none(), "{name} is there twice");
    Ok(first)
}

#[tokio::test]
async fn a_new_source_gets_its_webhooks_and_what_they_bring_is_shown() -> Result<()> {
    let agencies = Agencies::open().await?;
    let hooks = agencies.workspace.webhooks();
    for (source, connected) in agencies.sources.iter().zip(&agencies.connected) {
        let messaging = of(&hooks, source, "messaging")?;
        ensure!(
            messaging["request_url"] == agencies.house.hub.url(&format!("/webhook/unipile/{source}")),
            "{messaging}"
        );
        ensure!(messaging["events"].as_array().is_some_and(|events| events.len() == 6), "{messaging}");
        ensure!(messaging["account_ids"][0]["id"] == connected.id.as_str(), "{messaging}");
        ensure!(of(&hooks, source, "users")?["events"] == json!(["new_relation"]));
        ensure!(of(&hooks, source, "account_status")?["events"] == json!([]));
    }
    let (mut dashboard, mut other) = (agencies.house.session(0).await?, agencies.house.session(1).await?);
    agencies.workspace.happen(&agencies.connected[0].message("Zoë", "m1", "Hello", NOON));
    let shown = dashboard.next_of("message:new", PATIENCE).await?;
    ensure!(shown["payload"]["text"] == "Hello" && shown["payload"]["arrival"] == "webhook", "{shown}");
    agencies.workspace.happen(&agencies.connected[1].message("Zoë", "m1", "For the other", NOON));
    ensure!(other.next_of("message:new", PATIENCE).await?["payload"]["text"] == "For the other");
    ensure!(agencies.workspace.settle(PATIENCE).await && agencies.workspace.lost() == 0);
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_is_replaced_and_what_is_not_the_hubs_stays_also_on_the_second_page() -> Result<()> {
    let mut agencies = Agencies::open().await?;
    let source = agencies.sources[0].clone();
    // More than a page of others' webhooks comes first.
    agencies.workspace.set_page(3);
    let mut others = Vec::new();
    for number in 0..4 {
        let url = format!("https://else.example/{number}");
        others.push(
            agencies.workspace.register(json!({"source": "messaging", "name": "setdm_messages", "request_url": url})),
        );
    }
    agencies.house.hub.stop().await?;
    let hooks = agencies.workspace.webhooks();
    let change = |about: &str, key: &str, value: Value| -> Result<()> {
        let id = of(&hooks, &source, about)?["id"].as_str().context("no id")?.to_owned();
        agencies.workspace.change_webhook(&id, |hook| hook[key] = value);
        Ok(())
    };
    change("messaging", "request_url", json!("https://old-tunnel.example/webhook"))?;
    change("users", "enabled", json!(false))?;
    change("account_status", "headers", json!([{"key": "Unipile-Auth", "value": "wrong"}]))?;
    agencies.house.hub.start().await?;
    let untouched = of(&hooks, &agencies.sources[1], "messaging")?["id"].clone();
    let is_right = |hooks: &[Value]| {
        let about = ["messaging", "users", "account_status"].map(|about| of(hooks, &source, about).cloned());
        about.into_iter().all(|hook| {
            hook.is_ok_and(|hook| {
                let address = hook["request_url"].as_str().is_some_and(|url| url.ends_with(&source));
                hook["enabled"] == true && address && !hook["headers"].to_string().contains("wrong")
            })
        })
    };
    until("the webhooks", PATIENCE, || async {
        let hooks = agencies.workspace.webhooks();
        Ok(if is_right(&hooks) && hooks.len() == 10 { Ok(()) } else { Err(format!("{hooks:?}")) })
    })
    .await?;
    let hooks = agencies.workspace.webhooks();
    ensure!(of(&hooks, &agencies.sources[1], "messaging")?["id"] == untouched, "what was right was replaced");
    ensure!(others.iter().all(|id| hooks.iter().any(|hook| hook["id"] == id.as_str())), "another's is gone: {hooks:?}");
    // Nothing is missed between: each was made before the wrong one went.
    let changes = agencies.workspace.calls("");
    let changes: Vec<&str> = changes.iter().filter(|call| !call.starts_with("GET")).map(|call| &call[..4]).collect();
    ensure!(changes.windows(2).skip(6).all(|two| two != ["DELE", "DELE"]), "{changes:?}");
    Ok(())
}

#[tokio::test]
async fn a_new_secret_replaces_the_webhooks_and_the_old_one_is_still_taken() -> Result<()> {
    let agencies = Agencies::open().await?;
    let hub = &agencies.house.hub;
    let source = &agencies.sources[0];
    let hooks = agencies.workspace.webhooks();
    let secret = |hooks: &[Value]| -> Result<String> {
        let headers = of(hooks, source, "messaging")?["headers"].clone();
        let header = headers.as_array().into_iter().flatten().find(|header| header["key"] == "Unipile-Auth").cloned();
        Ok(header.context("no secret")?["value"].as_str().context("no text")?.to_owned())
    };
    let old = secret(&hooks)?;
    hub.run(&["source", "set-app-secret", source], &[("LEADWIRE_APP_SECRET", "another-secret-that-nobody-knows")])
        .await?;
    until("the new secret", PATIENCE, || async {
        let hooks = agencies.workspace.webhooks();
        let newest = secret(&hooks).unwrap_or_default();
        let done = newest == "another-secret-that-nobody-knows" && hooks.len() == 6;
        Ok(if done { Ok(()) } else { Err(format!("{hooks:?}")) })
    })
    .await?;
    let body = agencies.connected[0].message("Zoë", "m1", "With the old one", NOON);
    let url = hub.url(&format!("/webhook/unipile/{source}"));
    ensure!(loadtest::platform::unipile::post(hub.http(), &url, &old, &body).await?.status() == 200);
    Ok(())
}

#[tokio::test]
async fn an_api_that_is_away_at_the_start_stops_nothing_and_is_asked_again() -> Result<()> {
    let workspace = Workspace::start(KEY)?;
    workspace.set_trouble(Some(Trouble::Html));
    let agencies = Agencies::open_with(workspace, |setup| setup).await?;
    agencies.house.wants_attention(0, "webhooks_missing", 1).await?;
    agencies.house.wants_attention(0, "sync_failing", 1).await?;
    for trouble in [Trouble::Status(500), Trouble::Huge, Trouble::Endless] {
        agencies.workspace.set_trouble(Some(trouble));
        let asked = agencies.workspace.calls("GET /api/v1/webhooks").len();
        until("another try", PATIENCE, || async {
            let now = agencies.workspace.calls("GET /api/v1/webhooks").len();
            Ok(if now > asked { Ok(()) } else { Err(format!("{now} calls")) })
        })
        .await?;
    }
    ensure!(agencies.house.hub.is_ready().await);
    agencies.workspace.set_trouble(None);
    agencies.has_webhooks(6).await?;
    until("the attention list", PATIENCE, || async {
        let items = agencies.house.attention(0).await?;
        Ok(if items.is_empty() { Ok(()) } else { Err(format!("{items:?}")) })
    })
    .await
}

#[tokio::test]
async fn the_command_shows_what_is_wrong_and_puts_it_right_when_told_to() -> Result<()> {
    let workspace = Workspace::start(KEY)?;
    let agencies = Agencies::open_with(workspace, |setup| setup.set("server.public_url", "")).await?;
    let hub = &agencies.house.hub;
    let unset = format!("{:#}", hub.run(&["source", "check"], &[]).await.unwrap_err());
    ensure!(unset.contains("server.public_url"), "{unset}");
    let known = [("LEADWIRE__SERVER__PUBLIC_URL", "https://hooks.example")];
    let source = agencies.sources[0].as_str();
    let missing = format!("{:#}", hub.run(&["source", "check", source], &known).await.unwrap_err());
    ensure!(missing.contains("3 webhooks are not right"), "{missing}");
    ensure!(agencies.workspace.webhooks().is_empty(), "nothing was asked for");
    let done = hub.run(&["source", "check", source, "--fix"], &known).await?;
    ensure!(done.matches("done: register it").count() == 3 && agencies.workspace.webhooks().len() == 3, "{done}");
    let right = hub.run(&["source", "check", source], &known).await?;
    ensure!(right.matches("right").count() == 3, "{right}");
    agencies.workspace.set_key("another");
    let refused = format!("{:#}", hub.run(&["source", "check"], &known).await.unwrap_err());
    ensure!(refused.contains("6 webhooks are not right"), "{refused}");
    Ok(())
}
