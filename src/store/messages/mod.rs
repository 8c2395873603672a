//! Messages and what becomes of them.
//!
//! Webhooks come late, twice and in any order, so the platform's times decide and not the order of arrival: whichever way
//! the same happenings come, the same rows are left. What comes before its message waits for it, within bounds. Receipts
//! for all messages until some time are times of the chat, and no message's row is written for them.

mod ledger;
mod row;
mod waiting;

use std::collections::BTreeMap;

pub(super) use ledger::{Ledger, Tenancy};
pub(super) use row::MessageRow;
pub(super) use waiting::WaitingRow;

use super::{check, engine::run, error::Result, handle::Store, types::At};
use crate::domain::{
    AccountId, AgencyId, ChatId, MessageId, clock,
    message::{Chat, Happening, Message},
};

/// Which messages of a chat a page is to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageFilter {
    /// Only those before this one of the same chat, by time.
    pub before: Option<MessageId>,
    /// The newest first, or the oldest.
    pub newest_first: bool,
    /// Messages on the page.
    pub limit: u32,
    /// Messages to be passed over.
    pub offset: u32,
}

/// Messages of a chat.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MessagePage {
    /// What was found.
    pub messages: Vec<Message>,
    /// How many the chat has.
    pub total: i64,
}

/// Somebody who writes in a chat, as their newest message there tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attendee {
    /// By the platform's id, if it has one.
    pub id: Option<String>,
    /// Whose chat it is.
    pub account: AccountId,
    /// By the messenger's id.
    pub provider_id: String,
    /// For people.
    pub name: Option<String>,
    /// The account itself.
    pub is_self: bool,
}

impl Store {
    /// Keeps what happened in conversations, all or nothing, and answers with the chats that look different now. What is
    /// kept already changes nothing.
    ///
    /// # Errors
    /// [`super::StoreError::Rejected`] or [`super::StoreError::Conflict`] if one of them can't be kept as it is, or its account is gone:
    /// try them one by one. [`super::StoreError::Unavailable`]: try again later; doing it twice does no harm.
    pub async fn apply_happenings(&self, happenings: &[Happening]) -> Result<Vec<Chat>> {
        happenings.iter().try_for_each(check::happening)?;
        // In this order accounts are locked; nodes that keep the same ones at once must not wait crosswise.
        let mut accounts: BTreeMap<Tenancy, Vec<Happening>> = BTreeMap::new();
        for happening in happenings {
            accounts.entry(Tenancy::of(happening)).or_default().push(happening.clone());
        }
        if accounts.is_empty() {
            return Ok(Vec::new());
        }
        let now = At(clock::now());
        run!(self, Append, |c, q| q::happenings::apply(c, &accounts, now).await)
    }

    /// A page of a chat's messages; `None` if these accounts have no such chat.
    ///
    /// # Errors
    /// [`super::StoreError::Rejected`] if `before` is no message of the chat.
    pub async fn messages(
        &self,
        agency: AgencyId,
        accounts: &[AccountId],
        chat: ChatId,
        filter: &MessageFilter,
    ) -> Result<Option<MessagePage>> {
        let (accounts, filter) = (accounts.to_vec(), filter.clone());
        run!(self, Read, |c, q| q::messages::page(c, agency, &accounts, chat, &filter).await)
    }

    /// Who writes in a chat under this id of the messenger's; `None` if nobody does, or these accounts have no such chat.
    ///
    /// # Errors
    /// [`super::StoreError::Unavailable`] if the database is away.
    pub async fn attendee(
        &self,
        agency: AgencyId,
        accounts: &[AccountId],
        chat: ChatId,
        provider_id: &str,
    ) -> Result<Option<Attendee>> {
        if check::text("provider_id", provider_id).is_err() {
            return Ok(None);
        }
        let (accounts, provider_id) = (accounts.to_vec(), provider_id.to_owned());
        run!(self, Read, |c, q| q::messages::attendee(c, agency, &accounts, chat, &provider_id).await)
    }
}
