//! Two agencies on one hub: neither sees, changes or disturbs anything of the other.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use leadwire::domain::clock;
use loadtest::{
    client::Socket,
    platform::{
        Failure, Lead,
        meta::{Change, Webhook, post},
    },
};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{House, PATIENCE, lead_id, next_lead, until};

const OWN_SECRET: &str = "a secret of the agency's own app";

fn person(name: &str) -> Lead {
    Lead::person(clock::now().timestamp(), name, "joe@example.com", "+16195550101")
}

#[tokio::test]
async fn a_post_for_both_agencies_reaches_each_with_its_own_leads_only() -> Result<()> {
    let house = House::open().await?;
    let mut sessions = [house.session(0).await?, house.session(1).await?];
    let mut ids = [Vec::new(), Vec::new()];
    let mut webhook = Webhook::new(clock::now().timestamp());
    for number in 0..30 {
        let tenant = number % 2;
        let id = house.pages[tenant].add_lead(person(&format!("Person {number}")));
        webhook = webhook.with(house.change(tenant, id)?);
        ids[tenant].push(id);
    }
    house.accepted(webhook.body()).await?;

    for (session, ids) in sessions.iter_mut().zip(&ids) {
        let mut seen = Vec::new();
        for _ in ids {
            seen.push(next_lead(session).await?);
        }
        ensure!(seen == *ids, "each agency's leads come to it alone, and in their order");
    }
    for tenant in [0, 1] {
        house.has_stored(tenant, &ids[tenant]).await?;
        // What comes next is a lead of its own: nothing of the other's was on the way.
        let last = house.lead(tenant, "Last").await?;
        ensure!(next_lead(&mut sessions[tenant]).await? == last);
    }
    Ok(())
}

#[tokio::test]
async fn the_other_agencys_rooms_and_leads_do_not_exist() -> Result<()> {
    let house = House::open().await?;
    let mut session = house.session(0).await?;
    let id = house.lead(0, "Only Mine").await?;
    let envelope = session.next_of("new_lead", PATIENCE).await?;
    ensure!(lead_id(&envelope)? == id);
    house.has_stored(0, &[id]).await?;
    let lead = envelope["payload"]["lead"]["id"].as_str().context("no id")?;
    let url = house.hub.url(&format!("/api/leads/{lead}"));
    let other = &house.tenants[1].token;
    let http = house.hub.http();

    ensure!(house.get(0, &format!("/api/leads/{lead}")).await?.status() == StatusCode::OK);
    ensure!(http.get(&url).bearer_auth(other).send().await?.status() == StatusCode::NOT_FOUND);
    let change = http.put(&url).bearer_auth(other).json(&json!({"status": "Called"})).send().await?;
    ensure!(change.status() == StatusCode::NOT_FOUND, "{}", change.status());
    ensure!(http.delete(&url).bearer_auth(other).send().await?.status() == StatusCode::NOT_FOUND);
    let account = &house.tenants[0].account;
    let list = house.get(1, &format!("/api/leads?account={account}")).await?;
    ensure!(list.status() == StatusCode::NOT_FOUND, "{}", list.status());
    let create = http.post(house.hub.url("/api/leads/create")).bearer_auth(other);
    let create = create.json(&json!({"account": account, "name": "Smuggled"})).send().await?;
    ensure!(create.status() == StatusCode::NOT_FOUND, "{}", create.status());
    ensure!(house.stored(1).await?.is_empty());

    let mut stranger = Socket::connect(&house.hub.ws_url(), other).await?;
    stranger.next_of("welcome", PATIENCE).await?;
    for room in [format!("account:{account}"), format!("operators:{account}")] {
        let refused = stranger.subscribe(&room).await.err().context("a stranger was let into a room")?;
        ensure!(refused.to_string().contains("forbidden"), "{refused}");
    }
    // The lead itself is as it was.
    let kept: Value = house.get(0, &format!("/api/leads/{lead}")).await?.json().await?;
    ensure!(kept["data"]["status"] == "New Lead", "{kept}");
    Ok(())
}

#[tokio::test]
async fn an_agencys_own_app_can_sign_for_its_own_pages_only() -> Result<()> {
    let house = House::open().await?;
    let own = house.platform.add_page(303, "token_303");
    let account = &house.tenants[0].account;
    let source = house.hub.add_own_app_source(account, 303, "token_303", OWN_SECRET, "own verify token").await?;
    let url = house.hub.url(&format!("/webhook/meta/{source}"));
    let mut sessions = [house.session(0).await?, house.session(1).await?];
    let (mine, theirs) = (own.add_lead(person("Mine")), house.pages[1].add_lead(person("Theirs")));
    let webhook = Webhook::new(clock::now().timestamp())
        .with(house.change(1, theirs)?)
        .with(own.change_for(mine).context("no lead")?);

    // The running hub has to notice the new source first.
    until("the new source's address", PATIENCE, || async {
        let answer = post(house.hub.http(), &url, webhook.body(), OWN_SECRET).await?.status();
        Ok(if answer == StatusCode::OK { Ok(()) } else { Err(format!("it answers {answer}")) })
    })
    .await?;

    ensure!(next_lead(&mut sessions[0]).await? == mine);
    house.has_stored(0, &[mine]).await?;
    ensure!(house.platform.calls_for(theirs) == 0, "the other agency's lead was fetched");
    // Its true owner still gets it, from its own app: the forged notice did not use it up.
    house.accepted(Webhook::lead(house.change(1, theirs)?).body()).await?;
    ensure!(next_lead(&mut sessions[1]).await? == theirs);
    house.has_stored(1, &[theirs]).await?;

    let body = Webhook::lead(house.change(0, house.pages[0].add_lead(person("Forged")))?).body();
    let forged = post(house.hub.http(), &house.hub.url("/webhook"), body.clone(), OWN_SECRET).await?;
    ensure!(forged.status() == StatusCode::FORBIDDEN, "one app's secret opened another's door");
    let hub_signed = post(house.hub.http(), &url, body, loadtest::hub::APP_SECRET).await?;
    ensure!(hub_signed.status() == StatusCode::FORBIDDEN, "the hub's secret opened an agency's own door");
    Ok(())
}

#[tokio::test]
async fn a_page_that_nobody_has_claimed_waits_for_whoever_claims_it() -> Result<()> {
    let house = House::open().await?;
    let unknown = house.platform.add_page(404, "token_404");
    let mut sessions = [house.session(0).await?, house.session(1).await?];
    let id = unknown.add_lead(person("Early Bird"));
    let webhook = Webhook::lead(unknown.change_for(id).context("no lead")?);
    house.accepted(webhook.body()).await?;
    house.accepted(webhook.redelivered(clock::now().timestamp() + 60).body()).await?;
    let parked = until("the parked event", PATIENCE, || async {
        let parked = house.hub.metric("leadwire_parked_events_total").await?;
        Ok(if parked > 0.0 { Ok(parked) } else { Err("none".to_owned()) })
    });
    ensure!((parked.await? - 1.0).abs() < f64::EPSILON, "a redelivery is not parked again");
    ensure!(house.platform.calls_for(id) == 0, "nobody's lead was fetched");
    for tenant in [0, 1] {
        ensure!(house.attention(tenant).await?.is_empty(), "what nobody has claimed is for operators only");
    }

    house.hub.add_source(&house.tenants[0].account, 404, "Early page", "token_404").await?;

    ensure!(next_lead(&mut sessions[0]).await? == id);
    house.has_stored(0, &[id]).await?;
    // The platform may still send it again.
    house.accepted(webhook.redelivered(clock::now().timestamp() + 120).body()).await?;
    for tenant in [0, 1] {
        let last = house.lead(tenant, "Last").await?;
        ensure!(next_lead(&mut sessions[tenant]).await? == last, "pushed twice, or to the wrong agency");
    }
    ensure!(house.platform.calls_for(id) == 1);
    Ok(())
}

#[tokio::test]
async fn what_comes_for_a_disabled_source_waits_in_its_owners_list_until_it_is_enabled() -> Result<()> {
    let house = House::open().await?;
    let mut session = house.session(0).await?;
    let source = &house.tenants[0].source;
    house.hub.run(&["source", "disable", source], &[]).await?;
    let mut ids = Vec::new();
    // The running hub has to notice first.
    loop {
        ids.push(house.lead(0, &format!("Person {}", ids.len())).await?);
        let waits = until("the last lead", PATIENCE, || async {
            let items = house.attention(0).await?;
            let waits = items.iter().any(|item| item["kind"] == "source_gone" && item["source"] == source.as_str());
            let stored = house.stored(0).await?.len() == ids.len();
            Ok(if waits || stored { Ok(waits) } else { Err(format!("{items:?}")) })
        });
        if waits.await? {
            break;
        }
    }
    ensure!(house.attention(1).await?.is_empty(), "the other agency has nothing to attend to");

    house.hub.run(&["source", "enable", source], &[]).await?;
    for id in &ids {
        ensure!(next_lead(&mut session).await? == *id);
    }
    house.has_stored(0, &ids).await?;
    until("an attention list without them", PATIENCE, || async {
        let items = house.attention(0).await?;
        Ok(if items.is_empty() { Ok(()) } else { Err(format!("{items:?}")) })
    })
    .await
}

#[tokio::test]
async fn leads_of_a_page_whose_token_ran_out_wait_for_a_new_token_and_disturb_nobody() -> Result<()> {
    let house = House::open().await?;
    let mut sessions = [house.session(0).await?, house.session(1).await?];
    let mut operator = Socket::connect(&house.hub.ws_url(), &house.tenants[0].token).await?;
    let since = operator.subscribe("operators").await?["rooms"].clone();
    ensure!(since.as_object().is_some_and(|rooms| rooms.len() == 1), "the other agency's is not among them: {since}");
    house.pages[0].expire_token();
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(house.lead(0, &format!("Person {number}")).await?);
    }
    let health = sessions[0].next_of("source:health", PATIENCE).await?;
    ensure!(health["room"] == format!("operators:{}", house.tenants[0].account), "{health}");
    ensure!(health["payload"]["state"] == "token_invalid", "{health}");
    ensure!(health["payload"]["source"] == house.tenants[0].source.as_str());
    ensure!(operator.next_of("source:health", PATIENCE).await?["id"] == health["id"]);
    let mut back = Socket::connect(&house.hub.ws_url(), &house.tenants[0].token).await?;
    let resumed = back.subscribe_with(json!({"type": "subscribe", "room": "operators", "since": since})).await?;
    ensure!(resumed["recovered"] == "complete", "{resumed}");
    ensure!(back.next_of("source:health", PATIENCE).await?["id"] == health["id"]);
    let item = house.wants_attention(0, "token_invalid", 5).await?;
    ensure!(item["source"] == house.tenants[0].source.as_str() && item["oldest"].is_string(), "{item}");
    ensure!(!item.to_string().contains("token_101"), "a token is shown to people");
    ensure!(house.attention(1).await?.is_empty(), "the other agency has nothing to attend to");
    let calls = house.pages[0].calls();
    ensure!(calls <= 5, "a token that is refused is not tried on and on: {calls} calls");
    let other = house.lead(1, "Undisturbed").await?;
    ensure!(next_lead(&mut sessions[1]).await? == other);

    house.pages[0].set_token("token_new");
    house.hub.set_source_token(&house.tenants[0].source, "token_new").await?;

    let mut seen = Vec::new();
    for _ in &ids {
        seen.push(next_lead(&mut sessions[0]).await?);
    }
    seen.sort_unstable();
    ensure!(seen == ids, "all that waited are pushed, each once");
    house.has_stored(0, &ids).await?;
    until("an attention list without them", PATIENCE, || async {
        let items = house.attention(0).await?;
        Ok(if items.is_empty() { Ok(()) } else { Err(format!("{items:?}")) })
    })
    .await
}

#[tokio::test]
async fn a_page_in_trouble_holds_up_no_other_account_of_the_same_app() -> Result<()> {
    let house = House::open().await?;
    let mut session = house.session(1).await?;
    house.pages[0].behave(loadtest::platform::Behaviour::fails(Failure::Hang));
    for number in 0..40 {
        house.lead(0, &format!("Stuck {number}")).await?;
    }
    for number in 0..10 {
        let began = std::time::Instant::now();
        let id = house.lead(1, &format!("Free {number}")).await?;
        ensure!(next_lead(&mut session).await? == id);
        ensure!(began.elapsed() < Duration::from_secs(3), "it waited {:?} for the other account", began.elapsed());
    }
    Ok(())
}

#[tokio::test]
async fn a_lead_of_one_page_is_not_had_with_the_id_of_another() -> Result<()> {
    let house = House::open().await?;
    let mut sessions = [house.session(0).await?, house.session(1).await?];
    let theirs = house.pages[1].add_lead(person("Theirs"));
    // Signed by the hub's app, for page 101, about a lead of page 202: its token can't read it.
    house.accepted(Webhook::lead(Change::new(101, theirs, clock::now().timestamp())).body()).await?;
    ensure!(house.platform.wait_for_calls(theirs, 1, PATIENCE).await);
    house.accepted(Webhook::lead(house.change(1, theirs)?).body()).await?;
    ensure!(next_lead(&mut sessions[1]).await? == theirs);
    let mine = house.lead(0, "Mine").await?;
    ensure!(next_lead(&mut sessions[0]).await? == mine);
    ensure!(house.pages[0].answered() == 1, "another page's lead was given away");
    Ok(())
}

#[tokio::test]
async fn an_agency_whose_parked_leads_take_its_share_is_refused_alone_until_they_go_on() -> Result<()> {
    let house =
        House::open_with(|setup| setup.set("inbox.max_size", "64MiB").set("inbox.waiting_share", 0.001)).await?;
    let mut session = house.session(1).await?;
    house.pages[0].expire_token();
    let mut ids = Vec::new();
    for number in 0..150 {
        ids.push(house.lead(0, &format!("Person {number}")).await?);
    }
    let item = house.wants_attention(0, "over_share", 1).await?;
    ensure!(item["account"] == house.tenants[0].account.as_str(), "{item}");
    let refused = Lead::person(clock::now().timestamp(), "Late", "late@example.com", "+16195550102");
    let refused = house.pages[0].add_lead(refused);
    let answer = house.post(Webhook::lead(house.change(0, refused)?).body()).await?;
    ensure!(answer.status() == StatusCode::SERVICE_UNAVAILABLE && answer.headers().contains_key("retry-after"));
    ensure!(answer.text().await?.contains("share of the inbox"));
    ensure!((house.hub.metric("leadwire_agencies_over_share").await? - 1.0).abs() < f64::EPSILON);

    let other = house.lead(1, "Undisturbed").await?;
    ensure!(next_lead(&mut session).await? == other);
    ensure!(house.attention(1).await?.is_empty(), "the other agency has nothing to attend to");

    house.pages[0].set_token("token_new");
    house.hub.set_source_token(&house.tenants[0].source, "token_new").await?;
    until("room for the refused one", PATIENCE, || async {
        let status = house.post(Webhook::lead(house.change(0, refused)?).body()).await?.status();
        Ok(if status == StatusCode::OK { Ok(()) } else { Err(status.to_string()) })
    })
    .await?;
    ids.push(refused);
    house.has_stored(0, &ids).await
}
