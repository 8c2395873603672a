//! Writing a batch; and what of it is written when the store does not take it as a whole.
//!
//! Diesel does not hand on what PostgreSQL calls an error (its SQLSTATE), and its text is in the server's language. So what
//! is not plainly a fault of the data is judged by what else is taken: while the database answers, the batch is tried account by
//! account and then row by row. What fails slowly waits for a lock: its account is put off. What fails at once is put off
//! alone, and parked when it was refused again and again while others were stored.

use std::{
    slice,
    time::{Duration, Instant},
};

use super::{Keep, queue::Waiting};
use crate::{
    domain::{
        EventId,
        message::{Chat, Happening},
    },
    store::{Store, StoreError},
};

/// What takes so long to fail waits for somebody else. Far below the time that the store waits for a lock.
const SLOW: Duration = Duration::from_millis(500);
/// After this many failures in a row, with nothing stored, the database is taken to be away.
const HOPELESS: usize = 3;

/// What became of a batch.
#[derive(Default)]
pub(super) struct Written {
    pub done: Done,
    /// Rows that the store can't take as they are, and why.
    pub refused: Vec<(Waiting, String)>,
    /// Rows that fail alone, nobody knows whether for good.
    pub failed: Vec<(Waiting, String)>,
    /// Rows of accounts of which something is locked.
    pub locked: Vec<(Vec<Waiting>, String)>,
    /// Not tried, or not to be judged: why the database is away.
    pub left: Option<(Vec<Waiting>, String)>,
    /// Chats that were changed, each once, in their newest state; also by rows that failed after that. Written again they
    /// change nothing, so they are told now or never.
    pub chats: Vec<Chat>,
}

/// What was stored.
#[derive(Default)]
pub(super) struct Done {
    pub rows: Vec<Waiting>,
    pub leads: usize,
    pub messages: usize,
}

impl Done {
    fn add(&mut self, more: Self) {
        self.rows.extend(more.rows);
        self.leads += more.leads;
        self.messages += more.messages;
    }
}

impl Written {
    /// The events that are finished.
    pub(super) fn finished(&self) -> Vec<EventId> {
        self.done.rows.iter().map(|waiting| waiting.row.event).collect()
    }

    fn is_hopeless(&self) -> bool {
        self.done.rows.is_empty() && self.failed.len() + self.locked.len() >= HOPELESS
    }
}

/// Writes a batch, as much of it as the store takes.
pub(super) async fn write(store: &Store, batch: Vec<Waiting>) -> Written {
    let mut written = Written::default();
    match rows(store, &batch, &mut written.chats).await {
        Ok(done) => written.done = Done { rows: batch, ..done },
        Err(error) if error.is_transient() && store.ping().await.is_err() => {
            written.left = Some((batch, error.to_string()));
        }
        Err(_) => split(store, batch, &mut written).await,
    }
    written
}

/// Account by account.
async fn split(store: &Store, batch: Vec<Waiting>, written: &mut Written) {
    let mut accounts: Vec<Vec<Waiting>> = Vec::new();
    for waiting in batch {
        let account = waiting.row.account;
        match accounts.iter_mut().find(|rows| rows[0].row.account == account) {
            Some(rows) => rows.push(waiting),
            None => accounts.push(vec![waiting]),
        }
    }
    let mut accounts = accounts.into_iter();
    while let Some(of_account) = accounts.next() {
        let began = Instant::now();
        let error = match rows(store, &of_account, &mut written.chats).await {
            Ok(done) => {
                written.done.add(Done { rows: of_account, ..done });
                continue;
            }
            Err(error) => error,
        };
        if error.is_transient() && began.elapsed() >= SLOW {
            written.locked.push((of_account, error.to_string()));
        } else {
            one_by_one(store, of_account, written).await;
        }
        if written.left.is_none() && written.is_hopeless() {
            written.left = Some((Vec::new(), error.to_string()));
        }
        if let Some((left, _)) = &mut written.left {
            left.extend(accounts.flatten());
            return;
        }
    }
}

/// An account's rows.
async fn one_by_one(store: &Store, of_account: Vec<Waiting>, written: &mut Written) {
    let mut waiting = of_account.into_iter();
    while let Some(one) = waiting.next() {
        let began = Instant::now();
        let error = match rows(store, slice::from_ref(&one), &mut written.chats).await {
            Ok(done) => {
                written.done.add(Done { rows: vec![one], ..done });
                continue;
            }
            Err(error) => error,
        };
        let text = error.to_string();
        if !error.is_transient() {
            written.refused.push((one, text));
        } else if store.ping().await.is_err() {
            written.left = Some((std::iter::once(one).chain(waiting).collect(), text));
            return;
        } else if began.elapsed() >= SLOW {
            written.locked.push((std::iter::once(one).chain(waiting).collect(), text));
            return;
        } else {
            written.failed.push((one, text.clone()));
            if written.is_hopeless() {
                written.left = Some((waiting.collect(), text));
                return;
            }
        }
    }
}

/// Writes all of these or says why not. What was written before it failed is written again, which changes nothing.
async fn rows(store: &Store, batch: &[Waiting], chats: &mut Vec<Chat>) -> Result<Done, StoreError> {
    let (mut leads, mut happenings) = (Vec::new(), Vec::new());
    let (mut campaigns, mut prospects, mut costs, mut alerts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for waiting in batch {
        match &waiting.row.what {
            Keep::Lead(lead) => leads.push((**lead).clone()),
            Keep::Happening(happening) => happenings.push(happening.clone()),
            Keep::Prospect(prospect) => prospects.push((**prospect).clone()),
            Keep::Campaign(campaign) => campaigns.push((**campaign).clone()),
            Keep::Cost(cost) => costs.push((**cost).clone()),
            Keep::Alert(alert) => alerts.push((**alert).clone()),
            Keep::Nothing => {}
        }
    }
    if !leads.is_empty() {
        store.insert_leads(&leads).await?;
    }
    if !happenings.is_empty() {
        let changed = store.apply_happenings(&happenings).await?;
        chats.retain(|chat| changed.iter().all(|newer| newer.id != chat.id));
        chats.extend(changed);
    }
    // Leads and costs name campaigns.
    store.keep_campaigns(&campaigns).await?;
    store.keep_prospects(&prospects).await?;
    store.keep_costs(&costs).await?;
    store.keep_alerts(&alerts).await?;
    let messages = happenings.iter().filter(|happening| matches!(happening, Happening::Message(_))).count();
    Ok(Done { rows: Vec::new(), leads: leads.len(), messages })
}
