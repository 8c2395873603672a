//! Reads the values of a change as dashboards send them: `null`, `""`, numbers as text and text as numbers.
//!
//! Every function answers `Some` for a value that is to be set. Columns that are not in the JSON never come here.

use chrono::NaiveDate;
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;

use crate::domain::{
    Timestamp,
    lead::{Cents, money},
};

fn plain<E: Error>(value: Value) -> Result<Option<String>, E> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Number(number) => Ok(Some(number.to_string())),
        other => Err(E::custom(format!("expected text, got {other}"))),
    }
}

/// A column that is never empty: `null` and `""` change nothing.
pub(super) fn word<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    Ok(plain(Value::deserialize(d)?)?.filter(|text| !text.trim().is_empty()))
}

/// A column that may be empty: `null` empties it.
pub(super) fn text<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    Ok(Some(plain(Value::deserialize(d)?)?.unwrap_or_default()))
}

/// A column that may have no value: `null` and `""` take it away.
#[expect(clippy::option_option, reason = "the outer one says whether it is to be changed")]
pub(super) fn optional<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Option<String>>, D::Error> {
    Ok(Some(plain(Value::deserialize(d)?)?.filter(|text| !text.is_empty())))
}

/// `green`, `red`, or `false` while undecided.
#[expect(clippy::option_option, reason = "the outer one says whether it is to be changed")]
pub(super) fn signal<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Option<String>>, D::Error> {
    match Value::deserialize(d)? {
        Value::Bool(false) => Ok(Some(None)),
        other => Ok(Some(plain(other)?.filter(|text| !text.is_empty()))),
    }
}

/// An amount; `null` and `""` are 0.
pub(super) fn amount<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Cents>, D::Error> {
    money::deserialize(d).map(Some)
}

/// An amount that may be absent.
#[expect(clippy::option_option, reason = "the outer one says whether it is to be changed")]
pub(super) fn optional_amount<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Option<Cents>>, D::Error> {
    money::option::deserialize(d).map(Some)
}

/// `2026-11-22`, also as the beginning of a time; `null` and `""` take it away.
#[expect(clippy::option_option, reason = "the outer one says whether it is to be changed")]
pub(super) fn day<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Option<NaiveDate>>, D::Error> {
    let Some(text) = optional(d)?.flatten() else { return Ok(Some(None)) };
    let day = text.split_once('T').map_or(&*text, |(day, _)| day);
    day.trim().parse().map(|day| Some(Some(day))).map_err(|_| D::Error::custom("a day is written 2026-11-22"))
}

/// RFC 3339; `null` and `""` take it away.
#[expect(clippy::option_option, reason = "the outer one says whether it is to be changed")]
pub(super) fn moment<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Option<Timestamp>>, D::Error> {
    use chrono::SubsecRound;

    let Some(text) = optional(d)?.flatten() else { return Ok(Some(None)) };
    let at: Timestamp = text.trim().parse().map_err(|_| D::Error::custom("a time is written 2026-11-22T10:00:00Z"))?;
    Ok(Some(Some(at.trunc_subsecs(6))))
}
