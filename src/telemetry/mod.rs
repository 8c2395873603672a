//! Logs and metrics: one subscriber for the process, one typed struct of metrics handed to whoever counts.

mod lasting;
mod metrics;
mod seldom;

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::{LogFormat, Telemetry};

pub use lasting::{ended, lasting, watched};
pub use metrics::{Labelled, Metrics, Requested, Staged};
pub use seldom::Seldom;

/// Starts logging to standard error. A second call changes nothing.
///
/// # Errors
/// If the directives can't be read; names them.
pub fn start_logging(settings: &Telemetry) -> Result<(), String> {
    let filter = filter(settings)?;
    let registry = tracing_subscriber::registry().with(filter);
    let colour = std::io::stderr().is_terminal();
    let layer = fmt::layer().with_writer(std::io::stderr).with_target(false).with_ansi(colour);
    let started = match settings.format {
        LogFormat::Text => registry.with(layer).try_init(),
        LogFormat::Json => registry.with(layer.json()).try_init(),
    };
    // Tests and `demo` may have started it before.
    drop(started);
    Ok(())
}

/// Whether logging would start with these settings.
///
/// # Errors
/// As [`start_logging`].
pub fn check_logging(settings: &Telemetry) -> Result<(), String> {
    filter(settings).map(drop)
}

fn filter(settings: &Telemetry) -> Result<EnvFilter, String> {
    EnvFilter::try_new(&settings.log)
        .map_err(|error| format!("telemetry.log = {:?} can't be read: {error}", settings.log))
}
