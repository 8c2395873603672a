//! Whose certificates are believed: those that the system trusts, or where it has none, as in small containers, Mozilla's, which
//! are built in. The one place for it, for HTTP and the database alike.

use std::sync::{Arc, LazyLock};

use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_native_certs::{CertificateResult, load_native_certs};

struct Believed {
    client: ClientConfig,
    note: Option<String>,
}

/// Read once: it takes some milliseconds.
static BELIEVED: LazyLock<Believed> = LazyLock::new(|| {
    let (roots, note) = choose(load_native_certs());
    Believed { client: client_of(roots), note }
});

/// TLS for what connects to others.
#[must_use]
pub fn client() -> ClientConfig {
    BELIEVED.client.clone()
}

/// TLS for what believes these authorities and no others.
///
/// # Panics
/// Never: the provider has TLS 1.2 and 1.3.
#[must_use]
pub fn client_of(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has the versions that rustls asks for")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// That the system has no certificates, if it is so; said once, at the start.
#[must_use]
pub fn note() -> Option<&'static str> {
    BELIEVED.note.as_deref()
}

fn choose(found: CertificateResult) -> (RootCertStore, Option<String>) {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if !roots.is_empty() {
        return (roots, None);
    }
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let why = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
    let note = format!(
        "the system has no certificates of authorities{why}: those that are built in are believed. Install ca-certificates, or \
         set SSL_CERT_FILE, to choose yourself"
    );
    (roots, Some(note))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_without_certificates_gets_those_that_are_built_in_and_that_is_said() {
        let (roots, note) = choose(CertificateResult::default());
        assert!(roots.len() > 50, "{}", roots.len());
        assert!(note.unwrap().contains("built in"));
    }

    #[test]
    fn what_the_system_trusts_is_all_that_is_trusted() {
        let anchors = load_native_certs().certs;
        let Some(one) = anchors.into_iter().next() else { return };
        let mut found = CertificateResult::default();
        found.certs.push(one);
        let (roots, note) = choose(found);
        assert_eq!((roots.len(), note), (1, None));
    }
}
