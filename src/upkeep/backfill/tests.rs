//! Spans of time against a simulated platform.

use std::{sync::Arc, time::Duration};

use actix::{Actor, Context, Handler};
use chrono::TimeDelta;
use loadtest::platform::unipile::{Connected, Trouble, Workspace as Platform};

use super::{
    Backfill, Parts, Stats, SyncError,
    span::{Pace, Spans},
};
use crate::{
    config::Settings,
    domain::{AccountId, AgencyId, SourceId, Timestamp, clock, directory::Source, event::SourceKind},
    enrichment::Arrived,
    inbox::Inbox,
    platforms::unipile::{ListedMessage, Of, Remedy, UnipileClient, Workspace},
    telemetry::Metrics,
    upkeep::Ailments,
};

const START: i64 = 1_790_000_000_000_000;

/// A platform with messages of one account, one every ten minutes.
fn platform(messages: i32) -> Platform {
    let platform = Platform::start("key").unwrap();
    for number in 0..messages {
        let at = clock::rfc3339(clock::from_micros(START) + TimeDelta::minutes(10) * number);
        platform.keep(&Connected::linked_in("a").message("Zoe", &format!("m{number:03}"), "Hello", &at));
    }
    platform
}

fn workspace(platform: &Platform) -> Workspace {
    let client = UnipileClient::new(&Settings::parse("").unwrap().unipile).unwrap();
    client.workspace(&platform.dsn().parse().unwrap(), &"key".into())
}

async fn read(platform: &Platform, until: Timestamp) -> Result<Vec<Vec<String>>, SyncError> {
    let (workspace, mut pace) = (workspace(platform), Pace::new(10_000));
    let mut spans = Spans::between(clock::from_micros(START), until);
    let mut all = Vec::new();
    while let Some((items, end)) = spans.next(&workspace, Of::Account("a"), &mut pace).await? {
        assert!(end <= until);
        all.push(items.iter().map(|item| ListedMessage::read(item).unwrap().id).collect());
    }
    Ok(all)
}

#[tokio::test]
async fn a_time_is_read_in_spans_the_oldest_first_and_none_is_left_out() {
    let platform = platform(600);
    let spans = read(&platform, clock::from_micros(START) + TimeDelta::days(5)).await.unwrap();
    assert_eq!(spans.len(), 3, "two days each");
    let mut ids: Vec<&String> = spans.iter().flat_map(|span| span.iter().rev()).collect();
    // Both sides of an edge may have what is exactly there.
    ids.dedup();
    assert!(ids.len() == 600 && ids.is_sorted(), "{} of 600", ids.len());
}

#[tokio::test]
async fn a_span_with_too_many_pages_is_cut_and_a_list_that_never_ends_is_given_up() {
    let platform = platform(200);
    platform.set_page(2);
    let until = clock::from_micros(START) + TimeDelta::days(2);
    let spans = read(&platform, until).await.unwrap();
    let mut ids: Vec<&String> = spans.iter().flat_map(|span| span.iter().rev()).collect();
    ids.dedup();
    assert!(ids.len() == 200 && ids.is_sorted() && spans.len() == 8, "{} in {}", ids.len(), spans.len());
    platform.set_trouble(Some(Trouble::Endless));
    assert!(matches!(read(&platform, until).await, Err(SyncError::Endless)));
    let asked = platform.calls("GET /api/v1/messages").len();
    assert!(asked < 300, "{asked} calls");
}

/// Takes what arrives, and does nothing with it.
struct Nobody;

impl Actor for Nobody {
    type Context = Context<Self>;
}

impl Handler<Arrived> for Nobody {
    type Result = ();

    fn handle(&mut self, _: Arrived, _: &mut Self::Context) {}
}

fn source(platform: &Platform) -> Source {
    Source {
        id: SourceId::derive(&[b"source"]),
        agency: AgencyId::derive(&[b"agency"]),
        account: AccountId::derive(&[b"account"]),
        kind: SourceKind::Unipile,
        external_id: "a".to_owned(),
        name: "Ana".to_owned(),
        token: "key".into(),
        app_secrets: Vec::new(),
        verify_token: None,
        enabled: true,
        api_url: Some(platform.dsn().parse().unwrap()),
    }
}

#[actix_rt::test]
async fn a_reading_that_broke_off_goes_on_where_it_ended_and_brings_nothing_twice() {
    let platform = Platform::start("key").unwrap();
    let write = |id: &str, days: i64| {
        let at = clock::rfc3339(clock::now() - TimeDelta::days(days));
        platform.keep(&Connected::linked_in("a").message("Zoe", id, "Hello", &at));
    };
    ["m1", "m2", "m3"].into_iter().zip([25, 12, 0]).for_each(|(id, days)| write(id, days));
    let folder = tempfile::tempdir().unwrap();
    let inbox = Inbox::open(&folder.path().join("inbox.sqlite3"), 8).unwrap();
    let settings = Settings::parse("[unipile]\ncalls_per_second = 20").unwrap().unipile;
    let backfill = Backfill::new(Parts {
        client: UnipileClient::new(&settings).unwrap(),
        settings,
        inbox: inbox.clone(),
        arrived: Nobody.start().recipient(),
        directory: tokio::sync::watch::channel(None).1,
        ailments: Ailments::default(),
        metrics: Arc::new(Metrics::new()),
    });
    let source = source(&platform);
    // It breaks off when it got through the first of its fifteen spans.
    let got_to = async {
        loop {
            if let Some(got_to) = inbox.synced(source.id).await.unwrap() {
                break got_to;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let got_to = tokio::select! {
        got_to = got_to => got_to,
        outcome = backfill.sync(&source, None, false) => panic!("it was not cut off: {outcome:?}"),
    };
    platform.set_trouble(Some(Trouble::Status(500)));
    assert_eq!(backfill.sync(&source, None, false).await.unwrap_err().remedy(), Remedy::Retry);
    platform.set_trouble(None);
    // What was on its way to the inbox when it broke off is there by now.
    let got_to = inbox.synced(source.id).await.unwrap().unwrap_or(got_to);
    let asked = platform.calls("GET /api/v1/messages").len();
    backfill.sync(&source, None, false).await.unwrap();
    let first = platform.calls("GET /api/v1/messages").swap_remove(asked);
    let after = clock::rfc3339(got_to - TimeDelta::days(1) - TimeDelta::milliseconds(1)).replace(':', "%3A");
    assert!(first.contains(&after), "{first} does not begin at {after}");
    for (full, messages) in [(false, 1), (true, 3)] {
        let stats = backfill.sync(&source, None, full).await.unwrap();
        assert_eq!(stats, Stats { messages, new_messages: 0 });
    }
}
