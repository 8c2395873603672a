//! Socket.IO events of the namespace `/`, in WebSocket text frames: `4` (Engine.IO message), `2` (event), JSON.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{Close, ServerFrame, text};

#[derive(Deserialize)]
struct Parts<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(borrow)]
    payload: &'a RawValue,
}

/// An envelope as event `type` with the payload as its first argument, as the lead dashboard's client reads it.
pub(super) fn envelope(json: &[u8]) -> Bytes {
    match serde_json::from_slice::<Parts<'_>>(json) {
        Ok(Parts { r#type, payload }) if r#type == "new_lead" => event(&r#type, &harmless(payload)),
        Ok(Parts { r#type, payload }) => event(&r#type, payload.get()),
        // What has no payload is no envelope; nothing of the hub's own is like that.
        Err(_) => event("message", &String::from_utf8_lossy(json)),
    }
}

/// The origin's page puts a lead's name through `innerHTML`, and the name comes from anybody.
fn harmless(payload: &RawValue) -> String {
    let Ok(mut payload) = serde_json::from_str::<Value>(payload.get()) else { return payload.get().to_owned() };
    if let Some(Value::String(name)) = payload.pointer_mut("/lead/name") {
        *name = name.chars().fold(String::with_capacity(name.len()), |mut safe, letter| {
            match letter {
                '<' => safe.push_str("&lt;"),
                '>' => safe.push_str("&gt;"),
                '&' => safe.push_str("&amp;"),
                '"' => safe.push_str("&quot;"),
                '\'' => safe.push_str("&#39;"),
                letter => safe.push(letter),
            }
            safe
        });
    }
    payload.to_string()
}

/// A reply answers the event that it belongs to (its `ref` is the acknowledgement's number); the rest are events.
pub(super) fn server_frame(frame: &ServerFrame<'_>) -> serde_json::Result<Bytes> {
    if let ServerFrame::Reply { reference, .. } = frame
        && let Some(id) = reference.as_u64()
    {
        let mut answer = serde_json::to_value(frame)?;
        if let Some(answer) = answer.as_object_mut() {
            answer.retain(|key, _| !["type", "ref"].contains(&&**key));
        }
        return Ok(text(format!("43{id}[{answer}]").as_bytes()));
    }
    let mut frame = serde_json::to_value(frame)?;
    let kind = frame.as_object_mut().and_then(|frame| frame.remove("type"));
    Ok(event(kind.as_ref().and_then(Value::as_str).unwrap_or_default(), &frame.to_string()))
}

/// The end of the WebSocket, or of polling. A client whose namespace is ended before does not come back by itself; one
/// that should finds only its connection broken.
pub(super) fn close(ending: Close) -> Bytes {
    let end = super::close_frame(ending);
    match ending {
        Close::Forbidden | Close::Unauthenticated => [text(b"41"), end].concat().into(),
        _ => end,
    }
}

fn event(name: &str, payload: &str) -> Bytes {
    text(format!("42[{},{payload}]", Value::from(name)).as_bytes())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_envelope_is_its_type_and_payload() {
        let json = br#"{"type":"lead:updated","id":"evt_1","payload":{"lead":{"id":"lead_1"}}}"#;
        assert_eq!(&envelope(json)[2..], br#"42["lead:updated",{"lead":{"id":"lead_1"}}]"#);
    }

    #[test]
    fn a_name_of_markup_is_made_harmless() {
        let json = br#"{"type":"new_lead","payload":{"lead":{"name":"<img src=x onerror='a(\"b\")'> & Co"}}}"#;
        let safe = "&lt;img src=x onerror=&#39;a(&quot;b&quot;)&#39;&gt; &amp; Co";
        let frame = envelope(json);
        let text = std::str::from_utf8(&frame[2..]).unwrap();
        assert_eq!(text, format!(r#"42["new_lead",{{"lead":{{"name":"{safe}"}}}}]"#));
    }

    #[test]
    fn only_a_client_that_is_not_to_come_back_is_put_out_of_the_namespace() {
        assert_eq!(&close(Close::Forbidden)[..6], b"\x81\x0241\x88\x0b");
        for ending in [Close::Restart, Close::Slow, Close::NoHeartbeat, Close::TooMany] {
            assert_eq!(close(ending)[0], 0x88, "{ending:?}");
        }
    }

    #[test]
    fn a_reply_is_the_acknowledgement_that_was_asked_for() {
        let told = |reference: Value, data| {
            let frame = server_frame(&ServerFrame::Reply { reference, ok: true, error: None, data }).unwrap();
            let text = std::str::from_utf8(&frame[2..]).unwrap();
            let (head, json) = text.split_at(text.find('[').unwrap());
            (head.to_owned(), serde_json::from_str::<Value>(json).unwrap())
        };
        assert_eq!(told(7.into(), None), ("437".to_owned(), json!([{"ok": true}])));
        assert_eq!(told(8.into(), Some(json!({"count": 2}))), ("438".to_owned(), json!([{"ok": true, "count": 2}])));
        assert_eq!(told("a".into(), None), ("42".to_owned(), json!(["reply", {"ok": true, "ref": "a"}])));
    }
}
