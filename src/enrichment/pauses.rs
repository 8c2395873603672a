//! What must not be called for a while: a page, or the hub's own app. Shared by all supervisors of the node.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::domain::{SourceId, Timestamp, directory::Source};

/// What waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Paused {
    /// Every source of the hub's own Meta app.
    HubApp,
    /// One source.
    Source(SourceId),
}

/// Until when; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Pauses(Arc<Mutex<HashMap<Paused, Timestamp>>>);

impl Pauses {
    /// Calls nothing of this source until then.
    pub fn pause_source(&self, source: &Source, until: Timestamp) {
        self.extend(Paused::Source(source.id), until);
    }

    /// Calls nothing of the source's app until then. An agency's own app is known by its source alone.
    pub fn pause_app(&self, source: &Source, until: Timestamp) {
        let paused = if source.app_secrets.is_empty() { Paused::HubApp } else { Paused::Source(source.id) };
        self.extend(paused, until);
    }

    /// Until when the source must wait; `None` if it may be called.
    #[must_use]
    pub fn until(&self, source: &Source, now: Timestamp) -> Option<Timestamp> {
        let mut pauses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pauses.retain(|_, until| *until > now);
        let app = source.app_secrets.is_empty().then(|| pauses.get(&Paused::HubApp)).flatten();
        pauses.get(&Paused::Source(source.id)).max(app).copied()
    }

    fn extend(&self, paused: Paused, until: Timestamp) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let current = all.entry(paused).or_insert(until);
        *current = until.max(*current);
    }
}
