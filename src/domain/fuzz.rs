//! What clients name things by, for [fuzzing](crate::fuzzing): what is read, written and read again is the same.

use std::{
    fmt::{Debug, Display},
    str::FromStr,
};

use serde::{Serialize, de::DeserializeOwned};

use super::{AccountId, ChatId, EndpointId, LeadId, Room, cost::Amount, envelope::Position};

/// A text that is to be a position, a room, an id or an amount.
pub fn positions(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let text = text.strip_suffix('\n').unwrap_or(&text);
    if let Some(position) = again::<Position>(text) {
        assert_eq!(json(&position), Some(position), "{text}");
    }
    again::<Room>(text);
    again::<AccountId>(text);
    if let Some(id) = again::<LeadId>(text) {
        assert_eq!(json(&id), Some(id), "{text}");
        assert!(text.parse::<ChatId>().is_err() && text.parse::<EndpointId>().is_err(), "{text} is of two kinds");
    }
    if let Some(amount) = again::<Amount>(text) {
        assert!(amount <= Amount::MAX, "{text}");
    }
}

fn again<T: FromStr + Display + PartialEq + Debug>(text: &str) -> Option<T> {
    let read: T = text.parse().ok()?;
    let written = read.to_string();
    assert_eq!(written.parse().ok().as_ref(), Some(&read), "{text} is written as {written}");
    Some(read)
}

fn json<T: Serialize + DeserializeOwned>(value: &T) -> Option<T> {
    serde_json::from_slice(&serde_json::to_vec(value).ok()?).ok()
}
