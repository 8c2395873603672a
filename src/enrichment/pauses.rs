//! What must not be called for a while: a page, or the hub's own app. Shared by all supervisors of the node.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::domain::{SourceId, directory::Source};

/// What waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Paused {
    /// Every source of the hub's own Meta app.
    HubApp,
    /// One source.
    Source(SourceId),
}

/// Until when; cheap to clone. Wall clocks jump, so it goes by another.
#[derive(Debug, Clone, Default)]
pub struct Pauses(Arc<Mutex<HashMap<Paused, Instant>>>);

impl Pauses {
    /// Calls nothing of this source for so long.
    pub fn pause_source(&self, source: &Source, wait: Duration) {
        self.extend(Paused::Source(source.id), wait);
    }

    /// Calls nothing of the source's app for so long. An agency's own app is known by its source alone.
    pub fn pause_app(&self, source: &Source, wait: Duration) {
        let paused = if source.app_secrets.is_empty() { Paused::HubApp } else { Paused::Source(source.id) };
        self.extend(paused, wait);
    }

    /// How long the source must wait; `None` if it may be called.
    #[must_use]
    pub fn left(&self, source: &Source) -> Option<Duration> {
        let now = Instant::now();
        let mut pauses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pauses.retain(|_, until| *until > now);
        let app = source.app_secrets.is_empty().then(|| pauses.get(&Paused::HubApp)).flatten();
        pauses.get(&Paused::Source(source.id)).max(app).map(|until| *until - now)
    }

    fn extend(&self, paused: Paused, wait: Duration) {
        let until = Instant::now() + wait;
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let current = all.entry(paused).or_insert(until);
        *current = until.max(*current);
    }
}
