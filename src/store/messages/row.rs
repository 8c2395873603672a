//! A message's row, and what a change makes of it.

use diesel::prelude::*;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    domain::{
        AccountId, AgencyId, ChatId, MessageId, Timestamp,
        message::{Arrival, ChangeKind, Details, Flag, Message, MessageChange, MessageObject, Reaction},
    },
    store::{
        Result, StoreError,
        chats::ChatRow,
        schema::messages,
        types::{At, Json, Word},
    },
};

/// A row of `messages`. What is the same for all messages of a chat stands in the chat's row.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = messages, treat_none_as_default_value = false, treat_none_as_null = true)]
#[expect(clippy::struct_excessive_bools, reason = "they are columns")]
pub(in crate::store) struct MessageRow {
    pub id: Word<MessageId>,
    pub agency_id: Word<AgencyId>,
    pub account_id: Word<AccountId>,
    pub chat_id: Word<ChatId>,
    pub platform_id: String,
    pub provider_id: String,
    pub sender_id: Option<String>,
    pub sender_attendee_id: Option<String>,
    pub sender_name: Option<String>,
    pub text: Option<String>,
    pub original: Option<String>,
    pub attachments: Json,
    pub timestamp: At,
    pub is_sender: bool,
    pub reactions: Json,
    pub seen: bool,
    pub delivered: bool,
    pub seen_by: Option<Json>,
    pub hidden: bool,
    pub is_event: bool,
    pub sent_by_autopilot: bool,
    pub edited_at: Option<At>,
    pub deleted_at: Option<At>,
    pub details: Json,
    pub created_at: At,
}

/// A reaction with its time, which decides between two of one sender. An empty value was taken back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Reacted {
    at: i64,
    #[serde(flatten)]
    reaction: Reaction,
}

/// What is in `details`.
#[derive(Serialize, Deserialize)]
struct Rest {
    #[serde(default)]
    arrival: Arrival,
    #[serde(flatten)]
    details: Details,
}

impl MessageRow {
    pub fn new(message: &Message) -> Result<Self> {
        let at = message.timestamp;
        let mut row = Self {
            id: Word(message.id),
            agency_id: Word(message.agency),
            account_id: Word(message.account),
            chat_id: Word(message.chat),
            platform_id: message.platform_id.clone(),
            provider_id: message.provider_id.clone(),
            sender_id: message.sender_id.clone(),
            sender_attendee_id: message.sender_attendee_id.clone(),
            sender_name: message.sender_name.clone(),
            text: message.text.clone(),
            original: message.original.clone(),
            attachments: Json(Value::Array(message.attachments.clone())),
            timestamp: At(at),
            is_sender: message.is_sender.0,
            reactions: Json(Value::Array(Vec::new())),
            seen: message.seen.0,
            delivered: message.delivered.0,
            seen_by: Some(message.seen_by.clone()).filter(|by| !by.is_null()).map(Json),
            hidden: message.hidden.0,
            is_event: message.is_event.0,
            sent_by_autopilot: message.sent_by_autopilot,
            edited_at: message.edited.0.then_some(At(at)),
            deleted_at: None,
            details: Json(rest(message)?),
            created_at: At(message.created_at),
        };
        for reaction in &message.reactions {
            row.react(at, reaction)?;
        }
        if message.deleted.0 {
            row.delete(at);
        }
        Ok(row)
    }

    /// Another copy of the message. The first stays, but a list that was read later may know more of it.
    pub fn meet(&mut self, copy: &Message) {
        self.seen |= copy.seen.0;
        self.delivered |= copy.delivered.0;
        self.hidden |= copy.hidden.0;
        if self.sender_name.is_none() {
            self.sender_name.clone_from(&copy.sender_name);
        }
        if let Some(text) = copy.text.as_ref().filter(|_| copy.edited.0) {
            self.edit(copy.timestamp, text);
        }
        if copy.deleted.0 {
            self.delete(copy.timestamp);
        }
    }

    /// What became of it. Receipts that hold for the chat are not for the row.
    pub fn take(&mut self, change: &MessageChange) -> Result<()> {
        match (change.change, &change.text, &change.reaction) {
            (ChangeKind::Edited, Some(text), _) => self.edit(change.timestamp, text),
            (ChangeKind::Deleted, ..) => self.delete(change.timestamp),
            (ChangeKind::Reaction, _, Some(reaction)) => self.react(change.timestamp, reaction)?,
            (ChangeKind::Delivered, ..) => self.delivered = true,
            _ => {}
        }
        Ok(())
    }

    /// The newest edit wins; of two at the same time the one with the greater text, so that all nodes agree.
    fn edit(&mut self, at: Timestamp, text: &str) {
        let known = self.edited_at.map(|edited| (edited.0, self.text.as_deref()));
        if known.is_some_and(|known| known >= (at, Some(text))) {
            return;
        }
        self.edited_at = Some(At(at));
        // What was taken back stays empty.
        if self.deleted_at.is_none() {
            let before = self.text.replace(text.to_owned());
            self.original = self.original.take().or(before);
        }
    }

    fn delete(&mut self, at: Timestamp) {
        self.deleted_at = Some(At(self.deleted_at.map_or(at, |deleted| deleted.0.min(at))));
        self.text = None;
        self.original = None;
        self.attachments = Json(Value::Array(Vec::new()));
    }

    fn react(&mut self, at: Timestamp, reaction: &Reaction) -> Result<()> {
        let mut all: Vec<Reacted> = read(&self.reactions, "reactions")?;
        let new = Reacted { at: at.timestamp_micros(), reaction: reaction.clone() };
        match all.iter_mut().find(|old| old.reaction.sender_id == reaction.sender_id) {
            Some(old) if (old.at, &old.reaction.value) < (new.at, &new.reaction.value) => *old = new,
            Some(_) => {}
            None => all.push(new),
        }
        all.sort_by(|one, other| (one.at, &one.reaction.sender_id).cmp(&(other.at, &other.reaction.sender_id)));
        self.reactions = Json(written(&all)?);
        Ok(())
    }

    /// The message as the chat's times make it.
    pub fn message(self, chat: &ChatRow) -> Result<Message> {
        let Rest { arrival, details } = read(&self.details, "details")?;
        let reactions: Vec<Reacted> = read(&self.reactions, "reactions")?;
        let reached = |time: Option<At>| time.is_some_and(|time| self.timestamp.0 <= time.0);
        let seen = self.seen || reached(if self.is_sender { chat.seen_up_to } else { chat.read_up_to });
        let delivered = self.delivered || self.is_sender && (seen || reached(chat.delivered_up_to));
        Ok(Message {
            object: MessageObject::Message,
            id: self.id.0,
            agency: self.agency_id.0,
            account: self.account_id.0,
            source: chat.source_id.0,
            chat: self.chat_id.0,
            account_type: chat.account_type.clone(),
            platform_id: self.platform_id,
            chat_platform_id: chat.platform_id.clone(),
            provider_id: self.provider_id,
            chat_provider_id: chat.provider_id.clone(),
            chat_name: chat.name.clone(),
            sender_id: self.sender_id,
            sender_attendee_id: self.sender_attendee_id,
            sender_name: self.sender_name,
            text: self.text,
            original: self.original,
            timestamp: self.timestamp.0,
            is_sender: Flag(self.is_sender),
            attachments: read(&self.attachments, "attachments")?,
            reactions: reactions.into_iter().map(|one| one.reaction).filter(|one| !one.value.is_empty()).collect(),
            seen: Flag(seen),
            seen_by: self.seen_by.map_or(Value::Null, |by| by.0),
            hidden: Flag(self.hidden),
            deleted: Flag(self.deleted_at.is_some()),
            edited: Flag(self.edited_at.is_some()),
            is_event: Flag(self.is_event),
            delivered: Flag(delivered),
            sent_by_autopilot: self.sent_by_autopilot,
            arrival,
            details,
            created_at: self.created_at.0,
        })
    }
}

/// What the platform says, without what it does not say.
fn rest(message: &Message) -> Result<Value> {
    let mut rest = written(&Rest { arrival: message.arrival, details: message.details.clone() })?;
    if let Value::Object(fields) = &mut rest {
        fields.retain(|_, value| !value.is_null());
    }
    Ok(rest)
}

pub(super) fn written<T: Serialize>(value: &T) -> Result<Value> {
    serde_json::to_value(value).map_err(|error| StoreError::Rejected(error.to_string()))
}

pub(super) fn read<T: DeserializeOwned>(column: &Json, name: &str) -> Result<T> {
    T::deserialize(&column.0).map_err(|error| StoreError::Corrupt(format!("{name}: {error}")))
}
