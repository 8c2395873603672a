//! Webhooks as anybody may send them: what must hold of each, for [fuzzing](crate::fuzzing) and the mutations.

use secrecy::SecretString;
use serde_json::{Value, json, value::RawValue};

use super::{Kept, Post, Proof, Provider, meta::Meta, proof, prospecting, prospecting::Prospecting, unipile::Unipile};
use crate::{
    domain::{
        AccountId, AgencyId, SourceId, clock,
        directory::{Directory, Source},
        event::{EventKind, NewEvent, Scope, SourceKind},
        message::{Arrival, Happening, Owner},
        prospecting::Told,
    },
    platforms,
};

/// A page that is connected.
pub(super) const PAGE: &str = "987987987";
/// What the signature is made with.
const SECRET: &str = "the secret of the app, 32 letters";

pub(crate) fn directory() -> Directory {
    let claimed = [
        (SourceKind::Meta, PAGE),
        (SourceKind::Unipile, "aCc7LqW2Rqa0eSbwIKX9hw"),
        (SourceKind::Prospecting, "acc_00000000000000000000000001"),
    ];
    let sources = claimed.map(|(kind, external_id)| Source {
        id: SourceId::derive(&[external_id.as_bytes()]),
        agency: AgencyId::derive(&[b"agency"]),
        account: AccountId::derive(&[b"account"]),
        kind,
        external_id: external_id.to_owned(),
        name: String::new(),
        token: "".into(),
        app_secrets: Vec::new(),
        verify_token: None,
        enabled: true,
        api_url: None,
    });
    Directory { sources: sources.map(|source| (source.id, source)).into(), ..Directory::default() }.indexed()
}

/// Reads an item as each platform would; what is read must be fit to be stored and shown.
pub(crate) fn read(item: &str) {
    let owner = Owner {
        agency: AgencyId::derive(&[b"agency"]),
        account: AccountId::derive(&[b"account"]),
        source: SourceId::derive(&[b"source"]),
    };
    let received_at = clock::from_micros(1_798_675_200_000_000);
    let read = [
        platforms::meta::read(item, owner, PAGE, received_at, Arrival::Webhook),
        platforms::unipile::read(item, owner, received_at, Arrival::Webhook),
    ];
    for happening in read.into_iter().flatten() {
        let (json, at) = match &happening {
            Happening::Message(message) => (serde_json::to_value(message).expect("it is JSON"), message.timestamp),
            Happening::Change(change) => (serde_json::to_value(change).expect("it is JSON"), change.timestamp),
        };
        assert!((946_684_800..=1_798_761_600).contains(&at.timestamp()), "{json}");
        assert!(!json.to_string().contains("\\u0000"), "{json}");
        if matches!(happening, Happening::Message(_)) {
            assert!(json["is_sender"] == json!(0) || json["is_sender"] == json!(1), "{json}");
            assert!(json["attachments"].is_array() && json["platform_id"] != "" && json["chat_platform_id"] != "");
        }
    }
    let _ = platforms::unipile::account_state(item);
    let told = match platforms::prospecting::read(item, owner, received_at) {
        Ok(Told::Prospect(told)) => json!(told.update()),
        Ok(Told::Campaign(told)) => json!(told.lifecycle()),
        Ok(Told::Cost(told)) => json!(told.cost),
        Ok(Told::Alert(told)) => json!(told),
        Err(_) => json!(null),
    };
    assert!(!told.to_string().contains("\\u0000"), "{told}");
}

/// Answers a body at every address.
fn answer(provider: &dyn Provider, body: &[u8]) {
    let kept = Kept { at: clock::from_micros(0), took_ms: 1 };
    for path in prospecting::DOORS.into_iter().chain(["/webhook/x/src_1"]) {
        let post = Post { path, header: &|_| None, body };
        let answers = [Some(provider.accepted(post, kept)), provider.objection(post)];
        for answer in answers.into_iter().flatten().filter(|answer| answer.is_json) {
            serde_json::from_str::<Value>(&answer.body).expect("it is JSON");
        }
    }
}

/// A verified body: it is taken apart and read without a panic, and something is kept of it.
pub(super) fn payload(provider: &dyn Provider, body: &[u8]) -> Vec<NewEvent> {
    answer(provider, body);
    let events = provider.split(body, &directory(), Scope::Hub, None);
    assert!(!events.is_empty(), "nothing is kept of a body");
    for event in &events {
        assert!(!event.platform_id.is_empty(), "an event that can't be told from others: {}", event.item);
        if event.kind == EventKind::Message || event.kind.is_prospecting() {
            read(&event.item);
        }
    }
    events
}

/// A body of Meta's; and whatever JSON it is as an item between two good ones, in each of the lists: they are not hidden.
pub fn meta(body: &[u8]) {
    let neighbours = |kind: EventKind| -> [String; 2] {
        let at = |number: &str| match kind {
            EventKind::Message => format!(
                r#"{{"sender":{{"id":"7"}},"recipient":{{"id":"{PAGE}"}},"timestamp":1790000000000,"message":{{"mid":"m{number}","text":"x"}}}}"#
            ),
            _ => format!(r#"{{"field":"leadgen","value":{{"leadgen_id":"88800{number}","page_id":"{PAGE}"}}}}"#),
        };
        [at("1"), at("2")]
    };
    let entry = |list: &str, items: &str| format!(r#"{{"id":"{PAGE}","time":1790000000000,"{list}":[{items}]}}"#);
    let whole = |entries: &str| format!(r#"{{"object":"page","entry":[{entries}]}}"#);
    payload(&Meta, body);
    let Ok(item) = serde_json::from_slice::<&RawValue>(body) else { return };
    for (list, kind) in [("changes", EventKind::Lead), ("messaging", EventKind::Message)] {
        let [first, last] = neighbours(kind);
        let alone = payload(&Meta, whole(&entry(list, &format!("{first},{last}"))).as_bytes());
        let within = whole(&entry(list, &format!("{first},{item},{last}")));
        let between = whole(&format!("{},{item},{}", entry(list, &first), entry(list, &last)));
        for body in [within, between] {
            let events = payload(&Meta, body.as_bytes());
            for good in &alone {
                let found = events.iter().any(|event| event.platform_id == good.platform_id && event.kind == good.kind);
                assert!(found, "`{item}` hides the item beside it");
            }
        }
    }
}

/// A body of Unipile's is one event, and nothing of it is lost.
pub fn unipile(body: &[u8]) {
    one(&Unipile, body);
}

/// So is one of a prospecting database.
pub fn prospecting(body: &[u8]) {
    one(&Prospecting, body);
}

fn one(provider: &dyn Provider, body: &[u8]) {
    let events = payload(provider, body);
    assert_eq!(events.len(), 1);
}

/// A header, a line feed, a body: what is signed opens, and nothing else does. The header is a handshake's query as well.
pub fn signature(data: &[u8]) {
    let (given, body) = data.iter().position(|byte| *byte == b'\n').map_or((data, &[][..]), |at| {
        let (given, rest) = data.split_at(at);
        (given, &rest[1..])
    });
    let secrets = [SecretString::from(SECRET)];
    let right = loadtest::platform::meta::sign(body, SECRET);
    let opens_with =
        |secrets: &[SecretString], provider: &dyn Provider, value: &[u8]| match provider.proof(&|_| Some(value)) {
            Some(Proof::Secret(given)) => secrets.iter().any(|secret| proof::same(given, secret)),
            Some(Proof::Signature(signature)) => proof::signer(secrets, &signature, body).is_some(),
            None => false,
        };
    let opens = |provider: &dyn Provider, value: &[u8]| opens_with(&secrets, provider, value);
    let digits = |text: &[u8]| text.strip_prefix(b"sha256=").map(<[u8]>::to_ascii_lowercase);
    assert!(opens(&Meta, right.as_bytes()), "what is signed is refused");
    assert_eq!(opens(&Meta, given), digits(given) == digits(right.as_bytes()), "another signature counts");
    assert_eq!(opens(&Unipile, given), given == SECRET.as_bytes(), "another secret counts");
    let bearer = given.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "));
    let known = bearer && given[7..].trim_ascii() == SECRET.as_bytes();
    assert_eq!(opens(&Prospecting, given), known, "another token counts");
    for provider in super::ALL {
        assert!(!opens_with(&[], *provider, given), "no secret, and it opens");
        assert!(!opens_with(&["".into()], *provider, given), "an empty secret opens");
    }
    let query = String::from_utf8_lossy(given);
    if let Ok(challenge) = Meta.handshake(&query, &secrets[0]) {
        let token = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "hub.verify_token");
        assert!(token.is_some_and(|(_, token)| token == SECRET), "who does not know the token is answered");
        assert!(!challenge.is_empty() && !challenge.contains(char::is_control), "{challenge:?}");
    }
}
