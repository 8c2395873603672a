//! How many sessions a user, an account and an address have, over all shards. Touched when one comes or goes.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{auth::Subject, config::Realtime, domain::AccountId};

/// Something that has a number of sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Holder {
    Address(IpAddr),
    Subject(Subject),
    Account(AccountId),
}

/// The counts, shared by all shards.
#[derive(Clone)]
pub struct SessionLimits {
    counts: Arc<Mutex<HashMap<Holder, u32>>>,
    per_user: u32,
    per_account: u32,
    per_address: u32,
}

impl SessionLimits {
    /// None yet.
    #[must_use]
    pub fn new(settings: &Realtime) -> Self {
        Self {
            counts: Arc::default(),
            per_user: settings.sessions_per_user,
            per_account: settings.sessions_per_account,
            per_address: settings.sessions_per_address,
        }
    }

    /// A socket from this address; `None` if it has too many.
    #[must_use]
    pub fn admit_address(&self, address: IpAddr) -> Option<Seat> {
        self.take(Holder::Address(address), self.per_address)
    }

    /// A session of this subject; `None` if it has too many. Those without a login share one: as many as an account may
    /// have.
    #[must_use]
    pub fn admit_subject(&self, subject: Subject) -> Option<Seat> {
        let limit = if matches!(subject, Subject::Anonymous(_)) { self.per_account } else { self.per_user };
        self.take(Holder::Subject(subject), limit)
    }

    /// A session in this account's rooms; `None` if it has too many.
    #[must_use]
    pub fn admit_account(&self, account: AccountId) -> Option<Seat> {
        self.take(Holder::Account(account), self.per_account)
    }

    fn take(&self, holder: Holder, limit: u32) -> Option<Seat> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(holder).or_insert(0);
        if *count >= limit {
            return None;
        }
        *count += 1;
        Some(Seat { counts: Arc::clone(&self.counts), holder })
    }
}

/// One counted session; given back when dropped.
pub struct Seat {
    counts: Arc<Mutex<HashMap<Holder, u32>>>,
    holder: Holder,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.holder) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.holder);
            }
        }
    }
}
