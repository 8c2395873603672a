//! The documented bodies and the variance of the real ones.

use serde_json::{Value, json};

use super::{ListedMessage, Surroundings, account_state, read};
use crate::{
    domain::{
        AccountId, AgencyId, SourceId, Timestamp, clock,
        envelope::SourceState,
        message::{Arrival, Happening, MessageChange, Owner},
    },
    platforms::Unreadable,
};

macro_rules! sample {
    ($name:literal) => {
        include_str!(concat!("../../inbound/providers/unipile/samples/", $name, ".json"))
    };
}

/// Members of a message that are the same in all of them.
const USUAL: &str = r#"{"object":"Message","attachments":[],"reactions":[],"seen":0,"seen_by":{},"hidden":0,"deleted":0,
    "edited":0,"is_event":0,"delivered":1,"is_sender":0,"sent_by_autopilot":false,"behavior":null,"quoted":null,
    "reply_to":null,"event_type":null,"replies":null,"reply_by":null,"parent":null,"subject":null,"message_type":null,
    "attendee_type":null,"attendee_distance":null,"sender_urn":null,"created_at":"2026-12-31T00:00:00.000Z"}"#;

fn owner() -> Owner {
    Owner {
        agency: AgencyId::derive(&[b"agency"]),
        account: AccountId::derive(&[b"account"]),
        source: SourceId::derive(&[b"source"]),
    }
}

/// The end of the year 2026.
fn received_at() -> Timestamp {
    clock::from_micros(1_798_675_200_000_000)
}

fn try_read(item: &str) -> Result<Happening, Unreadable> {
    read(item, owner(), received_at(), Arrival::Webhook)
}

fn message(item: &str) -> Value {
    match try_read(item).unwrap() {
        Happening::Message(message) => serde_json::to_value(message).unwrap(),
        Happening::Change(change) => panic!("{change:?}"),
    }
}

fn change(item: &str) -> MessageChange {
    match try_read(item).unwrap() {
        Happening::Change(change) => *change,
        Happening::Message(message) => panic!("{message:?}"),
    }
}

/// An object with some members more, or in place of its own.
fn changed(mut object: Value, mut members: Value) -> Value {
    object.as_object_mut().unwrap().append(members.as_object_mut().unwrap());
    object
}

/// A sample with some members in place of its own.
fn with(sample: &str, members: Value) -> String {
    changed(serde_json::from_str(sample).unwrap(), members).to_string()
}

/// What all messages of the samples have in common, changed by `members`.
fn expected(message: &str, chat: &str, members: Value) -> Value {
    let expected: Value = serde_json::from_str(USUAL).unwrap();
    let named = json!({
        "id": owner().message(message), "agency_id": owner().agency, "account_id": owner().account,
        "source_id": owner().source, "chat_id": owner().chat(chat), "platform_id": message, "chat_platform_id": chat,
        "provider_id": message, "chat_provider_id": chat, "arrival": "webhook",
    });
    changed(changed(expected, named), members)
}

#[test]
fn a_message_of_another_person_is_read_whole() {
    let text = " Is the flat still free? \u{2764}\u{fe0f}\n";
    let members = json!({
        "account_type": "LINKEDIN", "provider_id": "2-bXNn", "chat_provider_id": "2-Y2hhdA==",
        "chat_name": "Jane Example", "sender_id": "ACoAAjane", "sender_attendee_id": "att_1",
        "sender_name": "Jane Example", "text": text, "original": text, "timestamp": "2026-07-06T09:43:27.002Z",
        "message_type": "MESSAGE",
    });
    assert_eq!(message(sample!("message_received")), expected("mSg1XyZ", "ChAt7PQxT9GlzPsyi0Y6CQ", members));
}

#[test]
fn an_own_message_is_known_by_who_sent_it_and_its_chat_is_named_after_the_other() {
    let members = json!({
        "account_type": "LINKEDIN", "provider_id": "2-bXNnMg==", "chat_provider_id": "2-Y2hhdA==", "is_sender": 1,
        "delivered": 0, "chat_name": "Jane Example", "sender_id": "ACoAAown", "sender_attendee_id": "att_0",
        "sender_name": "Our Agent", "text": "It is.", "original": "It is.", "timestamp": "2026-07-06T09:44:00.000Z",
        "subject": "The flat", "message_type": "INMAIL", "behavior": 0, "reply_to": {"id": "mSg1XyZ"},
        "quoted": {"provider_id": "2-bXNn", "sender_id": "ACoAAjane", "text": "Is the flat still free?",
            "attachments": []},
    });
    assert_eq!(message(sample!("own_message")), expected("mSg2XyZ", "ChAt7PQxT9GlzPsyi0Y6CQ", members));
}

#[test]
fn a_minimal_body_is_a_message() {
    let members = json!({
        "account_type": "WHATSAPP", "chat_name": "Max", "sender_id": "33612345678@s.whatsapp.net",
        "sender_attendee_id": "att_9", "sender_name": "Max", "text": "salut", "original": "salut",
        "timestamp": "2026-02-03T04:05:06.007Z",
    });
    assert_eq!(message(sample!("minimal")), expected("mSgWa", "ChAtWa", members));
    let least = r#"{"event":"message_received","account_id":"a","chat_id":"c","message_id":"m"}"#;
    let members = json!({
        "account_type": "UNKNOWN", "chat_name": null, "sender_id": null, "sender_attendee_id": null,
        "sender_name": null, "text": null, "original": null, "timestamp": "2026-12-31T00:00:00.000Z",
    });
    assert_eq!(message(least), expected("m", "c", members));
}

#[test]
fn the_older_spelling_a_lone_attachment_and_an_event_are_read() {
    let members = json!({
        "account_type": "INSTAGRAM", "provider_id": "instagram_msg_789", "chat_provider_id": "instagram_chat_456",
        "chat_name": "John Doe", "sender_id": "instagram_user_123", "sender_attendee_id": "user_123",
        "sender_name": "John Doe", "text": null, "original": null, "timestamp": "2024-01-01T12:00:00.000Z",
        "is_event": 1, "event_type": 3,
        "attachments": [{"id": "a_1", "type": "img", "size": {"width": "640", "height": "480"}, "unavailable": false}],
    });
    assert_eq!(message(sample!("setdm")), expected("msg_789", "chat_456", members));
}

#[test]
fn flags_may_be_written_in_any_way() {
    for (written, flag) in
        [(json!(true), 1), (json!(1), 1), (json!("1"), 1), (json!(0), 0), (json!(false), 0), (json!(null), 0)]
    {
        let item = with(sample!("minimal"), json!({"is_sender": written, "is_event": written, "seen": written}));
        let message = message(&item);
        assert_eq!([&message["is_sender"], &message["is_event"], &message["seen"]], [&json!(flag); 3], "{written}");
        assert_eq!(message["chat_name"], if flag == 1 { json!(null) } else { json!("Max") }, "never our own");
    }
    let contradicted = with(sample!("own_message"), json!({"is_sender": false}));
    assert_eq!(message(&contradicted)["is_sender"], 1);
    let nobody = with(sample!("minimal"), json!({"sender": null, "account_info": {"user_id": null}}));
    assert_eq!(message(&nobody)["is_sender"], 0, "two that are not there are not the same");
}

#[test]
fn a_group_is_named_after_nobody() {
    let item = with(sample!("message_received"), json!({"is_group": 1}));
    assert_eq!((&message(&item)["chat_name"], &message(&item)["sender_name"]), (&json!(null), &json!("Jane Example")));
}

#[test]
fn a_time_that_can_not_be_is_that_of_the_webhook() {
    for time in
        [json!(null), json!(0), json!(""), json!("soon"), json!("1999-01-01T00:00:00Z"), json!("2027-01-02T00:00:00Z")]
    {
        let item = with(sample!("minimal"), json!({"timestamp": time}));
        assert_eq!(message(&item)["timestamp"], "2026-12-31T00:00:00.000Z", "{time}");
    }
}

#[test]
fn nul_and_half_characters_are_replaced() {
    let item = sample!("minimal").replace("salut", r"\u0000\ud83d\ude00\ud83d");
    assert_eq!(message(&item)["text"], "\u{fffd}\u{1f600}\u{fffd}");
}

#[test]
fn changes_name_message_chat_and_time() {
    for (item, kind, id, chat, at) in [
        (sample!("message_reaction"), "reaction", "mSg2XyZ", "ChAt7PQxT9GlzPsyi0Y6CQ", "2026-07-06T09:45:00.000Z"),
        (sample!("message_read"), "read", "mSgWa2", "ChAtWa", "2026-02-03T04:06:06.007Z"),
        (sample!("message_delivered"), "delivered", "mSgWa2", "ChAtWa", "2026-02-03T04:06:05.007Z"),
        (sample!("message_edited"), "edited", "mSg1XyZ", "ChAt7PQxT9GlzPsyi0Y6CQ", "2026-07-06T09:46:00.000Z"),
        (sample!("message_deleted"), "deleted", "mSg1XyZ", "ChAt7PQxT9GlzPsyi0Y6CQ", "2026-07-06T09:47:00.000Z"),
    ] {
        let mut expected = json!({
            "change": kind, "id": owner().message(id), "platform_id": id, "agency_id": owner().agency, "account_id": owner().account,
            "source_id": owner().source, "chat_id": owner().chat(chat), "timestamp": at,
        });
        match kind {
            "reaction" => expected["reaction"] = json!({"value": "😄", "sender_id": "ACoAAjane", "is_sender": 0}),
            "edited" => expected["text"] = json!("Is the house still free?"),
            "delivered" => expected["is_sender"] = json!(1),
            _ => {}
        }
        assert_eq!(serde_json::to_value(change(item)).unwrap(), expected);
    }
}

#[test]
fn a_change_needs_no_more_than_its_message() {
    let least = change(r#"{"event":"message_reaction","account_id":"a","message_id":"m"}"#);
    assert_eq!((least.id, least.chat, least.timestamp), (Some(owner().message("m")), None, received_at()));
    assert_eq!(
        least.reaction.map(|reaction| (reaction.value, reaction.sender_id)),
        Some((String::new(), String::new()))
    );
    let emptied = change(r#"{"event":"message_edited","account_id":"a","message_id":"m","message":""}"#);
    assert_eq!(emptied.text.as_deref(), Some(""));
    let own = with(sample!("message_reaction"), json!({"reaction_sender": {"provider_id": "ACoAAown"}}));
    assert!(change(&own).reaction.unwrap().is_sender.0);
}

const LISTED: &str = r#"{"object":"Message","id":"mSg9","account_id":"acc","chat_id":"ChAt","chat_provider_id":"2-c",
    "provider_id":"2-m","sender_id":"ACoAAjane","sender_attendee_id":"att","text":"hi","timestamp":"2026-06-26T07:55:46.625Z",
    "is_sender":0,"attachments":[],"reactions":[{"value":"x","sender_id":"ACoAAown","is_sender":1}],"seen":0,"seen_by":{},
    "hidden":0,"deleted":0,"edited":0,"is_event":0,"delivered":1,"behavior":null,"original":"{\"raw\":1}","subject":null,
    "message_type":"MESSAGE","attendee_type":"MEMBER","attendee_distance":1}"#;

#[test]
fn a_message_of_a_list_is_read_whole_and_marked_as_such() {
    let listed = ListedMessage::read(LISTED).unwrap();
    assert_eq!((listed.id.as_str(), listed.chat.as_str(), listed.account.as_str()), ("mSg9", "ChAt", "acc"));
    let around = Surroundings {
        account_type: Some("LINKEDIN".to_owned()),
        chat_name: Some("Jane".to_owned()),
        sender_name: Some("Jane".to_owned()),
        was_read: true,
    };
    let members = json!({
        "account_type": "LINKEDIN", "provider_id": "2-m", "chat_provider_id": "2-c", "chat_name": "Jane",
        "sender_id": "ACoAAjane", "sender_attendee_id": "att", "sender_name": "Jane", "text": "hi", "original": "hi",
        "timestamp": "2026-06-26T07:55:46.625Z", "seen": 1, "arrival": "sync", "message_type": "MESSAGE",
        "attendee_type": "MEMBER", "attendee_distance": 1,
        "reactions": [{"value": "x", "sender_id": "ACoAAown", "is_sender": 1}],
    });
    assert_eq!(message(&listed.clone().in_its_surroundings(around)), expected("mSg9", "ChAt", members));
    let alone = message(&listed.in_its_surroundings(Surroundings::default()));
    assert_eq!(
        (&alone["account_type"], &alone["chat_name"], &alone["seen"]),
        (&json!("UNKNOWN"), &json!(null), &json!(0))
    );
}

#[test]
fn what_became_of_a_listed_message_stands_in_it() {
    let taken_back = message(&with(LISTED, json!({"deleted": 1, "text": null, "is_sender": 1, "delivered": 0})));
    let read = ["deleted", "text", "is_sender", "delivered"].map(|key| taken_back[key].clone());
    assert_eq!(json!(read), json!([1, null, 1, 0]));
    let edited = message(&with(LISTED, json!({"edited": 1})));
    assert_eq!((&edited["edited"], &edited["text"], &edited["original"]), (&json!(1), &json!("hi"), &json!(null)));
    for lacking in ["id", "chat_id", "account_id", "timestamp"] {
        assert!(ListedMessage::read(&with(LISTED, json!({lacking: null}))).is_err(), "{lacking}");
    }
}

#[test]
fn what_says_nothing_of_a_message_is_unreadable_and_says_why() {
    for (item, reason) in [
        (sample!("new_relation"), "it is of a kind that says nothing of a message"),
        (r#"{"event":"message_received","account_id":"a","chat_id":"c"}"#, "it says of no message"),
        (r#"{"event":"message_received","account_id":"a","message_id":"m"}"#, "a message in no chat"),
        (r#"{"event":"message_edited","account_id":"a","message_id":"m"}"#, "an edit without a text"),
        ("[]", "it is no object"),
    ] {
        assert_eq!(try_read(item).unwrap_err().to_string(), reason, "{item}");
    }
}

#[test]
fn states_of_accounts_say_what_to_do() {
    let state = |word: &str| account_state(&sample!("account_status").replace("CREDENTIALS", word));
    for (word, expected) in [
        ("OK", SourceState::Healthy),
        ("CREATION_SUCCESS", SourceState::Healthy),
        ("RECONNECTED", SourceState::Healthy),
        ("SYNC_SUCCESS", SourceState::Healthy),
        ("CONNECTING", SourceState::Throttled),
        ("CREDENTIALS", SourceState::TokenInvalid),
        ("PERMISSIONS", SourceState::TokenInvalid),
        ("DELETED", SourceState::TokenInvalid),
        ("ERROR", SourceState::Failing),
        ("STOPPED", SourceState::Failing),
    ] {
        let (state, reason) = state(word).unwrap();
        assert_eq!((state, reason.is_empty()), (expected, expected == SourceState::Healthy), "{word}");
    }
    assert_eq!(state("PAUSED").unwrap_err().to_string(), "`PAUSED` is not a known state of an account");
    for item in [sample!("minimal"), "{}", "[]", "", r#"{"AccountStatus":"OK"}"#, r#"{"AccountStatus":{}}"#] {
        assert!(account_state(item).is_err(), "{item}");
    }
}
