//! Stage 4: one number for how good a prospect is. What is not known does not count.

use super::{
    Work, phone,
    pre_validation::{given, is_complete, is_example, is_generic},
};
use crate::domain::prospect::{Findings, Prospect, Scores};

/// Nobody was asked.
const UNKNOWN: i32 = 50;

pub(super) fn score(work: &mut Work) {
    let scores = scores(&work.prospect, &work.findings);
    work.prospect.confidence_score = Some(scores.total);
    work.findings.scores = Some(scores);
}

fn scores(prospect: &Prospect, findings: &Findings) -> Scores {
    let mut scores = Scores {
        name: match given(Some(&prospect.name)) {
            None => 0,
            Some(name) if is_generic(name) => 30,
            Some(_) => 90,
        },
        address: match prospect.full_address() {
            None => 0,
            Some(address) if is_complete(&address) => 80,
            Some(_) => 40,
        },
        phone: match given(prospect.phone.as_deref()) {
            None => 0,
            Some(number) if phone::is_fake(number) => 10,
            Some(number) if phone::is_well_formed(number) => 85,
            Some(_) => 30,
        },
        website: website(prospect, findings),
        email: email(prospect, findings),
        registration: match prospect.registry_validated {
            None => UNKNOWN,
            Some(true) => 90,
            Some(false) => 20,
        },
        property: UNKNOWN,
        foursquare: UNKNOWN,
        nonprofit: match prospect.is_nonprofit {
            None => UNKNOWN,
            Some(true) => 95,
            Some(false) => 70,
        },
        total: 0,
    };
    scores.total = total(&scores);
    scores
}

fn website(prospect: &Prospect, findings: &Findings) -> i32 {
    let accessible = findings.validation.as_ref().and_then(|validation| validation.website.as_ref());
    match given(prospect.website.as_deref()) {
        None => 0,
        Some(website) if is_example(website) => 10,
        Some(_) if accessible.is_some_and(|website| website.accessible) => 95,
        Some(_) => UNKNOWN,
    }
}

fn email(prospect: &Prospect, findings: &Findings) -> i32 {
    let Some(address) = given(prospect.email.as_deref()) else { return 0 };
    let checked = findings.validation.iter().flat_map(|validation| &validation.emails);
    let found = checked.into_iter().find(|checked| checked.address.eq_ignore_ascii_case(address));
    found.map_or(UNKNOWN, |checked| checked.confidence)
}

/// Weights in hundredths; those of what is known make the whole.
fn total(scores: &Scores) -> i32 {
    let weighted = [
        (scores.name, 12),
        (scores.address, 12),
        (scores.phone, 15),
        (scores.website, 12),
        (scores.email, 15),
        (scores.registration, 12),
        (scores.property, 5),
        (scores.foursquare, 10),
        (scores.nonprofit, 7),
    ];
    let known = weighted.iter().filter(|(score, _)| *score > 0);
    let (sum, weights) = known.fold((0, 0), |(sum, weights), (score, weight)| (sum + score * weight, weights + weight));
    // Rounded half up, in whole numbers.
    if weights == 0 { 0 } else { (2 * sum + weights) / (2 * weights) }
}
