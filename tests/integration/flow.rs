//! From the platform's documented payloads to the dashboard and the store.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use leadwire::domain::clock;
use loadtest::platform::{
    Behaviour, Failure, Lead,
    meta::{TEST_BUTTON_ID, Webhook, test_button_leadgen, test_button_messages},
};
use reqwest::StatusCode;
use serde_json::json;

use crate::support::{House, PATIENCE, lead_id, next_lead};

fn person(name: &str) -> Lead {
    Lead::person(clock::now().timestamp(), name, "joe@example.com", "+16195550101")
}

#[tokio::test]
async fn a_post_with_a_thousand_leads_of_two_pages_is_pushed_in_order_and_stored_once() -> Result<()> {
    let house = House::open().await?;
    let mut sessions = [house.session(0).await?, house.session(1).await?];
    for (tenant, first) in [(0, 8_000_000), (1, 9_000_000)] {
        house.pages[tenant].generate_leads(first..=first + 499, |id| Lead::generated(id, 1_795_000_000));
    }
    let ids: [Vec<u64>; 2] = [(8_000_000..8_000_500).collect(), (9_000_000..9_000_500).collect()];
    // In runs of ten, so that pages take turns.
    let mut webhook = Webhook::new(1_795_000_000);
    for run in 0..50 {
        for (tenant, ids) in ids.iter().enumerate() {
            for id in &ids[run * 10..run * 10 + 10] {
                webhook = webhook.with(house.change(tenant, *id)?);
            }
        }
    }
    house.accepted(webhook.body()).await?;
    // The platform did not see the answer, and sends it all again.
    house.accepted(webhook.redelivered(1_795_000_060).body()).await?;

    for (session, ids) in sessions.iter_mut().zip(&ids) {
        for id in ids {
            ensure!(next_lead(session).await? == *id, "out of order, or twice");
        }
    }
    for tenant in [0, 1] {
        house.has_stored(tenant, &ids[tenant]).await?;
        let last = house.lead(tenant, "Last").await?;
        ensure!(next_lead(&mut sessions[tenant]).await? == last, "a redelivery was pushed again");
    }
    ensure!(house.platform.calls() == 1002, "each lead is fetched once: {} calls", house.platform.calls());
    Ok(())
}

#[tokio::test]
async fn a_lead_arrives_whole_with_whatever_people_typed() -> Result<()> {
    let house = House::open().await?;
    let mut session = house.session(0).await?;
    let hostile = "<script>alert('x')</script> =cmd|' /C calc'!A0 \"O'Brien\" & Söhne 🦄 \u{202e}drow \\u0000";
    let id = house.lead(0, hostile).await?;
    let envelope = session.next_of("new_lead", PATIENCE).await?;
    ensure!(lead_id(&envelope)? == id);
    let lead = &envelope["payload"]["lead"];
    ensure!(lead["name"] == hostile, "{lead}");
    ensure!(lead["phone"] == "+16195550101" && lead["email"] == "joe@example.com" && lead["status"] == "New Lead");
    ensure!(envelope["payload"]["source"] == "webhook" && envelope["account"] == house.tenants[0].account.as_str());
    ensure!(
        envelope["room"] == house.tenants[0].room() && envelope["id"].as_str().is_some_and(|id| id.starts_with("evt_"))
    );

    house.has_stored(0, &[id]).await?;
    let path = format!("/api/leads/{}", lead["id"].as_str().context("no id")?);
    let stored: serde_json::Value = house.get(0, &path).await?.json().await?;
    ensure!(stored["data"] == *lead, "what is stored differs from what was pushed:\n{}\n{lead}", stored["data"]);
    Ok(())
}

#[tokio::test]
async fn ids_as_numbers_organic_leads_and_the_testing_tools_are_leads_like_any_other() -> Result<()> {
    let house = House::open().await?;
    let mut session = house.session(0).await?;
    let page = &house.pages[0];
    let numbers = page.add_lead(person("Numbers"));
    let organic = page.add_lead(person("Organic").organic());
    let tool = page.add_lead(Lead::testing_tool(clock::now().timestamp()));
    house.accepted(Webhook::lead(house.change(0, numbers)?).ids_as_numbers().body()).await?;
    ensure!(next_lead(&mut session).await? == numbers);
    house.accepted(Webhook::lead(house.change(0, organic)?).body()).await?;
    ensure!(next_lead(&mut session).await? == organic);
    house.accepted(Webhook::lead(house.change(0, tool)?).body()).await?;
    let envelope = session.next_of("new_lead", PATIENCE).await?;
    let phone = envelope["payload"]["lead"]["phone"].as_str().context("no phone")?;
    ensure!(phone.len() == 40, "the placeholder was cut to {phone}");
    // A number and a text are the same id.
    house.accepted(Webhook::lead(house.change(0, numbers)?).body()).await?;
    house.has_stored(0, &[numbers, organic, tool]).await?;
    let last = house.lead(0, "Last").await?;
    ensure!(next_lead(&mut session).await? == last, "pushed twice");
    Ok(())
}

#[tokio::test]
async fn the_test_buttons_are_answered_recorded_and_never_asked_about() -> Result<()> {
    let house = House::open().await?;
    let mut session = house.session(0).await?;
    house.accepted(test_button_leadgen(1_795_000_000)).await?;
    house.accepted(test_button_messages(1_795_000_000)).await?;
    let id = house.lead(0, "Real").await?;
    ensure!(next_lead(&mut session).await? == id);
    ensure!(house.platform.calls_for(TEST_BUTTON_ID) == 0 && house.platform.calls() == 1);
    ensure!(house.hub.metric("leadwire_inbox_accepted_events_total").await? >= 3.0, "test buttons are recorded");
    ensure!(house.hub.metric("leadwire_parked_events_total").await? < 0.5, "a test wants nobody's attention");
    Ok(())
}

#[tokio::test]
async fn a_redelivery_hours_later_and_after_a_restart_is_known() -> Result<()> {
    let mut house = House::open().await?;
    let mut session = house.session(0).await?;
    let id = house.lead(0, "Once").await?;
    let again = Webhook::lead(house.change(0, id)?).redelivered(clock::now().timestamp() + 36 * 3600).body();
    ensure!(next_lead(&mut session).await? == id);
    house.has_stored(0, &[id]).await?;
    for _ in 0..3 {
        house.accepted(again.clone()).await?;
    }
    house.hub.stop().await?;
    house.hub.start().await?;
    let mut session = house.session(0).await?;
    house.accepted(again).await?;
    let last = house.lead(0, "Last").await?;
    ensure!(next_lead(&mut session).await? == last, "a redelivery was pushed again");
    house.has_stored(0, &[id, last]).await?;
    ensure!(house.platform.calls_for(id) == 1, "a redelivery was fetched again");
    Ok(())
}

/// A house where retries come soon.
async fn hasty() -> Result<House> {
    House::open_with(|setup| {
        setup
            .set("enrichment.retry", json!(["50ms", "100ms"]))
            .set("enrichment.retry_denied", json!(["100ms", "200ms"]))
            .set("enrichment.pause", "500ms")
            .set("meta.timeout", "500ms")
            .set("inbox.sweep_interval", "20ms")
    })
    .await
}

#[tokio::test]
async fn passing_failures_of_every_kind_only_delay_the_lead_they_hit() -> Result<()> {
    let house = hasty().await?;
    let mut session = house.session(0).await?;
    let failures = [
        Failure::Unknown,
        Failure::Unavailable,
        Failure::NotJson { status: 502 },
        Failure::Truncated,
        Failure::Hang,
        Failure::Close,
    ];
    let mut wanted = Vec::new();
    for failure in failures {
        let id = house.pages[0].add_lead(person(&format!("{failure:?}")));
        house.pages[0].behave_for(id, Behaviour::fails_times(2, failure));
        house.accepted(Webhook::lead(house.change(0, id)?).body()).await?;
        wanted.push(id);
    }
    let healthy = house.lead(0, "Healthy").await?;
    wanted.push(healthy);

    let mut seen = Vec::new();
    for _ in &wanted {
        let calls = || wanted.iter().map(|id| house.platform.calls_for(*id)).collect::<Vec<_>>();
        seen.push(
            next_lead(&mut session).await.with_context(|| format!("{seen:?} of {wanted:?}; calls: {:?}", calls()))?,
        );
    }
    seen.sort_unstable();
    ensure!(seen == wanted, "{seen:?}");
    house.has_stored(0, &wanted).await?;
    for id in &wanted[..failures.len()] {
        ensure!(house.platform.calls_for(*id) == 3, "{} calls", house.platform.calls_for(*id));
    }
    Ok(())
}

#[tokio::test]
async fn a_lead_that_may_not_be_read_gets_slow_tries_and_then_a_persons_attention() -> Result<()> {
    let house = hasty().await?;
    let mut session = house.session(0).await?;
    let (soon, never) = (house.pages[0].add_lead(person("Soon")), house.pages[0].add_lead(person("Never")));
    house.pages[0].behave_for(soon, Behaviour::fails_times(2, Failure::NotFound));
    house.pages[0].behave_for(never, Behaviour::fails(Failure::NotFound));
    house.accepted(Webhook::new(1).with(house.change(0, never)?).with(house.change(0, soon)?).body()).await?;
    let other = house.lead(0, "Other").await?;
    ensure!(next_lead(&mut session).await? == other, "the others do not wait");
    ensure!(next_lead(&mut session).await? == soon);
    house.wants_attention(0, "denied", 1).await?;
    ensure!(house.platform.calls_for(never) == 3, "{} calls", house.platform.calls_for(never));

    // The permission comes; a person asks for it again.
    house.pages[0].behave_for(never, Behaviour::answers());
    house.has_stored(0, &[soon, other]).await
}

#[tokio::test]
async fn a_page_over_its_limit_is_left_alone_for_a_while_and_then_caught_up_with() -> Result<()> {
    let house = hasty().await?;
    let mut sessions = [house.session(0).await?, house.session(1).await?];
    house.pages[0].behave(Behaviour::fails_times(1, Failure::PageLimit));
    let first = house.lead(0, "First").await?;
    ensure!(house.platform.wait_for_calls(first, 1, PATIENCE).await);
    let health = sessions[0].next_of("source:health", PATIENCE).await?;
    ensure!(health["payload"]["state"] == "throttled", "{health}");
    let calls = house.pages[0].calls();
    let second = house.lead(0, "Second").await?;
    let other = house.lead(1, "Other").await?;
    ensure!(next_lead(&mut sessions[1]).await? == other, "another page's limit is another matter");
    ensure!(house.pages[0].calls() <= calls + 1, "the page was called on and on");
    let mut seen = [next_lead(&mut sessions[0]).await?, next_lead(&mut sessions[0]).await?];
    seen.sort_unstable();
    ensure!(seen == [first, second]);
    house.has_stored(0, &[first, second]).await
}

#[tokio::test]
async fn a_spent_budget_of_lead_calls_is_waited_for_as_long_as_the_platform_says() -> Result<()> {
    let house = hasty().await?;
    let mut session = house.session(0).await?;
    house.pages[0].behave(Behaviour::fails_times(1, Failure::LeadgenLimit { regain_minutes: 7 }));
    let first = house.lead(0, "First").await?;
    ensure!(house.platform.wait_for_calls(first, 1, PATIENCE).await);
    let health = session.next_of("source:health", PATIENCE).await?;
    ensure!(health["payload"]["state"] == "throttled", "{health}");
    for number in 0..5 {
        house.lead(0, &format!("Waiting {number}")).await?;
    }
    // Whoever has an allowance is served; by then the waiting ones had their chance to be called for.
    let other = house.lead(1, "Other").await?;
    house.has_stored(1, &[other]).await?;
    tokio::time::timeout(Duration::from_secs(1), house.platform.wait_for_calls(first, 2, PATIENCE))
        .await
        .err()
        .context("the page was called before its time")?;
    ensure!(house.pages[0].calls() == 1, "{} calls", house.pages[0].calls());
    Ok(())
}

#[tokio::test]
async fn what_can_never_be_had_is_parked_and_the_rest_of_its_post_goes_on() -> Result<()> {
    let house = hasty().await?;
    let mut session = house.session(0).await?;
    let bad = house.pages[0].add_lead(person("Bad"));
    let denied = house.pages[0].add_lead(person("Denied"));
    let good = house.pages[0].add_lead(person("Good"));
    house.pages[0].behave_for(bad, Behaviour::fails(Failure::BadParameter));
    house.pages[0].behave_for(denied, Behaviour::fails(Failure::Permission));
    let post = Webhook::new(1)
        .with(house.change(0, bad)?)
        .with_change(101, "leadgen", json!({"leadgen_id": {"no": "id"}}))
        .with(house.change(0, denied)?)
        .with_change(101, "leadgen", json!("not even an object"))
        .with_change(101, "feed", json!({"item": "status"}))
        .with(house.change(0, good)?);
    let answer = house.post(post.body()).await?;
    ensure!(answer.status() == StatusCode::OK);
    ensure!(next_lead(&mut session).await? == good);
    house.wants_attention(0, "impossible", 1).await?;
    house.wants_attention(0, "denied", 1).await?;
    ensure!(house.platform.calls_for(bad) == 1, "asking again would change nothing");
    house.has_stored(0, &[good]).await
}
