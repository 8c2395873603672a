//! `Persister`: leads, conversations and what prospecting databases tell, from memory into the store, then their events are finished.
//!
//! Bounded in rows: full means that it stops taking; the inbox holds the rest and is read back. While the database is
//! away it tries again, later each time, for as long as it takes. A row that the store refuses is parked on its own, and an
//! account whose rows are locked waits on its own ([`writing`](super::writing)); the others go on, in turns.

use std::{
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, WrapFuture};
use futures_util::future::BoxFuture;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use super::{
    FIRST_BACKOFF,
    queue::{Queue, Waiting},
    recall::{Recall, read_back},
    writing::{self, Written},
};
use crate::{
    config::Persistence,
    domain::{
        AccountId, EventId, clock,
        cost::CostAlert,
        lead::Lead,
        message::{Chat, Happening},
        prospecting::{CampaignTold, CostRecorded, ProspectTold, Told},
    },
    inbox::{Inbox, InboxError, ParkReason},
    store,
    telemetry::{Metrics, Seldom},
};

/// How often the inbox is asked for what did not fit or was left over.
const LOOK_BACK: Duration = Duration::from_secs(1);
/// What was pushed this long ago and is not held was lost on the way here: the mailbox was full.
const OVERDUE: Duration = Duration::from_secs(3);

/// A row that was put off so often is parked, if others were stored meanwhile: the last of these waits is a minute or so.
const TRIES: u32 = 8;

/// This was pushed: keep it.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Store {
    /// The account that owns it.
    pub account: AccountId,
    /// The event that brought it.
    pub event: EventId,
    /// What there is to keep.
    pub what: Keep,
}

/// What an event leaves in the store.
#[derive(Debug, Clone)]
pub enum Keep {
    /// A lead.
    Lead(Box<Lead>),
    /// A message, or what became of one.
    Happening(Happening),
    /// A row of a prospecting database's leads.
    Prospect(Box<ProspectTold>),
    /// What happened to a campaign.
    Campaign(Box<CampaignTold>),
    /// What a call has cost.
    Cost(Box<CostRecorded>),
    /// That too much was spent.
    Alert(Box<CostAlert>),
    /// Nothing: it was only to be shown.
    Nothing,
}

impl From<Told> for Keep {
    fn from(told: Told) -> Self {
        match told {
            Told::Prospect(told) => Self::Prospect(told),
            Told::Campaign(told) => Self::Campaign(told),
            Told::Cost(told) => Self::Cost(told),
            Told::Alert(told) => Self::Alert(told),
        }
    }
}

/// Told of what is kept. Dashboards hear what became of chats only then: what stands in the store counts, after duplicates and in any
/// order.
pub trait Announce: Send + Sync {
    /// Rows were written: whoever delivers changes to others may look.
    fn written(&self);

    /// Publishes their newest state.
    fn chats(&self, chats: Vec<Chat>) -> BoxFuture<'_, ()>;
}

/// The actor.
pub struct Persister {
    settings: Persistence,
    store: store::Store,
    inbox: Inbox,
    announce: Arc<dyn Announce>,
    recall: Arc<dyn Recall>,
    metrics: Arc<Metrics>,
    rate: Arc<DefaultDirectRateLimiter>,
    queue: Queue,
    writing: bool,
    /// When the next batch is written that is not full.
    wakes: Option<Instant>,
    reading: bool,
    behind: bool,
    backoff: Duration,
    /// Rows that were stored.
    stored: u64,
    /// Since when the database is away.
    away: Option<Instant>,
    /// While it is: one line a minute.
    still_away: Seldom,
    /// Of an account or a row that waits: one line a minute.
    stuck: Seldom,
}

impl Persister {
    /// Begins with what the inbox has left over.
    #[must_use]
    pub fn new(
        settings: Persistence,
        store: store::Store,
        inbox: Inbox,
        announce: Arc<dyn Announce>,
        recall: Arc<dyn Recall>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let one = NonZeroU32::MIN;
        let per_second = NonZeroU32::new(settings.rows_per_second).unwrap_or(one);
        let batch = u32::try_from(settings.batch_rows).ok().and_then(NonZeroU32::new).unwrap_or(one);
        let quota = Quota::per_second(per_second).allow_burst(batch.max(per_second));
        Self {
            rate: Arc::new(RateLimiter::direct(quota)),
            queue: Queue::new(settings.queue_rows, settings.backoff),
            settings,
            store,
            inbox,
            announce,
            recall,
            metrics,
            writing: false,
            wakes: None,
            reading: false,
            behind: true,
            backoff: FIRST_BACKOFF,
            stored: 0,
            away: None,
            still_away: Seldom::default(),
            stuck: Seldom::default(),
        }
    }

    fn take(&mut self, row: Store) {
        self.behind |= !self.queue.take(row);
    }

    /// Writes a batch when it is full or its first row has waited long enough.
    fn advance(&mut self, ctx: &mut Context<Self>) {
        if self.writing {
            return;
        }
        let now = Instant::now();
        let ready = self.queue.ready(now);
        if ready >= self.settings.batch_rows {
            self.write(ctx);
            return;
        }
        let due = if ready > 0 { Some(now + self.settings.batch_wait) } else { self.queue.next_due() };
        let Some(due) = due else { return };
        if self.wakes.is_none_or(|at| due < at) {
            self.wakes = Some(due);
            let wait = due.saturating_duration_since(now).max(self.settings.batch_wait);
            ctx.run_later(wait, |persister, ctx| {
                persister.wakes = None;
                if !persister.writing && persister.queue.ready(Instant::now()) > 0 {
                    persister.write(ctx);
                } else {
                    persister.advance(ctx);
                }
            });
        }
    }

    fn write(&mut self, ctx: &mut Context<Self>) {
        let batch = self.queue.batch(self.settings.batch_rows, Instant::now());
        let Some(rows) = u32::try_from(batch.len()).ok().and_then(NonZeroU32::new) else { return };
        self.writing = true;
        let (store, inbox, rate) = (self.store.clone(), self.inbox.clone(), Arc::clone(&self.rate));
        let (announce, metrics, stored) = (Arc::clone(&self.announce), Arc::clone(&self.metrics), self.stored);
        let writing = async move {
            // A batch is never larger than the burst, so it always fits.
            let _ = rate.until_n_ready(rows).await;
            let started = Instant::now();
            let mut written = writing::write(&store, batch).await;
            metrics.store_seconds.observe(started.elapsed().as_secs_f64());
            park_hopeless(&mut written, stored);
            announce.written();
            announce.chats(std::mem::take(&mut written.chats)).await;
            finish(&inbox, &written).await;
            written
        };
        ctx.spawn(writing.into_actor(self).map(|written, persister, ctx| persister.written(written, ctx)));
    }

    fn written(&mut self, written: Written, ctx: &mut Context<Self>) {
        let (now, before) = (Instant::now(), self.stored);
        let Written { done, refused, failed, locked, left, .. } = written;
        self.metrics.stored_leads.inc_by(done.leads as u64);
        self.metrics.stored_messages.inc_by(done.messages as u64);
        for (waiting, _) in &refused {
            Metrics::count(&self.metrics.parked_events, ParkReason::NotStorable.as_str());
            self.queue.release(&waiting.row);
        }
        for waiting in &done.rows {
            self.queue.release(&waiting.row);
        }
        self.stored += done.rows.len() as u64;
        if !done.rows.is_empty() {
            self.is_back();
        }
        for (waiting, why) in failed {
            self.tell_stuck("a row", waiting.row.account, &why);
            self.queue.put_off(waiting, before, now);
        }
        for (rows, why) in locked {
            self.tell_stuck("an account", rows[0].row.account, &why);
            self.queue.put_off_account(rows, now);
        }
        let Some((rows, why)) = left else {
            self.writing = false;
            if self.behind && self.queue.has_much_room() {
                self.look_back(ctx);
            }
            return self.advance(ctx);
        };
        self.is_away(&why);
        self.queue.put_back(rows);
        ctx.run_later(self.backoff, |persister, ctx| {
            persister.writing = false;
            persister.advance(ctx);
        });
        self.backoff = (self.backoff * 2).min(self.settings.backoff);
    }

    /// Said when it begins, once a minute while it lasts, and when it ends.
    fn is_away(&mut self, why: &str) {
        self.metrics.store_failures.inc();
        let since = *self.away.get_or_insert_with(Instant::now);
        if self.still_away.admit(Instant::now()).is_some() {
            tracing::warn!(why, lasts = ?since.elapsed(), "the store is away; dashboards go on");
        }
    }

    fn is_back(&mut self) {
        self.backoff = FIRST_BACKOFF;
        if let Some(since) = self.away.take() {
            self.still_away = Seldom::default();
            tracing::info!(lasted = ?since.elapsed(), "the store is back");
        }
    }

    fn tell_stuck(&self, what: &str, account: AccountId, why: &str) {
        self.metrics.store_failures.inc();
        if let Some(withheld) = self.stuck.admit(Instant::now()) {
            tracing::warn!(%account, why, withheld, "{what} can't be stored for now; tried again, and others go on");
        }
    }

    fn look_back(&mut self, ctx: &mut Context<Self>) {
        if self.reading || !self.queue.has_much_room() {
            return;
        }
        self.reading = true;
        let behind = std::mem::take(&mut self.behind);
        let before = if behind { clock::now() } else { clock::now() - OVERDUE };
        let (inbox, recall, limit) = (self.inbox.clone(), Arc::clone(&self.recall), self.settings.queue_rows);
        let reading = async move {
            let unstored = inbox.unstored(before, limit).await?;
            let is_full = unstored.len() >= limit;
            let mut rows = Vec::with_capacity(unstored.len());
            for unstored in unstored {
                rows.extend(read_back(&inbox, &*recall, unstored).await);
            }
            Ok::<_, InboxError>((rows, is_full))
        };
        ctx.spawn(reading.into_actor(self).map(move |read, persister, ctx| {
            persister.reading = false;
            match read {
                Ok((rows, is_full)) => {
                    persister.behind |= is_full;
                    for row in rows {
                        persister.take(row);
                    }
                    persister.advance(ctx);
                }
                Err(error) => {
                    persister.behind = true;
                    tracing::error!(%error, "what is not stored could not be read; tried again soon");
                }
            }
        }));
    }
}

/// What was refused again and again while others were stored is parked, for a person to see what the database says.
fn park_hopeless(written: &mut Written, stored: u64) {
    let is_hopeless = |waiting: &Waiting| waiting.tries >= TRIES && stored > waiting.since;
    let hopeless = written.failed.extract_if(.., |(waiting, _)| is_hopeless(waiting));
    let told = |(waiting, why)| (waiting, format!("refused again and again while others were stored: {why}"));
    written.refused.extend(hopeless.map(told));
}

/// Marks in the inbox what is done. If that fails the rows are stored once more, which changes nothing.
async fn finish(inbox: &Inbox, written: &Written) {
    let finished = written.finished();
    if !finished.is_empty()
        && let Err(error) = inbox.mark_stored(finished).await
    {
        tracing::error!(%error, "stored, but the inbox could not be told");
    }
    for (waiting, why) in &written.refused {
        park(inbox, waiting.row.event, why.clone()).await;
    }
}

pub(super) async fn park(inbox: &Inbox, event: EventId, why: String) {
    tracing::error!(%event, why, "the store can't have what an event leaves; it is parked");
    if let Err(error) = inbox.park(event, ParkReason::NotStorable, why).await {
        tracing::error!(%event, %error, "an event that can't be stored could not be parked");
    }
}

impl Actor for Persister {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(self.settings.queue_rows);
        ctx.run_interval(LOOK_BACK, Self::look_back);
    }
}

impl Handler<Store> for Persister {
    type Result = ();

    fn handle(&mut self, store: Store, ctx: &mut Self::Context) {
        self.take(store);
        self.advance(ctx);
    }
}
