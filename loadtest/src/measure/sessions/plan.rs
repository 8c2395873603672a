//! How a session gets what it counts: what it asks for, says and waits for. Data, so that one counter serves every hub.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

/// What carries the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in super::super) enum Wire {
    /// WebSocket frames, without a handshake: for a sender that knows nothing else.
    Frames,
    WebSocket,
    /// Server-sent events.
    Sse,
}

/// What a session says, or waits for before it goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in super::super) enum Step {
    /// A text frame.
    Send(String),
    /// A message that has this in it.
    Wait(String),
}

/// From the handshake to the subscription. `{session}` stands for the session's number, wherever it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Plan {
    pub wire: Wire,
    pub url: String,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default)]
    pub steps: Vec<Step>,
    /// A message with one of these in it, before the steps are done, is a refusal.
    #[serde(default)]
    pub refused: Vec<String>,
    /// A text message that asks whether the session is there, and its answer.
    #[serde(default)]
    pub ping: Option<(String, String)>,
    /// Whether a frame may hold several messages, each on a line.
    #[serde(default)]
    pub lines: bool,
}

impl Plan {
    /// Of this hub's own sessions: `/ws`, in these rooms. They sign in with the first frame, or with a header of the handshake;
    /// those that come back say where they were, in place of `{since}`.
    pub(in super::super) fn native(address: &str, rooms: &[&str], token: &str, first_frame: bool) -> Self {
        let mut headers = BTreeMap::from([("sec-websocket-protocol".to_owned(), "leadwire.v1".to_owned())]);
        let mut steps = Vec::new();
        if first_frame {
            steps.push(Step::Send(json!({"type": "auth", "token": token}).to_string()));
        } else {
            headers.insert("authorization".to_owned(), format!("Bearer {token}"));
        }
        steps.push(Step::Wait(r#""type":"welcome""#.to_owned()));
        for room in rooms {
            steps.push(Step::Send(format!(r#"{{"type":"subscribe","room":{}{{since}}}}"#, json!(room))));
            steps.push(Step::Wait(r#""type":"subscribed""#.to_owned()));
        }
        Self {
            wire: Wire::WebSocket,
            url: format!("http://{address}/ws"),
            headers,
            steps,
            refused: vec![r#""ok":false"#.to_owned()],
            ping: None,
            lines: false,
        }
    }

    /// Of a sender that sends to whoever connects.
    pub(in super::super) fn bare() -> Self {
        let (headers, steps, refused) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { wire: Wire::Frames, url: String::new(), headers, steps, refused, ping: None, lines: false }
    }

    /// The same with something else in every text.
    pub(in super::super) fn map(&self, change: impl Fn(&str) -> String) -> Self {
        let step = |step: &Step| match step {
            Step::Send(text) => Step::Send(change(text)),
            Step::Wait(text) => Step::Wait(change(text)),
        };
        Self {
            url: change(&self.url),
            headers: self.headers.iter().map(|(name, value)| (name.clone(), change(value))).collect(),
            steps: self.steps.iter().map(step).collect(),
            ..self.clone()
        }
    }

    /// The messages in a payload.
    pub(super) fn messages<'a>(&self, payload: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        // Without looking at every byte where there is but one message.
        let (one, lines) = if self.lines { (None, Some(payload)) } else { (Some(payload), None) };
        let lines = lines.into_iter().flat_map(|payload| payload.split(|&byte| byte == b'\n'));
        one.into_iter().chain(lines).filter(|message| !message.is_empty())
    }

    /// What is to be answered, if this is a ping.
    pub(super) fn pong(&self, message: &[u8]) -> Option<&str> {
        let (question, answer) = self.ping.as_ref()?;
        (question.as_bytes() == message).then_some(answer)
    }
}
