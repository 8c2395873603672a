//! When each lead was first read by anybody: from acks into the store.
//!
//! The inbox keeps which part of a room was read and when until all leads in there are marked. One that was pushed and is
//! not stored yet is waited for, and so is a database that is away.

use std::time::Duration;

use serde::Deserialize;

use super::FIRST_BACKOFF;
use crate::{
    domain::{EventId, LeadId},
    inbox::{Inbox, InboxError, Logged, Seen},
    store::{Store, StoreError},
};

/// Parts looked at in one go.
const PARTS: i64 = 64;
/// Bytes of the log read at once.
const PAGE: usize = 256 * 1024;
/// How soon a lead that was not stored yet is looked for again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Why it has to be tried again.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Inbox(#[from] InboxError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Sets `first_seen_at` of the leads that somebody has read, for ever. `longest`: between two tries while the database is
/// away.
pub async fn mark_first_seen(store: Store, inbox: Inbox, longest: Duration) {
    let mut wait = FIRST_BACKOFF;
    loop {
        match mark_all(&store, &inbox).await {
            Ok(true) => {
                wait = FIRST_BACKOFF;
                inbox.something_seen().await;
            }
            Ok(false) => tokio::time::sleep(LOOK_AGAIN).await,
            Err(error) => {
                tracing::warn!(%error, ?wait, "which leads were seen can't be stored yet");
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(longest);
            }
        }
    }
}

/// Whether nothing is left to do.
async fn mark_all(store: &Store, inbox: &Inbox) -> Result<bool, Failure> {
    let (mut last, mut is_all) = (None, true);
    loop {
        let parts = inbox.seen_after(last, PARTS).await?;
        let Some(newest) = parts.last() else { return Ok(is_all) };
        last = Some(*newest);
        for part in parts {
            if mark(store, inbox, part).await? {
                inbox.settle_seen(part).await?;
            } else {
                is_all = false;
            }
        }
    }
}

/// Marks the leads of one part; whether all of them were stored.
async fn mark(store: &Store, inbox: &Inbox, part: Seen) -> Result<bool, Failure> {
    let (mut after, mut is_all) = (part.after, true);
    loop {
        let page = inbox.log_after(part.room, after, PAGE).await?;
        let within = page.entries.iter().filter(|entry| entry.position <= part.up_to);
        let (events, leads): (Vec<EventId>, Vec<LeadId>) = within.filter_map(new_lead).unzip();
        if !leads.is_empty() {
            // In this order: what is stored in between is marked, and at worst looked for once more.
            is_all &= !inbox.any_unstored(events).await?;
            match store.mark_first_seen(part.room.account(), &leads, part.at).await {
                Err(error) if error.is_rejected() => tracing::error!(%error, "which leads were seen can't be stored"),
                outcome => drop(outcome?),
            }
        }
        match page.entries.last() {
            Some(last) if page.more && last.position < part.up_to => after = last.position,
            _ => return Ok(is_all),
        }
    }
}

/// The event and the lead of a `new_lead`.
fn new_lead(entry: &Logged) -> Option<(EventId, LeadId)> {
    #[derive(Deserialize)]
    struct Envelope {
        id: EventId,
        payload: Payload,
    }
    #[derive(Deserialize)]
    struct Payload {
        lead: Lead,
    }
    #[derive(Deserialize)]
    struct Lead {
        id: LeadId,
    }
    if entry.kind != "new_lead" {
        return None;
    }
    let Envelope { id, payload } = serde_json::from_slice(&entry.envelope).ok()?;
    Some((id, payload.lead.id))
}
