//! Server-sent events. The `id:` line is the transport's business: it stands for all rooms of a session.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use super::{Close, ServerFrame};

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow)]
    r#type: std::borrow::Cow<'a, str>,
}

/// An envelope as an event of its type. JSON text has no line breaks, so one `data:` line holds it.
pub(super) fn envelope(json: &[u8]) -> Bytes {
    let kind = serde_json::from_slice::<Kind<'_>>(json).map_or_else(|_| "message".into(), |kind| kind.r#type);
    event(&kind, json)
}

pub(super) fn server_frame(frame: &ServerFrame<'_>) -> serde_json::Result<Bytes> {
    let frame = serde_json::to_value(frame)?;
    let kind = frame.get("type").and_then(Value::as_str).unwrap_or_default();
    Ok(event(kind, frame.to_string().as_bytes()))
}

/// The stream ends after it, and the browser comes back.
pub(super) fn close(ending: Close) -> Bytes {
    event("close", format!(r#"{{"code":{},"reason":"{}"}}"#, ending.code(), ending.reason()).as_bytes())
}

fn event(kind: &str, json: &[u8]) -> Bytes {
    [b"event: ", kind.as_bytes(), b"\ndata: ", json, b"\n\n"].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_is_an_event_of_its_type() {
        let json = br#"{"type":"new_lead","payload":{}}"#;
        assert_eq!(&envelope(json)[..], b"event: new_lead\ndata: {\"type\":\"new_lead\",\"payload\":{}}\n\n");
        assert_eq!(&close(Close::Slow)[..], b"event: close\ndata: {\"code\":4008,\"reason\":\"slow\"}\n\n");
    }
}
