//! Conversations: messages, what becomes of them, and the chats that they stand in.
//!
//! Their JSON is that of the message inbox that agencies switch over from, with flags as 0 and 1; what it does not have
//! comes as additional keys.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::{AccountId, AgencyId, ChatId, MessageId, SourceId, Timestamp, UserId, clock};

/// A flag that is 0 or 1 in JSON. Platforms write it as a number, a truth value or `null`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Flag(pub bool);

impl Serialize for Flag {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_u8(self.0.into())
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ok(Self::of(&Value::deserialize(d)?))
    }
}

impl Flag {
    /// Set by `true`, a number but 0, and such a number or `true` as text.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        Self(match value {
            Value::Bool(set) => *set,
            Value::Number(number) => number.as_f64() != Some(0.0),
            Value::String(text) => text == "true" || text.parse().is_ok_and(|number: f64| number != 0.0),
            _ => false,
        })
    }
}

/// How a message came to the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arrival {
    /// A platform's webhook.
    #[default]
    Webhook,
    /// Read from the platform's lists, for it was missed.
    Sync,
    /// A person asked for the event again.
    Replay,
    /// Sent through the hub.
    Sent,
}

/// A message as the store keeps it and as dashboards receive it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Always `Message`.
    #[serde(default)]
    pub object: MessageObject,
    /// Derived from account, source and the platform's id, so it is known before anything is stored.
    pub id: MessageId,
    /// The tenant.
    #[serde(rename = "agency_id")]
    pub agency: AgencyId,
    /// Whose it is.
    #[serde(rename = "account_id")]
    pub account: AccountId,
    /// Through which source it came.
    #[serde(rename = "source_id")]
    pub source: SourceId,
    /// The chat that it stands in.
    #[serde(rename = "chat_id")]
    pub chat: ChatId,
    /// The messenger: `MESSENGER`, `INSTAGRAM`, `WHATSAPP`, `LINKEDIN` and so on, in capitals.
    pub account_type: String,
    /// Its id at the platform that sends the webhooks; unique within the source.
    pub platform_id: String,
    /// The chat's id there.
    pub chat_platform_id: String,
    /// Its id at the messenger behind the platform, which may be the same.
    pub provider_id: String,
    /// The chat's id there.
    pub chat_provider_id: String,
    /// The chat's name, where the platform says one: the other person's.
    #[serde(default)]
    pub chat_name: Option<String>,
    /// Who wrote it, by the messenger's id.
    #[serde(default)]
    pub sender_id: Option<String>,
    /// The same by the platform's id.
    #[serde(default)]
    pub sender_attendee_id: Option<String>,
    /// The same for people.
    #[serde(default)]
    pub sender_name: Option<String>,
    /// `null` for one that is all attachments, or was taken back.
    pub text: Option<String>,
    /// As it was before it was edited.
    #[serde(default)]
    pub original: Option<String>,
    /// When it was written, by the platform's clock.
    #[serde(with = "clock::wire")]
    pub timestamp: Timestamp,
    /// The account's own.
    pub is_sender: Flag,
    /// What hangs on it, as the platform describes it: always a list.
    #[serde(default)]
    pub attachments: Vec<Value>,
    /// One a sender, the newest.
    #[serde(default)]
    pub reactions: Vec<Reaction>,
    /// Read: by us, or by the other side if it is the account's own.
    #[serde(default)]
    pub seen: Flag,
    /// By whom, where the platform says so.
    #[serde(default)]
    pub seen_by: Value,
    /// Not to be shown.
    #[serde(default)]
    pub hidden: Flag,
    /// Taken back.
    #[serde(default)]
    pub deleted: Flag,
    /// `text` is not the original.
    #[serde(default)]
    pub edited: Flag,
    /// Something that happened in the chat, and nobody wrote.
    #[serde(default)]
    pub is_event: Flag,
    /// Has reached the other side.
    #[serde(default)]
    pub delivered: Flag,
    /// Written by a program.
    #[serde(default)]
    pub sent_by_autopilot: bool,
    /// How it came.
    #[serde(default)]
    pub arrival: Arrival,
    /// What else the platform says of it.
    #[serde(flatten)]
    pub details: Details,
    /// When the hub accepted it.
    #[serde(with = "clock::wire")]
    pub created_at: Timestamp,
}

/// The `object` of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum MessageObject {
    /// The only one.
    #[default]
    Message,
}

/// What the hub hands on of a message without looking at it; `null` where the platform says nothing.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "they mean what the platform means by them")]
pub struct Details {
    pub behavior: Value,
    pub quoted: Value,
    pub reply_to: Value,
    pub event_type: Value,
    pub replies: Value,
    pub reply_by: Value,
    pub parent: Value,
    pub subject: Value,
    pub message_type: Value,
    pub attendee_type: Value,
    pub attendee_distance: Value,
    pub sender_urn: Value,
}

/// What somebody thinks of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reaction {
    /// An emoji, or the platform's word; empty when it was taken back.
    pub value: String,
    /// Whose, by the messenger's id; one reaction each.
    pub sender_id: String,
    /// The account's own.
    #[serde(default)]
    pub is_sender: Flag,
}

/// What became of a message, or of all up to some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// Has another text.
    Edited,
    /// Was taken back.
    Deleted,
    /// Somebody reacted, or took that back.
    Reaction,
    /// Was read.
    Read,
    /// Has reached the other side.
    Delivered,
}

/// Payload of `message:edited`, `message:deleted`, `message:reaction`, `message:read` and `message:delivered`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MessageChange {
    /// What happened; also the end of the envelope's type.
    pub change: ChangeKind,
    /// The message; `null` for receipts that tell a time only.
    pub id: Option<MessageId>,
    /// The message's id at the platform that sends the webhooks.
    #[serde(default)]
    pub platform_id: Option<String>,
    /// The tenant.
    #[serde(rename = "agency_id")]
    pub agency: AgencyId,
    /// Whose it is.
    #[serde(rename = "account_id")]
    pub account: AccountId,
    /// Through which source it came.
    #[serde(rename = "source_id")]
    pub source: SourceId,
    /// The chat; `null` where the platform does not say: then the message knows.
    #[serde(rename = "chat_id")]
    pub chat: Option<ChatId>,
    /// When it happened, by the platform's clock; decides between two.
    #[serde(with = "clock::wire")]
    pub timestamp: Timestamp,
    /// The new text of an edited message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The reaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reaction: Option<Reaction>,
    /// Receipts: all messages of the chat until then, and not only the one.
    #[serde(default, with = "clock::wire::option", skip_serializing_if = "Option::is_none")]
    pub up_to: Option<Timestamp>,
    /// Receipts: whose messages are meant, the account's own or the other side's; `null` where only the message knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_sender: Option<Flag>,
}

/// Whose conversations a source brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The tenant.
    pub agency: AgencyId,
    /// Whose they are.
    pub account: AccountId,
    /// The source.
    pub source: SourceId,
}

/// What an event of a conversation says.
#[derive(Debug, Clone, PartialEq)]
pub enum Happening {
    /// A message.
    Message(Box<Message>),
    /// What became of one, or of several.
    Change(Box<MessageChange>),
}

/// Who answers in a chat: a person, a person to whom answers are proposed, or a program. A new chat has the first.
pub const ASSIST_MODES: [&str; 3] = ["manual", "ai-assisted", "autopilot"];

/// A chat, as REST and `chat:updated` show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chat {
    /// Derived from account, source and the platform's id.
    pub id: ChatId,
    /// The tenant.
    #[serde(rename = "agency_id")]
    pub agency: AgencyId,
    /// Whose it is.
    #[serde(rename = "account_id")]
    pub account: AccountId,
    /// Through which source it comes.
    #[serde(rename = "source_id")]
    pub source: SourceId,
    /// As [`Message::account_type`].
    pub account_type: String,
    /// Its id at the platform that sends the webhooks.
    pub platform_id: String,
    /// Its id at the messenger behind it.
    pub provider_id: String,
    /// The other person's name, or `null` while nobody said it.
    pub name: Option<String>,
    /// Of the newest message.
    #[serde(with = "clock::wire")]
    pub timestamp: Timestamp,
    /// How the newest message begins; `null` if it has no text.
    pub last_message: Option<String>,
    /// Messages of the other side that nobody read.
    pub unread_count: i64,
    /// There are none.
    pub is_read: bool,
    /// Put aside by a person.
    pub is_ignored: bool,
    /// One of [`ASSIST_MODES`].
    pub assist_mode: String,
    /// Whose task it is to answer.
    pub assignee: Option<UserId>,
    /// When the hub saw it first.
    #[serde(with = "clock::wire")]
    pub created_at: Timestamp,
    /// When the hub last changed the row.
    #[serde(with = "clock::wire")]
    pub updated_at: Timestamp,
}

impl Owner {
    /// The chat that a platform's id names.
    #[must_use]
    pub fn chat(&self, platform_id: &str) -> ChatId {
        ChatId::derive(&[&self.account.to_bytes(), &self.source.to_bytes(), platform_id.as_bytes()])
    }

    /// The message that a platform's id names.
    #[must_use]
    pub fn message(&self, platform_id: &str) -> MessageId {
        MessageId::derive(&[&self.account.to_bytes(), &self.source.to_bytes(), platform_id.as_bytes()])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_flag_is_0_or_1_whatever_it_was_written_as() {
        for (written, set) in
            [(json!(true), 1), (json!(1), 1), (json!("1"), 1), (json!(0), 0), (json!(false), 0), (json!(null), 0)]
        {
            let flag: Flag = serde_json::from_value(written.clone()).unwrap();
            assert_eq!(serde_json::to_value(flag).unwrap(), json!(set), "{written}");
        }
    }

    #[test]
    fn the_same_platform_id_names_another_message_in_another_account_or_source() {
        let one = Owner { agency: AgencyId::generate(), account: AccountId::generate(), source: SourceId::generate() };
        let ids = [one, Owner { account: AccountId::generate(), ..one }, Owner { source: SourceId::generate(), ..one }]
            .map(|owner| owner.message("m_1"));
        assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[1] != ids[2]);
        assert_eq!(ids[0], one.message("m_1"));
    }
}
