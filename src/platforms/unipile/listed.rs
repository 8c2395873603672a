//! From an item of the API's lists to a message. Its keys are others than a webhook's, and its flags are numbers.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::{
    Unreadable,
    item::{self, flag, happened, id, list, moment, text},
};
use crate::domain::{
    Timestamp,
    message::{Arrival, Details, Flag, Message, MessageObject, Owner, Reaction},
};

/// A message of a list, as far as keeping it takes.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedMessage {
    /// Its id.
    pub id: String,
    /// Its chat's.
    pub chat: String,
    /// The connected account's.
    pub account: String,
    /// When it was written.
    pub timestamp: Timestamp,
    /// The account's own.
    pub is_own: bool,
    /// Who wrote it, by the messenger's id.
    pub sender: Option<String>,
    item: Map<String, Value>,
}

/// What a list of messages does not say of one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The messenger: `LINKEDIN`.
    pub account_type: Option<String>,
    /// The chat's name.
    pub chat_name: Option<String>,
    /// Who wrote it, for people.
    pub sender_name: Option<String>,
    /// It was read at the messenger.
    pub was_read: bool,
}

impl ListedMessage {
    /// From the JSON of an item.
    ///
    /// # Errors
    /// If it does not say which message of which chat and account it is, or when it was written.
    pub fn read(item: &str) -> Result<Self, Unreadable> {
        let item = item::object(item)?;
        let named = |key: &str| id(item.get(key)).ok_or_else(|| Unreadable::because(format!("it has no `{key}`")));
        Ok(Self {
            id: named("id")?,
            chat: named("chat_id")?,
            account: named("account_id")?,
            timestamp: item.get("timestamp").and_then(moment).ok_or_else(|| Unreadable::because("it has no time"))?,
            is_own: flag(item.get("is_sender")),
            sender: id(item.get("sender_id")),
            item,
        })
    }

    /// The item as it is kept, with what the list does not say.
    #[must_use]
    pub fn in_its_surroundings(mut self, around: Surroundings) -> String {
        self.item.insert("object".to_owned(), json!("Message"));
        let said = [
            ("account_type", around.account_type),
            ("chat_name", around.chat_name),
            ("sender_name", around.sender_name),
        ];
        for (key, value) in said {
            if let Some(value) = value {
                self.item.insert(key.to_owned(), value.into());
            }
        }
        if around.was_read {
            self.item.insert("seen".to_owned(), json!(1));
        }
        Value::Object(self.item).to_string()
    }
}

/// What a kept item says.
pub(super) fn message(
    item: &Map<String, Value>,
    owner: Owner,
    received_at: Timestamp,
    arrival: Arrival,
) -> Result<Message, Unreadable> {
    let platform_id = id(item.get("id")).ok_or_else(|| Unreadable::because("it says of no message"))?;
    let chat = id(item.get("chat_id")).ok_or_else(|| Unreadable::because("a message in no chat"))?;
    let set = |key: &str| Flag(flag(item.get(key)));
    let said = text(item.get("text"));
    let reaction = |reaction: &Value| Reaction {
        value: text(reaction.get("value")).unwrap_or_default(),
        sender_id: id(reaction.get("sender_id")).unwrap_or_default(),
        is_sender: Flag(flag(reaction.get("is_sender"))),
    };
    let account_type = id(item.get("account_type"));
    Ok(Message {
        object: MessageObject::Message,
        id: owner.message(&platform_id),
        agency: owner.agency,
        account: owner.account,
        source: owner.source,
        chat: owner.chat(&chat),
        account_type: account_type.map_or_else(|| "UNKNOWN".to_owned(), |kind| kind.to_uppercase()),
        provider_id: id(item.get("provider_id")).unwrap_or_else(|| platform_id.clone()),
        chat_provider_id: id(item.get("chat_provider_id")).unwrap_or_else(|| chat.clone()),
        platform_id,
        chat_platform_id: chat,
        chat_name: text(item.get("chat_name")),
        sender_id: id(item.get("sender_id")),
        sender_attendee_id: id(item.get("sender_attendee_id")),
        sender_name: text(item.get("sender_name")),
        // What the list calls so is the messenger's own form of the message, not its text before an edit.
        original: said.clone().filter(|_| !set("edited").0),
        text: said,
        timestamp: happened(item.get("timestamp"), received_at).unwrap_or(received_at),
        is_sender: set("is_sender"),
        attachments: list(item.get("attachments")),
        reactions: list(item.get("reactions")).iter().map(reaction).collect(),
        seen: set("seen"),
        seen_by: item.get("seen_by").filter(|by| by.is_object()).cloned().unwrap_or_else(|| Map::new().into()),
        hidden: set("hidden"),
        deleted: set("deleted"),
        edited: set("edited"),
        is_event: set("is_event"),
        delivered: Flag(!set("is_sender").0 || set("delivered").0),
        sent_by_autopilot: false,
        arrival: if arrival == Arrival::Webhook { Arrival::Sync } else { arrival },
        details: Details::deserialize(item).unwrap_or_default(),
        created_at: received_at,
    })
}
