//! How a connected account is doing.

use serde_json::Value;

use super::super::{
    Unreadable,
    item::{object, text},
};
use crate::domain::envelope::SourceState;

/// The state that an `AccountStatus` tells, and for people why it is so and what to do; nothing while all is well.
///
/// # Errors
/// If it tells none, or one that isn't known.
pub fn account_state(item: &str) -> Result<(SourceState, String), Unreadable> {
    let item = object(item)?;
    let status = item.get("AccountStatus").and_then(Value::as_object);
    let word = status.and_then(|status| text(status.get("message")));
    let word = word.ok_or_else(|| Unreadable::because("it tells no state of an account"))?;
    let (state, reason) = match word.as_str() {
        "OK" | "CREATION_SUCCESS" | "RECONNECTED" | "SYNC_SUCCESS" => (SourceState::Healthy, ""),
        // It passes by itself: nobody is to be alarmed.
        "CONNECTING" => (
            SourceState::Throttled,
            "Unipile is connecting the account; its messages come when that is done. Nothing needs to be done.",
        ),
        "CREDENTIALS" => (
            SourceState::TokenInvalid,
            "The messenger has signed the account out, and no messages come: connect it again in Unipile.",
        ),
        "PERMISSIONS" => (
            SourceState::TokenInvalid,
            "The account lacks permissions, and messages may be missing: connect it again in Unipile and grant them.",
        ),
        // Only a person can help here as well.
        "DELETED" => (
            SourceState::TokenInvalid,
            "The account was removed from Unipile, and no messages come: connect it there and add it as a new source, \
             or remove this source.",
        ),
        "ERROR" | "STOPPED" => (
            SourceState::Failing,
            "Unipile has stopped the account after an error, and no messages come: if it stays so, connect it again in \
             Unipile.",
        ),
        other => {
            let word: String = other.chars().take(64).collect();
            return Err(Unreadable::because(format!("`{word}` is not a known state of an account")));
        }
    };
    Ok((state, reason.to_owned()))
}
