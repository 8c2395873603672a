//! Socket.IO packets, version 5: what is inside Engine.IO's messages.
//!
//! `<type>[<attachments>-][<namespace>,][<acknowledgement>][<JSON>]`

use serde::Serialize;
use serde_json::{Map, Value, value::RawValue};

use super::payload::Malformed;

/// The main namespace.
pub const MAIN: &str = "/";
/// Bytes of a namespace's name; a longer one is no mistake of an honest client.
const LONGEST_NAMESPACE: usize = 256;

/// What a client sends.
#[derive(Debug, Clone, PartialEq)]
pub struct Packet {
    /// Where it belongs.
    pub namespace: String,
    /// What it is.
    pub body: Body,
    /// Binary frames that must follow it.
    pub attachments: usize,
}

/// What a packet is.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// Let me into the namespace.
    Connect(Map<String, Value>),
    /// I leave the namespace.
    Disconnect,
    /// Something happened.
    Event {
        /// Its name.
        name: String,
        /// The rest. An attachment is the placeholder `{"_placeholder":true,"num":0}`.
        arguments: Vec<Value>,
        /// Under which number it is to be acknowledged.
        id: Option<u64>,
    },
    /// The answer to an event of the server.
    Ack {
        /// The event's number.
        id: u64,
        /// The answer.
        arguments: Vec<Value>,
    },
}

impl Packet {
    /// Reads a packet.
    ///
    /// # Errors
    /// If it is none that a client may send.
    pub fn read(text: &str) -> Result<Self, Malformed> {
        let mut bytes = text.bytes();
        let kind = bytes.next().filter(u8::is_ascii_digit).ok_or(Malformed)?;
        let mut rest = &text[1..];
        let mut attachments = 0;
        if matches!(kind, b'5' | b'6') {
            let (count, after) = rest.split_once('-').ok_or(Malformed)?;
            attachments = number(count)?.try_into().map_err(|_| Malformed)?;
            if attachments == 0 {
                return Err(Malformed);
            }
            rest = after;
        }
        let mut namespace = MAIN;
        if rest.starts_with('/') {
            (namespace, rest) = rest.split_once(',').unwrap_or((rest, ""));
        }
        if namespace.len() > LONGEST_NAMESPACE {
            return Err(Malformed);
        }
        let body = match kind {
            b'0' if rest.is_empty() => Body::Connect(Map::new()),
            b'0' => Body::Connect(serde_json::from_str(rest).map_err(|_| Malformed)?),
            b'1' if rest.is_empty() => Body::Disconnect,
            b'2' | b'5' => {
                let (id, mut arguments) = numbered(rest)?;
                if arguments.is_empty() {
                    return Err(Malformed);
                }
                let Value::String(name) = arguments.remove(0) else { return Err(Malformed) };
                Body::Event { name, arguments, id }
            }
            b'3' | b'6' => {
                let (id, arguments) = numbered(rest)?;
                Body::Ack { id: id.ok_or(Malformed)?, arguments }
            }
            _ => return Err(Malformed),
        };
        Ok(Self { namespace: namespace.to_owned(), body, attachments })
    }
}

/// A number, perhaps, and a list.
fn numbered(text: &str) -> Result<(Option<u64>, Vec<Value>), Malformed> {
    let end = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
    let (id, json) = text.split_at(end);
    let id = if id.is_empty() { None } else { Some(number(id)?) };
    Ok((id, serde_json::from_str(json).map_err(|_| Malformed)?))
}

/// `parse` alone would take a sign.
fn number(text: &str) -> Result<u64, Malformed> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().map_err(|_| Malformed) } else { Err(Malformed) }
}

/// Welcomes a client to a namespace, in an Engine.IO message; `id` is not the Engine.IO session's.
#[must_use]
pub fn connected(namespace: &str, id: &str) -> String {
    message('0', 0, namespace, None, &serde_json::json!({ "sid": id }).to_string())
}

/// Does not let it in.
#[must_use]
pub fn refused(namespace: &str, why: &str) -> String {
    message('4', 0, namespace, None, &serde_json::json!({ "message": why }).to_string())
}

/// Puts it out.
#[must_use]
pub fn disconnected(namespace: &str) -> String {
    message('1', 0, namespace, None, "")
}

/// An event. `data`: its name and arguments, as a tuple or list; so many binary frames must follow.
///
/// # Errors
/// If it can't be written as JSON.
pub fn event(namespace: &str, data: &impl Serialize, attachments: usize) -> serde_json::Result<String> {
    let kind = if attachments == 0 { '2' } else { '5' };
    Ok(message(kind, attachments, namespace, None, json(data)?.get()))
}

/// The answer to an event. `data`: a tuple or list; so many binary frames must follow.
///
/// # Errors
/// If it can't be written as JSON.
pub fn ack(namespace: &str, id: u64, data: &impl Serialize, attachments: usize) -> serde_json::Result<String> {
    let kind = if attachments == 0 { '3' } else { '6' };
    Ok(message(kind, attachments, namespace, Some(id), json(data)?.get()))
}

fn json(data: &impl Serialize) -> serde_json::Result<Box<RawValue>> {
    serde_json::value::to_raw_value(data)
}

fn message(kind: char, attachments: usize, namespace: &str, id: Option<u64>, json: &str) -> String {
    let mut text = String::with_capacity(json.len() + namespace.len() + 24);
    text.extend(['4', kind]);
    if attachments > 0 {
        text.push_str(&attachments.to_string());
        text.push('-');
    }
    if namespace != MAIN {
        text.push_str(namespace);
        text.push(',');
    }
    if let Some(id) = id {
        text.push_str(&id.to_string());
    }
    text.push_str(json);
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> (String, Body, usize) {
        let Packet { namespace, body, attachments } = Packet::read(text).unwrap();
        (namespace, body, attachments)
    }

    fn happened(name: &str, arguments: &[Value], id: Option<u64>) -> Body {
        Body::Event { name: name.to_owned(), arguments: arguments.to_vec(), id }
    }

    #[test]
    fn packets_are_read_with_namespace_number_and_attachments() {
        let main = || MAIN.to_owned();
        let custom = || "/custom".to_owned();
        let auth = |value: Value| Body::Connect(serde_json::from_value(value).unwrap());
        assert_eq!(read("0"), (main(), auth(json!({})), 0));
        assert_eq!(read(r#"0{"token":"123"}"#), (main(), auth(json!({"token": "123"})), 0));
        assert_eq!(read("0/custom"), (custom(), auth(json!({})), 0));
        assert_eq!(read(r#"0/custom,{"a":1}"#), (custom(), auth(json!({"a": 1})), 0));
        assert_eq!(read("1"), (main(), Body::Disconnect, 0));
        assert_eq!(read("1/custom,"), (custom(), Body::Disconnect, 0));
        assert_eq!(read(r#"2["a",1,"é"]"#), (main(), happened("a", &[json!(1), json!("é")], None), 0));
        assert_eq!(read(r#"2/custom,456["a"]"#), (custom(), happened("a", &[], Some(456)), 0));
        let placeholder = json!({"_placeholder": true, "num": 0});
        let binary = r#"51-/custom,7["a",{"_placeholder":true,"num":0}]"#;
        assert_eq!(read(binary), (custom(), happened("a", &[placeholder], Some(7)), 1));
        assert_eq!(read("37[]"), (main(), Body::Ack { id: 7, arguments: Vec::new() }, 0));
        assert_eq!(read("63-7[1]"), (main(), Body::Ack { id: 7, arguments: vec![json!(1)] }, 3));
    }

    #[test]
    fn what_a_client_may_not_send_is_no_packet() {
        for text in [
            "",
            "abc",
            "é",
            "7",
            "9[]",
            "01",
            "0[]",
            "0null",
            "0{",
            "1{}",
            "1x",
            "2",
            "2{}",
            "2[]",
            "2[1]",
            "2[null]",
            r#"2abc["a"]"#,
            r#"2+1["a"]"#,
            r#"2-1["a"]"#,
            r#"2["a"]x"#,
            r#"299999999999999999999["a"]"#,
            "3[]",
            "3",
            r#"4{"message":"a"}"#,
            r#"5["a"]"#,
            r#"50-["a"]"#,
            r#"5-["a"]"#,
            r#"5+1-["a"]"#,
            r#"5é-["a"]"#,
            "61-[]",
            r#"599999999999999999999-["a"]"#,
        ] {
            assert_eq!(Packet::read(text), Err(Malformed), "{text:?}");
        }
        assert!(Packet::read(&format!("0/{}", "a".repeat(255))).is_ok());
        assert!(Packet::read(&format!("0/{}", "a".repeat(256))).is_err());
        assert!(Packet::read(&format!(r#"2["a",{}]"#, "[".repeat(100_000))).is_err());
    }

    #[test]
    fn packets_are_written_as_clients_expect_them() {
        assert_eq!(connected(MAIN, "abc"), r#"40{"sid":"abc"}"#);
        assert_eq!(connected("/custom", "abc"), r#"40/custom,{"sid":"abc"}"#);
        assert_eq!(refused("/random", "Invalid namespace"), r#"44/random,{"message":"Invalid namespace"}"#);
        assert_eq!((disconnected(MAIN), disconnected("/custom")), ("41".into(), "41/custom,".into()));
        assert_eq!(event(MAIN, &("auth", json!({})), 0).unwrap(), r#"42["auth",{}]"#);
        assert_eq!(event("/custom", &("a", 1, "é"), 2).unwrap(), r#"452-/custom,["a",1,"é"]"#);
        assert_eq!(ack(MAIN, 456, &(1, "2", json!({"3": [false]})), 0).unwrap(), r#"43456[1,"2",{"3":[false]}]"#);
        assert_eq!(ack(MAIN, 789, &[(); 0], 2).unwrap(), "462-789[]");
    }

    #[test]
    fn no_text_whatever_makes_the_reader_panic() {
        let mut random = fastrand::Rng::with_seed(13);
        let parts = [
            "0",
            "1",
            "2",
            "3",
            "4",
            "5",
            "6",
            "-",
            "/",
            "/a",
            ",",
            "é",
            "[",
            "]",
            "{",
            "}",
            "\"a\"",
            "\"",
            ":",
            "9",
            "[\"a\"]",
            "{}",
            "99999999999999999999",
            "\u{0}",
            "\u{10ffff}",
            " ",
        ];
        let mut read = 0;
        for _ in 0..200_000 {
            let text: String = (0..random.usize(..8)).map(|_| parts[random.usize(..parts.len())]).collect();
            read += usize::from(Packet::read(&text).is_ok());
        }
        assert!(read > 1000, "only {read} of them were packets");
    }
}
