//! `Pauses`: which endpoints are left alone for a while, as the dispatcher decides and people see.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::domain::{EndpointId, Timestamp};

/// Endpoints whose breaker is open in this hub, and until when. Never more than there are endpoints. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Pauses(Arc<Mutex<HashMap<EndpointId, Timestamp>>>);

impl Pauses {
    /// Nothing goes there until then.
    pub(super) fn note(&self, endpoint: EndpointId, now: Timestamp, until: Timestamp) {
        let mut pauses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pauses.retain(|_, until| *until > now);
        pauses.insert(endpoint, until);
    }

    /// Until when nothing goes there.
    #[must_use]
    pub fn until(&self, endpoint: EndpointId, now: Timestamp) -> Option<Timestamp> {
        let pauses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pauses.get(&endpoint).copied().filter(|until| *until > now)
    }
}
