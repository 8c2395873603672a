//! Tells of sign-ins: a log line and a record each, without making anybody wait for the database.
//!
//! Records go through a bounded queue to one task that writes them, and tries again while the database is away. When the
//! queue is full the newest is lost: it was logged, and it is counted.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::mpsc::{self, Receiver, Sender};

use super::{
    AuthError, Crowd, Login,
    allowance::{Allowance, Key},
    keys,
};
use crate::{
    domain::{
        audit::{Action, Actor, Author, Event},
        directory::{Directory, User},
    },
    http::network_of,
    store::{AuditDraft, Store},
    telemetry::{Labelled, Metrics, watched},
};

/// Records that wait for the database, some 300 bytes each; more are lost.
const QUEUE: usize = 4096;
/// Records written in one go.
const BATCH: usize = 100;
/// How often sums of minutes that are over are looked for.
const LOOK: Duration = Duration::from_secs(10);
/// Waits between attempts at a database that is away.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(10)];

/// Tells of sign-ins. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Recorder(Arc<Shared>);

struct Shared {
    store: Store,
    queue: Sender<AuditDraft>,
    allowance: Mutex<Allowance>,
    metrics: Arc<Metrics>,
}

impl Recorder {
    /// Starts the task that writes, on the runtime of the caller.
    #[must_use]
    pub fn start(store: Store, metrics: Arc<Metrics>) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let recorder = Self(Arc::new(Shared { store, queue, allowance: Mutex::default(), metrics }));
        tokio::spawn(watched("the record of logins", recorder.clone().write(waiting)));
        recorder
    }

    /// Tells what became of a login.
    pub(super) fn login(
        &self,
        directory: Option<&Directory>,
        email: &str,
        address: Option<IpAddr>,
        outcome: &Result<Login, AuthError>,
    ) {
        let action = match outcome {
            Ok(_) => Action::LoginSucceeded,
            Err(AuthError::WrongLogin) => Action::LoginFailed,
            Err(AuthError::TooManyAttempts { crowd: Crowd::Network | Crowd::Person | Crowd::Device, .. }) => {
                Action::LoginLockedOut
            }
            // Nothing was tried: the hub could not look.
            Err(_) => return,
        };
        let email = email.trim().to_lowercase();
        let user = directory.and_then(|known| known.users.get(known.users_by_email.get(&email)?));
        let (agency, network) = (user.map(|user| user.agency), address.map(network_of));
        let in_person = user.map(|user| user.id).filter(|_| action == Action::LoginSucceeded);
        let key = Key { action, agency, user: in_person, network };
        if !self.allowance(|allowance| allowance.take(key, Instant::now())) {
            self.count("summed", 1);
            return;
        }
        // A hash of an address that nobody has: enough to see that it is the same again.
        let email_hash = user.is_none().then(|| hex::encode(&keys::hash(&email)[..4]));
        log(action, user, email_hash.as_deref(), address);
        let mut event = Event { agency, ..Event::nobodys(action) };
        event.target = user.map(|user| user.id.to_string());
        if let Some(hash) = email_hash {
            event = event.with("email_hash", hash);
        }
        self.queue(in_person.map_or(Actor::Unknown, Actor::User), address, event);
    }

    fn queue(&self, actor: Actor, address: Option<IpAddr>, event: Event) {
        let draft = self.0.store.by(Author::client(actor, address)).draft(event);
        if self.0.queue.try_send(draft).is_err() {
            self.count("lost", 1);
        }
    }

    fn count(&self, what: &'static str, count: u64) {
        self.0.metrics.audit_records.get_or_create(&Labelled { what }).inc_by(count);
    }

    fn allowance<T>(&self, look: impl FnOnce(&mut Allowance) -> T) -> T {
        look(&mut self.0.allowance.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends with the runtime.
    async fn write(self, mut waiting: Receiver<AuditDraft>) {
        let mut look = tokio::time::interval(LOOK);
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                _ = look.tick() => self.sum_up(),
                _ = waiting.recv_many(&mut batch, BATCH) => self.keep(&mut batch).await,
            }
        }
    }

    fn sum_up(&self) {
        for (key, count) in self.allowance(|allowance| allowance.over(Instant::now())) {
            let Key { action, agency, user, network } = key;
            let (agency_told, network_told) =
                (agency.map(tracing::field::display), network.map(tracing::field::display));
            tracing::warn!(%action, count, agency = agency_told, network = network_told, "more of the same, not logged one by one");
            let mut event = Event { agency, ..Event::nobodys(action) }.with("count", count);
            event.target = user.map(|user| user.to_string());
            self.queue(user.map_or(Actor::Unknown, Actor::User), network, event);
        }
    }

    /// Writes what waits; whoever comes meanwhile waits in the queue.
    async fn keep(&self, batch: &mut Vec<AuditDraft>) {
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let mut pause = PAUSES[0];
        loop {
            match self.0.store.keep(batch).await {
                Ok(()) => break self.count("kept", count),
                Err(error) if error.is_transient() => {
                    if pause == PAUSES[0] {
                        tracing::warn!(%error, "records of sign-ins wait for the database");
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSES[1]);
                }
                Err(error) => {
                    tracing::error!(%error, count, "records of sign-ins can't be kept and are lost");
                    break self.count("lost", count);
                }
            }
        }
        batch.clear();
    }
}

fn log(action: Action, user: Option<&User>, email_hash: Option<&str>, address: Option<IpAddr>) {
    let user = user.map(|user| tracing::field::display(user.id));
    let address = address.map(tracing::field::display);
    match action {
        Action::LoginFailed => tracing::warn!(user, email_hash, address, "a login failed"),
        Action::LoginLockedOut => {
            tracing::warn!(user, email_hash, address, "a login was refused: too many have failed before");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Vault;

    #[tokio::test]
    async fn a_login_never_waits_for_a_database_that_is_away_and_what_does_not_fit_is_counted() {
        let away = "postgres://u:p@127.0.0.1:9/none?sslmode=disable";
        let store = Store::open(away, 1, Duration::from_secs(1), Vault::new([1; 32])).await.unwrap();
        let metrics = Arc::new(Metrics::new());
        let recorder = Recorder::start(store, Arc::clone(&metrics));
        for _ in 0..QUEUE + BATCH + 10 {
            recorder.queue(Actor::Unknown, None, Event::nobodys(Action::LoginFailed));
        }
        let lost = metrics.audit_records.get_or_create(&Labelled { what: "lost" }).get();
        assert!((10..=10 + 100).contains(&lost), "{lost} of the newest are lost");
    }
}
