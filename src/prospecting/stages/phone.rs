//! Telephone numbers, as people and pages write them.

use std::sync::LazyLock;

use regex::Regex;

/// Digits of a number with its country (E.164), and of one that is worth a call.
const LONGEST: usize = 15;
const SHORTEST: usize = 7;

/// With its country, or in the shape of North America, where most of the businesses are. Others can't be told from dates
/// and prices without knowing the country's plan.
static IN_TEXT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\+[1-9]\d{0,2}(?:[\s.\-]?\(?\d{1,12}\)?){2,8}|(?:\b1[\s.\-])?(?:\([2-9]\d{2}\)\s?|\b[2-9]\d{2}[\s.\-])[2-9]\d{2}[\s.\-]\d{4}\b")
        .expect("it is tested")
});
/// Facts 5.5: what counts as a number at all.
static WELL_FORMED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^\+?[0-9\s\-()]{10,}$").expect("it is tested"));

/// Whether it has the shape of a number.
pub(super) fn is_well_formed(number: &str) -> bool {
    WELL_FORMED.is_match(number)
}

/// Whether it is one that stories use.
pub(super) fn is_fake(number: &str) -> bool {
    ["555-", "(555)", "000-000"].iter().any(|fake| number.contains(fake))
}

/// The numbers that stand in a text.
pub(super) fn within(text: &str) -> impl Iterator<Item = String> {
    IN_TEXT.find_iter(text).filter_map(|found| read(found.as_str(), true))
}

/// One that is said to be a number: of a `tel:`, or in structured data. `national`: it is North America's if nothing
/// else is said.
pub(super) fn read(text: &str, national: bool) -> Option<String> {
    // `+49 (0)30 …`: the nought is for callers within the country.
    let text = text.split([';', '?']).next().unwrap_or_default().trim().replace("%20", " ").replace("(0)", "");
    if text.chars().any(|letter| letter.is_alphabetic() || letter.is_control()) {
        return None;
    }
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if !(SHORTEST..=LONGEST).contains(&digits.len()) {
        return None;
    }
    Some(match digits.len() {
        _ if text.starts_with('+') => format!("+{digits}"),
        10 if national => format!("+1{digits}"),
        11 if national && digits.starts_with('1') => format!("+{digits}"),
        _ => digits,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_in_text_and_dates_and_prices_are_none() {
        let text = "Call (619) 867-5309 or 619.867.5310, abroad +49 (0)30 901820-0. 1-619-867-5311! Open 2024-01-02 10:00, \
                    $1,250.00, order 4711 0815 22, ZIP 92101-1234";
        let found: Vec<String> = within(text).collect();
        assert_eq!(found, ["+16198675309", "+16198675310", "+49309018200", "+16198675311"]);
    }

    #[test]
    fn a_number_that_is_said_to_be_one_is_read_strictly() {
        assert_eq!(read("+1-619-867-5309;ext=5", true).as_deref(), Some("+16198675309"));
        assert_eq!(read("619%20867%205309", true).as_deref(), Some("+16198675309"));
        assert_eq!(read("030 9018200", false).as_deref(), Some("0309018200"));
        for text in ["", "+", "12345", "1-800-FLOWERS", "+1619867530912345678", "javascript:alert(1)", "619\r\n8675309"]
        {
            assert_eq!(read(text, true), None, "{text:?}");
        }
    }

    #[test]
    fn what_is_well_formed_and_what_is_fake_is_told_as_the_system_before_told_it() {
        for (number, well_formed, fake) in [
            ("+16195550100", true, false),
            ("(619) 867-5309", true, false),
            ("619-555-0100", true, true),
            ("(555) 867-5309", true, true),
            ("000-000-0000", true, true),
            ("619.867.5309", false, false),
            ("867-5309", false, false),
        ] {
            assert_eq!((is_well_formed(number), is_fake(number)), (well_formed, fake), "{number}");
        }
    }
}
