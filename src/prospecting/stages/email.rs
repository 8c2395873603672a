//! Addresses, as people and pages write them.

use std::{collections::HashSet, sync::LazyLock};

use email_address::{EmailAddress, Options};
use regex::Regex;
use url::Host;

/// Nobody in particular reads these.
const GENERIC: [&str; 7] = ["info", "contact", "support", "admin", "hello", "sales", "team"];
/// Nor these.
const ROLES: [&str; 14] = [
    "abuse",
    "billing",
    "career",
    "careers",
    "help",
    "hostmaster",
    "jobs",
    "marketing",
    "no-reply",
    "noreply",
    "office",
    "postmaster",
    "privacy",
    "webmaster",
];
/// What looks like an address and is the name of a file: `logo@2x.png`.
const FILES: [&str; 9] = ["png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "css", "js"];
/// Of an address, in bytes (RFC 5321, 4.5.3.1.3).
const LONGEST: usize = 254;

static IN_TEXT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"[A-Za-z0-9._%+\-]+@[\p{L}\p{N}.\-]+\.\p{L}{2,24}").expect("it is tested"));
static THROWN_AWAY: LazyLock<HashSet<&str>> = LazyLock::new(|| mailchecker::blacklist().into_iter().collect());

/// The address that a text is, in lower case and with its domain in ASCII; `None` if it is none.
pub(super) fn read(text: &str) -> Option<String> {
    let text = text.trim();
    let plain =
        |letter: char| !letter.is_control() && !letter.is_whitespace() && !matches!(letter, '"' | '<' | '>' | ',');
    if text.len() > LONGEST || !text.chars().all(plain) {
        return None;
    }
    let options = Options::default().without_display_text().without_domain_literal().with_required_tld();
    let parsed = EmailAddress::parse_with_options(text, options).ok()?;
    let Ok(Host::Domain(domain)) = Host::parse(parsed.domain()) else { return None };
    let top = domain.rsplit('.').next()?;
    if FILES.contains(&top) || top.chars().all(|letter| letter.is_ascii_digit()) {
        return None;
    }
    let address = format!("{}@{domain}", parsed.local_part().to_lowercase());
    (address.len() <= LONGEST).then_some(address)
}

/// The addresses that stand in a text.
pub(super) fn within(text: &str) -> impl Iterator<Item = String> {
    // A full stop may end the sentence, or begin the next.
    IN_TEXT.find_iter(text).filter_map(|found| read(found.as_str().trim_matches('.')))
}

/// The addresses of a `mailto:`, without what it wants to be written there.
pub(super) fn of_link(rest: &str) -> impl Iterator<Item = String> {
    let to = rest.split('?').next().unwrap_or_default();
    let pieces: Vec<String> = to.split(',').map(unescaped).collect();
    pieces.into_iter().filter_map(|piece| read(&piece))
}

fn unescaped(text: &str) -> String {
    // Read as a form's value, in which a plus would be a blank.
    let field = format!("a={}", text.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(field.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// Whether nobody in particular reads it, by the words that the systems before have.
pub(super) fn is_generic(address: &str) -> bool {
    let local = address.split('@').next().unwrap_or_default();
    let word: String = local.chars().take_while(char::is_ascii_alphabetic).collect();
    GENERIC.contains(&word.as_str())
}

/// Whether it belongs to a role and not to a person.
pub(super) fn is_role(address: &str) -> bool {
    is_generic(address) || ROLES.contains(&address.split('@').next().unwrap_or_default())
}

/// Whether its domain gives out addresses that are thrown away.
pub(super) fn is_thrown_away(address: &str) -> bool {
    let mut domain = address.rsplit('@').next().unwrap_or_default();
    loop {
        if THROWN_AWAY.contains(domain) {
            return true;
        }
        match domain.split_once('.') {
            Some((_, above)) if above.contains('.') => domain = above,
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_in_one_spelling_and_nonsense_is_none() {
        assert_eq!(read(" Ann@Harbor.Example ").as_deref(), Some("ann@harbor.example"));
        assert_eq!(read("ann@bücher.example").as_deref(), Some("ann@xn--bcher-kva.example"));
        for text in [
            "",
            "ann",
            "ann@",
            "@harbor.example",
            "ann@harbor",
            "ann@[127.0.0.1]",
            "ann@127.0.0.1",
            "logo@2x.png",
            "ann@harbor.example\r\nBcc: joe@harbor.example",
            "Ann <ann@harbor.example>",
            "\"a b\"@harbor.example",
            "a\u{0}b@harbor.example",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
        assert_eq!(read(&format!("{}@harbor.example", "a".repeat(250))), None);
    }

    #[test]
    fn a_link_cannot_smuggle_headers_in() {
        let of = |link: &str| of_link(link).collect::<Vec<_>>();
        assert_eq!(of("ann@harbor.example?subject=Hi&bcc=joe@harbor.example"), ["ann@harbor.example"]);
        assert_eq!(of("ann%40harbor.example,joe+x@harbor.example"), ["ann@harbor.example", "joe+x@harbor.example"]);
        assert_eq!(of("ann@harbor.example%0D%0ABcc:joe@harbor.example"), [""; 0]);
        assert_eq!(of("%00ann@harbor.example"), [""; 0]);
    }

    #[test]
    fn addresses_are_found_in_text() {
        let text = "Write to Ann.Lee@harbor.example. Or: joe@harbor.example, logo@2x.png, @handle, a@b";
        assert_eq!(within(text).collect::<Vec<_>>(), ["ann.lee@harbor.example", "joe@harbor.example"]);
    }

    #[test]
    fn nobody_in_particular_is_told_by_words() {
        for (address, generic, role) in [
            ("info@harbor.example", true, true),
            ("sales2@harbor.example", true, true),
            ("hello.sd@harbor.example", true, true),
            ("postmaster@harbor.example", false, true),
            ("teammate@harbor.example", false, false),
            ("ann@harbor.example", false, false),
        ] {
            assert_eq!((is_generic(address), is_role(address)), (generic, role), "{address}");
        }
    }

    #[test]
    fn what_is_thrown_away_is_known_by_its_domain_and_those_below() {
        assert!(is_thrown_away("a@33mail.com") && is_thrown_away("a@b.33mail.com"));
        assert!(!is_thrown_away("a@gmail.com") && !is_thrown_away("a@harbor.example"));
    }
}
