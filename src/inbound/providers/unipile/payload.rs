//! The shape of Unipile's bodies, as far as routing them and telling one from another needs.

use serde::Deserialize;
use serde_json::value::RawValue;

/// A POST. Exactly one of `event` and `AccountStatus` says what it is.
#[derive(Deserialize)]
pub struct Body<'a> {
    #[serde(borrow)]
    pub event: Option<&'a RawValue>,
    #[serde(borrow)]
    pub account_id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub chat_id: Option<&'a RawValue>,
    /// The message that it is about.
    #[serde(borrow)]
    pub message_id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub timestamp: Option<&'a RawValue>,
    /// Its text.
    #[serde(borrow)]
    pub message: Option<&'a RawValue>,
    #[serde(borrow)]
    pub reaction: Option<&'a RawValue>,
    #[serde(borrow)]
    pub reaction_sender: Option<&'a RawValue>,
    #[serde(borrow)]
    pub read_by: Option<&'a RawValue>,
    #[serde(borrow, rename = "AccountStatus")]
    pub account_status: Option<&'a RawValue>,
}

/// How an account is doing.
#[derive(Deserialize)]
pub struct AccountStatus<'a> {
    #[serde(borrow)]
    pub account_id: Option<&'a RawValue>,
    /// One word.
    #[serde(borrow)]
    pub message: Option<&'a RawValue>,
}
