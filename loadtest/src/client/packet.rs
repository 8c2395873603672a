//! The packets of Engine.IO 4 and of Socket.IO 5 inside them, as text.
//!
//! Written out, though crates have them: the hub uses one of those, and what both sides took from the same place no test
//! would find wrong.

use std::fmt::Write;

use serde_json::Value;

/// A packet from the hub.
#[derive(Debug, Clone, PartialEq)]
pub enum Packet {
    /// Engine.IO: the session, with its intervals.
    Open(Value),
    /// Engine.IO: the hub asks whether the client is there.
    Ping,
    /// Engine.IO: the hub answers, which is how it confirms a probe.
    Pong(String),
    /// Engine.IO: nothing, to end a poll.
    Noop,
    /// The client is in the namespace.
    Connect(Value),
    /// The client is not let in.
    ConnectError(Value),
    /// Something happened.
    Event {
        /// Its name.
        name: String,
        /// What comes with it.
        args: Vec<Value>,
        /// The number to acknowledge it with.
        ack: Option<u64>,
    },
    /// The answer to an event of the client's.
    Ack {
        /// The event's number.
        id: u64,
        /// What comes with it.
        args: Vec<Value>,
    },
    /// The client is put out of the namespace.
    Disconnect,
    /// The end, and what is known of it.
    Closed(String),
    /// Anything else as it came: attachments, other namespaces, what is no packet at all.
    Other(String),
}

/// Between the packets of a poll.
pub(super) const SEPARATOR: char = '\x1e';

impl Packet {
    /// Reads one packet.
    pub(super) fn parse(text: &str) -> Self {
        engine(text).unwrap_or_else(|| Self::Other(text.to_owned()))
    }
}

fn engine(text: &str) -> Option<Packet> {
    let rest = text.get(1..)?;
    Some(match text.as_bytes()[0] {
        b'0' => Packet::Open(serde_json::from_str(rest).ok()?),
        b'1' => Packet::Closed("the hub said goodbye".to_owned()),
        b'2' => Packet::Ping,
        b'3' => Packet::Pong(rest.to_owned()),
        b'4' => return message(rest),
        b'6' => Packet::Noop,
        _ => return None,
    })
}

fn message(text: &str) -> Option<Packet> {
    let rest = text.get(1..)?;
    Some(match text.as_bytes()[0] {
        b'0' if rest.is_empty() => Packet::Connect(Value::Null),
        b'0' => Packet::Connect(serde_json::from_str(rest).ok()?),
        b'1' if rest.is_empty() => Packet::Disconnect,
        b'2' => {
            let (ack, mut args) = numbered(rest)?;
            let name = if args.is_empty() { None } else { args.remove(0).as_str().map(str::to_owned) };
            Packet::Event { name: name?, args, ack }
        }
        b'3' => {
            let (id, args) = numbered(rest)?;
            Packet::Ack { id: id?, args }
        }
        b'4' => Packet::ConnectError(serde_json::from_str(rest).ok()?),
        _ => return None,
    })
}

/// An array, with or without a number before it.
fn numbered(text: &str) -> Option<(Option<u64>, Vec<Value>)> {
    let digits = text.len() - text.trim_start_matches(|char: char| char.is_ascii_digit()).len();
    let (number, array) = text.split_at(digits);
    let number = if number.is_empty() { None } else { Some(number.parse().ok()?) };
    Some((number, serde_json::from_str(array).ok()?))
}

/// A client's wish to be let in.
pub(super) fn connect(auth: Option<&Value>) -> String {
    auth.map_or_else(|| "40".to_owned(), |auth| format!("40{auth}"))
}

/// A client's event.
pub(super) fn event(name: &str, args: &[Value], ack: Option<u64>) -> String {
    let mut packet = "42".to_owned();
    if let Some(number) = ack {
        let _ = write!(packet, "{number}");
    }
    let all: Vec<_> = std::iter::once(Value::from(name)).chain(args.iter().cloned()).collect();
    packet + &Value::from(all).to_string()
}

/// A client's answer to an event.
pub(super) fn ack(id: u64, args: &[Value]) -> String {
    format!("43{id}{}", Value::from(args))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_origin_server_says_is_understood() {
        let open = json!({"sid": "pcUB", "upgrades": ["websocket"], "pingTimeout": 60000, "pingInterval": 25000});
        assert_eq!(Packet::parse(&format!("0{open}")), Packet::Open(open));
        assert_eq!(Packet::parse("2"), Packet::Ping);
        assert_eq!(Packet::parse("3probe"), Packet::Pong("probe".into()));
        assert_eq!(Packet::parse("6"), Packet::Noop);
        assert_eq!(Packet::parse(r#"40{"sid":"7qKo"}"#), Packet::Connect(json!({"sid": "7qKo"})));
        assert_eq!(Packet::parse(r#"44{"message":"no"}"#), Packet::ConnectError(json!({"message": "no"})));
        let named = |name: &str, args: Vec<Value>, ack| Packet::Event { name: name.into(), args, ack };
        let parsed = Packet::parse(r#"42["new_lead",{"lead":{"name":"J\u00f6"}}]"#);
        assert_eq!(parsed, named("new_lead", vec![json!({"lead": {"name": "Jö"}})], None));
        assert_eq!(Packet::parse(r#"4212["ask"]"#), named("ask", vec![], Some(12)));
        assert_eq!(Packet::parse("430[1,2]"), Packet::Ack { id: 0, args: vec![json!(1), json!(2)] });
        assert_eq!(Packet::parse("41"), Packet::Disconnect);
    }

    #[test]
    fn what_is_not_understood_is_shown_as_it_came() {
        for text in ["", "4", "42", "42[]", "42[1]", "42/admin,[\"x\"]", "43[1]", "451-[\"x\",{}]", "bAAAA", "ä", "4ä"]
        {
            assert_eq!(Packet::parse(text), Packet::Other(text.into()), "{text}");
        }
    }

    #[test]
    fn what_a_client_says_is_in_the_protocol_s_words() {
        assert_eq!(connect(None), "40");
        assert_eq!(connect(Some(&json!({"token": "t"}))), r#"40{"token":"t"}"#);
        assert_eq!(event("join_dashboard", &[], None), r#"42["join_dashboard"]"#);
        assert_eq!(event("ask", &[json!({"a": 1})], Some(3)), r#"423["ask",{"a":1}]"#);
        assert_eq!(ack(7, &[json!("ok")]), r#"437["ok"]"#);
    }
}
