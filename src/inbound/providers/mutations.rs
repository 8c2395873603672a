//! Whatever comes in, nothing panics: bodies like the samples with anything in any place, taken apart by every provider
//! and read by every reader.

use proptest::{collection::vec, prelude::*, sample::Index};
use serde_json::{Map, Value, json};

use super::{
    ALL,
    fuzz::{PAGE, payload, read},
};

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

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_whatever_comes_in(body in body(), cut in any::<Index>()) {
        let text = body.to_string();
        let cut = &text.as_bytes()[..cut.index(text.len() + 1)];
        read(&text);
        read(&String::from_utf8_lossy(cut));
        for provider in ALL {
            payload(*provider, text.as_bytes());
            payload(*provider, cut);
        }
    }
}
