//! Is it one of the databases? `Authorization: Bearer <token>`; nothing is signed.

/// Carries the token.
pub const TOKEN: &str = "authorization";
const SCHEME: &[u8] = b"bearer ";

/// The token in the header's value.
pub fn token(given: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = given.split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_found_and_nothing_else() {
        for right in ["Bearer older", "bearer older", "BEARER  older "] {
            assert_eq!(token(right.as_bytes()), Some(&b"older"[..]), "{right}");
        }
        for wrong in ["", "Bearer", "older", "Basic older", "Bearerolder"] {
            assert_eq!(token(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(token(b"Bearer "), Some(&b""[..]), "which opens nothing");
    }
}
