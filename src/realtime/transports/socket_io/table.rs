//! Which session has which id, on whatever thread it lives.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actix::Addr;

use super::{
    application::Application,
    handshake::Refusal,
    session::{Request, Session},
};

/// All sessions of an application. Cheap to clone; all clones are one.
pub struct Sessions<A: Application> {
    by_id: Arc<Mutex<HashMap<String, Addr<Session<A>>>>>,
}

impl<A: Application> Clone for Sessions<A> {
    fn clone(&self) -> Self {
        Self { by_id: Arc::clone(&self.by_id) }
    }
}

impl<A: Application> Default for Sessions<A> {
    fn default() -> Self {
        Self { by_id: Arc::default() }
    }
}

impl<A: Application> Sessions<A> {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Addr<Session<A>>>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is a session with this id.
    pub(super) fn has(&self, id: &str) -> bool {
        self.all().contains_key(id)
    }

    /// Hands a request to its session. Full means that the client has more requests at a time than it may.
    pub(super) fn send(&self, id: &str, request: Request) -> Result<(), Refusal> {
        let session = self.all().get(id).cloned().ok_or(Refusal::UnknownSession)?;
        session.try_send(request).map_err(|error| match error {
            actix::dev::SendError::Full(_) => Refusal::BadRequest,
            actix::dev::SendError::Closed(_) => Refusal::UnknownSession,
        })
    }

    /// A place for a new session.
    pub(super) fn ticket(&self, id: String) -> Ticket<A> {
        Ticket { sessions: self.clone(), id }
    }
}

/// A session's place in the table; given back when dropped.
pub(super) struct Ticket<A: Application> {
    sessions: Sessions<A>,
    id: String,
}

impl<A: Application> Ticket<A> {
    /// Requests find the session from now on.
    pub(super) fn show(&self, session: Addr<Session<A>>) {
        self.sessions.all().insert(self.id.clone(), session);
    }
}

impl<A: Application> Drop for Ticket<A> {
    fn drop(&mut self) {
        // Dropped after the lock: an address wakes its actor.
        let _session = self.sessions.all().remove(&self.id);
    }
}
