//! What dashboards receive: `{type, id, position, prev, room, account, timestamp, payload}`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{
    AccountId, ChatId, EventId, LeadId, Room, SourceId, Timestamp, clock,
    cost::AlertRaised,
    erasure::Thing,
    lead::Lead,
    message::{ChangeKind, Chat, Message, MessageChange},
    prospect::LeadEnriched,
    prospecting::CampaignLifecycle,
    send::{Outgoing, SendState},
};

/// An envelope before the registry gives it its position.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    /// The event's id; the same over redelivery and replay, so that clients can drop a second copy.
    pub id: EventId,
    /// Whose it is.
    pub account: AccountId,
    /// When it happened to the hub.
    pub timestamp: Timestamp,
    /// What it says.
    pub body: Body,
}

impl Envelope {
    /// Where it goes: the one place that decides which room a type of envelope belongs to.
    #[must_use]
    pub fn room(&self) -> Room {
        match self.body {
            Body::NewLead(_)
            | Body::LeadUpdated(_)
            | Body::LeadEnriched(_)
            | Body::NewMessage(_)
            | Body::MessageChanged(_)
            | Body::Send(_)
            | Body::ChatUpdated(_)
            | Body::CampaignLifecycle(_)
            | Body::CostAlert(_)
            | Body::Deleted(_) => Room::Account(self.account),
            Body::SourceHealth(_) => Room::Operators(self.account),
        }
    }

    /// What it is about, by id, and when that was written where a time decides: what was deleted is not told of again.
    #[must_use]
    pub fn subjects(&self) -> Vec<(String, Option<Timestamp>)> {
        match &self.body {
            Body::NewLead(new) => vec![(new.lead.id.to_string(), None)],
            Body::LeadUpdated(updated) if !updated.deleted => {
                updated.lead.get("id").and_then(|id| id.as_str()).map(|id| (id.to_owned(), None)).into_iter().collect()
            }
            Body::LeadEnriched(enriched) => {
                enriched.lead.get("id").and_then(|id| id.as_str()).map(|id| (id.to_owned(), None)).into_iter().collect()
            }
            Body::NewMessage(message) => {
                vec![(message.id.to_string(), None), (message.chat.to_string(), Some(message.timestamp))]
            }
            Body::MessageChanged(change) => {
                let message = change.id.map(|id| (id.to_string(), None));
                message.into_iter().chain(change.chat.map(|chat| (chat.to_string(), Some(change.timestamp)))).collect()
            }
            Body::Send(send) => vec![(send.chat.to_string(), Some(send.created_at))],
            Body::ChatUpdated(chat) => vec![(chat.id.to_string(), Some(chat.timestamp))],
            Body::CampaignLifecycle(told) => vec![(told.campaign_id.clone(), None)],
            Body::LeadUpdated(_) | Body::CostAlert(_) | Body::SourceHealth(_) | Body::Deleted(_) => Vec::new(),
        }
    }

    /// The chat whose room sees it as well: those of messages and replies.
    #[must_use]
    pub fn chat(&self) -> Option<ChatId> {
        match &self.body {
            Body::NewMessage(message) => Some(message.chat),
            Body::MessageChanged(change) => change.chat,
            Body::Send(send) => Some(send.chat),
            _ => None,
        }
    }
}

/// One variant a type of envelope; serialized, it is the payload.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Body {
    /// `new_lead`
    NewLead(Box<NewLead>),
    /// `lead:updated`
    LeadUpdated(LeadUpdated),
    /// `lead:enriched`
    LeadEnriched(Box<LeadEnriched>),
    /// `message:new`
    NewMessage(Box<Message>),
    /// `message:edited`, `message:deleted`, `message:reaction`, `message:read`, `message:delivered`
    MessageChanged(Box<MessageChange>),
    /// `message:pending`, `message:sent`, `message:failed`
    Send(Box<Outgoing>),
    /// `chat:updated`
    ChatUpdated(Box<Chat>),
    /// `cost:alert`
    CostAlert(Box<AlertRaised>),
    /// `campaign:lifecycle`
    CampaignLifecycle(Box<CampaignLifecycle>),
    /// `source:health`
    SourceHealth(SourceHealth),
    /// `chat:deleted`, `message:erased`, `prospect:deleted`, `campaign:deleted`
    Deleted(Deleted),
}

impl Body {
    /// The envelope's `type`.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::NewLead(_) => "new_lead",
            Self::LeadUpdated(_) => "lead:updated",
            Self::LeadEnriched(_) => "lead:enriched",
            Self::NewMessage(_) => "message:new",
            Self::MessageChanged(change) => match change.change {
                ChangeKind::Edited => "message:edited",
                ChangeKind::Deleted => "message:deleted",
                ChangeKind::Reaction => "message:reaction",
                ChangeKind::Read => "message:read",
                ChangeKind::Delivered => "message:delivered",
            },
            Self::Send(send) => match send.state {
                SendState::Pending | SendState::Sending => "message:pending",
                SendState::Sent => "message:sent",
                SendState::Failed => "message:failed",
            },
            Self::ChatUpdated(_) => "chat:updated",
            Self::CostAlert(_) => "cost:alert",
            Self::CampaignLifecycle(_) => "campaign:lifecycle",
            Self::SourceHealth(_) => "source:health",
            Self::Deleted(deleted) => match deleted.thing {
                Thing::Lead => "lead:deleted",
                Thing::Prospect => "prospect:deleted",
                Thing::Chat => "chat:deleted",
                // `message:deleted` says that its writer took it back: then it stays, without its text.
                Thing::Message => "message:erased",
                Thing::Campaign => "campaign:deleted",
            },
        }
    }
}

/// How a lead came to the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A platform's webhook.
    Webhook,
    /// A person asked for the event again.
    Replay,
    /// Typed in by a person.
    Manual,
}

/// Payload of `new_lead`, as the lead dashboard's client reads it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewLead {
    /// The whole lead.
    pub lead: Lead,
    /// When the hub pushed it.
    #[serde(with = "clock::wire")]
    pub timestamp: Timestamp,
    /// How it came.
    pub source: Origin,
}

/// Payload of `lead:updated`: the id and the fields that changed, or `deleted`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeadUpdated {
    /// Always has `id`; the other keys are the changed columns under their JSON names.
    pub lead: serde_json::Map<String, serde_json::Value>,
    /// Set when the lead is gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
}

impl LeadUpdated {
    /// The payload that says a lead is gone.
    #[must_use]
    pub fn deleted(id: LeadId) -> Self {
        Self { lead: [("id".to_owned(), id.to_string().into())].into_iter().collect(), deleted: true }
    }
}

/// Payload of `chat:deleted`, `message:erased`, `prospect:deleted` and `campaign:deleted`: it is gone, and whoever shows it
/// lets go of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deleted {
    /// Also in the envelope's type.
    #[serde(skip)]
    pub thing: Thing,
    /// Its id.
    pub id: String,
}

/// How a source is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceState {
    /// Events flow.
    Healthy,
    /// The platform asked the hub to wait, or the hub keeps within its budget.
    Throttled,
    /// The platform refuses the token: a person has to replace it.
    TokenInvalid,
    /// The platform fails or does not answer.
    Failing,
}

/// Payload of `source:health`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceHealth {
    /// Which source.
    pub source: SourceId,
    /// How it is doing.
    pub state: SourceState,
    /// For people: why, and what to do.
    pub reason: String,
}

/// A cursor in an account's envelope log: the boot epoch and a count within it. Opaque to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Grows by one each time the hub starts.
    pub epoch: u32,
    /// Grows by one an envelope of the account.
    pub count: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.count)
    }
}

/// The text is no position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a position that this hub gave out")]
pub struct ParsePositionError;

impl FromStr for Position {
    type Err = ParsePositionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (epoch, count) = text.split_once('-').ok_or(ParsePositionError)?;
        Ok(Self {
            epoch: epoch.parse().map_err(|_| ParsePositionError)?,
            count: count.parse().map_err(|_| ParsePositionError)?,
        })
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Position {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}
