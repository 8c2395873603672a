//! What stays of an envelope and of a raw webhook when what they tell of was deleted.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};

use crate::domain::Timestamp;

/// The type of a tombstone.
pub const ERASED: &str = "erased";
/// What stands in the place of an item, and of a body that is one.
pub(super) const GONE: &[u8] = br#"{"erased":true}"#;

/// A body without an item that stood in it. Where it does not stand as it is, because its bytes were mended, nothing is left.
pub(super) fn without(body: &[u8], item: &str) -> Vec<u8> {
    let item = item.as_bytes();
    let place = if item.is_empty() { None } else { body.windows(item.len()).position(|part| part == item) };
    match place {
        Some(at) => [&body[..at], GONE, &body[at + item.len()..]].concat(),
        None => GONE.to_vec(),
    }
}

/// When what an envelope tells of was written.
pub(super) fn written(envelope: &[u8]) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Head {
        payload: Payload,
    }
    #[derive(Deserialize)]
    struct Payload {
        timestamp: Timestamp,
    }
    serde_json::from_slice::<Head>(envelope).ok().map(|head| head.payload.timestamp)
}

/// Whether an envelope only says that something was deleted: who resumes must hear that.
pub(super) fn is_farewell(envelope: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Head {
        r#type: String,
        payload: Payload,
    }
    #[derive(Deserialize)]
    struct Payload {
        #[serde(default)]
        deleted: Value,
    }
    serde_json::from_slice::<Head>(envelope).is_ok_and(|head| match head.r#type.as_str() {
        "lead:updated" => head.payload.deleted == Value::Bool(true),
        "chat:deleted" | "message:erased" | "prospect:deleted" | "campaign:deleted" => true,
        _ => false,
    })
}

/// What stays of an envelope: its place, id and time.
pub(super) fn tombstone(envelope: &[u8]) -> Vec<u8> {
    #[derive(Serialize, Deserialize)]
    struct Kept<'a> {
        #[serde(borrow)]
        id: &'a RawValue,
        #[serde(borrow)]
        position: &'a RawValue,
        #[serde(borrow)]
        prev: &'a RawValue,
        #[serde(borrow)]
        room: &'a RawValue,
        #[serde(borrow)]
        account: &'a RawValue,
        #[serde(borrow)]
        timestamp: &'a RawValue,
    }
    #[derive(Serialize)]
    struct Tombstone<'a> {
        r#type: &'static str,
        #[serde(flatten)]
        kept: Option<Kept<'a>>,
        payload: Map<String, Value>,
    }
    let kept = serde_json::from_slice(envelope).ok();
    serde_json::to_vec(&Tombstone { r#type: ERASED, kept, payload: Map::new() }).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_cut_out_and_the_others_stay() {
        let body = br#"{"entry":[{"a":1},{"b":2}]}"#;
        assert_eq!(without(body, r#"{"a":1}"#), br#"{"entry":[{"erased":true},{"b":2}]}"#);
        assert_eq!(without(body, "another"), GONE);
        assert_eq!(without(body, ""), GONE);
    }

    #[test]
    fn what_only_says_that_something_was_deleted_stays() {
        assert!(is_farewell(br#"{"type":"lead:updated","payload":{"lead":{"id":"lead_1"},"deleted":true}}"#));
        assert!(is_farewell(br#"{"type":"chat:deleted","payload":{"id":"chat_1"}}"#));
        assert!(!is_farewell(br#"{"type":"lead:updated","payload":{"lead":{"id":"lead_1","notes":"x"}}}"#));
        assert!(!is_farewell(br#"{"type":"message:new","payload":{"deleted":0,"text":"x"}}"#));
        assert!(!is_farewell(b"broken"));
    }

    #[test]
    fn a_tombstone_keeps_place_id_and_time_and_nothing_else() {
        let envelope = br#"{"type":"new_lead","id":"evt_1","position":"1-2","prev":"1-1","room":"account:acc_1",
            "account":"acc_1","timestamp":"2026-12-01T00:00:00.000Z","payload":{"lead":{"name":"Joe"}}}"#;
        let left: Value = serde_json::from_slice(&tombstone(envelope)).unwrap();
        let expected = serde_json::json!({
            "type": "erased", "id": "evt_1", "position": "1-2", "prev": "1-1", "room": "account:acc_1", "account": "acc_1",
            "timestamp": "2026-12-01T00:00:00.000Z", "payload": {},
        });
        assert_eq!(left, expected);
        assert_eq!(tombstone(b"broken"), br#"{"type":"erased","payload":{}}"#);
    }
}
