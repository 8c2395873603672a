//! JSON whose values stay raw text until it is their turn, read leniently.
//!
//! Raw text is skipped over without recursion: no depth of nesting overflows the stack.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// Longest id of a message or a conversation that is taken as one.
pub const LONGEST_ID: usize = 255;

/// Reads an object; `None` if the text is something else or a member is not what it must be.
pub fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    // serde would take an array for a struct as well, by position.
    if !text.trim_start().starts_with('{') {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// The text of a string, or a number or truth value as it is written; `None` for anything else.
pub fn text(raw: Option<&RawValue>) -> Option<Cow<'_, str>> {
    let raw = raw?.get();
    match raw.as_bytes().first()? {
        b'"' => match raw.get(1..raw.len() - 1)? {
            plain if !plain.contains('\\') => Some(Cow::Borrowed(plain)),
            _ => serde_json::from_str(raw).ok().map(Cow::Owned),
        },
        b'{' | b'[' | b'n' => None,
        _ => Some(Cow::Borrowed(raw)),
    }
}

/// Whether a text can be an id: ids are arbitrary texts, but of a length, and of one line.
pub fn is_id(text: &str) -> bool {
    (1..=LONGEST_ID).contains(&text.len()) && !text.contains(char::is_control)
}
