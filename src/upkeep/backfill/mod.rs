//! What no webhook brought: read from the platform's lists, and sent the same way as webhooks from then on.
//!
//! A message has the same event id whichever way it comes, so it is kept and shown once. A span of time is read whole
//! and goes into the inbox oldest first; then the hub remembers that it got this far, and reads on from there after a
//! crash. What one sees of it: `arrival` is `sync`.

mod follow;
mod run;
mod span;
#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actix::Recipient;

use crate::{
    config,
    domain::{
        SourceId,
        directory::{Source, Watch},
    },
    enrichment::Arrived,
    inbox::{Inbox, InboxError},
    platforms::unipile::{Remedy, UnipileClient, UnipileError},
    telemetry::Metrics,
    upkeep::Ailments,
};

/// What it works with.
pub struct Parts {
    /// Asks Unipile.
    pub client: UnipileClient,
    /// Settings of Unipile's API.
    pub settings: config::Unipile,
    /// Keeps what was read, and how far.
    pub inbox: Inbox,
    /// Goes on with it.
    pub arrived: Recipient<Arrived>,
    /// Who is who.
    pub directory: Watch,
    /// Where a person sees what is wrong.
    pub ailments: Ailments,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

/// Reads what was missed; clones share the work.
#[derive(Clone)]
pub struct Backfill {
    parts: Arc<Parts>,
    /// Sources that are being read.
    reading: Arc<Mutex<HashSet<SourceId>>>,
    /// Sources that are to be read until it succeeds; `true` if once more after that.
    followed: Arc<Mutex<HashMap<SourceId, bool>>>,
}

/// What was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Messages that the platform's lists have.
    pub messages: usize,
    /// Those of them that the hub did not have.
    pub new_messages: usize,
}

/// Why not all was read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SyncError {
    /// It is being read.
    #[error("the source is being read already")]
    Busy,
    /// There is no API to ask.
    #[error("the hub does not know where the source's API is: `leadwire source set-dsn`")]
    ReceivesOnly,
    /// There were more messages in a minute than can be.
    #[error("the platform's list of messages does not end")]
    Endless,
    /// The platform refused or failed.
    #[error("{0}")]
    Platform(#[from] UnipileError),
    /// What was read could not be kept.
    #[error("{0}")]
    Inbox(#[from] InboxError),
}

impl SyncError {
    /// What would help.
    fn remedy(&self) -> Remedy {
        match self {
            Self::Platform(error) => error.remedy,
            Self::ReceivesOnly => Remedy::GiveUp,
            Self::Busy | Self::Endless | Self::Inbox(_) => Remedy::Retry,
        }
    }
}

impl Backfill {
    /// Reads nothing until it is asked to.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self { parts: Arc::new(parts), reading: Arc::default(), followed: Arc::default() }
    }

    /// Reads a source, or one chat of it by the platform's id: what is new since the last time, or with `full` all that
    /// a new source is read.
    ///
    /// # Errors
    /// Whatever kept it from being read to the end. What was read until then is kept.
    pub async fn sync(&self, source: &Source, chat: Option<&str>, full: bool) -> Result<Stats, SyncError> {
        let _turn = Turn::take(&self.reading, source.id).ok_or(SyncError::Busy)?;
        let outcome = run::read(&self.parts, source, chat, full).await;
        let metrics = &self.parts.metrics;
        Metrics::count(&metrics.syncs, if outcome.is_ok() { "ok" } else { "failed" });
        outcome
    }
}

/// While it is there, nobody else reads the source.
struct Turn<'a> {
    reading: &'a Mutex<HashSet<SourceId>>,
    source: SourceId,
}

impl<'a> Turn<'a> {
    fn take(reading: &'a Mutex<HashSet<SourceId>>, source: SourceId) -> Option<Self> {
        locked(reading).insert(source).then_some(Self { reading, source })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        locked(self.reading).remove(&self.source);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
