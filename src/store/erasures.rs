//! Deleting what agencies hold of people, with all that was made of it: rows, webhooks to send, files.
//!
//! What was deleted is remembered by its id, so that nothing that is still on its way stores it again (triggers and
//! [`super::Store::apply_happenings`] pass it over), and so that what is to be done outside of the database is finished after
//! a crash.

use diesel::prelude::*;
use serde_json::Value;

use super::{
    audit::Trail,
    engine::run,
    error::Result,
    handle::Store,
    schema::erasures,
    types::{At, Json, Word},
};
use crate::domain::{
    AccountId, AgencyId, ChatId, LeadId, MessageId, clock,
    erasure::{Erasure, Thing},
    lead::Lead,
    message::Chat,
};

/// A row of `erasures`.
#[derive(Debug, Clone, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = erasures, treat_none_as_default_value = false, treat_none_as_null = true)]
pub(in crate::store) struct ErasureRow {
    pub agency_id: Word<AgencyId>,
    pub account_id: Word<AccountId>,
    pub thing: Word<Thing>,
    pub subject: String,
    pub until: Option<At>,
    pub traces: Json,
    pub told: bool,
    pub erased_at: At,
    pub finished_at: Option<At>,
}

/// How something is deleted: whether whoever asks tells dashboards, when, and on whose record.
#[derive(Debug, Clone)]
pub(in crate::store) struct How {
    pub told: bool,
    pub now: At,
    pub trail: Trail,
}

impl ErasureRow {
    pub fn new(erasure: &Erasure, told: bool, now: At) -> Self {
        Self {
            agency_id: Word(erasure.agency),
            account_id: Word(erasure.account),
            thing: Word(erasure.thing),
            subject: erasure.id.clone(),
            until: erasure.until.map(At),
            traces: Json(serde_json::to_value(&erasure.traces).unwrap_or(Value::Null)),
            told,
            erased_at: now,
            finished_at: None,
        }
    }
}

impl From<ErasureRow> for OpenErasure {
    fn from(row: ErasureRow) -> Self {
        let erasure = Erasure {
            agency: row.agency_id.0,
            account: row.account_id.0,
            thing: row.thing.0,
            id: row.subject,
            until: row.until.map(|until| until.0),
            traces: serde_json::from_value(row.traces.0).unwrap_or_default(),
        };
        Self { erasure, told: row.told }
    }
}

/// Something that was deleted from the database and not yet from everywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenErasure {
    /// What.
    pub erasure: Erasure,
    /// Whether dashboards were told.
    pub told: bool,
}

/// A message that was deleted.
#[derive(Debug, Clone, PartialEq)]
pub struct ErasedMessage {
    /// Itself.
    pub erasure: Erasure,
    /// Its chat, as it is without it.
    pub chat: Chat,
}

impl Store {
    fn how(&self, told: bool) -> How {
        How { told, now: At(clock::now()), trail: self.trail().clone() }
    }

    /// Deletes a lead of these accounts, the prospects that were made of it, and what is to be sent of them; `None` if there
    /// was none. Files that may list them are made anew. The lead's own erasure comes first. `told`: whoever asks tells
    /// dashboards.
    ///
    /// # Errors
    /// [`super::StoreError::Unavailable`] if the database is away, as with all of these.
    pub async fn erase_lead(
        &self,
        accounts: &[AccountId],
        id: LeadId,
        told: bool,
    ) -> Result<Option<(Lead, Vec<Erasure>)>> {
        let (accounts, how) = (accounts.to_vec(), self.how(told));
        run!(self, Change, |c, q| q::erasures::lead(c, &accounts, id, &how).await)
    }

    /// Deletes a prospect.
    ///
    /// # Errors
    /// As above.
    pub async fn erase_prospect(&self, accounts: &[AccountId], id: &str, told: bool) -> Result<Option<Erasure>> {
        let (accounts, id, how) = (accounts.to_vec(), id.to_owned(), self.how(told));
        run!(self, Change, |c, q| q::erasures::prospect(c, &accounts, &id, &how).await)
    }

    /// Deletes a chat with its messages and replies. What is written in it later begins it anew.
    ///
    /// # Errors
    /// As above.
    pub async fn erase_chat(&self, accounts: &[AccountId], id: ChatId, told: bool) -> Result<Option<Erasure>> {
        let (accounts, how) = (accounts.to_vec(), self.how(told));
        run!(self, Change, |c, q| q::erasures::chat(c, &accounts, id, &how).await)
    }

    /// Deletes a message of a chat, with the reply that it was.
    ///
    /// # Errors
    /// As above.
    pub async fn erase_message(
        &self,
        accounts: &[AccountId],
        chat: ChatId,
        id: MessageId,
        told: bool,
    ) -> Result<Option<ErasedMessage>> {
        let (accounts, how) = (accounts.to_vec(), self.how(told));
        run!(self, Change, |c, q| q::erasures::message(c, &accounts, chat, id, &how).await)
    }

    /// Deletes a campaign with its prospects, costs and files.
    ///
    /// # Errors
    /// As above.
    pub async fn erase_campaign(&self, accounts: &[AccountId], id: &str, told: bool) -> Result<Option<Erasure>> {
        let (accounts, id, how) = (accounts.to_vec(), id.to_owned(), self.how(told));
        run!(self, Change, |c, q| q::erasures::campaign(c, &accounts, &id, &how).await)
    }

    /// What was deleted and is not yet gone from everywhere, the oldest first.
    ///
    /// # Errors
    /// As above.
    pub async fn open_erasures(&self, limit: i64) -> Result<Vec<OpenErasure>> {
        run!(self, Read, |c, q| q::erasures::open(c, limit).await)
    }

    /// It is gone from everywhere, and nothing but its id is kept.
    ///
    /// # Errors
    /// As above.
    pub async fn finish_erasure(&self, erasure: &Erasure) -> Result<()> {
        let (account, id, now) = (erasure.account, erasure.id.clone(), At(clock::now()));
        run!(self, Append, |c, q| q::erasures::finish(c, account, &id, now).await)
    }

    /// Leaves nothing of what was deleted in the embedded database's write-ahead log. `false`: somebody reads, and it is to be
    /// tried again. A server sees to its own files.
    ///
    /// # Errors
    /// As above.
    pub async fn checkpoint(&self) -> Result<bool> {
        run!(self, Append, |c, q| q::erasures::checkpoint(c).await)
    }
}
