//! `Desk`: where replies are handed in, and where to wait for what becomes of them.

use std::{sync::Arc, time::Duration};

use actix::Recipient;
use tokio::{
    sync::broadcast::{self, error::RecvError},
    time::{Instant, timeout_at},
};

use super::{attempt::envelope, echo, reasons, seen::Read, sender::Wake};
use crate::{
    config,
    domain::{
        SourceId, UserId,
        directory::{Source, Watch},
        message::{Chat, Message},
        send::{Longest, NewSend, Outgoing, Reason},
    },
    realtime::Publish,
    store::{Admission, Store, StoreError},
};

/// Takes replies in. Cheap to clone.
#[derive(Clone)]
pub struct Desk {
    /// Settings of this module.
    pub settings: Arc<config::Sending>,
    /// The queue.
    pub store: Store,
    /// Who is who.
    pub directory: Watch,
    /// Tells dashboards.
    pub publish: Recipient<Publish>,
    /// The sender.
    pub wake: Recipient<Wake>,
    /// The same: tells platforms what was read.
    pub read: Recipient<Read>,
    /// Where it says what became of a send.
    pub outcomes: broadcast::Sender<Outgoing>,
}

/// A send that is kept, now or before.
#[derive(Debug)]
pub struct Submitted {
    /// As it was when it was handed in.
    pub send: Outgoing,
    outcomes: broadcast::Receiver<Outgoing>,
}

/// Why a reply is not taken in.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refused {
    /// It says nothing, or too much.
    #[error("{0}")]
    Text(String),
    /// Nothing can be sent through the chat's source.
    #[error("{}", .0.message)]
    Source(Reason),
    /// The client id is that of another reply.
    #[error("this client_id was used for another reply: use a new one for each")]
    Different,
    /// Too many of the account's wait already.
    #[error("{0} replies of this account wait to be sent already: wait until some have gone")]
    Full(u32),
    /// It could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Desk {
    /// Why nothing can be sent through a source; `None` if it can.
    #[must_use]
    pub fn obstacle(&self, source: SourceId) -> Option<Reason> {
        reasons::usable(self.source(source).as_ref()).err()
    }

    /// Keeps a reply, tells dashboards that it waits, and wakes the sender. One that is known by its client id is not
    /// sent again.
    ///
    /// # Errors
    /// If it is not taken in.
    pub async fn submit(
        &self,
        chat: &Chat,
        text: &str,
        client_id: Option<String>,
        by: Option<UserId>,
    ) -> Result<Submitted, Refused> {
        let text = text.trim();
        if text.is_empty() {
            return Err(Refused::Text("the text is empty".to_owned()));
        }
        let longest = Longest::of(&chat.account_type);
        if !longest.fits(text) {
            return Err(Refused::Text(format!("the text is longer than this messenger takes: {longest}")));
        }
        if let Some(obstacle) = self.obstacle(chat.source) {
            return Err(Refused::Source(obstacle));
        }
        let new = NewSend {
            agency: chat.agency,
            account: chat.account,
            chat: chat.id,
            source: chat.source,
            client_id,
            text: text.to_owned(),
            by,
        };
        // Before it is kept, so that nothing that becomes of it is missed.
        let outcomes = self.outcomes.subscribe();
        let most = self.settings.pending_per_account;
        let send = match self.store.add_send(&new, most).await? {
            Admission::New(send) => send,
            Admission::Known(send) => return Ok(Submitted { send, outcomes }),
            Admission::Different => return Err(Refused::Different),
            Admission::Full => return Err(Refused::Full(most)),
        };
        if let Err(error) = self.publish.send(Publish { envelope: envelope(&send), event: None }).await {
            tracing::error!(%error, send = %send.id, "a waiting send was not published");
        }
        // Full: the sweep finds it.
        let _ = self.wake.try_send(Wake(send.source));
        Ok(Submitted { send, outcomes })
    }

    /// What became of a send within some time: settled, or still open.
    ///
    /// # Errors
    /// If the database had to be asked, and is away.
    pub async fn outcome(&self, submitted: Submitted, patience: Duration) -> Result<Outgoing, StoreError> {
        let Submitted { mut send, mut outcomes } = submitted;
        let deadline = Instant::now() + patience;
        while send.state.is_open() {
            match timeout_at(deadline, outcomes.recv()).await {
                Ok(Ok(told)) if told.id == send.id => send = told,
                Ok(Ok(_)) => {}
                // So many sends are settled that this one's word may be lost.
                Ok(Err(RecvError::Lagged(_))) => {
                    if let Some(found) = self.store.send(&[send.account], send.id).await? {
                        send = found;
                    }
                }
                Ok(Err(RecvError::Closed)) | Err(_) => break,
            }
        }
        Ok(send)
    }

    /// The message that a send has become, as dashboards are shown it.
    #[must_use]
    pub fn message(&self, send: &Outgoing, chat: &Chat) -> Option<Message> {
        echo::message(send, &self.source(send.source)?, chat)
    }

    /// Has the platform told that a chat was read here, unless the settings forbid it.
    pub fn mark_read(&self, chat: &Chat) {
        if self.settings.read_receipts && self.read.try_send(Read::from(chat)).is_err() {
            tracing::warn!(chat = %chat.id, "the platform is not told that a chat was read: the sender is busy");
        }
    }

    fn source(&self, id: SourceId) -> Option<Source> {
        self.directory.borrow().as_ref()?.sources.get(&id).cloned()
    }
}
