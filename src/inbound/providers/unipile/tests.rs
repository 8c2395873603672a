//! The documented bodies, and what tells one from another.

use super::{HandshakeError, Proof, Provider, Unipile};
use crate::domain::{
    AccountId, AgencyId, SourceId,
    directory::{Directory, Source},
    event::{EventKind, Fate, NewEvent, Scope, SourceKind},
};

const ACCOUNT: &str = "aCc7LqW2Rqa0eSbwIKX9hw";
const RECEIVED: &str = include_str!("samples/message_received.json");
const OWN: &str = include_str!("samples/own_message.json");
const MINIMAL: &str = include_str!("samples/minimal.json");
const SETDM: &str = include_str!("samples/setdm.json");
const REACTION: &str = include_str!("samples/message_reaction.json");
const READ: &str = include_str!("samples/message_read.json");
const DELIVERED: &str = include_str!("samples/message_delivered.json");
const EDITED: &str = include_str!("samples/message_edited.json");
const DELETED: &str = include_str!("samples/message_deleted.json");
const RELATION: &str = include_str!("samples/new_relation.json");
const STATUS: &str = include_str!("samples/account_status.json");

fn source() -> Source {
    Source {
        id: SourceId::derive(&[b"source"]),
        agency: AgencyId::derive(&[b"agency"]),
        account: AccountId::derive(&[b"account"]),
        kind: SourceKind::Unipile,
        external_id: ACCOUNT.to_owned(),
        name: ACCOUNT.to_owned(),
        token: "token".into(),
        app_secrets: Vec::new(),
        verify_token: None,
        enabled: true,
        api_url: None,
    }
}

fn one(body: impl AsRef<[u8]>) -> NewEvent {
    let directory = Directory { sources: [(source().id, source())].into(), ..Directory::default() }.indexed();
    let mut events = Unipile.split(body.as_ref(), &directory, Scope::Hub, None);
    assert_eq!(events.len(), 1, "{events:?}");
    events.remove(0)
}

fn work() -> Fate {
    Fate::Work { account: source().account, source: source().id }
}

#[test]
fn messages_and_changes_of_them_are_work_for_the_account() {
    for body in [RECEIVED, OWN, MINIMAL, REACTION, READ, DELIVERED, EDITED, DELETED] {
        let event = one(body);
        assert_eq!((event.kind, event.source_kind, &event.fate), (EventKind::Message, SourceKind::Unipile, &work()));
        assert_eq!((event.external_id.as_str(), event.item.as_str()), (ACCOUNT, body));
        assert_eq!(one(body), event, "a redelivery is the same");
    }
    assert_eq!(one(RECEIVED).platform_id, "mSg1XyZ");
    let older = one(SETDM.replace("acc_123", ACCOUNT));
    assert_eq!((older.kind, older.platform_id.as_str(), older.fate), (EventKind::Message, "msg_789", work()));
}

#[test]
fn an_account_that_nobody_claimed_parks_its_events() {
    for body in [RECEIVED, READ, STATUS] {
        let event = one(body.replace(ACCOUNT, "somebody"));
        assert_eq!((event.fate, event.external_id.as_str()), (Fate::Unrouted { scope: Scope::Hub }, "somebody"));
    }
    let event = one(RECEIVED.replace(ACCOUNT, "somebody"));
    assert_eq!(event.id, NewEvent::key("unrouted:hub:somebody", SourceKind::Unipile, "mSg1XyZ", EventKind::Message));
}

#[test]
fn two_changes_of_one_message_are_two_events() {
    assert!(one(EDITED).platform_id.starts_with("message_edited|mSg1XyZ|"));
    for (body, part, other) in [
        (EDITED, "the house", "the garage"),
        (EDITED, "09:46:00", "09:46:01"),
        (EDITED, "message_edited", "message_deleted"),
        (REACTION, "😄", "👍"),
        (REACTION, "ACoAAjane", "ACoAAmax"),
        (READ, "mSgWa2", "mSgWa3"),
    ] {
        assert_ne!(one(body).id, one(body.replace(part, other)).id, "{part}");
    }
}

#[test]
fn the_same_change_over_two_webhooks_is_one_event() {
    for body in [RECEIVED, REACTION, READ, DELIVERED] {
        assert_eq!(one(body).id, one(body.replace("leadwire-messages", "older-name")).id);
    }
}

#[test]
fn every_telling_of_an_accounts_state_is_an_event_of_its_own() {
    let event = one(STATUS);
    assert_eq!((event.kind, &event.fate, event.item.as_str()), (EventKind::Account, &work(), STATUS));
    assert!(event.platform_id.starts_with("account|CREDENTIALS|"));
    assert_ne!(one(STATUS).id, event.id, "it may be signed out again");
}

#[test]
fn other_events_are_recorded() {
    for body in [RELATION.to_owned(), RECEIVED.replace("message_received", "message_pinned")] {
        let event = one(body);
        let fate = Fate::Record { owner: Some((source().account, source().id)) };
        assert_eq!((event.kind, event.fate), (EventKind::Other, fate));
    }
    let nameless = one(format!(r#"{{"account_id":"{ACCOUNT}","user":"x"}}"#));
    assert_eq!(nameless.kind, EventKind::Other);
}

#[test]
fn what_lacks_its_account_or_its_message_is_unreadable() {
    let long = "m".repeat(256);
    for body in [
        "",
        "[]",
        "null",
        "{",
        "{}",
        "event=message_received&account_id=aCc7LqW2Rqa0eSbwIKX9hw&message_id=m",
        r#"{"event":"message_received","message_id":"m"}"#,
        r#"{"event":"message_received","account_id":"","message_id":"m"}"#,
        r#"{"event":"message_received","account_id":"a"}"#,
        r#"{"event":"message_edited","account_id":"a","message_id":""}"#,
        r#"{"event":"message_edited","account_id":"a","message_id":"a\nb"}"#,
        r#"{"event":"message_edited","account_id":"a","account_id":"b","message_id":"m"}"#,
        r#"{"AccountStatus":"OK"}"#,
        r#"{"AccountStatus":{"message":"OK"}}"#,
        r#"{"AccountStatus":{"account_id":"a"}}"#,
        &format!(r#"{{"event":"message_received","account_id":"a","message_id":"{long}"}}"#),
    ] {
        let event = one(body);
        assert_eq!((event.kind, event.fate), (EventKind::Unreadable, Fate::Record { owner: None }), "{body}");
    }
    let of_account = one(RECEIVED.replace("mSg1XyZ", ""));
    assert_eq!(of_account.fate, Fate::Record { owner: Some((source().account, source().id)) });
    assert!(one([0xff, 0]).item.starts_with("\u{fffd}\u{fffd}"));
}

#[test]
fn the_secret_is_in_the_header_and_nothing_else_opens() {
    let shown = |name: &'static str, value: &'static str| {
        let proof = Unipile.proof(&move |asked: &str| (asked == name).then_some(value.as_bytes()));
        proof.map(|proof| match proof {
            Proof::Secret(given) => given,
            Proof::Signature(_) => b"a signature",
        })
    };
    assert_eq!(shown("unipile-auth", "newer"), Some(&b"newer"[..]));
    assert_eq!([shown("unipile-auth", ""), shown("authorization", "newer")], [None, None]);
    assert_eq!(Unipile.handshake("hub.mode=subscribe&hub.challenge=1", &"".into()), Err(HandshakeError::Token));
    assert_eq!(Unipile.bad_signature("").status, 401);
}
