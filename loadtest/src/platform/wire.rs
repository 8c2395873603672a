//! JSON as Meta puts it on the wire: pure ASCII, with some ASCII characters escaped as well.
//!
//! A hub that verifies signatures over anything but the raw bytes, or compares texts before decoding them, fails on it.

use std::{fmt::Write, time::Duration};

use reqwest::Client;
use serde_json::Value;

/// A client for this machine alone, which therefore needs no certificates.
pub(super) fn near(timeout: Duration) -> Client {
    let client = Client::builder().no_proxy().timeout(timeout).tls_certs_only([]).build();
    client.expect("a client without certificates needs nothing of the system")
}

/// Serializes with every non-ASCII character as `\uXXXX` (UTF-16, lower-case digits), `<` as `\u003C`, `@` as `\u0040`,
/// `%` as `\u0025` and `/` as `\/`.
///
/// These characters can stand only inside strings, so the text as a whole can be escaped.
pub(super) fn ascii(value: &Value) -> String {
    let text = value.to_string();
    let mut escaped = String::with_capacity(text.len() + text.len() / 8);
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("\\u003C"),
            '@' => escaped.push_str("\\u0040"),
            '%' => escaped.push_str("\\u0025"),
            '/' => escaped.push_str("\\/"),
            ' '..='~' => escaped.push(character),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    let _ = write!(escaped, "\\u{unit:04x}");
                }
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_ascii_is_escaped_and_reads_back_the_same() {
        let value = json!({"name": "<test lead> äöå 💥", "email": "a@b.c", "url": "https://x/100%"});
        let text = ascii(&value);
        assert!(text.is_ascii());
        assert!(text.contains(r"\u003Ctest lead> \u00e4\u00f6\u00e5 \ud83d\udca5"), "{text}");
        assert!(text.contains(r"a\u0040b.c") && text.contains(r"https:\/\/x\/100\u0025"), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
