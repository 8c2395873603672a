//! What proves where a webhook comes from: a secret in a header, or a signature over the body.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::domain::secret::LONGEST_SECRET;

/// A proof, as the head of a webhook has it.
#[derive(Clone, Copy)]
pub enum Proof<'h> {
    /// A secret, never empty and of at most [`LONGEST_SECRET`] bytes: it is looked up before the body is read.
    Secret(&'h [u8]),
    /// The HMAC-SHA-256 of the body under a secret that both sides know.
    Signature([u8; 32]),
}

impl<'h> Proof<'h> {
    /// A secret, if `given` can be one.
    #[must_use]
    pub fn secret(given: &'h [u8]) -> Option<Self> {
        (1..=LONGEST_SECRET).contains(&given.len()).then_some(Self::Secret(given))
    }
}

/// The one of `secrets` that signed `body`, the bytes exactly as they came; several are there while they are rotated.
/// Empty secrets sign nothing: anybody can.
#[must_use]
pub fn signer<'s>(secrets: &'s [SecretString], signature: &[u8; 32], body: &[u8]) -> Option<&'s SecretString> {
    let signed = |secret: &str| {
        let hmac = Hmac::<Sha256>::new_from_slice(secret.as_bytes());
        !secret.is_empty() && hmac.is_ok_and(|hmac| hmac.chain_update(body).verify_slice(signature).is_ok())
    };
    // Not `find`: which of the secrets it was must not show in the time it takes.
    secrets.iter().fold(None, |found, secret| if signed(secret.expose_secret()) { Some(secret) } else { found })
}

/// Whether `given` is the secret. An empty secret is one that nobody set: nothing is the same as it.
///
/// Digests are compared, so that not even the length of the secret shows.
#[must_use]
pub fn same(given: &[u8], secret: &SecretString) -> bool {
    let secret = secret.expose_secret();
    let can_be = !secret.is_empty() && given.len() <= LONGEST_SECRET;
    can_be && bool::from(Sha256::digest(given).ct_eq(&Sha256::digest(secret)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_without_end_is_no_secret() {
        assert!(Proof::secret(&[b'x'; LONGEST_SECRET]).is_some());
        assert!(Proof::secret(&[b'x'; LONGEST_SECRET + 1]).is_none());
        assert!(Proof::secret(b"").is_none());
    }
}
