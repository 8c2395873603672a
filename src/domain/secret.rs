//! What stands for a secret where the secret itself must not be.

use std::{fmt, str::FromStr};

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// What opens a door has at least so many bytes: nobody can guess that many.
pub const SHORTEST_SECRET: usize = 32;
/// And at most so many: whoever sends a longer one is not worth the hashing.
pub const LONGEST_SECRET: usize = 512;

/// Keeps these digests apart from every other SHA-256 of the same secret.
const PURPOSE: &[u8] = b"leadwire:secret:";

/// Whether a secret is too short to be safe, or too long to open anything. An empty one is one that nobody set.
#[must_use]
pub fn is_unfit(secret: &SecretString) -> bool {
    let length = secret.expose_secret().len();
    length > 0 && !(SHORTEST_SECRET..=LONGEST_SECRET).contains(&length)
}

/// A digest of a secret that opens a door: what was given is hashed once and found among any number of secrets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretDigest([u8; 32]);

impl SecretDigest {
    /// Of a secret, or of what somebody gave as one.
    #[must_use]
    pub fn of(secret: &[u8]) -> Self {
        Self(Sha256::new().chain_update(PURPOSE).chain_update(secret).finalize().into())
    }
}

/// 64 hex digits, for the inbox's file.
impl fmt::Display for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Hidden: logs show neither secrets nor what they could be guessed by.
impl fmt::Debug for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretDigest(…)")
    }
}

/// The text is not 64 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a digest of a secret is 64 hex digits")]
pub struct ParseDigestError;

impl FromStr for SecretDigest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut digest = [0; 32];
        hex::decode_to_slice(text, &mut digest).map(|()| Self(digest)).map_err(|_| ParseDigestError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_a_length() {
        let secret = |length: usize| SecretString::from("x".repeat(length));
        let unfit = [1, SHORTEST_SECRET - 1, LONGEST_SECRET + 1].map(|length| is_unfit(&secret(length)));
        assert_eq!(unfit, [true; 3]);
        assert!([0, SHORTEST_SECRET, LONGEST_SECRET].into_iter().all(|length| !is_unfit(&secret(length))));
    }

    #[test]
    fn a_digest_is_read_back_from_its_text_and_shown_to_nobody() {
        let digest = SecretDigest::of(b"a secret");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_ne!(digest, SecretDigest::of(b"another secret"));
        assert_eq!("short".parse::<SecretDigest>(), Err(ParseDigestError));
        let shown = format!("{digest:?}");
        assert!(!shown.contains(&digest.to_string()[..8]), "{shown}");
    }
}
