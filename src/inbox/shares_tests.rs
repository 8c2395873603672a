//! Who fills the inbox fills their own share of it.

use diesel::{QueryDsl, RunQueryDsl, connection::SimpleConnection};

use super::{
    release_tests::{of, source, unrouted_by},
    tests::{delivery, open},
    *,
};
use crate::domain::{
    SecretDigest,
    clock::now,
    directory::{Account, Directory, Source},
    event::Scope,
};

fn directory(sources: &[&Source]) -> Directory {
    let account = |source: &&Source| {
        let account = Account { id: source.account, agency: source.agency, name: String::new() };
        (account.id, account)
    };
    Directory {
        accounts: sources.iter().map(account).collect(),
        sources: sources.iter().map(|source| (source.id, (*source).clone())).collect(),
        ..Directory::default()
    }
    .indexed()
}

fn secret_of(source: &Source) -> Scope {
    Scope::Secret { agency: source.agency, secret: SecretDigest::of(source.id.to_string().as_bytes()) }
}

const ROOMY: Shares = Shares { unrouted: 1 << 30, waiting: 1 << 30 };

#[tokio::test]
async fn unrouted_events_over_the_share_of_who_signed_them_go_the_oldest_first_and_nobody_elses() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = open(&folder);
    let (flooding, other) = (source(), source());
    let directory = directory(&[&flooding, &other]);
    for number in 0..1_200 {
        inbox.accept(vec![delivery(vec![unrouted_by(secret_of(&flooding), number)])]).await.unwrap();
    }
    let others = (0..3).map(|number| unrouted_by(secret_of(&other), number)).collect();
    let hubs = (0..3).map(|number| unrouted_by(Scope::Hub, number)).collect();
    inbox.accept(vec![delivery(others), delivery(hubs)]).await.unwrap();
    assert!(inbox.keep_shares(now(), &directory, ROOMY).await.unwrap().dropped.is_empty());

    // An empty item and body weigh a little over 512 bytes.
    let shares = Shares { unrouted: 100 * 600, ..ROOMY };
    let weighed = inbox.keep_shares(now(), &directory, shares).await.unwrap();
    let dropped: u64 = weighed.dropped.iter().map(|(_, count)| count).sum();
    assert!((1_080..1_110).contains(&dropped), "{dropped}");
    assert!(weighed.dropped.iter().all(|(reason, _)| *reason == "unrouted"));
    let left = inbox.parked(2_000).await.unwrap();
    assert_eq!(left.len() as u64, 1_206 - dropped);
    assert_eq!(left[0].platform_id, dropped.to_string(), "the oldest went");
    let deliveries = inbox.read(|c| schema::deliveries::table.count().get_result::<i64>(c)).await.unwrap();
    assert_eq!(deliveries.cast_unsigned(), 1_202 - dropped, "with what they came in, and nothing else");
    assert!(inbox.counts_are_right().await);
    let told = inbox.attention(now()).await.unwrap();
    let [told] = &told[..] else { panic!("{told:?}") };
    assert_eq!((told.reason.as_str(), told.count), ("dropped_unrouted", dropped));
    assert_eq!(told.external_id, Some(secret_of(&flooding).to_string()));

    assert!(inbox.keep_shares(now(), &directory, shares).await.unwrap().dropped.is_empty(), "it is under its share");
    inbox.keep_shares(now() + chrono::TimeDelta::days(8), &directory, shares).await.unwrap();
    assert!(inbox.attention(now()).await.unwrap().is_empty(), "told for a week");
}

#[tokio::test]
async fn a_webhook_stays_when_one_of_its_events_is_dropped_and_others_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = open(&folder);
    let source = source();
    let mixed = vec![of(&source, 1), unrouted_by(Scope::Hub, 1), of(&source, 2), unrouted_by(Scope::Hub, 2)];
    inbox.accept(vec![delivery(mixed), delivery(vec![unrouted_by(Scope::Hub, 3)])]).await.unwrap();
    let none = Shares { unrouted: 0, ..ROOMY };
    let weighed = inbox.keep_shares(now(), &directory(&[&source]), none).await.unwrap();
    assert_eq!(weighed.dropped, [("unrouted", 3)]);
    let left: Vec<i64> =
        inbox.read(|c| schema::deliveries::table.select(schema::deliveries::seq).load(c)).await.unwrap();
    assert_eq!(left, [1]);
}

#[tokio::test]
async fn an_agency_whose_events_take_more_than_its_share_is_refused_and_nobody_else_until_they_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = open(&folder);
    let (full, other) = (source(), source());
    let directory = directory(&[&full, &other]);
    inbox.accept(vec![delivery((0..1_000).map(|number| of(&full, number)).collect())]).await.unwrap();
    inbox.accept(vec![delivery((0..10).map(|number| of(&other, number)).collect())]).await.unwrap();
    let shares = Shares { waiting: 100 * 600, ..ROOMY };
    assert_eq!(inbox.keep_shares(now(), &directory, shares).await.unwrap().refused, 1, "what is under way counts");
    inbox.park_all("token_invalid").await;
    let weighed = inbox.keep_shares(now(), &directory, shares).await.unwrap();
    assert_eq!((weighed.refused, weighed.dropped.len()), (1, 0), "what may still be delivered stays");
    assert_eq!(inbox.over_share().into_keys().collect::<Vec<_>>(), [full.agency]);

    let refuses = |events| inbox.refuses(&delivery(events), &directory);
    assert!(refuses(vec![of(&full, 2_000)]));
    assert!(!refuses(vec![of(&other, 2_000)]));
    assert!(!refuses(vec![of(&full, 2_000), of(&other, 2_000)]), "the other's event is in it");
    assert!(!refuses(vec![unrouted_by(secret_of(&full), 1)]) && !refuses(Vec::new()));

    inbox.release_sources(vec![full.id], ParkReason::TokenInvalid).await.unwrap();
    inbox.writer.write(1, |c| c.batch_execute("UPDATE events SET state = 2 WHERE state = 0")).await.unwrap();
    assert_eq!(inbox.keep_shares(now(), &directory, shares).await.unwrap().refused, 0);
    assert!(!refuses(vec![of(&full, 2_000)]));
}

#[tokio::test]
async fn what_can_not_be_had_goes_before_an_agency_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = open(&folder);
    let full = source();
    inbox.accept(vec![delivery((0..1_000).map(|number| of(&full, number)).collect())]).await.unwrap();
    inbox.park_all("impossible").await;
    let shares = Shares { waiting: 100 * 600, ..ROOMY };
    let weighed = inbox.keep_shares(now(), &directory(&[&full]), shares).await.unwrap();
    assert_eq!(weighed.refused, 0);
    let told = inbox.attention(now()).await.unwrap();
    let told = told.iter().find(|item| item.reason == "dropped_impossible").unwrap();
    assert_eq!(told.account, Some(full.account));
    assert!((880..910).contains(&told.count), "{}", told.count);
}
