//! What runs beside the hub once it listens, and delays nothing: webhooks at platforms.

use std::sync::Arc;

use super::Hub;
use crate::{config::Settings, upkeep::registration::Registrar};

/// Starts it.
pub(super) fn start(settings: &Settings, hub: &Hub) {
    let registrar = Registrar {
        client: hub.unipile.clone(),
        public_url: settings.server.public_url.clone(),
        directory: hub.directory.clone(),
        ailments: hub.ailments.clone(),
        metrics: Arc::clone(&hub.metrics),
    };
    actix_rt::spawn(registrar.run());
}
