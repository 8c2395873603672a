//! What runs beside the hub once it listens, and delays nothing: webhooks at platforms, and what they missed.

use std::sync::Arc;

use actix::Recipient;
use tokio::sync::mpsc;

use crate::{
    config::Settings,
    domain::{SourceId, directory::Watch},
    enrichment::Arrived,
    inbox::Inbox,
    platforms::unipile::UnipileClient,
    telemetry::{Metrics, lasting},
    upkeep::{
        Ailments,
        backfill::{self, Backfill},
        registration::Registrar,
    },
};

/// Its parts.
pub(super) struct Upkeep {
    unipile: UnipileClient,
    directory: Watch,
    ailments: Ailments,
    backfill: Backfill,
    metrics: Arc<Metrics>,
}

impl Upkeep {
    /// Does nothing yet.
    pub(super) fn new(
        settings: &Settings,
        inbox: Inbox,
        directory: Watch,
        arrived: Recipient<Arrived>,
        metrics: Arc<Metrics>,
    ) -> anyhow::Result<Self> {
        let (unipile, ailments) = (UnipileClient::new(&settings.unipile)?, Ailments::default());
        let backfill = Backfill::new(backfill::Parts {
            client: unipile.clone(),
            settings: settings.unipile.clone(),
            inbox,
            arrived,
            directory: directory.clone(),
            ailments: ailments.clone(),
            metrics: Arc::clone(&metrics),
        });
        Ok(Self { unipile, directory, ailments, backfill, metrics })
    }

    /// Starts it. `reconnected` tells of sources that are connected again.
    pub(super) fn start(&self, settings: &Settings, reconnected: mpsc::Receiver<SourceId>) {
        let registrar = Registrar {
            client: self.unipile.clone(),
            public_url: settings.server.public_url.clone(),
            directory: self.directory.clone(),
            ailments: self.ailments.clone(),
            metrics: Arc::clone(&self.metrics),
        };
        lasting("the registrar", registrar.run());
        lasting("the backfill", self.backfill.clone().run(reconnected));
    }

    pub(super) fn ailments(&self) -> Ailments {
        self.ailments.clone()
    }

    pub(super) fn backfill(&self) -> Backfill {
        self.backfill.clone()
    }
}
