//! What has to be done now and then: retention, gauges, and looking whether every part is alive.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::TimeDelta;

use super::Hub;
use crate::{
    config::{self, KeyRing, Settings},
    costs::Watcher,
    domain::{
        Timestamp,
        clock::{self, Steady},
        directory::Watch,
    },
    exports::Exporter,
    inbox::{Inbox, Limits, Pruned, Space},
    persistence,
    realtime::presence,
    store::{self, Kept, Store},
    telemetry::{Metrics, ended, lasting},
};

/// How often the parts are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Nothing that the database keeps waits longer, unless `outbox.give_up_after` is longer.
const LONGEST_WAIT: TimeDelta = TimeDelta::days(2);

/// Starts retention and gauges, telling who comes and goes, watching costs, making files, finishing
/// what was deleted, and noting which leads were seen.
pub(super) fn start(settings: &Settings, hub: &Hub) {
    let registry = hub.registry.clone().recipient();
    lasting("who tells who is there", presence::announce(hub.presence.clone(), hub.directory.clone(), registry));
    let watcher = Watcher {
        settings: settings.costs.clone(),
        store: hub.store.clone(),
        publish: hub.registry.clone().recipient(),
        metrics: Arc::clone(&hub.metrics),
    };
    lasting("the watcher of costs", watcher.run());
    let exporter = Exporter::new(hub.store.clone(), hub.exports.clone(), Arc::clone(&hub.metrics));
    lasting("the exporter", exporter.run());
    let eraser = hub.eraser.clone();
    lasting("the eraser", eraser.run(hub.registry.clone().recipient()));
    let longest = settings.persistence.backoff;
    lasting("who marks leads as seen", persistence::mark_first_seen(hub.store.clone(), hub.inbox.clone(), longest));
    lasting("the store's retention", prune_store(settings, hub));
    let schema_fits = Arc::clone(&hub.schema_fits);
    let looking = look(hub.store.clone(), hub.directory.clone(), schema_fits, Arc::clone(&hub.metrics));
    lasting("the look at the parts", looking);
    // In a task of its own: a database that is slow to answer must not keep the inbox from being pruned.
    lasting("the inbox's retention", prune_inbox(settings, hub));
}

/// A clock that has seen the inbox's newest record.
async fn steady(inbox: &Inbox) -> Steady {
    let newest = inbox.newest().await.unwrap_or_else(|error| {
        tracing::warn!(%error, "the newest webhook can't be read; the clock is believed");
        None
    });
    Steady::since(newest, Instant::now())
}

fn prune_store(settings: &Settings, hub: &Hub) -> impl Future<Output = ()> + use<> {
    let (inbox, store, interval) = (hub.inbox.clone(), hub.store.clone(), settings.inbox.prune_interval);
    let (outbox, sends) = (settings.outbox.retention, settings.sending.retention);
    let config::Retention { costs, lifecycle, alerts, files } = settings.retention;
    let kept = [
        ("costs", Kept::Costs, costs),
        ("what happened to campaigns", Kept::Lifecycle, lifecycle),
        ("resolved alerts", Kept::Alerts, alerts),
        ("campaigns' files", Kept::Files, files),
    ];
    let longest = TimeDelta::from_std(settings.outbox.give_up_after).unwrap_or(TimeDelta::MAX).max(LONGEST_WAIT);
    async move {
        let mut clock = steady(&inbox).await;
        loop {
            // By the clock as it is, for what is written by a wrong one has to be right when that is.
            match store.shorten_waits(clock::now(), longest).await {
                Ok(0) => {}
                Ok(rows) => {
                    tracing::warn!(rows, "rows of the database waited for a time that is too far ahead: they are due");
                }
                Err(error) => tracing::debug!(%error, "what waits for too long is looked for again later"),
            }
            if let Some(now) = clock.look(clock::now(), Instant::now()) {
                prune("the outbox", now, outbox, |before| store.prune_outbox(before)).await;
                prune("the record of replies", now, sends, |before| store.prune_sends(before)).await;
                prune("the record of who did what", now, Duration::ZERO, |_| store.prune_audit()).await;
                for (words, what, age) in kept {
                    prune(words, now, age, |before| store.prune(what, before)).await;
                }
            }
            tokio::time::sleep(interval).await;
        }
    }
}

/// Looks at the inbox's size, and removes what is past its time or too much.
fn prune_inbox(settings: &Settings, hub: &Hub) -> impl Future<Output = ()> + use<> {
    let limits = Limits {
        deliveries: settings.inbox.retention,
        events: settings.inbox.dedupe_retention,
        log: settings.inbox.log_retention,
        max_size: settings.inbox.max_size.as_u64(),
    };
    let interval = settings.inbox.prune_interval;
    let (inbox, metrics, receiver) = (hub.inbox.clone(), Arc::clone(&hub.metrics), Arc::clone(&hub.receiver));
    async move {
        let mut clock = steady(&inbox).await;
        let mut pruned = Instant::now();
        let mut doubted = false;
        loop {
            tokio::time::sleep(LOOK * 5).await;
            metrics.receiving_bytes.set(i64::try_from(receiver.waiting_bytes()).unwrap_or(i64::MAX));
            let size = inbox.size().await;
            metrics.set_healthy("inbox", size.is_ok());
            let size = size.unwrap_or(0);
            metrics.inbox_bytes.set(i64::try_from(size).unwrap_or(i64::MAX));
            let now = clock.look(clock::now(), Instant::now());
            if now.is_none() != doubted {
                doubted = now.is_none();
                if doubted {
                    tracing::warn!("the clock has jumped ahead by days: for an hour nothing is removed by its age");
                }
            }
            // A doubtful clock removes nothing by age; what is too much goes all the same, by order.
            let Some(now) = now.or_else(|| (size > limits.max_size).then_some(Timestamp::UNIX_EPOCH)) else { continue };
            let is_crowded = size > limits.max_size || inbox.space() != Space::Enough;
            if pruned.elapsed() < interval && !is_crowded {
                continue;
            }
            pruned = Instant::now();
            let before = inbox.space();
            match inbox.prune(now, limits).await {
                Ok(Pruned { removed, space }) => {
                    metrics.inbox_space.set(space as i64);
                    if removed > 0 {
                        tracing::info!(removed, "records past their time were removed from the inbox");
                    }
                    if space != before {
                        tell(space, size);
                    }
                }
                Err(error) => tracing::error!(%error, "the inbox could not be pruned; tried again later"),
            }
        }
    }
}

fn tell(space: Space, size: u64) {
    match space {
        Space::Enough => tracing::info!(size, "the inbox has room again"),
        Space::NearlyFull => tracing::error!(
            size,
            "the inbox is nearly full: it can't hold the log of a day any more. Raise inbox.max_size, or see what is parked"
        ),
        Space::Full => tracing::error!(size, "the inbox is full: all webhooks get 503. Raise inbox.max_size"),
    }
}

/// Notices within a second when the file of master keys was changed.
pub(super) async fn watch_keys(keys: KeyRing) {
    loop {
        tokio::time::sleep(LOOK).await;
        keys.look_again();
    }
}

/// Looks again and again whether the parts work that may be away while the hub runs.
async fn look(store: Store, directory: Watch, schema_fits: Arc<AtomicBool>, metrics: Arc<Metrics>) {
    loop {
        let began = Instant::now();
        let schema = store.schema().await;
        let answers = schema.is_ok();
        if let Ok(schema) = schema {
            schema_fits.store(schema.fits(), Ordering::Relaxed);
        }
        metrics.store_ping_seconds.observe(began.elapsed().as_secs_f64());
        metrics.set_healthy("store", answers);
        metrics.set_healthy("directory", directory.borrow().is_some());
        metrics.store_connections.set(i64::try_from(store.connections()).unwrap_or(i64::MAX));
        tokio::time::sleep(LOOK * 5).await;
    }
}

/// Removes from the store what is past its time, a piece at a time.
async fn prune<F: Future<Output = store::Result<usize>>>(
    what: &str,
    now: Timestamp,
    retention: Duration,
    piece: impl Fn(Timestamp) -> F,
) {
    let before = TimeDelta::from_std(retention).ok().and_then(|age| now.checked_sub_signed(age));
    let Some(before) = before else { return };
    loop {
        match piece(before).await {
            Ok(0) => return,
            Ok(removed) => tracing::info!(removed, what, "records past their time were removed"),
            Err(error) => return tracing::warn!(%error, what, "records past their time are kept; tried again later"),
        }
    }
}

/// Ends when a part that is one a node has failed, with its name. Everything is durable, so starting again is the cure.
pub(super) async fn watch(hub: &Hub) -> &'static str {
    loop {
        tokio::time::sleep(LOOK).await;
        if !hub.registry.connected() {
            return "the session registry";
        }
        if !hub.persister.connected() {
            return "the persister";
        }
        if !hub.supervisors.connected() {
            return "the parent of the supervisors";
        }
        if !hub.sender.connected() {
            return "the sender";
        }
        if !hub.dispatcher.connected() {
            return "the dispatcher";
        }
        if !hub.prospector.connected() {
            return "the prospector";
        }
        if let Some(task) = ended() {
            return task;
        }
        if hub.inbox.is_closed() {
            return "the inbox";
        }
    }
}
