//! TLS to PostgreSQL. Certificates are always verified, against the authorities that the hub believes or a file of one's own.

use std::error::Error;

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{
    config::certificates,
    store::{Result, StoreError},
};

/// Makes the TLS side of connections.
pub(super) type Tls = MakeRustlsConnect;

/// Trusts the authorities in this PEM file, or those that the hub believes elsewhere as well.
pub(super) fn connector(authorities: Option<&str>) -> Result<Tls> {
    let Some(path) = authorities else { return Ok(Tls::new(certificates::client())) };
    let wrong = |why: &dyn Error| StoreError::Address(format!("sslrootcert {path}: {}", reasons(why)));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))? {
        let certificate = certificate.map_err(|error| wrong(&error))?;
        roots.add(certificate).map_err(|error| wrong(&error))?;
    }
    if roots.is_empty() {
        return Err(StoreError::Address(format!("sslrootcert {path}: there is no certificate in it")));
    }
    Ok(Tls::new(certificates::client_of(roots)))
}

/// An error with its causes, each said once.
pub(super) fn reasons(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}
