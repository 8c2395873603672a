//! What is parked goes on when it may, however much it is, and is counted rightly meanwhile.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use diesel::{QueryableByName, RunQueryDsl, connection::SimpleConnection, sql_query, sql_types::BigInt};

use super::{
    tests::{delivery, lead, open},
    *,
};
use crate::domain::{
    AccountId, AgencyId, SourceId,
    clock::now,
    directory::{Directory, Source},
    event::{EventKind, Fate, NewEvent, Scope, SourceKind},
};

const MANY: usize = 10_000;
const PATIENCE: Duration = Duration::from_mins(1);

pub(super) fn source() -> Source {
    Source {
        id: SourceId::generate(),
        agency: AgencyId::generate(),
        account: AccountId::generate(),
        kind: SourceKind::Meta,
        external_id: "77".to_owned(),
        name: String::new(),
        token: String::new().into(),
        app_secrets: Vec::new(),
        verify_token: None,
        enabled: true,
        api_url: None,
    }
}

fn unrouted(number: usize) -> NewEvent {
    unrouted_by(Scope::Hub, number)
}

pub(super) fn unrouted_by(scope: Scope, number: usize) -> NewEvent {
    let platform_id = number.to_string();
    NewEvent {
        id: NewEvent::key(&format!("unrouted:{scope}:77"), SourceKind::Meta, &platform_id, EventKind::Lead),
        external_id: "77".to_owned(),
        fate: Fate::Unrouted { scope },
        ..lead(AccountId::generate(), &platform_id)
    }
}

pub(super) fn of(source: &Source, number: usize) -> NewEvent {
    NewEvent {
        fate: Fate::Work { account: source.account, source: source.id },
        ..lead(source.account, &number.to_string())
    }
}

impl Inbox {
    pub(super) async fn park_all(&self, reason: &'static str) {
        let statement = format!("UPDATE events SET state = 3, reason = '{reason}' WHERE state = 0");
        self.writer.write(1, move |c| c.batch_execute(&statement)).await.unwrap();
    }

    /// Whether the counts are those of the events.
    pub(super) async fn counts_are_right(&self) -> bool {
        #[derive(QueryableByName)]
        struct Wrong {
            #[diesel(sql_type = BigInt)]
            rows: i64,
        }
        const COUNTED: &str = "SELECT account, source, scope, reason, events, bytes FROM parked";
        const THERE: &str = "SELECT coalesce(account, x''), coalesce(source, x''), iif(account IS NULL, scope, ''), reason, \
             count(*), sum(weight) FROM events WHERE state = 3 GROUP BY 1, 2, 3, 4";
        let query = format!(
            "SELECT (SELECT count(*) FROM ({COUNTED} EXCEPT {THERE})) \
             + (SELECT count(*) FROM ({THERE} EXCEPT {COUNTED})) AS rows"
        );
        self.read(move |c| sql_query(query).get_result::<Wrong>(c)).await.unwrap().rows == 0
    }

    async fn parked_now(&self) -> u64 {
        self.attention(now()).await.unwrap().iter().filter(|item| item.account.is_some()).map(|item| item.count).sum()
    }
}

#[tokio::test]
async fn webhooks_are_kept_while_a_great_many_parked_events_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = open(&folder);
    let (source, other) = (source(), AccountId::generate());
    inbox.accept(vec![delivery((0..MANY).map(unrouted).collect())]).await.unwrap();
    let directory = Directory { sources: [(source.id, source.clone())].into(), ..Directory::default() }.indexed();
    let release = inbox.release_claimed(Arc::new(directory));
    tokio::pin!(release);
    let mut kept = 0_usize;
    let released = loop {
        let next = delivery(vec![lead(other, &kept.to_string())]);
        tokio::select! {
            released = &mut release => break released.unwrap(),
            accepted = inbox.accept(vec![next]) => {
                accepted.unwrap();
                kept += 1;
            }
        }
    };
    assert_eq!(released, MANY);
    assert!(kept >= 5, "webhooks waited for all of it: {kept}");
    assert!(inbox.counts_are_right().await);
}

#[tokio::test]
async fn a_release_that_broke_off_goes_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (source, untouched) = (source(), source());
    {
        let inbox = open(&folder);
        let events = (0..MANY).map(|number| of(&source, number)).chain([of(&untouched, MANY)]).collect();
        inbox.accept(vec![delivery(events)]).await.unwrap();
        inbox.park_all("token_invalid").await;
        assert_eq!(inbox.parked_now().await, MANY as u64 + 1);
        let begun = async {
            while inbox.parked_now().await > MANY as u64 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = inbox.release_sources(vec![source.id], ParkReason::TokenInvalid) => panic!("it did not break off"),
            () = begun => {}
        }
    }
    let inbox = open(&folder);
    let left = inbox.parked_now().await;
    assert!(left > 1, "nothing was left");
    let released = inbox.release_sources(Vec::new(), ParkReason::TokenInvalid).await.unwrap();
    assert_eq!((released as u64, inbox.parked_now().await), (left - 1, 1), "all of the source's, and no other's");
    assert_eq!(inbox.release_sources(Vec::new(), ParkReason::TokenInvalid).await.unwrap(), 0);
    assert_eq!(inbox.due(source.account, now(), true, 2 * MANY).await.unwrap().len(), MANY);
    assert!(inbox.counts_are_right().await);
}

#[tokio::test]
async fn what_is_parked_is_counted_rightly_after_every_change() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = open(&folder);
    let source = source();
    let right = async |what: &str| assert!(inbox.counts_are_right().await, "{what}");
    let events = (0..9).map(|number| of(&source, number)).chain((0..9).map(unrouted)).collect::<Vec<_>>();
    inbox.accept(vec![delivery(events.clone())]).await.unwrap();
    right("accepted").await;
    inbox.accept(vec![delivery(events.clone())]).await.unwrap();
    right("accepted again").await;
    inbox.park(events[0].id, ParkReason::Denied, "no".to_owned()).await.unwrap();
    inbox.park(events[1].id, ParkReason::GaveUp, String::new()).await.unwrap();
    inbox.park(events[1].id, ParkReason::Denied, "never".to_owned()).await.unwrap();
    right("parked, and for another reason").await;
    let items = inbox.attention(now()).await.unwrap();
    let [item] = &items[..] else { panic!("{items:?}") };
    assert_eq!((item.reason.as_str(), item.count, item.detail.as_deref()), ("denied", 2, Some("never")));
    assert!(item.oldest <= now() && item.oldest > now() - TimeDelta::minutes(5));
    inbox.replay(Selection::One(events[0].id)).await.unwrap();
    right("replayed").await;
    // The owner has one of them already: it is not there twice.
    let directory = Directory { sources: [(source.id, source.clone())].into(), ..Directory::default() }.indexed();
    assert_eq!(inbox.release_claimed(Arc::new(directory)).await.unwrap(), 0);
    right("claimed").await;
    assert_eq!(inbox.unclaimed().await.unwrap().len(), 0);
    inbox.forget_event(events[1].id).await.unwrap();
    right("erased").await;
    assert_eq!(inbox.parked_now().await, 0);
}

#[tokio::test]
async fn what_reads_long_holds_up_no_look_up() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = open(&folder);
    let (ends, waits) = std::sync::mpsc::channel::<()>();
    let long = inbox.survey.clone();
    let long = tokio::spawn(async move { long.read(move |_| Ok(waits.recv())).await });
    let asked = async {
        inbox.due_accounts(now()).await.unwrap();
        inbox.due(AccountId::generate(), now(), true, 1).await.unwrap();
        inbox.unstored(now(), 1).await.unwrap();
        inbox.size().await.unwrap();
    };
    tokio::time::timeout(PATIENCE, asked).await.expect("it waited");
    ends.send(()).unwrap();
    assert!(long.await.unwrap().unwrap().is_ok());
}

#[tokio::test]
async fn what_waits_is_looked_up_by_one_asker_for_all_who_ask_within_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = open(&folder);
    inbox.accept(vec![delivery(vec![lead(AccountId::generate(), "1")])]).await.unwrap();
    let at = now() + TimeDelta::minutes(2);
    let asked = futures_util::future::join_all((0..32).map(|_| inbox.attention(at))).await;
    assert!(asked.into_iter().all(|items| items.unwrap().len() == 1));
    inbox.writer.write(1, |c| c.batch_execute("DELETE FROM events")).await.unwrap();
    assert_eq!(inbox.attention(at).await.unwrap().len(), 1, "as of that moment");
    assert_eq!(inbox.attention(at + TimeDelta::minutes(60)).await.unwrap().len(), 0);
    assert_eq!(inbox.attention(at - TimeDelta::seconds(1)).await.unwrap().len(), 0, "the clock has gone back");
}
