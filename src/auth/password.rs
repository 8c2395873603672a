//! Passwords: Argon2id with the parameters that OWASP names first for small servers (19 MiB, two passes, one lane).
//!
//! Both functions keep a core busy for tens of milliseconds: call them where blocking is allowed.

use std::sync::LazyLock;

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use secrecy::{ExposeSecret, SecretString};

/// A longer password is refused rather than cut, and never hashed.
pub const MAX_LENGTH: usize = 1024;

/// A shorter one is not accepted for a new user.
pub const MIN_LENGTH: usize = 10;

/// What is verified when there is no such user, so that the answer takes as long.
static NOBODY: LazyLock<Option<SecretString>> = LazyLock::new(|| hash(&"nobody's password".into()).ok());

/// A password could not be hashed.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Not of a length the hub accepts.
    #[error("a password has at least {MIN_LENGTH} characters and at most {MAX_LENGTH} bytes")]
    Length,
    /// No randomness, or no memory.
    #[error("the password could not be hashed")]
    Hash,
}

/// Hashes a new password, with a fresh salt, into PHC form.
///
/// # Errors
/// If it is too short or too long, or the system has no randomness or memory left.
pub fn hash(password: &SecretString) -> Result<SecretString, PasswordError> {
    let password = password.expose_secret();
    if password.chars().count() < MIN_LENGTH || password.len() > MAX_LENGTH {
        return Err(PasswordError::Length);
    }
    let params = Params::new(19 * 1024, 2, 1, None).map_err(|_| PasswordError::Hash)?;
    let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = hasher.hash_password(password.as_bytes()).map_err(|_| PasswordError::Hash)?;
    Ok(hash.to_string().into())
}

/// Whether the password is the one behind `stored`. `None`, for a user that does not exist, costs the same and is
/// never right.
#[must_use]
pub fn verify(password: &SecretString, stored: Option<&SecretString>) -> bool {
    let known = stored.is_some();
    let password = password.expose_secret();
    let Some(stored) = stored.or(NOBODY.as_ref()).filter(|_| password.len() <= MAX_LENGTH) else { return false };
    let right = PasswordHash::new(stored.expose_secret())
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok());
    right && known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_password_of_a_known_user_passes() {
        let right = SecretString::from("correct horse battery");
        let stored = hash(&right).unwrap();
        assert!(stored.expose_secret().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(verify(&right, Some(&stored)));
        assert!(!verify(&"correct horse".into(), Some(&stored)));
        assert!(!verify(&"nobody's password".into(), None));
        assert!(!verify(&right, Some(&"not a hash".into())));
    }

    #[test]
    fn a_password_of_a_bad_length_is_refused() {
        assert!(matches!(hash(&"short".into()), Err(PasswordError::Length)));
        assert!(matches!(hash(&"x".repeat(2000).into()), Err(PasswordError::Length)));
    }
}
