//! Retention, and what happens when the file grows too large.

use std::time::Duration;

use chrono::TimeDelta;

use super::{
    tests::{delivery, entry, lead, open},
    *,
};
use crate::domain::{
    AccountId,
    clock::now,
    event::{Fate, NewEvent, Scope},
};

const DAY: Duration = Duration::from_hours(24);
/// What is set if nothing is said, but for the size.
const LIMITS: Limits = Limits {
    deliveries: DAY.saturating_mul(30),
    events: DAY.saturating_mul(60),
    log: DAY.saturating_mul(7),
    max_size: u64::MAX,
};

fn unrouted(id: usize) -> NewEvent {
    NewEvent { fate: Fate::Unrouted { scope: Scope::Hub }, ..lead(AccountId::generate(), &id.to_string()) }
}

/// Accepts events of one webhook, shows them and stores them.
async fn finish(inbox: &Inbox, account: AccountId, first: u64, events: Vec<NewEvent>) {
    let ids: Vec<_> = events.iter().map(|event| event.id).collect();
    inbox.accept(vec![delivery(events)]).await.unwrap();
    for (count, id) in (first..).zip(&ids) {
        inbox.publish(entry(account, 1, count), Some(*id)).1.await.unwrap();
    }
    inbox.mark_stored(ids).await.unwrap();
}

async fn count(inbox: &Inbox, table: &str) -> i64 {
    #[derive(diesel::QueryableByName)]
    struct Count {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        count: i64,
    }
    let query = format!("SELECT count(*) AS count FROM {table}");
    inbox.read(move |c| diesel::RunQueryDsl::get_result::<Count>(diesel::sql_query(query), c)).await.unwrap().count
}

#[tokio::test]
async fn of_a_finished_event_only_the_key_stays_and_a_redelivery_is_known_by_it() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = open(&folder);
    let account = AccountId::generate();
    let event = lead(account, "1");
    finish(&inbox, account, 1, vec![event.clone()]).await;
    let month = now() + TimeDelta::days(31);
    assert_eq!(inbox.prune(month, LIMITS).await.unwrap().removed, 3, "the webhook, the record and the envelope");
    assert_eq!((count(&inbox, "events").await, count(&inbox, "keys").await), (0, 1));
    assert!(inbox.knows(event.id).await.unwrap() && inbox.is_past(event.id).await.unwrap());
    let again = inbox.accept(vec![delivery(vec![event.clone()])]).await.unwrap().remove(0);
    assert_eq!((again.new.len(), again.duplicates), (0, 1));

    assert_eq!(inbox.prune(now() + TimeDelta::days(59), LIMITS).await.unwrap().removed, 1, "the second webhook");
    assert_eq!(count(&inbox, "keys").await, 1);
    assert_eq!(inbox.prune(now() + TimeDelta::days(61), LIMITS).await.unwrap().removed, 1);
    let late = inbox.accept(vec![delivery(vec![event])]).await.unwrap().remove(0);
    assert_eq!(late.new.len(), 1, "after its time it is forgotten");
}

#[tokio::test]
async fn what_waits_at_the_head_keeps_nothing_behind_it_from_going() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = open(&folder);
    let account = AccountId::generate();
    let waiting: Vec<_> = (0..20_500).map(|id| delivery(vec![unrouted(id)])).collect();
    for some in waiting.chunks(1000) {
        inbox.accept(some.to_vec()).await.unwrap();
    }
    finish(&inbox, account, 1, vec![lead(account, "1")]).await;
    assert_eq!(inbox.prune(now() + TimeDelta::days(31), LIMITS).await.unwrap().removed, 3);
    assert_eq!((count(&inbox, "events").await, count(&inbox, "deliveries").await), (20_500, 20_500));
}

#[tokio::test]
async fn a_record_goes_that_was_finished_after_its_webhook_had_gone() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = open(&folder);
    let account = AccountId::generate();
    let (event, unfinished) = (lead(account, "1"), lead(account, "2"));
    inbox.accept(vec![delivery(vec![event.clone(), unfinished.clone()])]).await.unwrap();
    let full = inbox.prune(now(), Limits { max_size: 0, ..LIMITS }).await.unwrap();
    assert_eq!((full.removed, count(&inbox, "deliveries").await), (1, 0), "an event has all that it needs");
    inbox.publish(entry(account, 1, 1), Some(event.id)).1.await.unwrap();
    inbox.mark_stored(vec![event.id]).await.unwrap();
    assert_eq!(inbox.prune(now() + TimeDelta::days(31), LIMITS).await.unwrap().removed, 2);
    assert_eq!((count(&inbox, "events").await, count(&inbox, "keys").await), (1, 1));
    assert!(!inbox.is_past(unfinished.id).await.unwrap());
}

#[tokio::test]
async fn an_inbox_never_fills_with_what_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = open(&folder);
    let account = AccountId::generate();
    let limits = Limits { max_size: 2 << 20, ..LIMITS };
    for round in 0..40 {
        let of_round = |id: u64| NewEvent { item: "x".repeat(1000), ..lead(account, &format!("{round}-{id}")) };
        finish(&inbox, account, 1 + round * 200, (0..200).map(of_round).collect()).await;
        // Two hours later each time, so that what went is not what came just now.
        let at = now() + TimeDelta::hours(2 * i64::try_from(round).unwrap());
        assert_ne!(inbox.prune(at, limits).await.unwrap().space, Space::Full);
        assert!(inbox.size().await.unwrap() <= limits.max_size);
    }
    assert_eq!(count(&inbox, "keys").await + count(&inbox, "events").await, 8000, "each is still known");
    assert!(count(&inbox, "log").await > count(&inbox, "events").await, "what is finished goes before the log");
}

#[tokio::test]
async fn an_inbox_that_is_nearly_full_says_so_before_it_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = open(&folder);
    let account = AccountId::generate();
    let kinds = async |inbox: &Inbox| -> Vec<String> {
        inbox.attention(now()).await.unwrap().into_iter().map(|item| item.reason).collect()
    };
    finish(&inbox, account, 1, (0..2000).map(|id| lead(account, &id.to_string())).collect()).await;
    let almost = Limits { max_size: inbox.size().await.unwrap() * 3 / 4, ..LIMITS };
    assert_eq!(inbox.prune(now(), almost).await.unwrap().space, Space::NearlyFull, "what is of today goes");
    assert_eq!(kinds(&inbox).await, ["inbox_nearly_full"]);
    assert!(inbox.accept(vec![delivery(vec![unrouted(1)])]).await.is_ok());

    assert_eq!(inbox.prune(now(), Limits { max_size: 0, ..LIMITS }).await.unwrap().space, Space::Full);
    assert_eq!(kinds(&inbox).await[0], "inbox_full");
    assert!(inbox.accept(vec![delivery(vec![unrouted(2)])]).await.is_err());
    drop(inbox);
    let inbox = open(&folder);
    assert_eq!(inbox.space(), Space::Full, "also after a restart");
    assert_eq!(inbox.prune(now() + TimeDelta::hours(2), LIMITS).await.unwrap().space, Space::Enough);
    assert!(kinds(&inbox).await.iter().all(|kind| !kind.starts_with("inbox_")));
}
