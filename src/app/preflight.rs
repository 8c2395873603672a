//! What would keep a hub from starting, found without starting anything: `serve` looks first, and `config check` only looks.

use std::{io, net::SocketAddr};

use socket2::{Domain, Socket, Type};

use crate::{
    auth::OwnTokens,
    config::{KeyRing, Settings, data_folder},
    platforms::{
        meta::{GraphClient, GraphSettings},
        unipile::UnipileClient,
    },
    store::Store,
    telemetry,
};

/// All that keeps a hub with these settings from starting on this machine.
#[derive(Debug, thiserror::Error)]
#[error("the hub can't start like this; nothing was started:\n{}", .0.iter().map(|p| format!("  - {p}")).collect::<Vec<_>>().join("\n"))]
pub struct Refused(pub Vec<String>);

/// Looks at what the settings point to. Makes nothing and connects to nothing; whether the database answers is no part of it,
/// because a hub starts without.
///
/// # Errors
/// Names everything at once.
pub fn preflight(settings: &Settings) -> Result<(), Refused> {
    // With a key from a file the derived one does not matter.
    let tokens = OwnTokens::configured(&settings.auth.signing_key_file, &KeyRing::fixed(Vec::new())).map(drop);
    let mut checks = vec![
        telemetry::check_logging(&settings.telemetry),
        said(settings.check_master_key()),
        said(tokens),
        said(GraphClient::new(GraphSettings::from(&settings.meta)).map(drop)),
        said(UnipileClient::new(&settings.unipile).map(drop)),
        listens("server.bind", settings.server.bind, settings),
    ];
    let folder = said(data_folder::inspect(&settings.data.dir)).map_err(|why| format!("data.dir: {why}"));
    if folder.is_ok() {
        checks.push(said(data_folder::inspect_file(&settings.inbox_path())));
        checks.push(said(Store::check(&settings.store_url(), settings.store.timeout)));
    }
    checks.push(folder);
    let problems: Vec<String> = checks.into_iter().filter_map(Result::err).collect();
    if problems.is_empty() { Ok(()) } else { Err(Refused(problems)) }
}

fn said<E: std::error::Error>(checked: Result<(), E>) -> Result<(), String> {
    checked.map_err(|error| {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        text
    })
}

/// Whether the address can be had. That of the hub which runs on the same data is its own.
fn listens(name: &str, address: SocketAddr, settings: &Settings) -> Result<(), String> {
    match bind(address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && data_folder::is_locked(&settings.data.dir) => Ok(()),
        bound => bound.map_err(|error| format!("{name} = {address}: {error}")),
    }
}

/// Takes the address as the server will, and lets go of it. Nobody can connect meanwhile.
fn bind(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())
}
