//! Chats: made by their messages, listed and worked on by people.

mod row;

pub(super) use row::ChatRow;

use super::{
    check,
    engine::run,
    error::{Result, StoreError},
    handle::Store,
    types::At,
};
use crate::domain::{
    AccountId, AgencyId, ChatId, UserId, clock,
    message::{ASSIST_MODES, Chat},
};

/// Which chats a page is to show: those that everything given here holds for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChatFilter {
    /// Nothing in it is unread, or something is.
    pub is_read: Option<bool>,
    /// Put aside, or not.
    pub is_ignored: Option<bool>,
    /// Chats on the page.
    pub limit: u32,
    /// Chats to be passed over.
    pub offset: u32,
}

/// Chats, those with the newest messages first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChatPage {
    /// What was found.
    pub chats: Vec<Chat>,
    /// How many there are on all pages.
    pub total: i64,
}

/// What people may do to a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChatChange {
    /// What is in it was read.
    Read,
    /// It is put aside, or taken up again.
    Ignored(bool),
    /// One of [`ASSIST_MODES`].
    AssistMode(String),
    /// Whose task it is to answer: somebody who may see the account, or nobody.
    Assigned(Option<UserId>),
}

/// A chat after a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// As it is now.
    pub chat: Chat,
    /// Whether anything in it is another than before.
    pub differs: bool,
}

impl Store {
    /// A page of these accounts' chats. No accounts: an empty page.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the database is away.
    pub async fn list_chats(&self, agency: AgencyId, accounts: &[AccountId], filter: &ChatFilter) -> Result<ChatPage> {
        if accounts.is_empty() {
            return Ok(ChatPage::default());
        }
        let (accounts, filter) = (accounts.to_vec(), filter.clone());
        run!(self, Read, |c, q| q::chats::page(c, agency, &accounts, &filter).await)
    }

    /// One chat of these accounts, by its id or by the platform's, if only one chat has that.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the database is away.
    pub async fn chat(&self, agency: AgencyId, accounts: &[AccountId], name: &str) -> Result<Option<Chat>> {
        if check::key("name", name).is_err() {
            return Ok(None);
        }
        let (accounts, name) = (accounts.to_vec(), name.to_owned());
        run!(self, Read, |c, q| q::chats::one(c, agency, &accounts, &name).await)
    }

    /// Changes a chat of these accounts; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError::Rejected`] if there is no such mode, or the user may not see the account.
    pub async fn change_chat(
        &self,
        agency: AgencyId,
        accounts: &[AccountId],
        id: ChatId,
        change: &ChatChange,
    ) -> Result<Option<Changed>> {
        if let ChatChange::AssistMode(mode) = change
            && !ASSIST_MODES.contains(&mode.as_str())
        {
            return Err(StoreError::Rejected(format!("assist_mode must be one of {}", ASSIST_MODES.join(", "))));
        }
        let (accounts, change, now) = (accounts.to_vec(), change.clone(), At(clock::now()));
        run!(self, Change, |c, q| q::chats::change(c, agency, &accounts, id, &change, now).await)
    }
}
