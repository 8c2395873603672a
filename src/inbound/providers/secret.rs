//! Comparing secrets so that the time it takes tells nothing.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Whether `given` is the secret. An empty secret is one that nobody set: nothing is the same as it.
///
/// Digests are compared, so that not even the length of the secret shows.
pub fn same(given: &[u8], secret: &SecretString) -> bool {
    let secret = secret.expose_secret();
    !secret.is_empty() && bool::from(Sha256::digest(given).ct_eq(&Sha256::digest(secret)))
}
