//! Sends: the queue of replies on their way to a platform, and the record of what became of them.
//!
//! What people ask for names its accounts, as everywhere. What [`crate::sending`] asks for goes over all of them, one
//! source at a time: it is the hub's own.

mod row;

pub(super) use row::SendRow;

use chrono::TimeDelta;

use super::{
    check,
    engine::run,
    error::{Result, StoreError},
    handle::Store,
    types::At,
};
use crate::domain::{
    AccountId, AgencyId, ChatId, MessageId, SendId, SourceId, Timestamp, clock,
    send::{NewSend, Outgoing, SendState},
};

/// The longest name that a client may give a send, in bytes.
const LONGEST_CLIENT_ID: usize = 100;

/// As long a late echo is looked for.
const AWAITED: TimeDelta = TimeDelta::days(2);

/// What became of a send that was to be kept.
#[derive(Debug, Clone, PartialEq)]
pub enum Admission {
    /// It is kept.
    New(Outgoing),
    /// One with the same client id and text was kept before: this.
    Known(Outgoing),
    /// One with the same client id was kept before, and says something else or stands elsewhere.
    Different,
    /// The account has as many that wait as it may have.
    Full,
}

/// A send that something is still to happen with, as far as its turn depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenSend {
    /// Which.
    pub id: SendId,
    /// Whose.
    pub account: AccountId,
    /// Where it is to stand.
    pub chat: ChatId,
    /// Pending or sending.
    pub state: SendState,
    /// Not before.
    pub next_try: Timestamp,
}

impl Store {
    /// Keeps a send, unless it is known or the account has `most` that wait.
    ///
    /// # Errors
    /// [`StoreError::Rejected`] if it can't be stored as it is; [`StoreError::NotFound`] if the account or the chat is
    /// gone.
    pub async fn add_send(&self, send: &NewSend, most: u32) -> Result<Admission> {
        check::text("text", &send.text)?;
        if let Some(client_id) = &send.client_id {
            check::filled("client_id", client_id)?;
            if client_id.len() > LONGEST_CLIENT_ID {
                return Err(StoreError::Rejected(format!("client_id is longer than {LONGEST_CLIENT_ID} bytes")));
            }
        }
        let (send, now) = (send.clone(), At(clock::now()));
        run!(self, Change, |c, q| q::sends::add(c, &send, most, now).await)
    }

    /// One send of these accounts.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the database is away.
    pub async fn send(&self, accounts: &[AccountId], id: SendId) -> Result<Option<Outgoing>> {
        let accounts = accounts.to_vec();
        run!(self, Read, |c, q| q::sends::one(c, &accounts, id).await)
    }

    /// A chat's sends that wait, and those that have failed since some time, the oldest first; of many the newest.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the database is away.
    pub async fn sends_of_chat(
        &self,
        agency: AgencyId,
        account: AccountId,
        chat: ChatId,
        failed_since: Timestamp,
    ) -> Result<Vec<Outgoing>> {
        let since = At(failed_since);
        run!(self, Read, |c, q| q::sends::of_chat(c, agency, account, chat, since).await)
    }

    /// The sources through which something is to go now.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the database is away.
    pub async fn sources_to_send(&self) -> Result<Vec<SourceId>> {
        let now = At(clock::now());
        run!(self, Read, |c, q| q::sends::sources(c, now).await)
    }

    /// A source's sends that something is still to happen with, in the order in which they were kept.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the database is away.
    pub async fn open_sends(&self, source: SourceId) -> Result<Vec<OpenSend>> {
        run!(self, Read, |c, q| q::sends::open(c, source).await)
    }

    /// Marks a pending send as being sent, for good before the platform is asked; `None` if it is not pending any more.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: then nobody knows whether it is marked, and it must not be sent.
    pub async fn claim_send(&self, account: AccountId, id: SendId) -> Result<Option<Outgoing>> {
        let now = At(clock::now());
        run!(self, Change, |c, q| q::sends::claim(c, account, id, now).await)
    }

    /// Keeps what became of a send that was being sent. One that is settled already stays as it is.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the message is another send's; [`StoreError::Unavailable`]: try again later.
    pub async fn settle_send(&self, send: &Outgoing) -> Result<()> {
        let send = send.clone();
        run!(self, Append, |c, q| q::sends::settle(c, &send).await)
    }

    /// The message that a send seems to have become: the account's own, in the same chat, with the same text, written
    /// and received since it was tried, and no other send's. With the platform's id of it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the database is away.
    pub async fn echo_of(&self, send: &Outgoing) -> Result<Option<(MessageId, String)>> {
        let send = send.clone();
        run!(self, Read, |c, q| q::sends::echo(c, &send).await)
    }

    /// Takes sends as sent of which nobody knew, and whose message the platform has shown since; those of the last two
    /// days.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the database is away.
    pub async fn confirm_sends(&self) -> Result<Vec<Outgoing>> {
        let now = clock::now();
        let (since, now) = (At(now - AWAITED), At(now));
        run!(self, Append, |c, q| q::sends::confirm(c, since, now).await)
    }

    /// Forgets sends that were settled before then: so many, up to a thousand.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the database is away.
    pub async fn prune_sends(&self, before: Timestamp) -> Result<usize> {
        let before = At(before);
        run!(self, Append, |c, q| q::sends::prune(c, before).await)
    }
}
