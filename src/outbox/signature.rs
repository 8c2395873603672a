//! Standard Webhooks 1.0: secrets, and the signature over id, time and body.

use std::fs;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use sha2::Sha256;

/// What a secret begins with.
const PREFIX: &str = "whsec_";
/// Bytes of a secret; the standard asks for 24 to 64.
const LENGTH: usize = 32;

/// A fresh secret: `whsec_` and base 64.
///
/// # Errors
/// If the system has no random numbers.
pub fn new_secret() -> std::io::Result<SecretString> {
    let mut key = Zeroizing::new([0; LENGTH]);
    std::io::Read::read_exact(&mut fs::File::open("/dev/urandom")?, &mut *key)?;
    Ok(format!("{PREFIX}{}", STANDARD.encode(*key)).into())
}

/// The value of `webhook-signature`: one signature a secret, the newest first.
pub(super) fn sign(secrets: &[SecretString], id: &str, timestamp: i64, body: &[u8]) -> String {
    let one = |secret: &SecretString| {
        let text = secret.expose_secret();
        let text = text.strip_prefix(PREFIX).unwrap_or(text);
        // One that is no base 64 is taken as it is.
        let key = Zeroizing::new(STANDARD.decode(text).unwrap_or_else(|_| text.as_bytes().to_vec()));
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes keys of any length");
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    };
    secrets.iter().map(one).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the standard's reference libraries.
    #[test]
    fn the_standards_own_example_comes_out() {
        let secret = SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signed = sign(&[secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn during_a_rotation_both_secrets_sign() {
        let (new, old) = (new_secret().unwrap(), new_secret().unwrap());
        let both = sign(&[new.clone(), old.clone()], "evt_1", 5, b"{}");
        let (first, second) = both.split_once(' ').unwrap();
        assert_eq!((first, second), (&*sign(&[new], "evt_1", 5, b"{}"), &*sign(&[old], "evt_1", 5, b"{}")));
        assert_ne!(first, second);
    }

    #[test]
    fn a_secret_is_long_enough_and_another_each_time() {
        let (one, other) = (new_secret().unwrap(), new_secret().unwrap());
        assert_ne!(one.expose_secret(), other.expose_secret());
        let key = STANDARD.decode(one.expose_secret().strip_prefix("whsec_").unwrap()).unwrap();
        assert!((24..=64).contains(&key.len()));
    }
}
