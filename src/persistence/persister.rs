//! `Persister`: leads, conversations and what prospecting databases tell, from memory into the store, then their events are finished.
//!
//! Bounded in rows: full means that it stops taking; the inbox holds the rest and is read back. While the database is
//! away it tries again, later each time, for as long as it takes. A row that the store refuses is parked on its own.

use std::{
    borrow::Cow,
    collections::{HashSet, VecDeque},
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, WrapFuture};
use futures_util::future::BoxFuture;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::FIRST_BACKOFF;
use crate::{
    config::Persistence,
    domain::{
        AccountId, EventId, SourceId, Timestamp, clock,
        cost::CostAlert,
        envelope::NewLead,
        lead::Lead,
        message::{Chat, Happening},
        prospecting::{CampaignTold, CostRecorded, ProspectTold, Told},
    },
    inbox::{Inbox, Kept, ParkReason, Unstored},
    store::{self, StoreError},
    telemetry::Metrics,
};

/// How often the inbox is asked for what did not fit or was left over.
const LOOK_BACK: Duration = Duration::from_secs(1);
/// What was pushed this long ago and is not held was lost on the way here: the mailbox was full.
const OVERDUE: Duration = Duration::from_secs(3);

/// This was pushed: keep it.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Store {
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

/// Reads again what an event leaves in the store, for those whose envelope does not say it all.
pub trait Recall: Send + Sync {
    /// From the item.
    ///
    /// # Errors
    /// In words, if that can't be read any more.
    fn keep(&self, account: AccountId, source: SourceId, item: &str, received_at: Timestamp) -> Result<Keep, String>;
}

/// Told of what is kept. Dashboards hear what became of chats only then: what stands in the store counts, after duplicates and in any
/// order.
pub trait Announce: Send + Sync {
    /// Rows were written: whoever delivers changes to others may look.
    fn written(&self);

    /// Publishes their newest state.
    fn chats(&self, chats: Vec<Chat>) -> BoxFuture<'_, ()>;
}

/// What became of a batch.
enum Outcome {
    Done(Done),
    Away(String),
}

/// What became of the rows of a batch.
#[derive(Default)]
struct Done {
    finished: Vec<EventId>,
    refused: Vec<(EventId, String)>,
    leads: usize,
    messages: usize,
    chats: Vec<Chat>,
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
    queue: VecDeque<Store>,
    /// In the queue or being written.
    held: HashSet<EventId>,
    writing: bool,
    waiting: bool,
    behind: bool,
    backoff: Duration,
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
            settings,
            store,
            inbox,
            announce,
            recall,
            metrics,
            queue: VecDeque::new(),
            held: HashSet::new(),
            writing: false,
            waiting: false,
            behind: true,
            backoff: FIRST_BACKOFF,
        }
    }

    fn take(&mut self, store: Store) {
        if self.held.len() >= self.settings.queue_rows {
            self.behind = true;
        } else if self.held.insert(store.event) {
            self.queue.push_back(store);
        }
    }

    /// Writes a batch when it is full or its first row has waited long enough.
    fn advance(&mut self, ctx: &mut Context<Self>) {
        if self.writing || self.queue.is_empty() {
            return;
        }
        if self.queue.len() >= self.settings.batch_rows {
            self.write(ctx);
        } else if !std::mem::replace(&mut self.waiting, true) {
            ctx.run_later(self.settings.batch_wait, |persister, ctx| {
                persister.waiting = false;
                if !persister.writing && !persister.queue.is_empty() {
                    persister.write(ctx);
                }
            });
        }
    }

    fn write(&mut self, ctx: &mut Context<Self>) {
        self.writing = true;
        let batch: Vec<Store> = self.queue.drain(..self.queue.len().min(self.settings.batch_rows)).collect();
        let (store, inbox, rate) = (self.store.clone(), self.inbox.clone(), Arc::clone(&self.rate));
        let (announce, metrics) = (Arc::clone(&self.announce), Arc::clone(&self.metrics));
        let writing = async move {
            if let Some(rows) = u32::try_from(batch.len()).ok().and_then(NonZeroU32::new) {
                // A batch is never larger than the burst, so it always fits.
                let _ = rate.until_n_ready(rows).await;
            }
            let started = Instant::now();
            let mut outcome = insert(&store, &batch).await;
            metrics.store_seconds.observe(started.elapsed().as_secs_f64());
            if let Outcome::Done(done) = &mut outcome {
                announce.written();
                announce.chats(std::mem::take(&mut done.chats)).await;
                finish(&inbox, std::mem::take(&mut done.finished), &done.refused).await;
            }
            (batch, outcome)
        };
        ctx.spawn(
            writing.into_actor(self).map(|(batch, outcome), persister, ctx| persister.written(batch, outcome, ctx)),
        );
    }

    fn written(&mut self, batch: Vec<Store>, outcome: Outcome, ctx: &mut Context<Self>) {
        match outcome {
            Outcome::Done(Done { refused, leads, messages, .. }) => {
                self.backoff = FIRST_BACKOFF;
                self.metrics.stored_leads.inc_by(leads as u64);
                self.metrics.stored_messages.inc_by(messages as u64);
                for _ in &refused {
                    Metrics::count(&self.metrics.parked_events, ParkReason::NotStorable.as_str());
                }
                for store in &batch {
                    self.held.remove(&store.event);
                }
                self.writing = false;
                self.advance(ctx);
            }
            Outcome::Away(why) => {
                self.metrics.store_failures.inc();
                tracing::warn!(why, wait = ?self.backoff, rows = batch.len(), "the store is away; dashboards go on");
                batch.into_iter().rev().for_each(|store| self.queue.push_front(store));
                ctx.run_later(self.backoff, |persister, ctx| {
                    persister.writing = false;
                    persister.write(ctx);
                });
                self.backoff = (self.backoff * 2).min(self.settings.backoff);
            }
        }
    }

    fn look_back(&mut self, ctx: &mut Context<Self>) {
        if self.held.len() * 2 > self.settings.queue_rows {
            return;
        }
        let behind = std::mem::take(&mut self.behind);
        let before = if behind { clock::now() } else { clock::now() - OVERDUE };
        let (inbox, limit) = (self.inbox.clone(), self.settings.queue_rows);
        let reading = async move { inbox.unstored(before, limit).await };
        ctx.spawn(reading.into_actor(self).map(move |unstored, persister, ctx| match unstored {
            Ok(unstored) => {
                persister.behind |= unstored.len() >= limit;
                for unstored in unstored {
                    persister.read_back(&unstored);
                }
                persister.advance(ctx);
            }
            Err(error) => {
                persister.behind = true;
                tracing::error!(%error, "what is not stored could not be read; tried again soon");
            }
        }));
    }

    fn read_back(&mut self, unstored: &Unstored) {
        let what = match &unstored.from {
            Kept::Envelope(envelope) => kept(envelope).map_err(|error| error.to_string()),
            Kept::Item { account, source, item, received_at } => {
                self.recall.keep(*account, *source, item, *received_at)
            }
        };
        match what {
            Ok(what) => self.take(Store { event: unstored.id, what }),
            Err(error) => tracing::error!(event = %unstored.id, error, "what is to be stored can't be read"),
        }
    }
}

/// What a logged envelope leaves in the store.
fn kept(envelope: &[u8]) -> serde_json::Result<Keep> {
    #[derive(Deserialize)]
    struct Logged<'a> {
        #[serde(rename = "type", borrow)]
        kind: Cow<'a, str>,
        #[serde(borrow)]
        payload: &'a RawValue,
    }
    let Logged { kind, payload } = serde_json::from_slice(envelope)?;
    let payload = payload.get();
    Ok(match kind.as_ref() {
        "new_lead" => Keep::Lead(Box::new(serde_json::from_str::<NewLead>(payload)?.lead)),
        "message:new" => Keep::Happening(Happening::Message(serde_json::from_str(payload)?)),
        "source:health" => Keep::Nothing,
        _ => Keep::Happening(Happening::Change(serde_json::from_str(payload)?)),
    })
}

/// Writes a batch; if the store refuses it, row by row, so that one bad row does not keep the others out.
async fn insert(store: &store::Store, batch: &[Store]) -> Outcome {
    match write_rows(store, batch).await {
        Ok(done) => return Outcome::Done(done),
        Err(error) if error.is_transient() => return Outcome::Away(error.to_string()),
        Err(_) => {}
    }
    let mut all = Done::default();
    for row in batch {
        match write_rows(store, std::slice::from_ref(row)).await {
            Ok(done) => {
                all.finished.extend(done.finished);
                all.leads += done.leads;
                all.messages += done.messages;
                all.chats.retain(|chat| done.chats.iter().all(|newer| newer.id != chat.id));
                all.chats.extend(done.chats);
            }
            Err(error) if error.is_transient() => return Outcome::Away(error.to_string()),
            Err(error) => all.refused.push((row.event, error.to_string())),
        }
    }
    Outcome::Done(all)
}

/// Writes all of these or says why not. What was written before it failed is written again, which changes nothing.
async fn write_rows(store: &store::Store, batch: &[Store]) -> Result<Done, StoreError> {
    let (mut leads, mut happenings) = (Vec::new(), Vec::new());
    let (mut campaigns, mut prospects, mut costs, mut alerts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for row in batch {
        match &row.what {
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
    let chats = if happenings.is_empty() { Vec::new() } else { store.apply_happenings(&happenings).await? };
    // Leads and costs name campaigns.
    store.keep_campaigns(&campaigns).await?;
    store.keep_prospects(&prospects).await?;
    store.keep_costs(&costs).await?;
    store.keep_alerts(&alerts).await?;
    let messages = happenings.iter().filter(|happening| matches!(happening, Happening::Message(_))).count();
    let finished = batch.iter().map(|row| row.event).collect();
    Ok(Done { finished, refused: Vec::new(), leads: leads.len(), messages, chats })
}

/// Marks in the inbox what is done. If that fails the rows are stored once more, which changes nothing.
async fn finish(inbox: &Inbox, finished: Vec<EventId>, refused: &[(EventId, String)]) {
    if let Err(error) = inbox.mark_stored(finished).await {
        tracing::error!(%error, "stored, but the inbox could not be told");
    }
    for (event, why) in refused {
        tracing::error!(%event, why, "the store refuses what an event leaves; it is parked");
        if let Err(error) = inbox.park(*event, ParkReason::NotStorable, why.clone()).await {
            tracing::error!(%event, %error, "a refused event could not be parked");
        }
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
