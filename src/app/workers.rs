//! Starts the actors that are one a node and work on what has come or is to go.

use std::sync::Arc;

use actix::{Actor, Addr, ArbiterHandle};
use tokio::sync::{SetOnce, broadcast, mpsc};

use super::{
    bridges,
    own::{OwnInbox, Reread},
};
use crate::{
    config::Settings,
    domain::{SourceId, directory::Watch},
    enrichment::{self, Pauses, Supervisors},
    exports,
    inbox::Inbox,
    outbox::{self, Dispatcher},
    persistence::Persister,
    platforms::{
        mail::MailDomains,
        meta::{GraphClient, GraphSettings},
        unipile::UnipileClient,
        website::Websites,
    },
    prospecting::{self, Prospector},
    realtime::SessionRegistry,
    sending::{self, Clients, Desk, Sender},
    store::Store,
    telemetry::Metrics,
};

/// What became of sends, kept for requests that wait for it; one that falls behind asks the store.
const OUTCOMES: usize = 1024;

/// What all of them need.
pub(super) struct Base<'a> {
    pub(super) settings: &'a Settings,
    pub(super) node: ArbiterHandle,
    pub(super) store: Store,
    pub(super) inbox: Inbox,
    pub(super) directory: Watch,
    pub(super) registry: Addr<SessionRegistry>,
    pub(super) metrics: Arc<Metrics>,
}

impl Base<'_> {
    pub(super) fn persister(&self, outbox: &outbox::Desk) -> Addr<Persister> {
        let (settings, store, inbox) = (self.settings.persistence.clone(), self.store.clone(), self.inbox.clone());
        let dashboards = bridges::ToRegistry(self.registry.clone().recipient());
        let announce = Arc::new(bridges::OfWhatIsKept { dashboards, outbox: outbox.wake.clone() });
        let recall = Arc::new(Reread(self.directory.clone()));
        let metrics = Arc::clone(&self.metrics);
        let new = move |_: &mut _| Persister::new(settings, store, inbox, announce, recall, metrics);
        Persister::start_in_arbiter(&self.node, new)
    }

    /// Takes what the dispatcher has for the hub itself.
    pub(super) fn own_inbox(&self) -> Arc<OwnInbox> {
        Arc::new(OwnInbox {
            inbox: self.inbox.clone(),
            directory: self.directory.clone(),
            arrived: SetOnce::new(),
            metrics: Arc::clone(&self.metrics),
        })
    }

    pub(super) fn supervisors(
        &self,
        persister: &Addr<Persister>,
        reconnected: mpsc::Sender<SourceId>,
    ) -> anyhow::Result<Addr<Supervisors>> {
        let context = enrichment::Context {
            settings: Arc::new(self.settings.enrichment.clone()),
            directory: self.directory.clone(),
            inbox: self.inbox.clone(),
            graph: GraphClient::new(GraphSettings::from(&self.settings.meta))?,
            app_secret: self.settings.meta.app_secrets.first().cloned(),
            pauses: Pauses::default(),
            publish: self.registry.clone().recipient(),
            persist: persister.clone().recipient(),
            reconnected,
            metrics: Arc::clone(&self.metrics),
        };
        let sweep = self.settings.inbox.sweep_interval;
        Ok(Supervisors::start_in_arbiter(&self.node, move |_| Supervisors::new(context, sweep)))
    }

    /// The dispatcher, and the desk that asks of it.
    pub(super) fn dispatcher(&self, own: &Arc<OwnInbox>) -> anyhow::Result<(Addr<Dispatcher>, outbox::Desk)> {
        let settings = Arc::new(self.settings.outbox.clone());
        let (store, metrics) = (self.store.clone(), Arc::clone(&self.metrics));
        let client = outbox::Client::new(settings.timeout, &settings.allow_private)?;
        let pauses = outbox::Pauses::default();
        let context = outbox::Context {
            settings: Arc::clone(&settings),
            store: store.clone(),
            client: client.clone(),
            own: Arc::<OwnInbox>::clone(own),
            directory: self.directory.clone(),
            pauses: pauses.clone(),
            metrics: Arc::clone(&metrics),
        };
        let dispatcher = Dispatcher::start_in_arbiter(&self.node, move |_| Dispatcher::new(context));
        let wake = dispatcher.clone().recipient();
        Ok((
            dispatcher,
            outbox::Desk { settings, store, client, wake, pauses, metrics, tests: outbox::Tests::default() },
        ))
    }

    /// The prospector, and the desk that wakes it.
    pub(super) fn prospector(
        &self,
        outbox: &outbox::Desk,
        exports: &exports::Desk,
    ) -> anyhow::Result<(Addr<Prospector>, prospecting::Desk)> {
        let settings = Arc::new(self.settings.prospecting.clone());
        let context = prospecting::Context {
            websites: Websites::new(&settings)?,
            mail: MailDomains::new(&settings),
            settings,
            store: self.store.clone(),
            publish: self.registry.clone().recipient(),
            outbox: outbox.wake.clone(),
            exports: exports.clone(),
            metrics: Arc::clone(&self.metrics),
        };
        let prospector = Prospector::start_in_arbiter(&self.node, move |_| Prospector::new(context));
        let wake = prospector.clone().recipient();
        Ok((prospector, prospecting::Desk { wake }))
    }

    /// The sender, and the desk that hands in to it.
    pub(super) fn sender(&self, supervisors: &Addr<Supervisors>) -> anyhow::Result<(Addr<Sender>, Desk)> {
        let context = sending::Context {
            settings: Arc::new(self.settings.sending.clone()),
            store: self.store.clone(),
            directory: self.directory.clone(),
            inbox: self.inbox.clone(),
            arrived: supervisors.clone().recipient(),
            publish: self.registry.clone().recipient(),
            outcomes: broadcast::Sender::new(OUTCOMES),
            clients: Clients {
                graph: GraphClient::new(GraphSettings::from(&self.settings.meta))?,
                app_secret: self.settings.meta.app_secrets.first().cloned(),
                unipile: UnipileClient::new(&self.settings.unipile)?,
            },
            metrics: Arc::clone(&self.metrics),
        };
        let sending::Context { settings, store, directory, publish, outcomes, .. } = context.clone();
        let sender = Sender::start_in_arbiter(&self.node, move |_| Sender::new(context));
        let (wake, read) = (sender.clone().recipient(), sender.clone().recipient());
        Ok((sender, Desk { settings, store, directory, publish, wake, read, outcomes }))
    }
}
