//! The shape of Meta's bodies, read leniently.
//!
//! Every item stays raw text until it is its turn, so that a bad one spoils no other. What is neither written nor needed
//! is not looked at.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::raw::text;

/// Longest id: real ones have 15 to 17 digits.
const LONGEST_ID: usize = 40;

/// A POST.
#[derive(Deserialize)]
pub struct Body<'a> {
    /// `page`, `instagram`, and others that the hub does nothing with.
    #[serde(borrow)]
    pub object: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub entry: Items<'a>,
}

/// What happened to one object; several in a POST may be about different pages.
#[derive(Deserialize)]
pub struct Entry<'a> {
    /// The page.
    #[serde(borrow)]
    pub id: Option<&'a RawValue>,
    /// When the POST was sent: seconds beside `changes`, milliseconds beside `messaging`.
    #[serde(borrow)]
    pub time: Option<&'a RawValue>,
    /// [`Change`]s. Their names alone (`changed_fields`) come instead where the subscription is set to leave values out.
    #[serde(borrow, default)]
    pub changes: Items<'a>,
    /// What happened in conversations.
    #[serde(borrow, default)]
    pub messaging: Items<'a>,
    /// The same, while another app owns the conversation.
    #[serde(borrow, default)]
    pub standby: Items<'a>,
}

/// One changed field.
#[derive(Deserialize)]
pub struct Change<'a> {
    #[serde(borrow)]
    pub field: Option<&'a RawValue>,
    #[serde(borrow)]
    pub value: Option<&'a RawValue>,
}

/// The value of a change in `leadgen`. It has no answers in it, only what to ask for.
#[derive(Deserialize)]
pub struct LeadNotice<'a> {
    #[serde(borrow)]
    pub leadgen_id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub page_id: Option<&'a RawValue>,
}

/// The value of a change in `messages` that the test button sends.
#[derive(Deserialize)]
pub struct PageOnly<'a> {
    #[serde(borrow)]
    pub page_id: Option<&'a RawValue>,
}

/// An id that is there but is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadId;

/// An id: digits, as a string or as a number. Taken from the text, so that one beyond 2^53 stays what it is.
pub fn id(raw: Option<&RawValue>) -> Result<Option<Cow<'_, str>>, BadId> {
    let Some(raw) = raw else { return Ok(None) };
    let id = text(Some(raw)).ok_or(BadId)?;
    let digits = (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit());
    if digits { Ok(Some(id)) } else { Err(BadId) }
}

/// A list whose items stay raw, or what stands in its place.
#[derive(Default)]
pub enum Items<'a> {
    /// Not there, or `null`.
    #[default]
    Absent,
    /// Each on its own.
    List(Vec<&'a RawValue>),
    /// There, and no list.
    Malformed,
}

impl<'a> Items<'a> {
    /// The items, and whether this was a list or absent, as it should be.
    pub fn into_list(self) -> (Vec<&'a RawValue>, bool) {
        match self {
            Self::Absent => (Vec::new(), true),
            Self::List(items) => (items, true),
            Self::Malformed => (Vec::new(), false),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Items<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(ItemsVisitor)
    }
}

struct ItemsVisitor;

impl<'de> Visitor<'de> for ItemsVisitor {
    type Value = Items<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Items::List(items))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Items::Absent)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Items::Malformed)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Items::Malformed)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Items::Malformed)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Items::Malformed)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Items::Malformed)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Items::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::raw::read, *};

    fn id_of(json: &str) -> Result<Option<String>, BadId> {
        let raw: Option<&RawValue> = serde_json::from_str(json).unwrap();
        id(raw).map(|id| id.map(Cow::into_owned))
    }

    #[test]
    fn an_id_is_digits_as_text_or_as_a_number_and_stays_exact() {
        assert_eq!(id_of("153125381133"), Ok(Some("153125381133".to_owned())));
        assert_eq!(id_of("\"987987987\""), Ok(Some("987987987".to_owned())));
        assert_eq!(id_of("18446744073709551615"), Ok(Some(u64::MAX.to_string())));
        assert_eq!(id_of("9007199254740993"), Ok(Some("9007199254740993".to_owned())));
        assert_eq!(id_of(r#""\u0031\u0032""#), Ok(Some("12".to_owned())));
        assert_eq!(id_of("null"), Ok(None));
    }

    #[test]
    fn what_is_no_id_is_told_from_one_that_is_missing() {
        for bad in ["\"\"", "1.0", "1e5", "-1", "\"-1\"", "\" 1\"", "\"1/../2\"", "true", "{}", "[1]", r#""\ud800""#] {
            assert_eq!(id_of(bad), Err(BadId), "{bad}");
        }
        assert_eq!(id_of(&"9".repeat(41)), Err(BadId));
    }

    #[test]
    fn a_list_that_is_none_does_not_spoil_its_neighbours() {
        for other in ["{\"a\":[1]}", "\"x\"", "1", "-1", "1.5", "true"] {
            let json = format!(r#"{{"id":"7","changes":{other},"messaging":[1,{{}}]}}"#);
            let entry = read::<Entry<'_>>(&json).unwrap();
            assert!(matches!(entry.changes, Items::Malformed), "{other}");
            assert_eq!(entry.messaging.into_list().0.len(), 2);
            assert!(matches!(entry.standby, Items::Absent));
        }
        assert!(matches!(read::<Entry<'_>>(r#"{"changes":null}"#).unwrap().changes, Items::Absent));
    }

    #[test]
    fn an_array_is_not_taken_for_an_object() {
        assert!(read::<Body<'_>>(r#"["page",[]]"#).is_none());
        assert!(read::<Body<'_>>(r#" {"object":"page"}"#).is_some());
    }
}
