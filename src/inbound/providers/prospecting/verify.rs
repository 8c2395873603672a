//! Is it one of the databases? `Authorization: Bearer <token>`; nothing is signed.

use secrecy::SecretString;

use super::secret::same;

/// Carries the token.
pub const TOKEN: &str = "authorization";
const SCHEME: &[u8] = b"bearer ";

/// Whether `given` is `Bearer` and one of the tokens; more than one is there while they are rotated.
pub fn known(tokens: &[SecretString], given: &[u8]) -> bool {
    let Some((scheme, token)) = given.split_at_checked(SCHEME.len()) else { return false };
    // Not `any`: which of the tokens it was must not show in the time it takes.
    scheme.eq_ignore_ascii_case(SCHEME)
        && tokens.iter().fold(false, |found, known| found | same(token.trim_ascii(), known))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known_of(tokens: &[&str], given: &str) -> bool {
        let tokens: Vec<_> = tokens.iter().map(|token| SecretString::from(*token)).collect();
        known(&tokens, given.as_bytes())
    }

    #[test]
    fn any_of_the_tokens_will_do_and_nothing_else() {
        for right in ["Bearer newer", "Bearer older", "bearer older", "BEARER  older "] {
            assert!(known_of(&["newer", "older"], right), "{right}");
        }
        for wrong in ["", "Bearer", "Bearer ", "older", "Basic older", "Bearer olde", "Bearer Older", "Bearerolder"] {
            assert!(!known_of(&["newer", "older"], wrong), "{wrong}");
        }
    }

    #[test]
    fn without_a_token_nothing_opens() {
        assert!(!known_of(&[], "Bearer x"));
        assert!(!known_of(&[""], "Bearer "));
        assert!(!known_of(&["", "x"], "Bearer "));
    }
}
