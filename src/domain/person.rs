//! Somebody by what they are known under: telephone numbers, e-mail addresses, ids at platforms. For finding all that is
//! held of them, and nothing that is held of others.

use sha2::{Digest, Sha256};

use super::erasure::Traces;

/// Digits that a number has at least: fewer of them are anybody's.
const LEAST_DIGITS: usize = 7;

/// One person. What is given here is theirs alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    phones: Vec<String>,
    emails: Vec<String>,
    ids: Vec<String>,
}

/// What was given names nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownPersonError {
    /// Too short.
    #[error("a phone number has {LEAST_DIGITS} digits at least, with its country: +1 619 555 0101")]
    Phone,
    /// No address.
    #[error("an e-mail address has an @ between two words")]
    Email,
    /// Too short.
    #[error("a platform's id has four characters at least")]
    Id,
}

impl Person {
    /// Nobody yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Also this number. Written with `+1`, the same without it is theirs as well: that is how it is written in North
    /// America. In other countries give both, if both are in use.
    ///
    /// # Errors
    /// If it has too few digits.
    pub fn phone(mut self, text: &str) -> Result<Self, UnknownPersonError> {
        let digits = digits(text);
        if digits.len() < LEAST_DIGITS {
            return Err(UnknownPersonError::Phone);
        }
        if let Some(national) = digits.strip_prefix('1').filter(|national| national.len() == 10) {
            self.phones.push(national.to_owned());
        }
        self.phones.push(digits);
        Ok(self)
    }

    /// Also this address, in any case.
    ///
    /// # Errors
    /// If it is none.
    pub fn email(mut self, text: &str) -> Result<Self, UnknownPersonError> {
        let email = text.trim().to_lowercase();
        let is_one = email.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.len() > 2);
        if !is_one || email.contains(char::is_whitespace) {
            return Err(UnknownPersonError::Email);
        }
        self.emails.push(email);
        Ok(self)
    }

    /// Also this id of a platform: a person's, a lead's or a chat's.
    ///
    /// # Errors
    /// If it is too short to be one person's.
    pub fn id(mut self, text: &str) -> Result<Self, UnknownPersonError> {
        if text.trim().len() < 4 {
            return Err(UnknownPersonError::Id);
        }
        self.ids.push(text.trim().to_owned());
        Ok(self)
    }

    /// Whether a field that holds nothing but a number, an address or an id is theirs. Numbers are compared by their digits.
    #[must_use]
    pub fn is(&self, field: &str) -> bool {
        let field = field.trim();
        // `16195550101@s.whatsapp.net`: the number is what stands before the messenger's name.
        let number = field.split_once('@').map_or(field, |(number, _)| number);
        let is_number = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit() || " +-.()/".contains(c));
        (is_number && self.phones.contains(&digits(number)))
            || self.emails.contains(&field.to_lowercase())
            || self.ids.iter().any(|id| id == field)
    }

    /// Where they stand in texts.
    #[must_use]
    pub fn traces(&self) -> Traces {
        let number = |digits: &String| {
            let spaced = digits.split("").filter(|digit| !digit.is_empty()).collect::<Vec<_>>().join(r"[ .()/-]{0,3}");
            format!(r"(?:^|[^0-9])(?:00)?{spaced}(?:[^0-9]|$)")
        };
        let address = |email: &String| format!(r"(?i)(?:^|[^0-9a-z._%+-]){}(?:[^0-9a-z_-]|$)", regex::escape(email));
        let patterns = self.phones.iter().map(number).chain(self.emails.iter().map(address)).collect();
        Traces { names: self.ids.clone(), patterns, events: Vec::new() }
    }

    /// Stands for what was asked in a receipt, and says nothing of it to who does not know it.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut all: Vec<&String> = self.phones.iter().chain(&self.emails).chain(&self.ids).collect();
        all.sort_unstable();
        let mut hash = Sha256::new();
        for one in all {
            hash.update((one.len() as u64).to_be_bytes());
            hash.update(one);
        }
        hex::encode(hash.finalize())
    }
}

/// The digits of a number, without the `00` that stands for its `+`.
fn digits(text: &str) -> String {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.strip_prefix("00").map_or(digits.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_the_same_however_it_is_written_and_no_other_is() {
        let person = Person::new().phone("+1 (619) 555-0101").unwrap();
        for same in ["16195550101", "+1-619-555-0101", "001 619 555 0101", "619.555.0101", "16195550101@s.whatsapp.net"]
        {
            assert!(person.is(same), "{same}");
        }
        for other in ["26195550101", "161955501012", "5550101", "", "call 16195550101", "16195550101x"] {
            assert!(!person.is(other), "{other}");
        }
        let found = person.traces().matcher().unwrap().unwrap();
        for text in [r#""phone":"+16195550101""#, "call me: (619) 555-0101!", "0016195550101", "tel:+1.619.555.0101"] {
            assert!(found.is_in(text.as_bytes()), "{text}");
        }
        for text in ["161955501012", "916195550101", r#""at":1619555010"#] {
            assert!(!found.is_in(text.as_bytes()), "{text}");
        }
        assert_eq!(Person::new().phone("555-01"), Err(UnknownPersonError::Phone));
    }

    #[test]
    fn an_address_is_the_same_in_any_case_and_no_longer_one_is() {
        let person = Person::new().email(" Joe@Example.com").unwrap();
        assert!(person.is("JOE@example.COM") && !person.is("moe.joe@example.com"));
        let found = person.traces().matcher().unwrap().unwrap();
        assert!(found.is_in(b"<joe@EXAMPLE.com>") && found.is_in(b"write to Joe@example.com."));
        for other in ["xjoe@example.com", "a.joe@example.com", "joe@example.community", "joeXexample.com"] {
            assert!(!found.is_in(other.as_bytes()), "{other}");
        }
        for none in ["joe", "@example.com", "joe@", "joe joe@example.com"] {
            assert_eq!(Person::new().email(none), Err(UnknownPersonError::Email), "{none}");
        }
    }

    #[test]
    fn a_receipt_shows_nothing_of_what_was_asked() {
        let one = Person::new().phone("+16195550101").unwrap().id("7777").unwrap();
        let same = Person::new().id("7777").unwrap().phone("+1 619 5550101").unwrap();
        assert_eq!(one.digest(), same.digest());
        assert!(!one.digest().contains("6195550101"));
        assert_eq!(Person::new().id("77"), Err(UnknownPersonError::Id));
    }
}
