//! The wire: what clients send and what the hub sends besides envelopes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::{SessionId, envelope::Position};

/// The sub-protocol's name.
pub const SUB_PROTOCOL: &str = "leadwire.v1";

/// Client to server.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientFrame {
    /// Who I am, or a fresh token.
    Auth {
        /// A JWT or an API key.
        token: String,
    },
    /// Live envelopes of a room; with `since`, everything after it first.
    Subscribe {
        /// `dashboard`, `account:<id>`, `operators:<id>`, `chat:<account>/<chat>`.
        room: String,
        /// The last position that was seen; for several rooms, that of each.
        since: Option<Since>,
        /// Only these types.
        types: Option<Vec<String>>,
    },
    /// No more of a room.
    Unsubscribe {
        /// As subscribed.
        room: String,
    },
    /// Received up to here. Without a room it is a sign of life and nothing more.
    Ack {
        /// `account:<id>`, `operators:<id>`.
        room: Option<String>,
        /// The last envelope there.
        position: Option<Position>,
        /// Read as well.
        #[serde(default)]
        read: bool,
        /// On which of the user's devices.
        #[serde(default)]
        device: String,
    },
    /// How far this user is in a room.
    Watermarks {
        /// `account:<id>`, `operators:<id>`.
        room: String,
    },
    /// Who is in a room.
    Presence {
        /// `account:<id>`, `operators:<id>`, `chat:<account>/<chat>`.
        room: String,
    },
    /// To the others in a room: this user types there.
    Typing {
        /// `account:<id>`, `operators:<id>`, `chat:<account>/<chat>`.
        #[serde(alias = "chat")]
        room: String,
        /// Or has stopped.
        #[serde(default)]
        state: Typing,
    },
    /// A reply, through the platform that the chat is at.
    #[serde(rename = "message:send")]
    MessageSend {
        /// The chat, as the REST routes name it.
        chat: String,
        /// What it says.
        text: String,
        /// Makes a second one with the same harmless.
        client_id: Option<String>,
    },
    /// What is in a chat was read.
    #[serde(rename = "chat:read")]
    ChatRead {
        /// The chat, as the REST routes name it.
        chat: String,
    },
    /// A lead has another status or other notes.
    #[serde(rename = "lead:update")]
    LeadUpdate {
        /// `lead_…`
        lead: String,
        /// Unless it stays.
        status: Option<String>,
        /// Unless they stay.
        notes: Option<String>,
    },
}

/// Whether somebody types.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Typing {
    /// Right now.
    #[default]
    Typing,
    /// Not any more.
    Stopped,
}

impl Typing {
    /// As it is on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Typing => "typing",
            Self::Stopped => "stopped",
        }
    }
}

/// Where a client was when it left.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Since {
    /// In the room that it asks for.
    One(String),
    /// In each room, by its name; `null` in one that had no envelope yet. As in `subscribed.rooms` and `heartbeat`.
    Each(BTreeMap<String, Option<String>>),
}

/// A client frame with what its answer is to refer to.
#[derive(Debug)]
pub struct Asked {
    /// Echoed in the reply; no reply without it.
    pub reference: Option<Value>,
    /// What is asked, or why it can't be read.
    pub frame: Result<ClientFrame, Refusal>,
}

impl Asked {
    /// Reads a text frame; `None` if it is no JSON object at all.
    #[must_use]
    pub fn read(text: &[u8]) -> Option<Self> {
        match serde_json::from_slice(text).ok()? {
            Value::Object(object) => Some(Self::of(object)),
            _ => None,
        }
    }

    /// Reads a frame from its JSON object.
    #[must_use]
    pub fn of(mut object: Map<String, Value>) -> Self {
        let reference = object.remove("ref");
        let known = [
            "auth",
            "subscribe",
            "unsubscribe",
            "ack",
            "watermarks",
            "presence",
            "typing",
            "message:send",
            "chat:read",
            "lead:update",
        ];
        let frame = match object.get("type").and_then(Value::as_str) {
            Some(name) if known.contains(&name) => serde_json::from_value(Value::Object(object))
                .map_err(|error| Refusal { code: "bad_frame", message: error.to_string() }),
            Some(_) => Err(Refusal { code: "unknown_type", message: "this hub does not know that frame".to_owned() }),
            None => Err(Refusal { code: "bad_frame", message: "a frame needs a `type`".to_owned() }),
        };
        Self { reference, frame }
    }
}

/// Why something was not done.
#[derive(Debug, Serialize)]
pub struct Refusal {
    /// For programs.
    pub code: &'static str,
    /// For people.
    pub message: String,
}

/// Server to client, besides envelopes.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerFrame<'a> {
    /// Who you are and what is on offer.
    Welcome {
        /// This connection.
        session: SessionId,
        /// The user or key.
        user: String,
        /// Seconds between heartbeats.
        heartbeat: u64,
        /// Rooms that may be subscribed.
        rooms: &'a [String],
        /// Whether `since` brings back what was missed.
        resume: bool,
    },
    /// What was missed follows, up to here; from here the room is live.
    Subscribed {
        /// As asked for.
        room: &'a str,
        /// Its newest position; none if it never had an envelope.
        position: Option<Position>,
        /// Whether everything after `since` follows: `complete`, `partial` (of some of the rooms), `none`.
        recovered: &'static str,
        /// For `dashboard`: the rooms that it stands for.
        #[serde(skip_serializing_if = "Option::is_none")]
        rooms: Option<Tops>,
    },
    /// The answer to a frame with a `ref`.
    Reply {
        /// As sent.
        #[serde(rename = "ref")]
        reference: Value,
        /// Whether it was done.
        ok: bool,
        /// Why not.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<Refusal>,
        /// What was asked for.
        #[serde(flatten)]
        data: Option<Value>,
    },
    /// The log does not reach back: read the REST snapshot.
    Resync {
        /// Which room.
        room: &'a str,
        /// Why.
        reason: &'static str,
    },
    /// Still here; and how far each room is, so that an idle client notices a loss.
    Heartbeat {
        /// Room to newest position.
        positions: Tops,
    },
    /// The token has run out; a fresh one is awaited for so many seconds.
    TokenExpired {
        /// Seconds.
        grace: u64,
    },
    /// The hub is going to close this session.
    Goodbye {
        /// The close code.
        code: u16,
        /// For programs.
        reason: &'static str,
        /// When to come back; spread over the sessions.
        reconnect_after_ms: u64,
    },
}

/// Rooms and their newest positions; none if a room never had an envelope.
pub type Tops = BTreeMap<String, Option<Position>>;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_frame_is_read_with_its_reference_and_a_bad_one_says_why() {
        let asked = Asked::read(br#"{"type":"subscribe","room":"dashboard","ref":7,"more":true}"#).unwrap();
        assert_eq!(asked.reference, Some(Value::from(7)));
        assert!(matches!(asked.frame, Ok(ClientFrame::Subscribe { room, .. }) if room == "dashboard"));
        assert_eq!(Asked::read(br#"{"type":"dance"}"#).unwrap().frame.unwrap_err().code, "unknown_type");
        assert_eq!(Asked::read(br#"{"type":"subscribe"}"#).unwrap().frame.unwrap_err().code, "bad_frame");
        assert!(Asked::read(b"[1]").is_none() && Asked::read(b"{").is_none());
    }

    #[test]
    fn server_frames_have_the_names_of_the_protocol() {
        let frame = ServerFrame::Reply { reference: Value::from("a"), ok: true, error: None, data: None };
        assert_eq!(serde_json::to_string(&frame).unwrap(), r#"{"type":"reply","ref":"a","ok":true}"#);
        let frame = ServerFrame::Reply { reference: 1.into(), ok: true, error: None, data: Some(json!({"count": 0})) };
        assert_eq!(serde_json::to_string(&frame).unwrap(), r#"{"type":"reply","ref":1,"ok":true,"count":0}"#);
        let frame = ServerFrame::Resync { room: "dashboard", reason: "x" };
        assert_eq!(serde_json::to_string(&frame).unwrap(), r#"{"type":"resync","room":"dashboard","reason":"x"}"#);
    }
}
