//! Pages of leads.

use std::collections::HashSet;

use leadwire::{
    domain::{AccountId, LeadId, lead::Lead},
    store::{LeadFilter, Store},
};

use super::harness::{Bench, lead, on_both_engines};

on_both_engines! {
    pages_have_no_gaps_while_leads_come_in,
    leads_of_the_same_moment_are_neither_skipped_nor_repeated,
    filters_hold_together,
    text_is_found_in_any_case_and_without_wildcards,
}

async fn names(store: &Store, accounts: &[AccountId], filter: LeadFilter) -> Vec<String> {
    let page = store.list_leads(accounts, &filter).await.unwrap();
    page.leads.into_iter().map(|lead| lead.name).collect()
}

async fn pages_have_no_gaps_while_leads_come_in(bench: Bench) {
    let (one, two, store) = (bench.account().await, bench.account().await, &bench.store);
    let old: Vec<Lead> = (0..60).map(|number| lead(if number % 3 == 0 { &two } else { &one }, number)).collect();
    store.insert_leads(&old).await.unwrap();
    let mut filter = LeadFilter { limit: 7, ..LeadFilter::default() };
    let mut seen: Vec<Lead> = Vec::new();
    for round in 0_i64.. {
        let page = store.list_leads(&[one.id, two.id], &filter).await.unwrap();
        assert!(page.leads.len() == 7 || page.next.is_none());
        seen.extend(page.leads);
        // A newer one, which belongs before the pages read so far.
        store.insert_leads(&[lead(&one, 1000 + round)]).await.unwrap();
        // As a client hands it back.
        let Some(next) = page.next else { break };
        filter.cursor = Some(next.to_string().parse().unwrap());
    }
    let mut expected = old;
    expected.reverse();
    assert_eq!(seen, expected);
}

async fn leads_of_the_same_moment_are_neither_skipped_nor_repeated(bench: Bench) {
    let (account, store) = (bench.account().await, &bench.store);
    let mut leads: Vec<Lead> = (0..10).map(|number| lead(&account, number)).collect();
    for lead in &mut leads {
        lead.created_at = leadwire::domain::clock::from_micros(1_795_000_000_000_000);
    }
    store.insert_leads(&leads).await.unwrap();
    let mut filter = LeadFilter { limit: 3, ..LeadFilter::default() };
    let mut seen: Vec<LeadId> = Vec::new();
    loop {
        let page = store.list_leads(&[account.id], &filter).await.unwrap();
        seen.extend(page.leads.iter().map(|lead| lead.id));
        filter.cursor = page.next;
        if filter.cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 10);
    assert_eq!(HashSet::<LeadId>::from_iter(seen), leads.iter().map(|lead| lead.id).collect());
    let exact = LeadFilter { limit: 10, ..LeadFilter::default() };
    assert_eq!(store.list_leads(&[account.id], &exact).await.unwrap().next, None, "a full last page is the last");
}

async fn filters_hold_together(bench: Bench) {
    let (account, store) = (bench.account().await, &bench.store);
    let mut leads: Vec<Lead> = (0..4).map(|number| lead(&account, number)).collect();
    leads[1].status = "Called".into();
    leads[2].status = "Called".into();
    leads[2].is_manual = true;
    store.insert_leads(&leads).await.unwrap();
    let of = async |filter: LeadFilter| names(store, &[account.id], filter).await;
    let all = LeadFilter::default;
    let called = Some("Called".to_owned());
    assert_eq!(of(LeadFilter { status: called.clone(), ..all() }).await, ["Person 2", "Person 1"]);
    assert_eq!(of(LeadFilter { status: Some("called".into()), ..all() }).await, [""; 0]);
    assert_eq!(of(LeadFilter { is_manual: Some(true), ..all() }).await, ["Person 2"]);
    assert_eq!(of(LeadFilter { status: called, is_manual: Some(false), ..all() }).await, ["Person 1"]);
    let (since, until) = (Some(leads[1].created_at), Some(leads[3].created_at));
    assert_eq!(of(LeadFilter { since, until, ..all() }).await, ["Person 2", "Person 1"]);
    assert_eq!(of(LeadFilter { limit: 0, ..all() }).await, ["Person 3"]);
    let nul = LeadFilter { text: Some("a\0".into()), ..all() };
    assert!(store.list_leads(&[account.id], &nul).await.unwrap_err().is_rejected());
}

async fn text_is_found_in_any_case_and_without_wildcards(bench: Bench) {
    let (account, store) = (bench.account().await, &bench.store);
    let mut leads: Vec<Lead> = (0..5).map(|number| lead(&account, number)).collect();
    leads[0].name = "Zoë ÅNGSTRÖM".into();
    leads[1].notes = "wants 100% cover".into();
    leads[2].email = "under_score@example.com".into();
    leads[3].phone = r"back\slash".into();
    leads[4].message = "message is not searched: ångström".into();
    for lead in &mut leads[1..] {
        lead.name = "Person".into();
    }
    store.insert_leads(&leads).await.unwrap();
    for (text, expected) in [
        ("ångström", vec![0]),
        (" ZOË ", vec![0]),
        ("100%", vec![1]),
        ("0% C", vec![1]),
        ("%", vec![1]),
        ("_", vec![2]),
        ("UNDER_", vec![2]),
        ("\\", vec![3]),
        ("'", vec![]),
        ("person", vec![4, 3, 2, 1, 0]),
        ("  ", vec![4, 3, 2, 1, 0]),
    ] {
        let filter = LeadFilter { text: Some(text.into()), ..LeadFilter::default() };
        let found = store.list_leads(&[account.id], &filter).await.unwrap().leads;
        let found: Vec<LeadId> = found.into_iter().map(|lead| lead.id).collect();
        let expected: Vec<LeadId> = expected.into_iter().map(|at: usize| leads[at].id).collect();
        assert_eq!(found, expected, "{text:?}");
    }
}
