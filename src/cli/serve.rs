//! `leadwire serve`: the hub, until it is told to stop.

use std::{io::Write, net::SocketAddr};

use tokio::signal::unix::{SignalKind, signal};

use crate::{app, config::Settings};

/// Runs the hub until SIGTERM or Ctrl-C.
pub(super) fn run(settings: Settings) -> anyhow::Result<()> {
    for caution in app::cautions(&settings) {
        eprintln!("Note: {caution}.");
    }
    app::run(settings, announce, stop_signal())
}

/// One line on stdout when it listens, for people and for programs that wait for it.
fn announce(address: SocketAddr) {
    // Whoever started the hub may have closed its output.
    let _ = writeln!(std::io::stdout(), "Leadwire listens on http://{address}");
}

/// Ends with SIGTERM or Ctrl-C.
pub(super) async fn stop_signal() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
