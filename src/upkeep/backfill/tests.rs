//! Spans of time against a simulated platform.

use chrono::TimeDelta;
use loadtest::platform::unipile::{Connected, Trouble, Workspace as Platform};

use super::{
    SyncError,
    span::{Pace, Spans},
};
use crate::{
    config::Settings,
    domain::{Timestamp, clock},
    platforms::unipile::{ListedMessage, Of, UnipileClient, Workspace},
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
