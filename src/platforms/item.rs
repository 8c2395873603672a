//! What platforms send, read leniently: the kinds of values, times, and text that a database can hold.

use chrono::{DateTime, Datelike, SubsecRound, TimeDelta};
use serde_json::{Map, Value};

use super::{SENT_BY_HUB, Unreadable};
use crate::domain::{
    Timestamp,
    message::{Arrival, Flag},
};

/// Longest id that is taken as one.
const LONGEST_ID: usize = 255;

/// The object that a kept item is, without U+0000.
pub fn object(item: &str) -> Result<Map<String, Value>, Unreadable> {
    let value = serde_json::from_str(item).or_else(|_| serde_json::from_str(&paired(item)));
    match value.map(|value| without_nul(&value)) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(Unreadable::because("it is no object")),
        Err(error) => Err(Unreadable::because(format!("it is no JSON: {error}"))),
    }
}

/// The same JSON with U+FFFD for each half of a pair that escapes a character: platforms cut text within an emoji, and
/// such a half is no text.
fn paired(json: &str) -> String {
    let mut mended = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        mended.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = match (unit(rest), rest.get(6..).and_then(unit)) {
            (Some(0xd800..0xdc00), Some(0xdc00..0xe000)) => 12,
            (Some(0xd800..0xe000), _) => {
                mended.push(char::REPLACEMENT_CHARACTER);
                rest = &rest[6..];
                continue;
            }
            _ => rest.ceil_char_boundary(2.min(rest.len())),
        };
        mended.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    mended + rest
}

/// The number in the `\u12ab` that the text begins with.
fn unit(text: &str) -> Option<u16> {
    u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

/// A text that says something, or a number as text.
pub fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// An id: any text, but of a length, and of one line.
pub fn id(value: Option<&Value>) -> Option<String> {
    text(value).filter(|id| id.len() <= LONGEST_ID && !id.contains(char::is_control))
}

/// A number, or a text that is one.
pub fn number(value: Option<&Value>) -> Option<f64> {
    let number = match value? {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

/// Whether a flag is set, however it is written.
pub fn flag(value: Option<&Value>) -> bool {
    value.is_some_and(|value| Flag::of(value).0)
}

/// How the message of an item came: one that the hub has sent says so itself.
pub fn arrived(item: &Map<String, Value>, arrival: Arrival) -> Arrival {
    if arrival == Arrival::Webhook && flag(item.get(SENT_BY_HUB)) { Arrival::Sent } else { arrival }
}

/// A list, however it is written: one thing may come without it.
pub fn list(value: Option<&Value>) -> Vec<Value> {
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) => items.iter().filter(|item| !item.is_null()).cloned().collect(),
        Some(Value::Object(members)) if members.is_empty() => Vec::new(),
        Some(Value::String(text)) if text.is_empty() => Vec::new(),
        Some(one) => vec![one.clone()],
    }
}

/// A time at which something can have happened that came at `received_at`.
pub fn happened(value: Option<&Value>, received_at: Timestamp) -> Option<Timestamp> {
    let at = moment(value?)?;
    (at.year() >= 2000 && at.signed_duration_since(received_at) <= TimeDelta::days(1)).then_some(at)
}

/// A time as Meta writes it (`+0000`, which RFC 3339 doesn't allow), as RFC 3339 has it, or in seconds or milliseconds
/// since 1970. One that is out of all reason is none.
pub fn moment(value: &Value) -> Option<Timestamp> {
    let at = match value {
        Value::String(text) => {
            let text = text.trim();
            DateTime::parse_from_rfc3339(text)
                .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
                .map(|at| at.to_utc())
                .ok()
                .or_else(|| epoch(text.parse().ok()?))
        }
        Value::Number(number) => epoch(number.as_i64()?),
        _ => None,
    }?;
    (1970..=9999).contains(&at.year()).then(|| at.trunc_subsecs(6))
}

/// Seconds until the year 5138, milliseconds from 1973 on.
fn epoch(number: i64) -> Option<Timestamp> {
    if number >= 100_000_000_000 {
        DateTime::from_timestamp_millis(number)
    } else {
        DateTime::from_timestamp(number, 0)
    }
}

/// A copy without U+0000, which PostgreSQL can't hold. Recurses no deeper than the JSON parser lets a value be nested.
pub fn without_nul(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(replaced(text)),
        Value::Array(items) => Value::Array(items.iter().map(without_nul).collect()),
        Value::Object(members) => {
            let members: Map<_, _> =
                members.iter().map(|(name, member)| (replaced(name), without_nul(member))).collect();
            Value::Object(members)
        }
        other => other.clone(),
    }
}

fn replaced(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text_of(json: &str) -> Option<String> {
        text(object(&format!(r#"{{"a":"{json}"}}"#)).unwrap().get("a"))
    }

    #[test]
    fn half_a_character_spoils_no_text() {
        assert_eq!(text_of(r"\ud83d\ude00").as_deref(), Some("\u{1f600}"));
        assert_eq!(text_of(r"a\ud83d").as_deref(), Some("a\u{fffd}"));
        assert_eq!(text_of(r"\ude00\ud83d\ude00\ud83db").as_deref(), Some("\u{fffd}\u{1f600}\u{fffd}b"));
        assert_eq!(text_of(r"\\ud83d\ud83d").as_deref(), Some("\\ud83d\u{fffd}"));
        assert_eq!(text_of(r"\ud83d\n\u00e4\u0000ä").as_deref(), Some("\u{fffd}\n\u{e4}\u{fffd}\u{e4}"));
        for broken in [r#"{"a":"\"#, r#"{"a":"\u"#, r#"{"a":"\ud83d"#, r#"{"a":"\ä"}"#, r#"{"a":"\ud83ä"}"#, "\\", ""]
        {
            assert!(object(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn what_is_no_object_is_unreadable_and_says_why() {
        assert_eq!(object("[]"), Err(Unreadable::because("it is no object")));
        assert!(object("{").unwrap_err().to_string().starts_with("it is no JSON"));
        assert!(object(&"[".repeat(100_000)).is_err());
    }

    #[test]
    fn a_list_is_a_list_however_it_is_written() {
        for (written, expected) in [
            (json!(null), json!([])),
            (json!([]), json!([])),
            (json!({}), json!([])),
            (json!(""), json!([])),
            (json!({"id": 1}), json!([{"id": 1}])),
            (json!([{"id": 1}, null, {}]), json!([{"id": 1}, {}])),
        ] {
            assert_eq!(json!(list(Some(&written))), expected, "{written}");
        }
        assert!(list(None).is_empty());
    }

    #[test]
    fn an_id_is_of_a_length_and_of_one_line() {
        assert_eq!(id(Some(&json!("1@s.whatsapp.net"))).as_deref(), Some("1@s.whatsapp.net"));
        assert_eq!(id(Some(&json!(u64::MAX))), Some(u64::MAX.to_string()));
        for none in [json!(null), json!(""), json!("a\nb"), json!(true), json!({}), json!("m".repeat(256))] {
            assert_eq!(id(Some(&none)), None, "{none}");
        }
        assert!(id(Some(&json!("m".repeat(255)))).is_some());
    }

    #[test]
    fn a_time_that_can_not_be_is_none() {
        let received_at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let at = |value: Value| happened(Some(&value), received_at);
        let expected = DateTime::from_timestamp_millis(1_458_692_752_478);
        assert_eq!(at(json!(1_458_692_752_478_i64)), expected);
        assert_eq!(at(json!("1458692752478")), expected);
        assert_eq!(at(json!("2016-03-23T00:25:52.478Z")), expected);
        assert_eq!(at(json!(1_800_086_400)), Some(received_at + TimeDelta::days(1)));
        for none in
            [json!(0), json!("0"), json!(1_800_086_401), json!("1999-12-31T23:59:59Z"), json!(-1), json!(""), json!({})]
        {
            assert_eq!(at(none.clone()), None, "{none}");
        }
    }
}
