//! Stage 1: whether enough is known of a business to look for more, and whether it is made up. Free.

use std::sync::LazyLock;

use regex::Regex;

use super::{Work, phone};
use crate::domain::prospect::{PreValidation, Prospect};

/// With fewer points nothing more is looked for.
pub(in crate::prospecting) const ENOUGH: i32 = 50;

/// Names that say nothing.
static GENERIC: LazyLock<Regex> = LazyLock::new(|| {
    let names = r"(?i)business\s+(llc|inc|corp)|company\s+(llc|inc|corp)|^(business|company)$|test\s*business";
    Regex::new(names).expect("it is tested")
});

pub(super) fn score(work: &mut Work) {
    let points = points(&work.prospect);
    work.prospect.pre_validation_score = Some(points.total());
    work.prospect.confidence_score = Some(points.total());
    work.findings.pre_validation = Some(points);
}

fn points(prospect: &Prospect) -> PreValidation {
    let phone = given(prospect.phone.as_deref());
    PreValidation {
        name: match given(Some(&prospect.name)) {
            None => 0,
            Some(name) if is_generic(name) => 15,
            Some(_) => 25,
        },
        address: match prospect.full_address() {
            None => 0,
            Some(address) if is_complete(&address) => 20,
            Some(_) => 15,
        },
        phone: match phone {
            None => 0,
            Some(number) if phone::is_well_formed(number) && !phone::is_fake(number) => 20,
            Some(_) => 10,
        },
        rating: match (prospect.rating, prospect.review_count) {
            (Some(rating), Some(10..)) if rating >= 4.0 => 15,
            (Some(rating), _) if rating >= 3.5 => 10,
            _ => 0,
        },
        website: match given(prospect.website.as_deref()) {
            None => 0,
            Some(website) if is_example(website) => 10,
            Some(_) => 20,
        },
    }
}

/// What says something.
pub(super) fn given(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

pub(super) fn is_generic(name: &str) -> bool {
    GENERIC.is_match(name)
}

/// Whether an address leads somewhere.
pub(super) fn is_complete(address: &str) -> bool {
    address.chars().count() > 10
        && address.chars().any(|letter| letter.is_ascii_digit())
        && address.chars().any(char::is_alphabetic)
        && !address.contains("Main St, Main St")
}

/// The one that stands for none.
pub(super) fn is_example(website: &str) -> bool {
    website == "http://example.com"
}
