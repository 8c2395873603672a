//! A send's row.

use diesel::prelude::*;

use crate::{
    domain::{
        AccountId, AgencyId, ChatId, MessageId, SendId, SourceId, UserId,
        send::{NewSend, Outgoing, Reason, SendState},
    },
    store::{
        schema::sends,
        types::{At, Word},
    },
};

/// A row of `sends`.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = sends, treat_none_as_default_value = false)]
pub(in crate::store) struct SendRow {
    pub id: Word<SendId>,
    pub agency_id: Word<AgencyId>,
    pub account_id: Word<AccountId>,
    pub chat_id: Word<ChatId>,
    pub source_id: Word<SourceId>,
    pub client_id: String,
    pub text: String,
    pub by_user: Option<Word<UserId>>,
    pub state: Word<SendState>,
    pub reason_code: Option<String>,
    pub reason: Option<String>,
    pub message_id: Option<Word<MessageId>>,
    pub platform_id: Option<String>,
    pub attempts: i32,
    pub next_try: At,
    pub tried_at: Option<At>,
    pub created_at: At,
    pub updated_at: At,
}

impl SendRow {
    /// As it is accepted.
    pub fn new(send: &NewSend, at: At) -> Self {
        let id = SendId::generate();
        Self {
            id: Word(id),
            agency_id: Word(send.agency),
            account_id: Word(send.account),
            chat_id: Word(send.chat),
            source_id: Word(send.source),
            client_id: send.client_id.clone().unwrap_or_else(|| id.to_string()),
            text: send.text.clone(),
            by_user: send.by.map(Word),
            state: Word(SendState::Pending),
            reason_code: None,
            reason: None,
            message_id: None,
            platform_id: None,
            attempts: 0,
            next_try: at,
            tried_at: None,
            created_at: at,
            updated_at: at,
        }
    }
}

impl From<SendRow> for Outgoing {
    fn from(row: SendRow) -> Self {
        Self {
            id: row.id.0,
            client_id: row.client_id,
            agency: row.agency_id.0,
            account: row.account_id.0,
            chat: row.chat_id.0,
            source: row.source_id.0,
            text: row.text,
            by: row.by_user.map(|user| user.0),
            state: row.state.0,
            reason: row.reason_code.map(|code| Reason { code, message: row.reason.unwrap_or_default() }),
            message: row.message_id.map(|message| message.0),
            platform_id: row.platform_id,
            attempts: u32::try_from(row.attempts).unwrap_or(0),
            next_try: row.next_try.0,
            tried_at: row.tried_at.map(|at| at.0),
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        }
    }
}
