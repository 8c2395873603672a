//! What is registered against what should be.

use secrecy::SecretString;
use url::Url;

use super::{FEEDS, Finding, compare};
use crate::{
    domain::{AccountId, AgencyId, SourceId, directory::Source, event::SourceKind},
    platforms::unipile::Webhook,
};

fn source() -> Source {
    Source {
        id: SourceId::derive(&[b"source"]),
        agency: AgencyId::derive(&[b"agency"]),
        account: AccountId::derive(&[b"account"]),
        kind: SourceKind::Unipile,
        external_id: "ours".to_owned(),
        name: "Ana".to_owned(),
        token: "key".into(),
        app_secrets: vec!["newest".into(), "older".into()],
        verify_token: None,
        enabled: true,
        api_url: Some("https://api.example:13111".parse().unwrap()),
    }
}

fn public_url() -> Url {
    "https://hub.example/base/".parse().unwrap()
}

/// As it should be, but for its id.
fn right(feed: usize, id: &str) -> Webhook {
    let header = |key: &str, value: &str| (key.to_owned(), SecretString::from(value));
    Webhook {
        id: id.to_owned(),
        name: format!("leadwire_{}_{}", source().id, FEEDS[feed].about),
        about: FEEDS[feed].about.to_owned(),
        enabled: true,
        request_url: format!("https://hub.example/base/webhook/unipile/{}", source().id),
        events: FEEDS[feed].events.iter().rev().map(|event| (*event).to_owned()).collect(),
        headers: vec![header("content-type", "application/json; charset=utf-8"), header("unipile-auth", "newest")],
        account_ids: Some(vec!["ours".to_owned()]),
    }
}

/// What is found of the first feed.
fn messaging(registered: &[Webhook]) -> Finding {
    compare(&source(), &public_url(), registered).swap_remove(0)
}

#[test]
fn what_is_right_is_left_alone() {
    let registered = [right(0, "w0"), right(1, "w1"), Webhook { account_ids: None, ..right(2, "w2") }];
    for finding in compare(&source(), &public_url(), &registered) {
        assert_eq!(finding, Finding { feed: finding.feed, problems: Vec::new(), create: false, remove: Vec::new() });
    }
}

#[test]
fn what_is_missing_is_made_and_what_is_not_ours_is_not_touched() {
    let others = [
        Webhook {
            name: "setdm_messages".to_owned(),
            request_url: "https://else.example/x".to_owned(),
            ..right(0, "w0")
        },
        Webhook {
            name: format!("leadwire_{}_messaging", SourceId::derive(&[b"x"])),
            request_url: "y".to_owned(),
            ..right(0, "w1")
        },
        Webhook { name: String::new(), request_url: String::new(), ..right(0, "w2") },
    ];
    for finding in compare(&source(), &public_url(), &others) {
        assert_eq!(
            (finding.create, finding.remove.len(), finding.problems),
            (true, 0, vec!["it is not registered".to_owned()])
        );
    }
}

#[test]
fn whatever_is_wrong_is_said_and_replaced() {
    let wrong = |fault: &str, webhook: Webhook| {
        let finding = messaging(&[webhook]);
        let expected = (true, vec!["w0".to_owned()], vec![fault.to_owned()]);
        assert_eq!((finding.create, finding.remove, finding.problems), expected);
    };
    let w0 = || right(0, "w0");
    wrong("it is switched off", Webhook { enabled: false, ..w0() });
    wrong("it goes to another address", Webhook { request_url: "https://old-tunnel.example/x".to_owned(), ..w0() });
    wrong("it tells other events", Webhook { events: vec!["message_received".to_owned()], ..w0() });
    wrong("it tells of something else", Webhook { about: "email".to_owned(), ..w0() });
    wrong("it is of other accounts", Webhook { account_ids: Some(Vec::new()), ..w0() });
    wrong(
        "it is of other accounts",
        Webhook { account_ids: Some(vec!["ours".to_owned(), "theirs".to_owned()]), ..w0() },
    );
    let mut older = w0();
    older.headers[1].1 = "older".into();
    wrong("it carries another secret", older);
    wrong("it carries another secret, it has no Content-Type", Webhook { headers: Vec::new(), ..w0() });
}

#[test]
fn of_two_that_are_right_one_stays_and_a_wrong_one_beside_it_goes() {
    let by_hand = Webhook { name: "by hand".to_owned(), ..right(0, "w1") };
    let stale = Webhook { request_url: "https://old-tunnel.example/x".to_owned(), ..right(0, "w2") };
    let finding = messaging(&[stale, right(0, "w0"), by_hand]);
    assert_eq!((finding.create, finding.remove), (false, vec!["w2".to_owned(), "w1".to_owned()]));
    assert_eq!(finding.problems, ["it goes to another address", "it is registered twice"]);
}
