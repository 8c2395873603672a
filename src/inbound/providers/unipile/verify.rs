//! Is it Unipile? It signs nothing; it sends the headers that it was told to when the webhook was registered.

use secrecy::SecretString;

use super::secret::same;

/// Carries a secret of the hub's own, as it was registered.
pub const SECRET: &str = "unipile-auth";

/// Whether `given` is one of the secrets; more than one is there while they are rotated.
pub fn known(secrets: &[SecretString], given: &[u8]) -> bool {
    // Not `any`: which of the secrets it was must not show in the time it takes.
    secrets.iter().fold(false, |found, secret| found | same(given, secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known_of(secrets: &[&str], given: &str) -> bool {
        let secrets: Vec<_> = secrets.iter().map(|secret| SecretString::from(*secret)).collect();
        known(&secrets, given.as_bytes())
    }

    #[test]
    fn any_of_the_secrets_will_do() {
        assert!(known_of(&["newer", "older"], "newer"));
        assert!(known_of(&["newer", "older"], "older"));
        for wrong in ["", "olde", "older ", "Older", "newerolder"] {
            assert!(!known_of(&["newer", "older"], wrong), "{wrong}");
        }
        assert!(!known_of(&[], "older"));
    }

    #[test]
    fn an_empty_secret_opens_nothing() {
        assert!(!known_of(&[""], ""));
        assert!(!known_of(&["", "older"], ""));
        assert!(known_of(&["", "older"], "older"));
    }
}
