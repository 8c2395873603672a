//! A prospect: a business that a campaign found, or that a lead belongs to; and what enrichment finds out about it.

mod findings;
mod from_lead;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use findings::{
    CheckedEmail, Discovery, Findings, FoundEmail, Owner, PreValidation, Scores, Validation, Verdict, WebsiteCheck,
};
pub use from_lead::of_lead;

use super::{AccountId, AgencyId, EventId, LeadId, Timestamp, clock};

/// What a prospect's status is; other programs that write the table have words of their own.
pub mod status {
    /// Nothing was done with it.
    pub const NEW: &str = "new";
    /// Enrichment is at it.
    pub const PROCESSING: &str = "processing";
    /// Too little is known of it to go on.
    pub const FILTERED: &str = "pre-validation-filtered";
    /// Enriched, and good enough.
    pub const QUALIFIED: &str = "qualified";
    /// Enriched.
    pub const ENRICHED: &str = "enriched";
    /// Enrichment could not be ended.
    pub const ERROR: &str = "error";
}

/// A row of `enhanced_leads`, as far as enrichment has to do with it. Its id and its campaign's are texts that whoever
/// wrote the row has chosen.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the columns of the table, under their names on the wire")]
pub struct Prospect {
    pub id: String,
    #[serde(rename = "agency_id")]
    pub agency: AgencyId,
    #[serde(rename = "account_id")]
    pub account: AccountId,
    #[serde(rename = "campaign_id")]
    pub campaign: Option<String>,
    /// The lead that it was made of.
    #[serde(rename = "lead_id")]
    pub lead: Option<LeadId>,
    pub name: String,
    pub address: Option<String>,
    pub city: Option<String>,
    pub state: Option<String>,
    pub postal_code: Option<String>,
    pub country: Option<String>,
    pub source: Option<String>,
    pub phone: Option<String>,
    pub website: Option<String>,
    pub category: Option<String>,
    pub email: Option<String>,
    pub owner_name: Option<String>,
    pub owner_title: Option<String>,
    pub owner_email: Option<String>,
    pub google_place_id: Option<String>,
    /// Stars, of five.
    pub rating: Option<f64>,
    pub review_count: Option<i64>,
    /// Told by others, if at all; so is the next.
    pub registry_validated: Option<bool>,
    pub is_nonprofit: Option<bool>,
    /// See [`status`].
    pub status: String,
    pub processing_stage: Option<String>,
    pub confidence_score: Option<i32>,
    pub pre_validation_score: Option<i32>,
    pub is_qualified: Option<bool>,
    #[serde(with = "clock::wire")]
    pub created_at: Timestamp,
    #[serde(with = "clock::wire")]
    pub updated_at: Timestamp,
}

impl Prospect {
    /// One of which only the name is known.
    #[must_use]
    pub fn new(id: String, agency: AgencyId, account: AccountId, name: String, now: Timestamp) -> Self {
        Self {
            id,
            agency,
            account,
            campaign: None,
            lead: None,
            name,
            address: None,
            city: None,
            state: None,
            postal_code: None,
            country: None,
            source: None,
            phone: None,
            website: None,
            category: None,
            email: None,
            owner_name: None,
            owner_title: None,
            owner_email: None,
            google_place_id: None,
            rating: None,
            review_count: None,
            registry_validated: None,
            is_nonprofit: None,
            status: status::NEW.to_owned(),
            processing_stage: None,
            confidence_score: None,
            pre_validation_score: None,
            is_qualified: None,
            created_at: now,
            updated_at: now,
        }
    }

    /// Whether it is worth a call: the hub found so, or whoever told of it.
    #[must_use]
    pub fn qualifies(&self) -> bool {
        self.is_qualified == Some(true) || self.status == status::QUALIFIED
    }

    /// The whole address on one line, if there is one.
    #[must_use]
    pub fn full_address(&self) -> Option<String> {
        let mut line = self.address.as_deref().map(str::trim).filter(|line| !line.is_empty())?.to_owned();
        for part in [&self.city, &self.state, &self.postal_code].into_iter().flatten() {
            if !part.trim().is_empty() && !line.contains(part.trim()) {
                line = format!("{line}, {}", part.trim());
            }
        }
        Some(line)
    }
}

/// The stages of enrichment, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Whether enough is known, and not made up.
    PreValidation,
    /// What the business's own pages say.
    Discovery,
    /// Whether addresses take mail, and the website answers.
    Validation,
    /// How good it is.
    Scoring,
}

impl Stage {
    /// In their order.
    pub const ALL: [Self; 4] = [Self::PreValidation, Self::Discovery, Self::Validation, Self::Scoring];

    /// From 1.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8 + 1
    }

    /// Back from [`Self::number`].
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| i32::from(stage.number()) == number)
    }

    /// The word used in JSON and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PreValidation => "pre_validation",
            Self::Discovery => "discovery",
            Self::Validation => "validation",
            Self::Scoring => "scoring",
        }
    }

    /// What `processing_stage` says while it is at work, in the words of the system that agencies switch over from.
    #[must_use]
    pub const fn at_work(self) -> &'static str {
        match self {
            Self::PreValidation => "stage_1_discovery",
            Self::Discovery => "stage_2_enrichment",
            Self::Validation => "stage_3_validation",
            Self::Scoring => "stage_4_scoring",
        }
    }

    /// The one after it.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        Self::from_number(i32::from(self.number()) + 1)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something that a stage could not do, while the rest went on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Degraded {
    /// Which stage.
    pub stage: Stage,
    /// What it could not do: `website`, `email`, `stage`.
    pub what: String,
    /// Why, for people.
    pub why: String,
}

/// Payload of `lead:enriched`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LeadEnriched {
    /// What names the prospect, and what is different since the stage before.
    pub lead: Map<String, Value>,
    /// The stage that was done.
    pub stage: Stage,
    /// How many are done; the last number is also told when it ends early.
    pub stages_done: u8,
    /// The score so far.
    pub score: Option<i32>,
    /// See [`status`].
    pub status: String,
    /// What could not be done, in all stages so far.
    pub degraded: Vec<Degraded>,
    /// When the stage was done.
    #[serde(with = "clock::wire")]
    pub timestamp: Timestamp,
}

impl LeadEnriched {
    /// What is told after a stage that made `after` of `before`.
    #[must_use]
    pub fn new(
        before: &Prospect,
        after: &Prospect,
        stage: Stage,
        degraded: Vec<Degraded>,
        timestamp: Timestamp,
    ) -> Self {
        const NAMES: [&str; 6] = ["id", "account_id", "campaign_id", "lead_id", "name", "source"];
        let (Ok(Value::Object(before)), Ok(Value::Object(mut lead))) =
            (serde_json::to_value(before), serde_json::to_value(after))
        else {
            unreachable!("a prospect is an object")
        };
        lead.retain(|column, value| NAMES.contains(&column.as_str()) || before.get(column) != Some(value));
        Self {
            lead,
            stage,
            stages_done: stage.number(),
            score: after.confidence_score,
            status: after.status.clone(),
            degraded,
            timestamp,
        }
    }

    /// The event that this is, however often it is told: a run of a prospect's enrichment has each stage once.
    #[must_use]
    pub fn event(prospect: &str, run: i32, stage: Stage) -> EventId {
        EventId::derive(&[b"enriched", prospect.as_bytes(), &run.to_be_bytes(), &[stage.number()]])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prospect() -> Prospect {
        let (agency, account) = (AgencyId::derive(&[b"a"]), AccountId::derive(&[b"a"]));
        Prospect::new("lead_1".to_owned(), agency, account, "Harbor Grill".to_owned(), clock::from_micros(0))
    }

    #[test]
    fn an_address_is_one_line_without_saying_anything_twice() {
        let mut prospect = prospect();
        prospect.city = Some("San Diego".to_owned());
        assert_eq!(prospect.full_address(), None, "a city alone is no address");
        prospect.address = Some(" 12 Bay St ".to_owned());
        prospect.postal_code = Some("92101".to_owned());
        assert_eq!(prospect.full_address().as_deref(), Some("12 Bay St, San Diego, 92101"));
        prospect.address = Some("12 Bay St, San Diego, CA 92101".to_owned());
        assert_eq!(prospect.full_address().as_deref(), Some("12 Bay St, San Diego, CA 92101"));
    }

    #[test]
    fn what_is_told_names_the_prospect_and_what_is_different() {
        let before = prospect();
        let mut after = before.clone();
        after.phone = Some("+16195550100".to_owned());
        after.status = status::PROCESSING.to_owned();
        let told = LeadEnriched::new(&before, &after, Stage::Discovery, Vec::new(), clock::from_micros(0));
        let names: Vec<&str> = told.lead.keys().map(String::as_str).collect();
        let wanted = ["account_id", "campaign_id", "id", "lead_id", "name", "phone", "source", "status"];
        assert_eq!((names.len(), told.stages_done), (wanted.len(), 2));
        assert!(wanted.iter().all(|name| names.contains(name)), "{names:?}");
    }

    #[test]
    fn stages_come_in_their_order_and_each_run_has_events_of_its_own() {
        let mut order = vec![Stage::PreValidation];
        while let Some(next) = order.last().and_then(|stage| stage.next()) {
            order.push(next);
        }
        assert_eq!(order, Stage::ALL);
        let event = LeadEnriched::event("lead_1", 1, Stage::Scoring);
        assert_eq!(event, LeadEnriched::event("lead_1", 1, Stage::Scoring));
        assert_ne!(event, LeadEnriched::event("lead_1", 2, Stage::Scoring));
        assert_ne!(event, LeadEnriched::event("lead_1", 1, Stage::Validation));
    }
}
