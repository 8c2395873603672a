//! Messages and what becomes of them, and what prospecting databases tell: read and published in order. Nothing is fetched
//! for them, so none waits for a lead.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use actix::{ActorFutureExt, AsyncContext, Context as Actors, WrapFuture};

use super::{AccountSupervisor, Ready};
use crate::{
    domain::{
        EventId, clock,
        directory::Source,
        envelope::{SourceHealth, SourceState},
        event::{Event, EventKind, NewEvent, SourceKind},
        message::{Arrival, ChangeKind, Happening, Owner},
    },
    inbox::ParkReason,
    platforms::{Unreadable, meta, prospecting, unipile},
};

/// So often what happened to a message that has not come yet is put off, each time for twice as long: a minute in all.
/// After that it is shown all the same; it may be about a message from before the hub.
const PATIENCE: u32 = 6;
const FIRST_WAIT: Duration = Duration::from_secs(1);

impl AccountSupervisor {
    /// Reads what has come, and publishes what is read.
    pub(super) fn talk_on(&mut self, ctx: &mut Actors<Self>) {
        while let Some(event) = self.talk.next() {
            let (id, attempts) = (event.id, event.attempts);
            self.talk.fetching(id);
            let Some(source) = self.source_of(&event) else {
                self.talk.fetched(id, None);
                self.park(id, ParkReason::SourceGone, super::SOURCE_GONE.to_owned(), ctx);
                continue;
            };
            let read = read(&event, &source);
            if matches!(&read, Ok(Ready::Health(health)) if health.state == SourceState::Healthy) {
                let _ = self.context.reconnected.try_send(source.id);
            }
            match read {
                Ok(ready) => match waits_for(&ready, &event, source.kind).filter(|_| attempts < PATIENCE) {
                    Some(message) => self.after(message, id, attempts, ready, ctx),
                    None => self.talk.fetched(id, Some(ready)),
                },
                Err(why) => {
                    self.talk.fetched(id, None);
                    self.park(id, ParkReason::Impossible, why, ctx);
                }
            }
        }
        while let Some((id, ready)) = self.talk.publishable() {
            self.publish(id, ready, ctx);
        }
    }

    /// Lets what happened to a message go on if the message is shown before it, and puts it off if not. That the message
    /// was accepted is not enough: it may stand behind in the line.
    fn after(&mut self, message: EventId, id: EventId, attempts: u32, ready: Ready, ctx: &mut Actors<Self>) {
        if self.talk.is_ahead(message) {
            return self.talk.fetched(id, Some(ready));
        }
        let inbox = self.context.inbox.clone();
        let asking = async move { inbox.is_past(message).await };
        ctx.spawn(asking.into_actor(self).map(move |past, supervisor, ctx| {
            if matches!(past, Ok(false)) {
                supervisor.talk.fetched(id, None);
                let until = clock::now() + FIRST_WAIT * (1 << attempts.min(PATIENCE));
                let why = "the message that it is about has not come yet".to_owned();
                supervisor.defer(id, until, true, "before_its_message", why, ctx);
            } else {
                supervisor.talk.fetched(id, Some(ready));
            }
            supervisor.talk_on(ctx);
        }));
    }
}

/// What an event says. A defect of the hub's own must not take the account's other events with it.
fn read(event: &Event, source: &Source) -> Result<Ready, String> {
    let owner = Owner { agency: source.agency, account: source.account, source: source.id };
    let arrival = if event.replayed { Arrival::Replay } else { Arrival::Webhook };
    let reading = || -> Result<Ready, Unreadable> {
        if event.kind == EventKind::Account {
            let (state, reason) = unipile::account_state(&event.item)?;
            return Ok(Ready::Health(SourceHealth { source: source.id, state, reason }));
        }
        if event.kind.is_prospecting() {
            return prospecting::read(&event.item, owner, event.received_at).map(Ready::Told);
        }
        let happening = match source.kind {
            SourceKind::Meta => meta::read(&event.item, owner, &source.external_id, event.received_at, arrival),
            SourceKind::Unipile => unipile::read(&event.item, owner, event.received_at, arrival),
            SourceKind::Prospecting => return Err(Unreadable::because("it is no event of a prospecting database")),
        };
        happening.map(Ready::Happening)
    };
    match catch_unwind(AssertUnwindSafe(reading)) {
        Ok(read) => read.map_err(|error| error.to_string()),
        Err(_) => Err("the hub failed to read it".to_owned()),
    }
}

/// The event of the message that has to be shown before this.
fn waits_for(ready: &Ready, event: &Event, kind: SourceKind) -> Option<EventId> {
    let Ready::Happening(Happening::Change(change)) = ready else { return None };
    let changes_it = matches!(change.change, ChangeKind::Edited | ChangeKind::Deleted | ChangeKind::Reaction);
    let message = change.platform_id.as_deref().filter(|_| changes_it)?;
    Some(NewEvent::key(&event.account.to_string(), kind, message, EventKind::Message))
}
