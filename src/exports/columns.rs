//! The columns of the file that users of the origin's campaigns know: the same titles in the same order.

use super::Row;
use crate::domain::{
    clock,
    prospect::{CheckedEmail, FoundEmail, Verdict},
};

/// What stands above the columns.
pub const TITLES: [&str; 42] = [
    "Campaign ID",
    "Query ID",
    "Search Location",
    "Query Timestamp",
    "Business Name",
    "Address",
    "Category",
    "Company Phone",
    "Company Phone Source",
    "Company Email",
    "Company Email Source",
    "Company Email Confidence",
    "Owner Phone",
    "Owner Phone Source",
    "Owner Email",
    "Owner Email Source",
    "Owner Email Confidence",
    "Owner Name",
    "Owner Title",
    "Website",
    "Website Source",
    "Website Accessible",
    "Confidence Score",
    "Quality Grade",
    "Is Qualified",
    "Registry Validated",
    "Email Validated",
    "Property Intelligence",
    "Foursquare Match",
    "Primary Source",
    "All Data Sources",
    "API Cost ($)",
    "Apollo.io Data",
    "Hunter.io Data",
    "Optimized Engine Cost ($)",
    "Business Name Score",
    "Address Score",
    "Phone Score",
    "Website Score",
    "Email Score",
    "Registration Score",
    "Pre-validation Score",
];

/// What found on the business's own pages is said to come from.
const WEBSITE: &str = "website";

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    /// Nothing is known.
    Empty,
    Text(String),
    Number(f64),
    Flag(bool),
}

impl Cell {
    fn text(text: Option<&str>) -> Self {
        text.filter(|text| !text.is_empty()).map_or(Self::Empty, |text| Self::Text(text.to_owned()))
    }

    fn number(number: Option<i32>) -> Self {
        number.map_or(Self::Empty, |number| Self::Number(number.into()))
    }

    fn flag(flag: Option<bool>) -> Self {
        flag.map_or(Self::Empty, Self::Flag)
    }

    /// A score of which 0 means that nothing is known.
    fn score(score: Option<i32>) -> Self {
        Self::number(score.filter(|score| *score > 0))
    }
}

/// What a score is called: A from 90 on, B from 80, C from 70, D from 60, and F.
pub(super) const fn grade(score: i32) -> &'static str {
    match score {
        90.. => "A",
        80.. => "B",
        70.. => "C",
        60.. => "D",
        _ => "F",
    }
}

/// A lead's cells, one a title.
pub(super) fn cells(row: Row<'_>) -> [Cell; 42] {
    let Row { campaign, prospect, findings, cost } = row;
    let (discovery, scores) = (findings.discovery.as_ref(), findings.scores.as_ref());
    let source = prospect.source.as_deref();
    let found =
        |value: Option<&str>, is_found: bool| Cell::text(value.and(if is_found { Some(WEBSITE) } else { source }));
    let phone = prospect.phone.as_deref();
    let phone_found = phone.is_some_and(|phone| discovery.is_some_and(|it| it.phones.iter().any(|it| it == phone)));
    let email = prospect.email.as_deref();
    let checked = checked(row);
    let website = findings.validation.as_ref().and_then(|validation| validation.website.as_ref());
    let owner_email = prospect.owner_email.as_deref();
    let owner_found =
        discovery.is_some_and(|it| it.owner.as_ref().is_some_and(|it| it.email.as_deref() == owner_email));
    let owner_confidence = owner_email.filter(|_| owner_found).map(|_| 75);
    let score = |pick: fn(&crate::domain::prospect::Scores) -> i32| Cell::score(scores.map(pick));
    [
        Cell::text(Some(&campaign.id)),
        Cell::text(prospect.google_place_id.as_deref().or(Some(&prospect.id))),
        Cell::text(campaign.location.as_deref()),
        Cell::Text(clock::rfc3339(campaign.created_at)),
        Cell::text(Some(&prospect.name)),
        Cell::text(prospect.full_address().as_deref()),
        Cell::text(prospect.category.as_deref()),
        Cell::text(phone),
        found(phone, phone_found),
        Cell::text(email),
        found(email, found_email(row).is_some()),
        Cell::number(checked.map(|it| it.confidence).or_else(|| found_email(row).map(|it| it.confidence))),
        // Nobody tells it apart from the company's.
        Cell::Empty,
        Cell::Empty,
        Cell::text(owner_email),
        found(owner_email, owner_found),
        Cell::number(owner_confidence),
        Cell::text(prospect.owner_name.as_deref()),
        Cell::text(prospect.owner_title.as_deref()),
        Cell::text(prospect.website.as_deref()),
        found(prospect.website.as_deref(), false),
        Cell::flag(website.map(|it| it.accessible)),
        Cell::number(prospect.confidence_score),
        Cell::text(prospect.confidence_score.map(grade)),
        Cell::flag(prospect.is_qualified.or_else(|| prospect.qualifies().then_some(true))),
        Cell::flag(prospect.registry_validated),
        Cell::flag(checked.map(|it| it.verdict == Verdict::Deliverable)),
        score(|it| it.property),
        score(|it| it.foursquare),
        Cell::text(source),
        Cell::text(Some(&sources(row))),
        Cell::Number(cost),
        // Services that the hub does not ask.
        Cell::Empty,
        Cell::Empty,
        Cell::Number(cost),
        score(|it| it.name),
        score(|it| it.address),
        score(|it| it.phone),
        score(|it| it.website),
        score(|it| it.email),
        score(|it| it.registration),
        Cell::number(prospect.pre_validation_score),
    ]
}

/// Whoever knows something of it.
fn sources(row: Row<'_>) -> String {
    let read = row.findings.discovery.as_ref().is_some_and(|it| !it.pages.is_empty());
    let mut sources: Vec<&str> = row.prospect.source.as_deref().into_iter().chain(read.then_some(WEBSITE)).collect();
    sources.dedup();
    sources.join(", ")
}

/// What became of the company's address.
pub(super) fn checked(row: Row<'_>) -> Option<&CheckedEmail> {
    let email = row.prospect.email.as_deref()?;
    let validation = row.findings.validation.as_ref()?;
    validation.emails.iter().find(|checked| checked.address.eq_ignore_ascii_case(email))
}

/// The company's address, if it stood on its pages.
fn found_email(row: Row<'_>) -> Option<&FoundEmail> {
    let email = row.prospect.email.as_deref()?;
    row.findings.discovery.as_ref()?.emails.iter().find(|found| found.address.eq_ignore_ascii_case(email))
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    fn cell(cells: &[Cell; 42], title: &str) -> Cell {
        cells[TITLES.iter().position(|known| *known == title).unwrap()].clone()
    }

    #[test]
    fn each_cell_stands_under_its_title() {
        let (campaign, prospect, findings) = sample::lead();
        let cells = cells(Row { campaign: &campaign, prospect: &prospect, findings: &findings, cost: 0.017 });
        let text =
            |title: &str, wanted: &str| assert_eq!(cell(&cells, title), Cell::Text(wanted.to_owned()), "{title}");
        text("Business Name", "Harbor Grill");
        text("Search Location", "San Diego, CA");
        text("Address", "12 Bay St, San Diego, CA, 92101");
        text("Company Phone", "+16195550100");
        text("Company Phone Source", "google_places");
        text("Company Email", "ann@harbor.example");
        text("Company Email Source", "website");
        text("Owner Name", "Ann");
        text("Owner Email Source", "website");
        text("Quality Grade", "B");
        text("All Data Sources", "google_places, website");
        assert_eq!(cell(&cells, "Company Email Confidence"), Cell::Number(95.0));
        assert_eq!(cell(&cells, "Email Validated"), Cell::Flag(true));
        assert_eq!(cell(&cells, "Website Accessible"), Cell::Flag(true));
        assert_eq!(cell(&cells, "Is Qualified"), Cell::Flag(true));
        assert_eq!(cell(&cells, "API Cost ($)"), Cell::Number(0.017));
        assert_eq!(cell(&cells, "Pre-validation Score"), Cell::Number(85.0));
        assert_eq!(cell(&cells, "Registration Score"), Cell::Number(50.0));
        assert_eq!(cell(&cells, "Apollo.io Data"), Cell::Empty);
    }

    #[test]
    fn of_what_nobody_knows_nothing_is_said() {
        let (campaign, prospect, _) = sample::lead();
        let bare = crate::domain::prospect::Prospect {
            name: "Bare".to_owned(),
            ..crate::domain::prospect::Prospect::new(
                "lead_2".to_owned(),
                prospect.agency,
                prospect.account,
                String::new(),
                prospect.created_at,
            )
        };
        let findings = crate::domain::prospect::Findings::default();
        let cells = cells(Row { campaign: &campaign, prospect: &bare, findings: &findings, cost: 0.0 });
        let known = cells.iter().filter(|cell| **cell != Cell::Empty).count();
        // Campaign, query, place, time, name, and two costs.
        assert_eq!(known, 7, "{cells:?}");
    }
}
