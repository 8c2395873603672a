//! From a webhook's body to a message, or to what became of one; what was read from a list is told apart.
//!
//! Only `event`, `account_id`, `chat_id` and `message_id` are always there. Flags come as truth values, as numbers or as
//! `null`, and people under two spellings of the same keys.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    super::{
        Unreadable,
        item::{arrived, flag, happened, id, list, object, text},
    },
    listed,
};
use crate::domain::{
    Timestamp,
    message::{Arrival, ChangeKind, Details, Flag, Happening, Message, MessageChange, MessageObject, Owner, Reaction},
};

/// What a body says. `received_at` is the time of what tells none.
///
/// # Errors
/// If it is of another kind, or doesn't say which message or which chat it is about.
pub fn read(item: &str, owner: Owner, received_at: Timestamp, arrival: Arrival) -> Result<Happening, Unreadable> {
    let item = object(item)?;
    // No webhook has it; all that is read from lists does.
    if item.get("object").is_some_and(|object| object == "Message") {
        return Ok(Happening::Message(Box::new(listed::message(&item, owner, received_at, arrival)?)));
    }
    let told = Told { item, owner, received_at };
    // Older bodies don't name the event: there was but one.
    let event = text(told.get("event"));
    let change = match event.as_deref().unwrap_or("message_received") {
        "message_received" => {
            let arrival = arrived(&told.item, arrival);
            return Ok(Happening::Message(Box::new(told.message(arrival)?)));
        }
        "message_read" => told.receipt(ChangeKind::Read)?,
        "message_delivered" => told.receipt(ChangeKind::Delivered)?,
        "message_reaction" => MessageChange { reaction: Some(told.reaction()), ..told.change(ChangeKind::Reaction)? },
        "message_edited" => {
            let new = told.get("message").and_then(Value::as_str).map(str::to_owned);
            let text = Some(new.ok_or_else(|| Unreadable::because("an edit without a text"))?);
            MessageChange { text, ..told.change(ChangeKind::Edited)? }
        }
        "message_deleted" => told.change(ChangeKind::Deleted)?,
        _ => return Err(Unreadable::because("it is of a kind that says nothing of a message")),
    };
    Ok(Happening::Change(Box::new(change)))
}

/// A body, and what the hub knows of it besides.
struct Told {
    item: Map<String, Value>,
    owner: Owner,
    received_at: Timestamp,
}

/// Somebody in a chat.
struct Party {
    /// By the messenger's id.
    provider_id: Option<String>,
    /// By Unipile's.
    attendee_id: Option<String>,
    name: Option<String>,
}

impl Party {
    fn of(value: Option<&Value>) -> Self {
        let [provider_id, attendee_id] = [["provider_id", "attendee_provider_id"], ["id", "attendee_id"]]
            .map(|keys| keys.iter().find_map(|key| id(value?.get(key))));
        let name = ["name", "attendee_name"].iter().find_map(|key| text(value?.get(key)));
        Self { provider_id, attendee_id, name }
    }
}

impl Told {
    fn get(&self, key: &str) -> Option<&Value> {
        self.item.get(key).filter(|value| !value.is_null())
    }

    fn message_id(&self) -> Result<String, Unreadable> {
        id(self.get("message_id")).ok_or_else(|| Unreadable::because("it says of no message"))
    }

    fn timestamp(&self) -> Timestamp {
        happened(self.get("timestamp"), self.received_at).unwrap_or(self.received_at)
    }

    /// The account itself, by the messenger's id.
    fn own_id(&self) -> Option<String> {
        id(self.get("account_info")?.get("user_id"))
    }

    /// Whether the message is the account's own, if the body lets that be known.
    fn is_own(&self) -> Option<bool> {
        let sender = Party::of(self.get("sender")).provider_id;
        if sender.is_some() && sender == self.own_id() {
            return Some(true);
        }
        self.get("is_sender").map(|said| Flag::of(said).0)
    }

    fn message(&self, arrival: Arrival) -> Result<Message, Unreadable> {
        let platform_id = self.message_id()?;
        let chat = id(self.get("chat_id")).ok_or_else(|| Unreadable::because("a message in no chat"))?;
        let own = self.is_own().unwrap_or(false);
        let sender = Party::of(self.get("sender"));
        let text = text(self.get("message"));
        Ok(Message {
            object: MessageObject::Message,
            id: self.owner.message(&platform_id),
            agency: self.owner.agency,
            account: self.owner.account,
            source: self.owner.source,
            chat: self.owner.chat(&chat),
            account_type: self.account_type(),
            provider_id: id(self.get("provider_message_id")).unwrap_or_else(|| platform_id.clone()),
            chat_provider_id: id(self.get("provider_chat_id")).unwrap_or_else(|| chat.clone()),
            platform_id,
            chat_platform_id: chat,
            chat_name: self.chat_name(&sender, own),
            sender_id: sender.provider_id,
            sender_attendee_id: sender.attendee_id,
            sender_name: sender.name,
            original: text.clone(),
            text,
            timestamp: self.timestamp(),
            is_sender: Flag(own),
            attachments: list(self.get("attachments")),
            reactions: Vec::new(),
            seen: self.flag("seen"),
            seen_by: self.get("seen_by").filter(|by| by.is_object()).cloned().unwrap_or_else(|| Map::new().into()),
            hidden: self.flag("hidden"),
            deleted: self.flag("deleted"),
            edited: self.flag("edited"),
            is_event: self.flag("is_event"),
            delivered: Flag(!own || flag(self.get("delivered"))),
            sent_by_autopilot: false,
            arrival,
            details: Details::deserialize(&self.item).unwrap_or_default(),
            created_at: self.received_at,
        })
    }

    fn flag(&self, key: &str) -> Flag {
        Flag(flag(self.get(key)))
    }

    fn account_type(&self) -> String {
        let of_account = || id(self.get("account_info")?.get("type"));
        let kind = id(self.get("account_type")).or_else(of_account);
        kind.map_or_else(|| "UNKNOWN".to_owned(), |kind| kind.to_uppercase())
    }

    /// The other person's. A group has many, and is named after none.
    fn chat_name(&self, sender: &Party, own: bool) -> Option<String> {
        if flag(self.get("is_group")) {
            return None;
        }
        if !own && sender.name.is_some() {
            return sender.name.clone();
        }
        let ours = [self.own_id(), sender.provider_id.clone().filter(|_| own)];
        let attendees = self.get("attendees").and_then(Value::as_array)?;
        let others = attendees.iter().filter(|attendee| !flag(attendee.get("is_self")));
        let others = others.map(|attendee| Party::of(Some(attendee)));
        others
            .filter(|other| other.provider_id.is_some() && !ours.contains(&other.provider_id))
            .find_map(|other| other.name)
    }

    fn change(&self, change: ChangeKind) -> Result<MessageChange, Unreadable> {
        let message = self.message_id()?;
        Ok(MessageChange {
            change,
            id: Some(self.owner.message(&message)),
            platform_id: Some(message),
            agency: self.owner.agency,
            account: self.owner.account,
            source: self.owner.source,
            chat: id(self.get("chat_id")).map(|chat| self.owner.chat(&chat)),
            timestamp: self.timestamp(),
            text: None,
            reaction: None,
            up_to: None,
            is_sender: None,
        })
    }

    fn receipt(&self, change: ChangeKind) -> Result<MessageChange, Unreadable> {
        Ok(MessageChange { is_sender: self.is_own().map(Flag), ..self.change(change)? })
    }

    /// `sender` beside it is who wrote the message.
    fn reaction(&self) -> Reaction {
        let by = Party::of(self.get("reaction_sender"));
        let is_sender = Flag(by.provider_id.is_some() && by.provider_id == self.own_id());
        let sender_id = by.provider_id.or(by.attendee_id).unwrap_or_default();
        Reaction { value: text(self.get("reaction")).unwrap_or_default(), sender_id, is_sender }
    }
}
