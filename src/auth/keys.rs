//! API keys: `lw_` and 43 characters of base64url, 256 random bits. Only their SHA-256 is stored; nothing slower is
//! needed, since nobody can guess one.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// What every key begins with; tokens don't.
pub const PREFIX: &str = "lw_";

/// The system gave no randomness.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct NoRandomness;

/// A fresh key, to be shown once.
///
/// # Errors
/// If the system gives no random bytes.
pub fn generate() -> Result<SecretString, NoRandomness> {
    Ok(format!("{PREFIX}{}", random()?.expose_secret()).into())
}

/// 256 random bits as 43 characters of base64url; good for a password too.
///
/// # Errors
/// If the system gives no random bytes.
pub fn random() -> Result<SecretString, NoRandomness> {
    let mut bytes = [0; 32];
    rustls::crypto::aws_lc_rs::default_provider().secure_random.fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes).into())
}

/// What the store keeps of a key, and what the directory finds it by.
#[must_use]
pub fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_its_prefix_and_43_characters_and_is_new_each_time() {
        let (one, other) = (generate().unwrap(), generate().unwrap());
        assert_eq!(one.expose_secret().len(), 46);
        assert!(one.expose_secret().starts_with(PREFIX));
        assert_ne!(hash(one.expose_secret()), hash(other.expose_secret()));
    }
}
