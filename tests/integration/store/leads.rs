//! Leads: stored once, in whole batches, and within their account.

use leadwire::{
    domain::{AccountId, Role, SourceId, clock, lead::Lead},
    store::{LeadChanges, LeadFilter},
};
use serde_json::json;

use super::harness::{Bench, lead, lead_of, on_both_engines};

on_both_engines! {
    a_lead_comes_back_as_it_went_in,
    a_lead_is_stored_once,
    a_large_batch_is_stored_whole_or_not_at_all,
    a_bad_lead_is_rejected_and_the_others_can_be_stored_without_it,
    hostile_text_is_only_text,
    people_change_a_lead,
    a_lead_is_first_seen_once,
    another_accounts_lead_does_not_exist,
    many_writers_and_readers_get_along,
}

/// A lead with every column filled.
fn full(bench_account: &leadwire::domain::directory::Account) -> Lead {
    let mut lead = lead(bench_account, 1);
    lead.source = Some(SourceId::generate());
    lead.meta_user_id = Some("psid-1".into());
    lead.message = "Call me".into();
    lead.notes = "nice".into();
    lead.is_manual = true;
    lead.premium = leadwire::domain::lead::Cents(120_050);
    lead.renewal_date = chrono::NaiveDate::from_ymd_opt(2027, 2, 28);
    lead.insurance_type = Some("Auto".into());
    lead.policy_term = Some("12 months".into());
    lead.visa_type = Some("Super Visa".into());
    lead.coverage = Some(leadwire::domain::lead::Cents(-1));
    lead.trip_start = chrono::NaiveDate::from_ymd_opt(1, 1, 1);
    lead.trip_end = chrono::NaiveDate::from_ymd_opt(9999, 12, 31);
    lead.last_sync = Some(clock::now());
    lead.first_seen_at = Some(clock::now());
    lead.sync_signal = Some("green".into());
    lead.driver_license_received = "2019".into();
    lead.created_at = clock::from_micros(-1);
    lead.meta_data = json!({"b": [1, 2.5, null, {"ü": "💥"}], "a": true, "big": 1e300});
    lead
}

async fn a_lead_comes_back_as_it_went_in(bench: Bench) {
    let account = bench.account().await;
    let (everything, mut little) = (full(&account), lead(&account, 2));
    little.meta_lead_id = None;
    little.meta_data = serde_json::Value::Null;
    assert_eq!(bench.store.insert_leads(&[everything.clone(), little.clone()]).await.unwrap(), 2);
    assert_eq!(bench.store.lead(&[account.id], everything.id).await.unwrap(), Some(everything));
    assert_eq!(bench.store.lead(&[account.id], little.id).await.unwrap(), Some(little));
}

async fn a_lead_is_stored_once(bench: Bench) {
    let (account, store) = (bench.account().await, &bench.store);
    let first = lead(&account, 1);
    assert_eq!(store.insert_leads(&[first.clone(), first.clone()]).await.unwrap(), 1);
    let mut same_id = lead(&account, 1);
    same_id.name = "Somebody else".into();
    same_id.meta_lead_id = Some("another".into());
    let mut same_platform_id = lead(&account, 2);
    same_platform_id.meta_lead_id.clone_from(&first.meta_lead_id);
    let fresh = lead(&account, 3);
    assert_eq!(store.insert_leads(&[same_id, same_platform_id, fresh]).await.unwrap(), 1);
    assert_eq!(store.lead(&[account.id], first.id).await.unwrap(), Some(first));
    assert_eq!(store.insert_leads(&[]).await.unwrap(), 0);

    let other = bench.account().await;
    assert_eq!(store.insert_leads(&[lead(&other, 1)]).await.unwrap(), 1, "the platform's id is the account's own");
}

async fn a_large_batch_is_stored_whole_or_not_at_all(bench: Bench) {
    let (account, store) = (bench.account().await, &bench.store);
    let mut leads: Vec<Lead> = (0..450).map(|number| lead(&account, number)).collect();
    leads.push(lead_of(account.agency, AccountId::generate(), 450));
    assert!(store.insert_leads(&leads).await.unwrap_err().is_rejected());
    assert!(store.list_leads(&[account.id], &LeadFilter::default()).await.unwrap().leads.is_empty());
    leads.pop();
    assert_eq!(store.insert_leads(&leads).await.unwrap(), 450);
    assert_eq!(store.insert_leads(&leads).await.unwrap(), 0);
}

async fn a_bad_lead_is_rejected_and_the_others_can_be_stored_without_it(bench: Bench) {
    let (account, other, store) = (bench.account().await, bench.account().await, &bench.store);
    let mut bad: Vec<Lead> = (10..17).map(|number| lead(&account, number)).collect();
    bad[0].notes = "a\0b".into();
    bad[1].meta_data = json!({"deep": [{"a\u{0}b": 1}]});
    bad[2].created_at = chrono::DateTime::<chrono::Utc>::MAX_UTC;
    bad[3].meta_lead_id = Some("x".repeat(3000));
    bad[4].status = "x".repeat(3000);
    bad[5].account = AccountId::generate();
    bad[6].agency = other.agency;
    for bad in &bad {
        let batch = [lead(&account, 1), bad.clone(), lead(&account, 2)];
        let refused = store.insert_leads(&batch).await.unwrap_err();
        assert!(refused.is_rejected() && !refused.is_transient(), "{refused}");
        assert_eq!(store.lead(&[account.id], batch[0].id).await.unwrap(), None, "all or none");
    }
    let mut stored = 0;
    for lead in bad.iter().chain(&[lead(&account, 1), lead(&account, 2)]) {
        stored += store.insert_leads(std::slice::from_ref(lead)).await.unwrap_or(0);
    }
    assert_eq!(stored, 2);
}

async fn hostile_text_is_only_text(bench: Bench) {
    let (account, store) = (bench.account().await, &bench.store);
    let mut hostile = lead(&account, 1);
    hostile.name = r#"Robert'); DROP TABLE leads;-- "\ %_ 👩‍👩‍👧‍👦 İstanbul"#.into();
    hostile.phone = "5".repeat(10_000);
    hostile.notes = "née 💥".repeat(120_000);
    hostile.meta_data = json!({"'": "$1 ? {{", "\\u0000": "\\u0000", "text": "x".repeat(1_000_000)});
    assert!(hostile.notes.len() > 1_000_000);
    assert_eq!(store.insert_leads(std::slice::from_ref(&hostile)).await.unwrap(), 1);
    assert_eq!(store.lead(&[account.id], hostile.id).await.unwrap(), Some(hostile.clone()));

    let changes = LeadChanges { notes: Some("'); DELETE FROM leads;--".into()), ..LeadChanges::default() };
    hostile.notes = "'); DELETE FROM leads;--".into();
    let after = store.update_lead(&[account.id], hostile.id, &changes).await.unwrap().unwrap();
    assert_eq!((after.notes, after.name), (hostile.notes, hostile.name));
}

async fn people_change_a_lead(bench: Bench) {
    let (account, store) = (bench.account().await, &bench.store);
    let before = full(&account);
    store.insert_leads(std::slice::from_ref(&before)).await.unwrap();
    let sent = json!({
        "id": "lead_of_somebody_else", "status": "Called", "premium": 99.9, "visa_type": null, "trip_end": "",
        "sync_signal": false, "notes": "call back", "created_at": "1999-01-01T00:00:00Z", "unknown": [1],
    });
    let changes: LeadChanges = serde_json::from_value(sent).unwrap();
    let after = store.update_lead(&[account.id], before.id, &changes).await.unwrap().unwrap();
    let expected = Lead {
        status: "Called".into(),
        premium: leadwire::domain::lead::Cents(9990),
        visa_type: None,
        trip_end: None,
        sync_signal: None,
        notes: "call back".into(),
        updated_at: after.updated_at,
        ..before.clone()
    };
    assert_eq!(after, expected);
    assert!(after.updated_at > before.updated_at);
    assert_eq!(store.lead(&[account.id], before.id).await.unwrap().as_ref(), Some(&after));
    assert_eq!(
        serde_json::Value::from(changes.of(&after)),
        json!({
            "id": after.id, "updated_at": clock::rfc3339(after.updated_at), "status": "Called", "premium": 99.9,
            "visa_type": null, "trip_end": null, "sync_signal": false, "notes": "call back",
        })
    );
    let unchanged = store.update_lead(&[account.id], before.id, &LeadChanges::default()).await.unwrap();
    assert_eq!(unchanged, Some(after.clone()), "no changes, no new time");
    assert_eq!(store.erase_lead(&[account.id], before.id, true).await.unwrap().unwrap().0, after);
    assert_eq!(store.erase_lead(&[account.id], before.id, true).await.unwrap(), None);
}

async fn a_lead_is_first_seen_once(bench: Bench) {
    let (here, there, store) = (bench.account().await, bench.account().await, &bench.store);
    let (seen, unseen) = (lead(&here, 1), lead(&here, 2));
    store.insert_leads(&[seen.clone(), unseen.clone()]).await.unwrap();
    let (at, later) = (clock::from_micros(1_795_000_000_123_456), clock::from_micros(1_795_000_001_000_000));
    let ids = [seen.id, leadwire::domain::LeadId::generate()];
    assert_eq!(store.mark_first_seen(there.id, &ids, at).await.unwrap(), 0, "not theirs");
    assert_eq!(store.mark_first_seen(here.id, &ids, at).await.unwrap(), 1);
    assert_eq!(store.mark_first_seen(here.id, &ids, later).await.unwrap(), 0);
    assert_eq!(store.mark_first_seen(here.id, &[], later).await.unwrap(), 0);
    let changes = LeadChanges { notes: Some("call back".into()), ..LeadChanges::default() };
    store.update_lead(&[here.id], seen.id, &changes).await.unwrap();
    assert_eq!(store.insert_leads(std::slice::from_ref(&seen)).await.unwrap(), 0, "pushed and stored once more");
    let found = store.lead(&[here.id], seen.id).await.unwrap().unwrap();
    assert_eq!((found.first_seen_at, &*found.notes), (Some(at), "call back"));
    assert_eq!(serde_json::to_value(&found).unwrap()["first_seen_at"], "2026-11-18T11:06:40.123Z");
    assert_eq!(store.lead(&[here.id], unseen.id).await.unwrap(), Some(unseen));
}

async fn another_accounts_lead_does_not_exist(bench: Bench) {
    let (here, there, store) = (bench.account().await, bench.account().await, &bench.store);
    let secret = lead(&there, 1);
    store.insert_leads(std::slice::from_ref(&secret)).await.unwrap();
    let changes = LeadChanges { notes: Some("mine now".into()), ..LeadChanges::default() };
    let everything = LeadFilter { text: Some("Person".into()), ..LeadFilter::default() };
    for scope in [vec![], vec![here.id], vec![here.id, AccountId::generate()]] {
        assert_eq!(store.lead(&scope, secret.id).await.unwrap(), None);
        assert_eq!(store.update_lead(&scope, secret.id, &changes).await.unwrap(), None);
        assert_eq!(store.update_lead(&scope, secret.id, &LeadChanges::default()).await.unwrap(), None);
        assert_eq!(store.erase_lead(&scope, secret.id, true).await.unwrap(), None);
        assert!(store.list_leads(&scope, &everything).await.unwrap().leads.is_empty());
    }
    let both = [here.id, there.id];
    assert_eq!(store.list_leads(&both, &everything).await.unwrap().leads, [secret]);
}

async fn many_writers_and_readers_get_along(bench: Bench) {
    let account = bench.account().await;
    let ada = leadwire::store::NewUser {
        agency: account.agency,
        email: "ada@example.com".into(),
        name: "Ada".into(),
        password_hash: "x".into(),
    };
    let ada = bench.store.add_user(ada).await.unwrap();
    let mut work = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let (store, account) = (bench.store.clone(), account.clone());
        work.spawn(async move {
            // Each batch has leads that others write as well, in another order.
            let mut leads: Vec<Lead> = (0..100).map(|number| lead(&account, number + writer * 50)).collect();
            if writer % 2 == 1 {
                leads.reverse();
            }
            let role = if writer % 2 == 1 { Some(Role::Agent) } else { None };
            store.set_membership(ada, account.id, role).await.unwrap();
            store.list_leads(&[account.id], &LeadFilter::default()).await.unwrap();
            store.load_directory().await.unwrap();
            store.insert_leads(&leads).await.unwrap()
        });
    }
    assert_eq!(work.join_all().await.into_iter().sum::<usize>(), 450);
}
