//! Finds what can't be stored before the database is asked.
//!
//! PostgreSQL refuses NUL in text and JSON, times outside its calendar, and index keys of 2,700 bytes, and the codes that
//! tell these refusals from a full disk don't reach us; SQLite takes them all. Checked here, both refuse alike.

use chrono::{Datelike, NaiveDate};
use serde_json::Value;

use super::error::{Result, StoreError};
use crate::domain::{
    Timestamp,
    lead::Lead,
    message::{Happening, Message, MessageChange, Reaction},
};

/// The longest text in an index, in bytes.
const MAX_KEY: usize = 500;

/// Whether a lead can be stored.
pub(super) fn lead(lead: &Lead) -> Result<()> {
    let texts = [
        ("name", Some(&lead.name)),
        ("phone", Some(&lead.phone)),
        ("email", Some(&lead.email)),
        ("message", Some(&lead.message)),
        ("type", Some(&lead.kind)),
        ("potential_status", Some(&lead.potential_status)),
        ("notes", Some(&lead.notes)),
        ("sync_status", Some(&lead.sync_status)),
        ("driver_license_received", Some(&lead.driver_license_received)),
        ("meta_user_id", lead.meta_user_id.as_ref()),
        ("insurance_type", lead.insurance_type.as_ref()),
        ("policy_term", lead.policy_term.as_ref()),
        ("visa_type", lead.visa_type.as_ref()),
        ("sync_signal", lead.sync_signal.as_ref()),
    ];
    let texts = texts.into_iter().try_for_each(|(field, value)| value.map_or(Ok(()), |value| text(field, value)));
    texts
        .and_then(|()| key("status", &lead.status))
        .and_then(|()| lead.meta_lead_id.as_deref().map_or(Ok(()), |id| key("meta_lead_id", id)))
        .and_then(|()| moment("created_at", Some(lead.created_at)))
        .and_then(|()| moment("updated_at", Some(lead.updated_at)))
        .and_then(|()| moment("last_sync", lead.last_sync))
        .and_then(|()| moment("first_seen_at", lead.first_seen_at))
        .and_then(|()| day("renewal_date", lead.renewal_date))
        .and_then(|()| day("trip_start", lead.trip_start))
        .and_then(|()| day("trip_end", lead.trip_end))
        .and_then(|()| json("meta_data", &lead.meta_data))
        .map_err(|error| match error {
            StoreError::Rejected(why) => StoreError::Rejected(format!("{}: {why}", lead.id)),
            other => other,
        })
}

/// Whether what happened in a conversation can be kept.
pub(super) fn happening(happening: &Happening) -> Result<()> {
    let (checked, what) = match happening {
        Happening::Message(it) => (message(it), it.id.to_string()),
        Happening::Change(it) => (change(it), it.id.map_or_else(|| "a receipt".to_owned(), |id| id.to_string())),
    };
    checked.map_err(|error| match error {
        StoreError::Rejected(why) => StoreError::Rejected(format!("{what}: {why}")),
        other => other,
    })
}

fn message(message: &Message) -> Result<()> {
    let texts = [
        ("account_type", Some(&message.account_type)),
        ("platform_id", Some(&message.platform_id)),
        ("provider_id", Some(&message.provider_id)),
        ("chat_provider_id", Some(&message.chat_provider_id)),
        ("chat_name", message.chat_name.as_ref()),
        ("sender_id", message.sender_id.as_ref()),
        ("sender_attendee_id", message.sender_attendee_id.as_ref()),
        ("sender_name", message.sender_name.as_ref()),
        ("text", message.text.as_ref()),
        ("original", message.original.as_ref()),
    ];
    texts.into_iter().try_for_each(|(field, value)| value.map_or(Ok(()), |value| text(field, value)))?;
    filled("chat_platform_id", &message.chat_platform_id)?;
    moment("timestamp", Some(message.timestamp))?;
    moment("created_at", Some(message.created_at))?;
    message.attachments.iter().try_for_each(|attachment| json("attachments", attachment))?;
    message.reactions.iter().try_for_each(reaction)?;
    json("seen_by", &message.seen_by)?;
    let details = serde_json::to_value(&message.details).map_err(|error| StoreError::Rejected(error.to_string()))?;
    json("details", &details)
}

fn change(change: &MessageChange) -> Result<()> {
    text("text", change.text.as_deref().unwrap_or_default())?;
    moment("timestamp", Some(change.timestamp))?;
    moment("up_to", change.up_to)?;
    change.reaction.as_ref().map_or(Ok(()), reaction)
}

fn reaction(reaction: &Reaction) -> Result<()> {
    text("reaction", &reaction.value)?;
    text("sender_id", &reaction.sender_id)
}

/// Text of any length.
pub(super) fn text(field: &str, value: &str) -> Result<()> {
    if value.contains('\0') { rejected(field, "has a NUL character in it") } else { Ok(()) }
}

/// Text that stands in an index.
pub(super) fn key(field: &str, value: &str) -> Result<()> {
    if value.len() > MAX_KEY {
        return rejected(field, &format!("is longer than {MAX_KEY} bytes"));
    }
    text(field, value)
}

/// A name or a key that must say something.
pub(super) fn filled(field: &str, value: &str) -> Result<()> {
    if value.trim().is_empty() { rejected(field, "is empty") } else { key(field, value) }
}

/// A day of the years 1 to 9999.
pub(super) fn day(field: &str, value: Option<NaiveDate>) -> Result<()> {
    match value {
        Some(day) if !(1..=9999).contains(&day.year()) => rejected(field, "is out of range"),
        _ => Ok(()),
    }
}

/// A moment of the years 1 to 9999.
pub(super) fn moment(field: &str, value: Option<Timestamp>) -> Result<()> {
    day(field, value.map(|at| at.date_naive()))
}

fn json(field: &str, value: &Value) -> Result<()> {
    match value {
        Value::String(value) => text(field, value),
        Value::Array(items) => items.iter().try_for_each(|item| json(field, item)),
        Value::Object(items) => {
            items.iter().try_for_each(|(name, item)| text(field, name).and_then(|()| json(field, item)))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

fn rejected(field: &str, why: &str) -> Result<()> {
    Err(StoreError::Rejected(format!("{field} {why}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nul_is_found_wherever_it_hides_in_json() {
        assert!(json("meta_data", &json!({"a": [1, {"b": "fine"}]})).is_ok());
        assert!(json("meta_data", &json!({"a": [1, {"b": "x\0"}]})).is_err());
        assert!(json("meta_data", &json!({"a\0": 1})).is_err());
    }

    #[test]
    fn only_text_in_an_index_has_a_limit() {
        assert!(text("notes", &"x".repeat(1_000_000)).is_ok());
        assert!(key("status", &"x".repeat(500)).is_ok());
        assert!(key("status", &"x".repeat(501)).is_err());
        assert!(filled("name", " ").is_err());
    }
}
