//! Secrets at rest: sealed with the master key, bound to the place they are kept in.
//!
//! A sealed secret is a version byte, four bytes that tell which key sealed it, a random nonce of 24 bytes, and the
//! XChaCha20-Poly1305 ciphertext. Table, row and column are authenticated with it: a secret that somebody copies to
//! another row does not open there.

use std::fmt;

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Generate, Payload},
};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroize};
use sha2::{Digest, Sha256};

use super::error::{Result, StoreError};
use crate::config::{KeyRing, Made};

const VERSION: u8 = 1;
const KEY_ID: usize = 4;
const NONCE: usize = 24;

/// What tells a key from the others.
type KeyId = [u8; KEY_ID];

/// Seals and opens secrets: the newest key seals, all of them open. Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    keys: Made<Key>,
}

struct Key {
    cipher: XChaCha20Poly1305,
    id: KeyId,
}

/// Where a secret is kept.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The table.
    pub table: &'a str,
    /// The row's id.
    pub row: &'a str,
    /// The column.
    pub column: &'a str,
}

impl Vault {
    /// A vault under this key alone.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self { keys: Made::only(Key::new(key)) }
    }

    /// A vault under keys that are made of the master keys.
    #[must_use]
    pub fn under(keys: &KeyRing) -> Self {
        Self { keys: Made::of(keys, |key| Key::new(key.derive("tokens at rest"))) }
    }

    /// Whether the newest key sealed it.
    pub(super) fn is_newest(&self, sealed: &[u8]) -> bool {
        sealed.get(1..=KEY_ID) == Some(&self.keys.all()[0].id)
    }

    /// Seals a secret for a place.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the system has no random numbers, [`StoreError::Rejected`] if the secret is too
    /// large to seal.
    pub fn seal(&self, place: Place<'_>, secret: &SecretString) -> Result<Vec<u8>> {
        let nonce = XNonce::try_generate().map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let aad = place.authenticated();
        let payload = Payload { msg: secret.expose_secret().as_bytes(), aad: &aad };
        let keys = self.keys.all();
        let newest = &keys[0];
        let sealed = newest
            .cipher
            .encrypt(&nonce, payload)
            .map_err(|_| StoreError::Rejected("a secret is too large to seal".into()))?;
        Ok([&[VERSION][..], &newest.id, &nonce, &sealed].concat())
    }

    /// Whether a key of this vault sealed it.
    pub(super) fn knows(&self, sealed: &[u8]) -> bool {
        sealed.get(1..=KEY_ID).is_some_and(|id| self.keys.find(|key| key.id == id).is_some())
    }

    /// Opens what was sealed for this place.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if it was sealed with another key, for another place, or was changed since.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<SecretString> {
        let corrupt = |why: &str| {
            let Place { table, row, column } = place;
            StoreError::Corrupt(format!("{table}.{column} of {row} {why}"))
        };
        if sealed.len() < 1 + KEY_ID + NONCE || sealed[0] != VERSION {
            return Err(corrupt("is not a sealed secret"));
        }
        let (key_id, rest) = sealed[1..].split_at(KEY_ID);
        let found = self.keys.find(|key| key.id == key_id);
        let (keys, at) = found.ok_or_else(|| corrupt("was sealed with another master key"))?;
        let (nonce, sealed) = rest.split_at(NONCE);
        let nonce = XNonce::try_from(nonce).map_err(|_| corrupt("is not a sealed secret"))?;
        let aad = place.authenticated();
        let opened = keys[at]
            .cipher
            .decrypt(&nonce, Payload { msg: sealed, aad: &aad })
            .map_err(|_| corrupt("was changed or belongs elsewhere"))?;
        String::from_utf8(opened).map(SecretString::from).map_err(|_| corrupt("is not text"))
    }
}

impl Key {
    fn new(mut key: [u8; 32]) -> Self {
        let digest = Sha256::new().chain_update(b"leadwire master key id").chain_update(key).finalize();
        let mut id = [0; KEY_ID];
        id.copy_from_slice(&digest[..KEY_ID]);
        let made = Self { cipher: XChaCha20Poly1305::new(&key.into()), id };
        key.zeroize();
        made
    }
}

impl Place<'_> {
    /// The three names, each with its length before it.
    fn authenticated(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(96);
        for part in [self.table, self.row, self.column] {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place<'_> = Place { table: "sources", row: "src_1", column: "token" };

    #[test]
    fn a_secret_opens_where_it_was_sealed() {
        let vault = Vault::new([7; 32]);
        let secret = SecretString::from("EAAB-töken");
        let sealed = vault.seal(HERE, &secret).unwrap();
        assert_eq!(vault.open(HERE, &sealed).unwrap().expose_secret(), "EAAB-töken");
        assert_ne!(sealed, vault.seal(HERE, &secret).unwrap(), "the nonce is fresh each time");
        assert!(!sealed.windows(4).any(|bytes| bytes == b"EAAB"));
    }

    #[test]
    fn a_secret_does_not_open_elsewhere_or_with_another_key_or_changed() {
        let vault = Vault::new([7; 32]);
        let sealed = vault.seal(HERE, &SecretString::from("secret")).unwrap();
        for place in [Place { row: "src_2", ..HERE }, Place { column: "other", ..HERE }, Place { table: "x", ..HERE }] {
            assert!(matches!(vault.open(place, &sealed), Err(StoreError::Corrupt(_))));
        }
        let refused = Vault::new([8; 32]).open(HERE, &sealed).unwrap_err();
        assert!(refused.to_string().contains("another master key"), "{refused}");
        for at in [0, 1, 6, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(vault.open(HERE, &changed).is_err());
        }
        assert!(vault.open(HERE, &[]).is_err());
        assert!(vault.open(HERE, &sealed[..29]).is_err());
    }

    #[test]
    fn the_first_key_seals_and_all_of_them_open() {
        let keys = |text: &str| Vault::under(&KeyRing::parse(text).unwrap());
        let (old, new) = ("ab".repeat(32), "cd".repeat(32));
        let secret = SecretString::from("secret");
        let before = keys(&old).seal(HERE, &secret).unwrap();
        let both = keys(&format!("{new},{old}"));
        assert_eq!(both.open(HERE, &before).unwrap().expose_secret(), "secret");
        assert!(!both.is_newest(&before));
        let after = both.seal(HERE, &secret).unwrap();
        assert!(both.is_newest(&after) && keys(&new).open(HERE, &after).is_ok());
        assert!(keys(&old).open(HERE, &after).unwrap_err().to_string().contains("another master key"));
    }

    #[test]
    fn a_vault_does_not_show_its_key() {
        assert_eq!(format!("{:?}", Vault::new([7; 32])), "Vault([redacted])");
    }
}
