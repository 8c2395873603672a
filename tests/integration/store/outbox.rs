//! The outbox: what triggers write and what not, and whose a delivery is.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use leadwire::{
    domain::{
        AccountId, SourceId,
        audit::Action,
        clock,
        delivery::EVENT_TYPES,
        message::{Happening, Message, Owner},
    },
    store::{Claimed, DeliveryFilter, EndpointChange, Outcome, StoreError},
};
use serde_json::{Value, json};

use super::{
    harness::{Bench, lead, on_both_engines},
    others::{campaign, changes, settled},
};

on_both_engines! {
    every_change_in_prospecting_is_an_event_once,
    every_mark_of_progress_is_told_however_small_the_steps,
    what_is_rolled_back_is_never_told,
    without_an_endpoint_that_wants_it_nothing_is_written,
    leads_and_messages_of_the_hub_are_events_once,
    rows_become_deliveries_of_their_agency_and_account_only,
    two_claims_never_take_the_same_and_a_lease_ends,
    an_ordered_endpoint_gets_one_of_a_subject_at_a_time,
    what_is_delivered_stays_so_whoever_comes_late,
    an_endpoint_that_is_gone_is_disabled_and_its_deliveries_parked,
    what_is_done_is_pruned_and_what_waits_or_is_parked_stays,
    an_agency_has_a_few_replays_under_way_and_keeps_no_other_from_replaying,
    what_waits_longer_than_anything_can_is_due,
}

async fn every_change_in_prospecting_is_an_event_once(bench: Bench) {
    let account = bench.account().await;
    bench.endpoint(&account, None, &EVENT_TYPES, false).await;
    // A second endpoint makes no second event.
    bench.endpoint(&account, Some(account.id), &EVENT_TYPES, false).await;
    bench.execute(&changes(&account)).await;
    let wanted = [
        "campaign_lifecycle",
        "campaign_lifecycle",
        "lead_enrichment",
        "lead_enrichment",
        "lead_status_update",
        "cost_recorded",
        "cost_recorded",
        "campaign_lifecycle",
    ];
    assert_eq!(bench.types().await, wanted);
    let payloads = bench.payloads().await;
    let ids = bench.lines("SELECT event_id AS line FROM outbox ORDER BY id").await;
    for (payload, id) in payloads.iter().zip(&ids) {
        assert_eq!((&payload["event_id"], &payload["account_id"]), (&json!(id), &json!(account.id)), "{payload}");
        id.parse::<leadwire::domain::EventId>().unwrap();
    }
    let events: Vec<&Value> = [0, 1, 7].map(|at| &payloads[at]["lifecycle_event"]).to_vec();
    assert_eq!(events, ["created", "processing_started", "completed"]);
    let completed = &payloads[7];
    assert_eq!(completed["event_data"]["old_status"], "processing");
    assert_eq!(completed["event_data"]["leads_found"], 87);
    assert_eq!(completed["campaign_info"]["budget_limit"].as_f64(), Some(50.0));
    let status = &completed["processing_status"];
    assert_eq!(
        (&status["total_leads"], status["completion_percentage"].as_f64()),
        (&json!(80), Some(25.0)),
        "{status}"
    );
    assert_eq!(payloads[0]["processing_status"], Value::Null, "there was none yet");
    assert_eq!(payloads[2]["location"]["city"], "San Diego");
    assert_eq!((&payloads[4]["old_status"], &payloads[4]["new_status"]), (&json!("new"), &json!("enriched")));
    let cost = &payloads[6];
    assert_eq!(
        (cost["cost"].as_f64(), &cost["webhook_metadata"]["trigger_event"]),
        (Some(56.0), &json!("cost_update"))
    );
    let at = payloads[2]["created_at"].as_str().unwrap();
    assert!(at.len() == 24 && at.ends_with('Z') && at.starts_with("20"), "{at}");
}

async fn every_mark_of_progress_is_told_however_small_the_steps(bench: Bench) {
    let account = bench.account().await;
    bench.execute(&campaign(&account)).await;
    bench.endpoint(&account, None, &["campaign_lifecycle"], false).await;
    for progress in (10..=100).step_by(10) {
        bench.execute(&format!("UPDATE campaign_processing_status SET stage_progress = {progress}")).await;
    }
    let passed: Vec<f64> =
        bench.payloads().await.iter().map(|payload| payload["event_data"]["new_progress"].as_f64().unwrap()).collect();
    assert_eq!(passed, [30.0, 50.0, 80.0, 100.0]);
    let logged = bench.lines("SELECT lifecycle_event AS line FROM campaign_lifecycle_log ORDER BY created_at").await;
    assert_eq!(logged.len(), 5, "the creation as well, of which nobody was told: {logged:?}");
}

async fn what_is_rolled_back_is_never_told(bench: Bench) {
    let account = bench.account().await;
    bench.endpoint(&account, None, &EVENT_TYPES, false).await;
    bench.execute(&format!("BEGIN; {} ROLLBACK;", changes(&account))).await;
    assert_eq!(bench.types().await, [""; 0]);
    assert!(!bench.store.outbox_due().await.unwrap().unrouted);
}

async fn without_an_endpoint_that_wants_it_nothing_is_written(bench: Bench) {
    let account = bench.account().await;
    let second = bench.store.add_account(account.agency, "Ottawa").await.unwrap();
    let foreign = bench.account().await;
    bench.endpoint(&account, None, &["message:new"], false).await;
    bench.endpoint(&second, Some(second.id), &EVENT_TYPES, false).await;
    bench.endpoint(&foreign, None, &EVENT_TYPES, false).await;
    let disabled = bench.endpoint(&account, None, &EVENT_TYPES, false).await;
    let off = EndpointChange { enabled: Some(false), ..EndpointChange::default() };
    bench.store.change_endpoint(account.agency, disabled, off).await.unwrap();
    bench.execute(&changes(&account)).await;
    bench.store.insert_leads(&[lead(&account, 1)]).await.unwrap();
    assert_eq!(bench.types().await, [""; 0]);
    let logged = bench.lines("SELECT lifecycle_event AS line FROM campaign_lifecycle_log ORDER BY created_at").await;
    assert_eq!(logged, ["created", "processing_started", "completed"]);

    let on = EndpointChange { enabled: Some(true), ..EndpointChange::default() };
    bench.store.change_endpoint(account.agency, disabled, on).await.unwrap();
    bench.store.insert_leads(&[lead(&account, 2)]).await.unwrap();
    assert_eq!(bench.types().await, ["new_lead"]);
}

async fn leads_and_messages_of_the_hub_are_events_once(bench: Bench) {
    let account = bench.account().await;
    bench.endpoint(&account, None, &["new_lead", "message:new"], false).await;
    let leads: Vec<_> = (0..3).map(|number| lead(&account, number)).collect();
    bench.store.insert_leads(&leads).await.unwrap();
    bench.store.insert_leads(&leads).await.unwrap();
    let owner = Owner { agency: account.agency, account: account.id, source: SourceId::generate() };
    let message: Message = serde_json::from_value(json!({
        "id": owner.message("m_1"), "agency_id": account.agency, "account_id": account.id, "source_id": owner.source,
        "chat_id": owner.chat("7"), "account_type": "MESSENGER", "platform_id": "m_1", "chat_platform_id": "7",
        "provider_id": "m_1", "chat_provider_id": "7", "text": "Hello?", "is_sender": 0,
        "timestamp": clock::from_micros(1_795_000_000_123_000), "created_at": clock::from_micros(0),
    }))
    .unwrap();
    for _ in 0..2 {
        bench.store.apply_happenings(&[Happening::Message(Box::new(message.clone()))]).await.unwrap();
    }
    assert_eq!(bench.types().await, ["new_lead", "new_lead", "new_lead", "message:new"]);
    let payloads = bench.payloads().await;
    let told = payloads.iter().map(|payload| &payload["lead"]).find(|told| told["id"] == json!(leads[0].id)).unwrap();
    for field in ["id", "meta_lead_id", "name", "phone", "email", "type", "status", "created_at", "meta_data"] {
        let mut wanted = serde_json::to_value(&leads[0]).unwrap();
        assert_eq!(told[field], wanted[field].take(), "{field}");
    }
    let told = &payloads[3];
    assert_eq!(
        (&told["text"], &told["is_sender"], &told["source_id"]),
        (&json!("Hello?"), &json!(0), &json!(owner.source))
    );
    assert_eq!(told["timestamp"], json!(clock::rfc3339(message.timestamp)));
    let ids: BTreeSet<String> = payloads.iter().map(|payload| payload["event_id"].to_string()).collect();
    assert_eq!(ids.len(), 4);
    let logged = bench.lines("SELECT subject || ' ' || record_id AS line FROM outbox WHERE type = 'message:new'").await;
    assert_eq!(logged, [format!("{} {}", message.chat, message.id)]);
}

async fn rows_become_deliveries_of_their_agency_and_account_only(bench: Bench) {
    let account = bench.account().await;
    let second = bench.store.add_account(account.agency, "Ottawa").await.unwrap();
    let foreign = bench.account().await;
    let wide = bench.endpoint(&account, None, &["new_lead"], false).await;
    let narrow = bench.endpoint(&account, Some(account.id), &["new_lead"], false).await;
    let other = bench.endpoint(&second, Some(second.id), &["new_lead"], false).await;
    let theirs = bench.endpoint(&foreign, None, &["new_lead"], false).await;
    bench.store.insert_leads(&[lead(&account, 1), lead(&second, 2), lead(&foreign, 3)]).await.unwrap();
    assert!(bench.store.outbox_due().await.unwrap().unrouted);
    let (rows, endpoints) = bench.store.route_outbox(100).await.unwrap();
    assert_eq!((rows, endpoints.len()), (3, 4));
    assert_eq!(bench.store.route_outbox(100).await.unwrap().0, 0);
    let mut due = bench.store.outbox_due().await.unwrap();
    due.endpoints.sort_unstable();
    assert_eq!((due.unrouted, due.endpoints.len()), (false, 4));
    for (endpoint, names) in [
        (wide, vec!["Person 1", "Person 2"]),
        (narrow, vec!["Person 1"]),
        (other, vec!["Person 2"]),
        (theirs, vec!["Person 3"]),
    ] {
        let got = bench.claim(endpoint, 10).await;
        let payloads: Vec<Value> = got.iter().map(|one| serde_json::from_str(&one.payload).unwrap()).collect();
        let mut got: Vec<&str> = payloads.iter().map(|payload| payload["lead"]["name"].as_str().unwrap()).collect();
        got.sort_unstable();
        assert_eq!(got, names);
    }
    assert!(bench.store.outbox_due().await.unwrap().endpoints.is_empty(), "all are claimed");
}

async fn two_claims_never_take_the_same_and_a_lease_ends(bench: Bench) {
    let account = bench.account().await;
    let endpoint = bench.endpoint(&account, None, &["new_lead"], false).await;
    let leads: Vec<_> = (0..60).map(|number| lead(&account, number)).collect();
    bench.store.insert_leads(&leads).await.unwrap();
    let other = bench.reopened([7; 32]).await;
    let (one, two) = tokio::join!(bench.store.route_outbox(40), other.route_outbox(40));
    let routed = one.unwrap().0 + two.unwrap().0;
    assert_eq!(routed + bench.store.route_outbox(100).await.unwrap().0, 60);

    let ended = clock::now() - TimeDelta::seconds(1);
    let claims = (0..8).map(|at| {
        let store = if at % 2 == 0 { &bench.store } else { &other };
        store.claim_deliveries(endpoint, 10, clock::now() + TimeDelta::minutes(1))
    });
    let mut taken = Vec::new();
    for claim in futures_util::future::join_all(claims).await {
        taken.extend(claim.unwrap().unwrap().1.into_iter().map(|one| one.row));
    }
    taken.extend(bench.claim(endpoint, 100).await.into_iter().map(|one| one.row));
    let distinct: BTreeSet<i64> = taken.iter().copied().collect();
    assert_eq!((taken.len(), distinct.len()), (60, 60));

    bench.store.insert_leads(&[lead(&account, 100)]).await.unwrap();
    bench.store.route_outbox(10).await.unwrap();
    let (_, first) = bench.store.claim_deliveries(endpoint, 10, ended).await.unwrap().unwrap();
    let again = bench.claim(endpoint, 10).await;
    assert_eq!((first[0].event, first[0].attempt), (again[0].event, again[0].attempt - 1));
    assert!(bench.claim(endpoint, 10).await.is_empty());
}

async fn an_ordered_endpoint_gets_one_of_a_subject_at_a_time(bench: Bench) {
    let account = bench.account().await;
    let endpoint = bench.endpoint(&account, None, &EVENT_TYPES, true).await;
    bench.execute(&changes(&account)).await;
    bench.store.route_outbox(100).await.unwrap();
    let kinds = |claimed: &[Claimed]| claimed.iter().map(|one| one.kind.clone()).collect::<Vec<_>>();
    let first = bench.claim(endpoint, 100).await;
    assert_eq!(kinds(&first), ["campaign_lifecycle", "lead_enrichment", "lead_enrichment", "cost_recorded"]);
    let later = Outcome::Retry(clock::now() + TimeDelta::hours(1));
    let outcomes = [Outcome::Delivered, later, Outcome::Delivered, Outcome::Parked("gave_up")];
    let all = first.iter().zip(outcomes).map(|(claimed, outcome)| settled(endpoint, claimed, outcome));
    bench.store.settle_deliveries(all.collect()).await.unwrap();
    // Behind the lead that is tried again its next event waits; behind what is parked nothing does.
    assert_eq!(kinds(&bench.claim(endpoint, 100).await), ["campaign_lifecycle", "cost_recorded"]);
}

async fn what_is_delivered_stays_so_whoever_comes_late(bench: Bench) {
    let account = bench.account().await;
    let endpoint = bench.endpoint(&account, None, &["new_lead"], false).await;
    bench.store.insert_leads(&[lead(&account, 1)]).await.unwrap();
    bench.store.route_outbox(10).await.unwrap();
    let ended = clock::now() - TimeDelta::seconds(1);
    let (_, slow) = bench.store.claim_deliveries(endpoint, 1, ended).await.unwrap().unwrap();
    let fast = bench.claim(endpoint, 1).await;
    let tell = async |claimed: &Claimed, outcome| {
        bench.store.settle_deliveries(vec![settled(endpoint, claimed, outcome)]).await.unwrap();
    };
    tell(&slow[0], Outcome::Parked("gave_up")).await;
    assert!(bench.store.parked_deliveries(&[account.id]).await.unwrap().is_empty(), "it was another's by then");
    tell(&slow[0], Outcome::Delivered).await;
    tell(&fast[0], Outcome::Retry(clock::now())).await;
    tell(&fast[0], Outcome::Retry(clock::now())).await;
    assert!(bench.claim(endpoint, 1).await.is_empty());
    let listed = bench.store.deliveries(endpoint, &DeliveryFilter::default(), None, 10).await.unwrap();
    assert_eq!((listed[0].state.as_str(), listed[0].attempts.len()), ("delivered", 2));
    let logged = bench
        .lines("SELECT webhook_type || ' ' || trigger_table || ' ' || http_status AS line FROM webhook_logs")
        .await;
    assert_eq!(logged, ["new_lead leads 200"; 2]);
}

async fn an_endpoint_that_is_gone_is_disabled_and_its_deliveries_parked(bench: Bench) {
    let account = bench.account().await;
    let endpoint = bench.endpoint(&account, None, &["new_lead"], false).await;
    bench.store.insert_leads(&[lead(&account, 1), lead(&account, 2)]).await.unwrap();
    bench.store.route_outbox(10).await.unwrap();
    let claimed = bench.claim(endpoint, 1).await;
    bench.store.settle_deliveries(vec![settled(endpoint, &claimed[0], Outcome::Gone)]).await.unwrap();
    let parked = bench.store.parked_deliveries(&[account.id]).await.unwrap();
    assert_eq!(
        (parked[0].count, parked[0].endpoint.as_str(), parked[0].reason.as_str()),
        (2, "crm.example", "endpoint_gone")
    );
    assert!(bench.store.parked_deliveries(&[AccountId::generate()]).await.unwrap().is_empty());
    let shown = bench.store.endpoint(account.agency, endpoint).await.unwrap().unwrap();
    assert!(!shown.enabled && shown.disabled_reason.is_some());
    let recorded = bench.recorded(Action::EndpointChanged).await;
    let told = &recorded[0];
    assert_eq!((told.agency, told.target.clone()), (Some(account.agency), Some(endpoint.to_string())));
    assert_eq!((told.details["enabled"].clone(), recorded.len()), (json!(false), 1), "once");
    bench.store.insert_leads(&[lead(&account, 3)]).await.unwrap();
    assert_eq!(bench.types().await.len(), 2);
}

/// A clock that was 70 days ahead wrote these.
async fn what_waits_longer_than_anything_can_is_due(bench: Bench) {
    let account = bench.account().await;
    let endpoint = bench.endpoint(&account, None, &["new_lead"], false).await;
    bench.store.insert_leads(&[lead(&account, 1), lead(&account, 2), lead(&account, 3)]).await.unwrap();
    bench.store.route_outbox(10).await.unwrap();
    let claimed = bench.claim(endpoint, 2).await;
    let (soon, late) = (clock::now() + TimeDelta::hours(1), clock::now() + TimeDelta::days(70));
    let all = claimed.iter().zip([soon, late]).map(|(one, at)| settled(endpoint, one, Outcome::Retry(at)));
    bench.store.settle_deliveries(all.collect()).await.unwrap();
    assert_eq!(
        bench.store.claim_deliveries(endpoint, 10, late).await.unwrap().unwrap().1.len(),
        1,
        "the third, by a hub that died"
    );
    let now = clock::now();
    assert_eq!(bench.store.shorten_waits(now, TimeDelta::days(2)).await.unwrap(), 2);
    assert_eq!(bench.store.shorten_waits(now, TimeDelta::days(2)).await.unwrap(), 0);
    assert_eq!(bench.claim(endpoint, 10).await.len(), 2, "what is to wait for an hour still does");
}

async fn what_is_done_is_pruned_and_what_waits_or_is_parked_stays(bench: Bench) {
    let account = bench.account().await;
    let endpoint = bench.endpoint(&account, None, &["new_lead"], false).await;
    bench.store.insert_leads(&[lead(&account, 1), lead(&account, 2), lead(&account, 3)]).await.unwrap();
    bench.store.route_outbox(10).await.unwrap();
    let claimed = bench.claim(endpoint, 2).await;
    let outcomes = [Outcome::Delivered, Outcome::Parked("gave_up")];
    let all = claimed.iter().zip(outcomes).map(|(claimed, outcome)| settled(endpoint, claimed, outcome));
    bench.store.settle_deliveries(all.collect()).await.unwrap();
    assert_eq!(bench.store.prune_outbox(clock::now() - TimeDelta::hours(1)).await.unwrap(), 0);
    assert_eq!(bench.store.prune_outbox(clock::now() + TimeDelta::hours(1)).await.unwrap(), 1);
    assert_eq!(bench.types().await.len(), 2);
    let left = bench.lines("SELECT CAST(count(*) AS TEXT) AS line FROM delivery_attempts").await;
    assert_eq!(left, ["1"], "attempts go with their event");
}

async fn an_agency_has_a_few_replays_under_way_and_keeps_no_other_from_replaying(bench: Bench) {
    let mut ends = Vec::new();
    for account in [bench.account().await, bench.account().await] {
        let endpoint = bench.endpoint(&account, None, &["new_lead"], false).await;
        let leads: Vec<_> = (0..5).map(|number| lead(&account, number)).collect();
        bench.store.insert_leads(&leads).await.unwrap();
        bench.store.route_outbox(10).await.unwrap();
        let claimed = bench.claim(endpoint, 10).await;
        let all = claimed.iter().map(|claimed| settled(endpoint, claimed, Outcome::Delivered));
        bench.store.settle_deliveries(all.collect()).await.unwrap();
        ends.push((endpoint, claimed));
    }
    let replay = async |end: usize, number: usize| {
        let (endpoint, claimed) = &ends[end];
        let one = DeliveryFilter { event: Some(claimed[number].event), ..DeliveryFilter::default() };
        bench.store.replay(*endpoint, &one, 10).await
    };
    let mut replays = Vec::new();
    for number in 0..4 {
        replays.push(replay(0, number).await.unwrap().unwrap().id);
    }
    let refused = replay(0, 4).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Conflict(why) if why.contains("4 replays under way")), "{refused}");
    assert!(replay(1, 0).await.is_ok(), "another agency's");
    bench.store.cancel_replay(ends[0].0, replays[0]).await.unwrap();
    assert_eq!(replay(0, 4).await.unwrap().unwrap().total, 1);
}
