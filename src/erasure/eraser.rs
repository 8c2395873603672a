//! `Eraser`: finishes what was deleted.

use std::{sync::Arc, time::Duration};

use actix::Recipient;
use tokio::{sync::Notify, time::timeout};

use crate::{
    domain::{
        EventId, clock,
        envelope::{Body, Deleted, Envelope, LeadUpdated},
        erasure::{Erasure, Thing},
    },
    inbox::{Forgotten, Inbox, InboxError},
    realtime::Publish,
    store::{OpenErasure, Store, StoreError},
};

/// How often deletions are looked for of which nobody told: those of commands.
const SWEEP: Duration = Duration::from_secs(2);
/// Deletions that are finished before others are looked for.
const TOGETHER: i64 = 100;

/// So often the write-ahead logs are tried to be emptied, and how long after the last try.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(250);

/// Why a deletion is not finished yet.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// The inbox can't be used.
    #[error(transparent)]
    Inbox(#[from] InboxError),
    /// The database can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Dashboards could not be told.
    #[error("dashboards could not be told: {0}")]
    Untold(String),
}

/// Finishes what was deleted. Cheap to clone.
#[derive(Clone)]
pub struct Eraser {
    pub(super) store: Store,
    pub(super) inbox: Inbox,
    wake: Arc<Notify>,
}

impl Eraser {
    /// Over what the hub holds.
    #[must_use]
    pub fn new(store: Store, inbox: Inbox) -> Self {
        Self { store, inbox, wake: Arc::default() }
    }

    /// What is done before the answer: nothing of these is pushed any more, and who resumes does not get it.
    ///
    /// # Errors
    /// If the inbox can't be used: it is done as soon as it can.
    pub async fn conceal(&self, erasures: &[Erasure]) -> Result<Forgotten, EraseError> {
        self.wake.notify_one();
        let mut forgotten = self.inbox.mark_erased(erasures).await?;
        for erasure in erasures {
            forgotten.envelopes += self.inbox.erase_log(erasure).await?;
        }
        Ok(forgotten)
    }

    /// Does all that is left to do, and notes that it is done.
    ///
    /// # Errors
    /// If something can't be used: it has to be done again then.
    pub async fn finish(&self, erasure: &Erasure) -> Result<Forgotten, EraseError> {
        let mut forgotten = self.conceal(std::slice::from_ref(erasure)).await?;
        forgotten += self.inbox.erase_events(erasure).await?;
        // What was being written while it was deleted.
        let of = [erasure.account];
        match erasure.thing {
            Thing::Lead => {
                if let Ok(id) = erasure.id.parse() {
                    self.store.erase_lead(&of, id, true).await?;
                }
            }
            Thing::Prospect => drop(self.store.erase_prospect(&of, &erasure.id, true).await?),
            Thing::Campaign => drop(self.store.erase_campaign(&of, &erasure.id, true).await?),
            // Behind their account's lock; what is there now was written later.
            Thing::Chat | Thing::Message => {}
        }
        self.store.finish_erasure(erasure).await?;
        Ok(forgotten)
    }

    /// Finishes for ever what was deleted, tells dashboards of what they were not told, and frees what it took on the disk.
    pub async fn run(self, publish: Recipient<Publish>) {
        // What was deleted before a crash may be in the logs still.
        let mut wiped = false;
        loop {
            match self.sweep(&publish).await {
                Ok(0) if wiped => {}
                Ok(finished) => {
                    // While somebody reads it can't be done: then it is tried again with the next look.
                    wiped = self.wipe().await;
                    if finished > 0 {
                        tracing::info!(finished, wiped, "what was deleted is gone from the inbox as well");
                        continue;
                    }
                }
                Err(error) => tracing::warn!(%error, "what was deleted could not be finished; tried again soon"),
            }
            // Woken or not.
            let _ = timeout(SWEEP, self.wake.notified()).await;
        }
    }

    /// Leaves nothing of what was deleted in the write-ahead logs; whether that could be done.
    pub async fn wipe(&self) -> bool {
        let (mut store, mut inbox) = (false, false);
        for _ in 0..TRIES {
            store = store || self.store.checkpoint().await.unwrap_or(false);
            inbox = inbox || self.inbox.checkpoint().await.unwrap_or(false);
            if store && inbox {
                return true;
            }
            tokio::time::sleep(PAUSE).await;
        }
        false
    }

    /// How many were finished.
    async fn sweep(&self, publish: &Recipient<Publish>) -> Result<usize, EraseError> {
        let open = self.store.open_erasures(TOGETHER).await?;
        for OpenErasure { erasure, told } in &open {
            if !told {
                let published = publish.send(Publish { envelope: farewell(erasure), event: None }).await;
                published
                    .map_err(|error| EraseError::Untold(error.to_string()))?
                    .map_err(|error| EraseError::Untold(error.to_string()))?;
            }
            self.finish(erasure).await?;
        }
        Ok(open.len())
    }
}

/// What dashboards are told of a deletion. Of a message its chat is told apart.
#[must_use]
pub fn farewell(erasure: &Erasure) -> Envelope {
    let body = match (erasure.thing, erasure.id.parse()) {
        (Thing::Lead, Ok(id)) => Body::LeadUpdated(LeadUpdated::deleted(id)),
        _ => Body::Deleted(Deleted { thing: erasure.thing, id: erasure.id.clone() }),
    };
    Envelope { id: EventId::generate(), account: erasure.account, timestamp: clock::now(), body }
}
