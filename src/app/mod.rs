//! The composition root: builds every part, joins them, watches them, stops them in order.

mod bridges;
mod directory;
mod front;
mod housekeeping;
mod left;
mod own;
mod preflight;
mod probes;
mod requests;
mod server;
mod shares;
mod upkeep;
mod workers;

use std::{
    fs,
    future::Future,
    net::SocketAddr,
    path::Path,
    sync::{Arc, atomic::AtomicBool},
};

use actix::{Actor, Addr, Arbiter, ArbiterHandle};
use actix_rt::System;
use directory::Fatal;
use secrecy::ExposeSecret;
use tokio::sync::mpsc;
use upkeep::Upkeep;

pub use preflight::{Refused, preflight};

use crate::{
    api::ApiState,
    auth::{Authenticator, Options, Origins, OwnTokens, Recorder},
    config::{KeyError, KeyRing, Settings, certificates, data_folder},
    domain::{SourceId, directory::Watch, secret::is_unfit},
    enrichment::Supervisors,
    erasure::Eraser,
    exports,
    http::{Pace, Proxies},
    inbound::Receiver,
    inbox::Inbox,
    outbox::{self, Dispatcher},
    persistence::Persister,
    prospecting::{self, Prospector},
    realtime::{Actions, Drain, SessionRegistry, limits::SessionLimits, presence::Presence},
    sending::{Desk, Sender},
    store::{Store, Vault},
    telemetry::{Metrics, lasting, start_logging},
};

use workers::Base;

/// Open files that 20,000 sessions, connections to the database and the rest need.
const OPEN_FILES: u64 = 65_536;

/// Sources that were connected again and wait to be read.
const RECONNECTIONS: usize = 256;

/// Runs the hub until `stop` ends, then stops it in order. `ready` is called with the address when it listens.
///
/// # Errors
/// [`Refused`] if the settings can't work on this machine; else if a part can't be built, or one of them has failed for good:
/// what was accepted is kept, start the hub again.
pub fn run(
    settings: Settings,
    ready: impl FnOnce(SocketAddr) + 'static,
    stop: impl Future<Output = ()> + 'static,
) -> anyhow::Result<()> {
    preflight(&settings)?;
    start_logging(&settings.telemetry).map_err(anyhow::Error::msg)?;
    if let Some(note) = certificates::note() {
        tracing::warn!("{note}");
    }
    // The one provider of TLS in the tree; a second call finds it installed.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    if let Err(error) = rlimit::increase_nofile_limit(OPEN_FILES) {
        tracing::warn!(%error, "the limit of open files can't be raised: fewer sessions fit");
    }
    System::new().block_on(async move {
        let _lock = lock(&settings.data.dir)?;
        let (reconnections, reconnected) = mpsc::channel(RECONNECTIONS);
        let hub = Hub::build(&settings, reconnections).await?;
        housekeeping::start(&settings, &hub);
        lasting("the shares of the inbox", shares::keep(&settings, &hub));
        hub.metrics.booted("actors");
        let (address, server) = server::start(&settings, &hub)?;
        hub.metrics.booted("all");
        tracing::info!(%address, "listening");
        ready(address);
        hub.upkeep.start(&settings, reconnected);
        let handle = server.handle();
        let server = actix_rt::spawn(server);
        let failed = |part| anyhow::anyhow!("{part} has failed; what was accepted is kept: start the hub again");
        let failure = tokio::select! {
            () = stop => None,
            part = housekeeping::watch(&hub) => Some(failed(part)),
            _ = server => Some(failed("the HTTP server")),
            _ = hub.fatal.wait() => Some(KeyError::Wrong.into()),
        };
        tracing::info!("stopping");
        // New connections are refused, sessions are told when to come back, what is in flight gets its answer.
        let _ = hub.registry.send(Drain).await;
        handle.stop(true).await;
        failure.map_or(Ok(()), Err)
    })
}

/// Everything that is alive while the hub runs.
struct Hub {
    /// For what people look for.
    people: Store,
    /// For all that nobody waits for.
    store: Store,
    inbox: Inbox,
    auth: Authenticator,
    directory: Watch,
    metrics: Arc<Metrics>,
    limits: SessionLimits,
    presence: Presence,
    registry: Addr<SessionRegistry>,
    persister: Addr<Persister>,
    supervisors: Addr<Supervisors>,
    dispatcher: Addr<Dispatcher>,
    outbox: outbox::Desk,
    prospector: Addr<Prospector>,
    prospecting: prospecting::Desk,
    exports: exports::Desk,
    eraser: Eraser,
    sender: Addr<Sender>,
    desk: Desk,
    receiver: Arc<Receiver>,
    upkeep: Upkeep,
    fatal: Fatal,
    /// Whether the tables were of this program's version when they were last looked at.
    schema_fits: Arc<AtomicBool>,
    /// The thread of the actors that are one a node.
    arbiter: Arbiter,
}

/// Loads the directory. The second value is set if the master key turns out later to open nothing.
async fn load_directory(settings: &Settings, store: &Store, metrics: &Arc<Metrics>) -> anyhow::Result<(Watch, Fatal)> {
    let (interval, fatal) = (settings.store.directory_interval, Fatal::default());
    let directory = directory::load(store.clone(), interval, Arc::clone(metrics), Arc::clone(&fatal)).await;
    if fatal.initialized() {
        return Err(KeyError::Wrong.into());
    }
    Ok((directory, fatal))
}

/// Starts the registry where the positions of the last run ended.
async fn start_registry(
    node: &ArbiterHandle,
    settings: &Settings,
    inbox: &Inbox,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<Addr<SessionRegistry>> {
    let (inbox, metrics, mailbox) = (inbox.clone(), Arc::clone(metrics), settings.realtime.queue);
    let tops = inbox.top_positions().await?;
    Ok(SessionRegistry::start_in_arbiter(node, move |_| SessionRegistry::new(inbox, tops, mailbox, metrics)))
}

impl Hub {
    async fn build(settings: &Settings, reconnections: mpsc::Sender<SourceId>) -> anyhow::Result<Self> {
        let metrics = Arc::new(Metrics::new());
        let keys = settings.master_keys()?;
        let people = open_store(settings, &keys).await?;
        let store = people.in_background();
        metrics.booted("store");
        let inbox = Inbox::open(&settings.inbox_path(), settings.inbox.commit_rows)?;
        metrics.booted("inbox");
        let (directory, fatal) = load_directory(settings, &store, &metrics).await?;
        let auth = authenticator(settings, &keys, &directory, &people)?
            .telling(Recorder::start(store.clone(), Arc::clone(&metrics)));
        let arbiter = Arbiter::new();
        let node = arbiter.handle();
        let registry = start_registry(&node, settings, &inbox, &metrics).await?;
        let base = Base {
            settings,
            node,
            store: store.clone(),
            inbox: inbox.clone(),
            directory: directory.clone(),
            registry: registry.clone(),
            metrics: Arc::clone(&metrics),
        };
        let own = base.own_inbox();
        let (dispatcher, outbox) = base.dispatcher(&own)?;
        let exports = exports::Desk::default();
        let (prospector, prospecting) = base.prospector(&outbox, &exports)?;
        let persister = base.persister(&outbox);
        let supervisors = base.supervisors(&persister, reconnections)?;
        // Nobody else sets it.
        let _ = own.arrived.set(supervisors.clone().recipient());
        let (sender, desk) = base.sender(&supervisors)?;
        let arrived = supervisors.clone().recipient();
        let upkeep = Upkeep::new(settings, inbox.clone(), directory.clone(), arrived, Arc::clone(&metrics))?;
        Ok(Self {
            eraser: Eraser::new(store.clone(), inbox.clone()),
            receiver: Arc::new(Receiver::new(settings, directory.clone(), inbox.clone(), Arc::clone(&metrics))),
            people,
            store,
            inbox,
            auth,
            directory,
            metrics,
            limits: SessionLimits::new(&settings.realtime),
            presence: Presence::new(settings.realtime.presence_users),
            registry,
            persister,
            supervisors,
            dispatcher,
            outbox,
            prospector,
            prospecting,
            exports,
            sender,
            desk,
            upkeep,
            fatal,
            schema_fits: Arc::new(AtomicBool::new(true)),
            arbiter,
        })
    }

    /// Does what sessions ask for that is not realtime's business.
    fn actions(&self, settings: &Settings) -> Arc<dyn Actions> {
        Arc::new(bridges::ThroughApi(self.api(settings)))
    }

    /// What the API's handlers share.
    fn api(&self, settings: &Settings) -> ApiState {
        ApiState {
            store: self.people.clone(),
            auth: self.auth.clone(),
            directory: self.directory.clone(),
            desk: self.desk.clone(),
            outbox: self.outbox.clone(),
            prospecting: self.prospecting.clone(),
            exports: self.exports.clone(),
            eraser: self.eraser.clone(),
            publisher: Arc::new(bridges::ToRegistry(self.registry.clone().recipient())),
            attention: Arc::new(bridges::Attentive {
                inbox: self.inbox.clone(),
                store: self.store.clone(),
                directory: self.directory.clone(),
                ailments: self.upkeep.ailments(),
            }),
            syncer: Arc::new(bridges::ToBackfill {
                backfill: self.upkeep.backfill(),
                directory: self.directory.clone(),
            }),
            proxies: Proxies::new(&settings.server.trusted_proxies),
            pace: Pace::configured(&settings.server),
        }
    }
}

/// The store, under keys that are kept up with their file.
async fn open_store(settings: &Settings, keys: &KeyRing) -> anyhow::Result<Store> {
    lasting("the watch on the master keys", housekeeping::watch_keys(keys.clone()));
    let vault = Vault::under(keys);
    let store = Store::open(&settings.store_url(), settings.store.pool, settings.store.timeout, vault).await?;
    Ok(store.keeping_audit_for(settings.audit.retention))
}

fn authenticator(
    settings: &Settings,
    keys: &KeyRing,
    directory: &Watch,
    store: &Store,
) -> anyhow::Result<Authenticator> {
    let tokens = OwnTokens::configured(&settings.auth.signing_key_file, keys)?;
    Ok(Authenticator::new(Options {
        directory: directory.clone(),
        revocations: Arc::new(store.clone()),
        tokens,
        token_ttl: settings.auth.token_ttl,
        jwks_ttl: settings.auth.jwks_ttl,
        login_attempts: settings.auth.login_attempts,
        origins: Origins::new(
            &settings.server.allowed_origins,
            settings.server.public_url.as_ref(),
            Proxies::new(&settings.server.trusted_proxies),
        ),
        anonymous: settings.compat.anonymous_account,
    })?)
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.arbiter.stop();
    }
}

/// Closes the data folder to others, and to other hubs.
fn lock(folder: &Path) -> anyhow::Result<fs::File> {
    for narrowed in data_folder::secure(folder)? {
        tracing::warn!("{narrowed}");
    }
    Ok(data_folder::lock(folder)?)
}

/// What is missing for serving outside of this machine, in words; said at the start.
#[must_use]
pub fn cautions(settings: &Settings) -> Vec<&'static str> {
    let mut cautions = Vec::new();
    if settings.meta.app_secrets.is_empty() {
        cautions.push("meta.app_secrets is empty: webhooks of the hub's own app are refused");
    }
    if settings.meta.app_secrets.iter().any(is_unfit) {
        cautions.push(
            "meta.app_secrets has a secret that is none of Meta's, which have 32 characters: one that is shorter could be \
             guessed",
        );
    }
    if settings.prospecting.tokens.iter().any(is_unfit) {
        cautions.push(
            "a token in prospecting.tokens, or in a variable that prospecting.environment_tokens names, has less than 32 \
             characters (or more than 512, which opens nothing): whoever guesses it sends webhooks for any account",
        );
    }
    if settings.meta.verify_token.expose_secret().is_empty() {
        cautions.push("meta.verify_token is empty: Meta can't verify /webhook");
    }
    if !settings.server.bind.ip().is_loopback() && settings.server.public_url.is_none() {
        cautions.push(
            "server.bind is an address that others reach, and server.public_url is empty: without a proxy that ends TLS \
             in front, passwords and webhooks travel in the clear",
        );
    }
    if data_folder::is_open_to_others(Path::new(&settings.auth.signing_key_file)) {
        cautions.push("auth.signing_key_file can be read by others on this machine: set its mode to 0600");
    }
    if settings.compat.anonymous_account.is_some() {
        cautions.push(
            "compat.anonymous_account is set: WHOEVER REACHES THIS HUB reads that account's leads and messages, \
             without a login",
        );
    }
    cautions
}
