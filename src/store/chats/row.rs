//! A chat's row.

use diesel::prelude::*;

use crate::{
    domain::{
        AccountId, AgencyId, ChatId, SourceId, UserId,
        message::{ASSIST_MODES, ChangeKind, Chat, Message},
    },
    store::{
        schema::chats,
        types::{At, Word},
    },
};

/// Letters of the newest message that the list of chats shows at most.
const GLIMPSE: usize = 500;

/// A row of `chats`.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = chats, treat_none_as_default_value = false, treat_none_as_null = true)]
pub(in crate::store) struct ChatRow {
    pub id: Word<ChatId>,
    pub agency_id: Word<AgencyId>,
    pub account_id: Word<AccountId>,
    pub source_id: Word<SourceId>,
    pub account_type: String,
    pub platform_id: String,
    pub provider_id: String,
    pub name: Option<String>,
    pub named_at: Option<At>,
    pub timestamp: At,
    pub last_message: Option<String>,
    pub unread_count: i64,
    pub read_up_to: Option<At>,
    pub seen_up_to: Option<At>,
    pub delivered_up_to: Option<At>,
    pub is_ignored: bool,
    pub assist_mode: String,
    pub assignee: Option<Word<UserId>>,
    pub created_at: At,
    pub updated_at: At,
}

impl ChatRow {
    /// As its first message makes it.
    pub fn new(message: &Message, now: At) -> Self {
        Self {
            id: Word(message.chat),
            agency_id: Word(message.agency),
            account_id: Word(message.account),
            source_id: Word(message.source),
            account_type: message.account_type.clone(),
            platform_id: message.chat_platform_id.clone(),
            provider_id: message.chat_provider_id.clone(),
            name: None,
            named_at: None,
            timestamp: At(message.timestamp),
            last_message: None,
            unread_count: 0,
            read_up_to: None,
            seen_up_to: None,
            delivered_up_to: None,
            is_ignored: false,
            assist_mode: ASSIST_MODES[0].to_owned(),
            assignee: None,
            created_at: At(message.created_at),
            updated_at: now,
        }
    }

    /// What a message says of the chat. The name is the oldest that is known: in a group each sender may bring another.
    pub fn meet(&mut self, message: &Message) {
        self.created_at.0 = self.created_at.0.min(message.created_at);
        if let Some(name) = message.chat_name.as_ref().filter(|name| !name.trim().is_empty()) {
            let known = self.named_at.zip(self.name.as_ref()).map(|(at, name)| (at.0, name));
            if known.is_none_or(|known| (message.timestamp, name) < known) {
                self.name = Some(name.clone());
                self.named_at = Some(At(message.timestamp));
            }
        }
    }

    /// All messages of one side until then were read, or have arrived.
    pub fn receipt(&mut self, kind: ChangeKind, is_sender: bool, until: At) {
        let time = match (kind, is_sender) {
            (ChangeKind::Read, true) => &mut self.seen_up_to,
            (ChangeKind::Read, false) => &mut self.read_up_to,
            (ChangeKind::Delivered, true) => &mut self.delivered_up_to,
            _ => return,
        };
        *time = Some(At(time.map_or(until.0, |time| time.0.max(until.0))));
    }

    /// What the list shows of its newest message.
    pub fn show(&mut self, timestamp: At, text: Option<&str>) {
        self.timestamp = timestamp;
        self.last_message = text.map(Self::glimpse);
    }

    /// How a message is shown among chats.
    pub fn glimpse(text: &str) -> String {
        text.chars().take(GLIMPSE).collect()
    }
}

impl From<ChatRow> for Chat {
    fn from(row: ChatRow) -> Self {
        Self {
            id: row.id.0,
            agency: row.agency_id.0,
            account: row.account_id.0,
            source: row.source_id.0,
            account_type: row.account_type,
            platform_id: row.platform_id,
            provider_id: row.provider_id,
            name: row.name,
            timestamp: row.timestamp.0,
            last_message: row.last_message,
            unread_count: row.unread_count,
            is_read: row.unread_count == 0,
            is_ignored: row.is_ignored,
            assist_mode: row.assist_mode,
            assignee: row.assignee.map(|user| user.0),
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        }
    }
}
