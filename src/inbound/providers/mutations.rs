//! Whatever comes in, nothing panics: bodies like the samples with anything in any place, taken apart by every provider
//! and read by every reader.

use proptest::{collection::vec, prelude::*, sample::Index};
use serde_json::{Map, Value, json};

use super::{ALL, Kept, Post, Provider, prospecting};
use crate::{
    domain::{
        AccountId, AgencyId, SourceId, clock,
        directory::{Directory, Source},
        event::{EventKind, Scope, SourceKind},
        message::{Arrival, Happening, Owner},
        prospecting::Told,
    },
    platforms,
};

const PAGE: &str = "987987987";
const SAMPLES: [&str; 25] = [
    include_str!("meta/samples/messenger.json"),
    include_str!("meta/samples/instagram.json"),
    include_str!("unipile/samples/message_received.json"),
    include_str!("unipile/samples/own_message.json"),
    include_str!("unipile/samples/minimal.json"),
    include_str!("unipile/samples/setdm.json"),
    include_str!("unipile/samples/message_reaction.json"),
    include_str!("unipile/samples/message_read.json"),
    include_str!("unipile/samples/message_delivered.json"),
    include_str!("unipile/samples/message_edited.json"),
    include_str!("unipile/samples/message_deleted.json"),
    include_str!("unipile/samples/account_status.json"),
    include_str!("prospecting/samples/lead_insert.json"),
    include_str!("prospecting/samples/lead_status.json"),
    include_str!("prospecting/samples/lead_nested.json"),
    include_str!("prospecting/samples/alert_daily.json"),
    include_str!("prospecting/samples/alert_nested.json"),
    include_str!("prospecting/samples/campaign_completed.json"),
    include_str!("prospecting/samples/campaign_nested.json"),
    include_str!("prospecting/samples/campaign_progress.json"),
    include_str!("prospecting/samples/own_lead.json"),
    include_str!("prospecting/samples/own_cost.json"),
    include_str!("prospecting/samples/row_lead.json"),
    include_str!("prospecting/samples/row_campaign.json"),
    include_str!("prospecting/samples/row_cost.json"),
];

/// Values that readers stumble over, and any other.
fn value() -> impl Strategy<Value = Value> {
    let traps = vec![
        json!(null),
        json!(""),
        json!("\0"),
        json!("\u{202e}\n"),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1e308),
        json!("-999999999999999999999"),
        json!("+262143-12-31T23:59:59Z"),
        json!([[[{}]]]),
        json!({"id": {"id": 1}, "mid": [], "name": 7}),
        json!("x".repeat(300)),
        json!(PAGE),
    ];
    let leaf = prop_oneof![
        proptest::sample::select(traps),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let members = vec((any::<String>(), inner.clone()), 0..4);
        let object = members.prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>()));
        prop_oneof![vec(inner, 0..4).prop_map(Value::from), object]
    })
}

/// Every place in a value.
fn places<'v>(value: &'v mut Value, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let step = |key: String, inner: &'v mut Value, path: &mut Vec<String>, found: &mut Vec<Vec<String>>| {
        path.push(key);
        found.push(path.clone());
        places(inner, path, found);
        path.pop();
    };
    match value {
        Value::Object(members) => members.iter_mut().for_each(|(key, inner)| step(key.clone(), inner, path, found)),
        Value::Array(items) => {
            items.iter_mut().enumerate().for_each(|(at, inner)| step(at.to_string(), inner, path, found));
        }
        _ => {}
    }
}

/// A sample with some of its values replaced.
fn body() -> impl Strategy<Value = Value> {
    (proptest::sample::select(&SAMPLES[..]), vec((any::<Index>(), value()), 0..4)).prop_map(|(sample, changes)| {
        let mut body: Value = serde_json::from_str(sample).unwrap();
        for (at, new) in changes {
            let mut found = Vec::new();
            places(&mut body, &mut Vec::new(), &mut found);
            if !found.is_empty() {
                let pointer = found[at.index(found.len())]
                    .iter()
                    .fold(String::new(), |path, key| path + "/" + &key.replace('~', "~0").replace('/', "~1"));
                *body.pointer_mut(&pointer).unwrap() = new;
            }
        }
        body
    })
}

fn directory() -> Directory {
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
fn read(item: &str) {
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
            Happening::Message(message) => (serde_json::to_value(message).unwrap(), message.timestamp),
            Happening::Change(change) => (serde_json::to_value(change).unwrap(), change.timestamp),
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
            serde_json::from_str::<Value>(&answer.body).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_whatever_comes_in(body in body(), cut in any::<Index>()) {
        let (text, directory) = (body.to_string(), directory());
        read(&text);
        let cut = &text.as_bytes()[..cut.index(text.len() + 1)];
        read(&String::from_utf8_lossy(cut));
        for provider in ALL {
            answer(*provider, text.as_bytes());
            answer(*provider, cut);
            for event in [provider.split(text.as_bytes(), &directory, Scope::Hub, None), provider.split(cut, &directory, Scope::Hub, None)].concat() {
                prop_assert!(!event.platform_id.is_empty());
                if event.kind == EventKind::Message || event.kind.is_prospecting() {
                    read(&event.item);
                }
            }
        }
    }
}
