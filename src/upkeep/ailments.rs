//! What is not as it should be with a source, for the attention list.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::domain::{AccountId, SourceId, Timestamp, directory::Source};

/// The list; clones share it. At most one entry a source and kind.
#[derive(Debug, Clone, Default)]
pub struct Ailments(Arc<Mutex<BTreeMap<(SourceId, &'static str), Ailment>>>);

/// Something that a person should know of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ailment {
    /// Whose.
    pub account: AccountId,
    /// Which source.
    pub source: SourceId,
    /// What does not work: `webhooks_missing` or `sync_failing`.
    pub kind: &'static str,
    /// For people: why.
    pub reason: String,
    /// For how long.
    pub since: Timestamp,
}

impl Ailments {
    /// It does not work, since `now` or since it was said first. True if that is news.
    #[must_use]
    pub fn note(&self, source: &Source, kind: &'static str, reason: String, now: Timestamp) -> bool {
        let mut all = self.all();
        let known = all.get(&(source.id, kind));
        let since = known.map_or(now, |known| known.since);
        let is_news = known.is_none_or(|known| known.reason != reason);
        all.insert((source.id, kind), Ailment { account: source.account, source: source.id, kind, reason, since });
        is_news
    }

    /// It works.
    pub fn heal(&self, source: SourceId, kind: &'static str) {
        self.all().remove(&(source, kind));
    }

    /// All there are.
    #[must_use]
    pub fn list(&self) -> Vec<Ailment> {
        self.all().values().cloned().collect()
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<(SourceId, &'static str), Ailment>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
