//! What platforms say in their errors, made fit for logs and dashboards.

/// Longest message that is passed on, in characters.
const LONGEST_MESSAGE: usize = 500;

/// Longer words in messages are taken for tokens or proofs of them.
const LONGEST_WORD: usize = 31;

/// Of bytes; tokens that are in use are longer.
const SHORTEST_SECRET: usize = 8;

/// On one line, not too long, and without what may be a token: `Malformed access token EAAB…` repeats it.
pub fn presentable(message: &str) -> String {
    let mut clean = String::new();
    let ends_word = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '|'));
    for word in message.split_inclusive(ends_word) {
        let bare = word.trim_end_matches(ends_word);
        clean.push_str(if bare.len() > LONGEST_WORD { "[…]" } else { bare });
        clean.extend(word[bare.len()..].chars().map(|c| if c.is_control() { ' ' } else { c }));
    }
    clean.chars().take(LONGEST_MESSAGE).collect()
}

/// Without `secret`, which the platform may have repeated. A shorter one than any that is in use is left: it would be
/// found within words.
pub fn conceal(message: &mut String, secret: &str) {
    if secret.len() >= SHORTEST_SECRET && message.contains(secret) {
        *message = message.replace(secret, "[…]");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_in_a_message_is_not_passed_on() {
        let token = "EAAB0123456789abcdefghijklmnopqrstuvwxyz";
        assert_eq!(presentable(&format!("Malformed access token {token}.\n")), "Malformed access token […]. ");
        assert!(!presentable(&format!("{token}{token}")).contains("EAAB"));
        assert_eq!(presentable(&"ä ".repeat(1000)).chars().count(), LONGEST_MESSAGE);
    }
}
