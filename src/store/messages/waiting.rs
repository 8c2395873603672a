//! What became of a message that is not here yet.

use std::fmt;

use chrono::TimeDelta;
use diesel::prelude::*;

use super::row::{read, written};
use crate::{
    domain::{
        AccountId, AgencyId, ChatId, EventId, MessageId,
        message::{ChangeKind, MessageChange},
    },
    store::{
        Result,
        schema::message_changes,
        types::{At, Json, Word},
    },
};

/// A row of `message_changes`.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = message_changes)]
pub(in crate::store) struct WaitingRow {
    pub id: Word<EventId>,
    pub agency_id: Word<AgencyId>,
    pub account_id: Word<AccountId>,
    pub waits_for: String,
    pub change: Json,
    pub received_at: At,
}

impl WaitingRow {
    /// Changes of one account that wait at most: the newest.
    pub const MOST: i64 = 1_000;
    /// How long one waits at most. Platforms deliver again for a day and a half.
    pub const LONGEST: TimeDelta = TimeDelta::days(30);

    pub fn new(change: &MessageChange, subject: Subject, now: At) -> Result<Self> {
        let change_json = written(change)?;
        Ok(Self {
            id: Word(EventId::derive(&[change_json.to_string().as_bytes()])),
            agency_id: Word(change.agency),
            account_id: Word(change.account),
            waits_for: subject.to_string(),
            change: Json(change_json),
            received_at: now,
        })
    }

    pub fn change(&self) -> Result<MessageChange> {
        read(&self.change, "change")
    }
}

/// What must be here before a change can be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Subject {
    Message(MessageId),
    Chat(ChatId),
}

impl Subject {
    /// `None` for a change that names nothing.
    pub fn of(change: &MessageChange) -> Option<Self> {
        let is_receipt = matches!(change.change, ChangeKind::Read | ChangeKind::Delivered);
        let for_all = is_receipt && change.up_to.is_some() && change.is_sender.is_some();
        match (change.chat, change.id) {
            (Some(chat), _) if for_all => Some(Self::Chat(chat)),
            (_, Some(message)) => Some(Self::Message(message)),
            _ => None,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(id) => id.fmt(f),
            Self::Chat(id) => id.fmt(f),
        }
    }
}
