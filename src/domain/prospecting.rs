//! What prospecting databases tell: leads that were found, campaigns that look for them, and what that costs.
//!
//! A database may be the hub's own tables, or one elsewhere. Rows of the latter have ids of their own kind there (numbers,
//! UUIDs); here they get one that is derived from the account and that id, so that the same row is the same row.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    AccountId, CampaignId, CostId, LeadId, Timestamp, clock,
    cost::{Amount, CostAlert},
    message::Owner,
};

/// Which row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordId {
    /// In the hub's tables.
    pub id: String,
    /// In the database that told of it, if that is not the hub's.
    pub external: Option<String>,
}

impl RecordId {
    /// A row of the hub's own.
    #[must_use]
    pub fn own(id: String) -> Self {
        Self { id, external: None }
    }

    /// A lead of another database.
    #[must_use]
    pub fn lead(account: AccountId, external: String) -> Self {
        let id = LeadId::derive(&[&account.to_bytes(), b"prospecting", external.as_bytes()]).to_string();
        Self { id, external: Some(external) }
    }

    /// A campaign of another database.
    #[must_use]
    pub fn campaign(account: AccountId, external: String) -> Self {
        let id = CampaignId::derive(&[&account.to_bytes(), external.as_bytes()]).to_string();
        Self { id, external: Some(external) }
    }

    /// A cost of another database.
    #[must_use]
    pub fn cost(account: AccountId, external: String) -> Self {
        let id = CostId::derive(&[&account.to_bytes(), external.as_bytes()]).to_string();
        Self { id, external: Some(external) }
    }

    /// Whether the row is the hub's own.
    #[must_use]
    pub const fn is_own(&self) -> bool {
        self.external.is_none()
    }
}

/// What one event says.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// Of a lead.
    Prospect(Box<ProspectTold>),
    /// Of a campaign.
    Campaign(Box<CampaignTold>),
    /// Of what a call has cost.
    Cost(Box<CostRecorded>),
    /// That too much was spent.
    Alert(Box<CostAlert>),
}

/// A lead as it is told of.
#[derive(Debug, Clone, PartialEq)]
pub struct ProspectTold {
    /// Whose it is.
    pub owner: Owner,
    /// Which row.
    pub id: RecordId,
    /// The campaign that found it.
    pub campaign: Option<RecordId>,
    /// What is told of it; the rest is as it was.
    pub fields: ProspectFields,
    /// Its status is another now.
    pub status: Option<StatusChange>,
    /// When.
    pub at: Timestamp,
}

/// Columns of a lead; `None` says nothing.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(missing_docs, reason = "they are the columns of `enhanced_leads`")]
pub struct ProspectFields {
    pub name: Option<String>,
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
    pub status: Option<String>,
    pub google_place_id: Option<String>,
    pub confidence_score: Option<i32>,
    pub created_at: Option<Timestamp>,
}

/// A lead has another status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusChange {
    /// Before, if that was told.
    pub old: Option<String>,
    /// Now.
    pub new: String,
}

impl ProspectTold {
    /// What `lead:updated` says of a new status; `None` if it has none.
    #[must_use]
    pub fn update(&self) -> Option<Map<String, Value>> {
        let StatusChange { old, new } = self.status.as_ref()?;
        let fields = &self.fields;
        let mut lead = Map::new();
        lead.insert("id".to_owned(), self.id.id.clone().into());
        lead.insert("status".to_owned(), new.clone().into());
        lead.insert("updated_at".to_owned(), clock::rfc3339(self.at).into());
        let texts = [
            ("previous_status", old),
            ("external_id", &self.id.external),
            ("name", &fields.name),
            ("email", &fields.email),
            ("phone", &fields.phone),
            ("website", &fields.website),
            ("owner_name", &fields.owner_name),
            ("owner_title", &fields.owner_title),
        ];
        let said = texts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?.into())));
        lead.extend(said);
        lead.extend(self.campaign.iter().map(|campaign| ("campaign_id".to_owned(), campaign.id.clone().into())));
        lead.extend(fields.confidence_score.map(|score| ("confidence_score".to_owned(), score.into())));
        Some(lead)
    }
}

/// How far a status is on the way that leads go: what comes late or twice takes none back.
#[must_use]
pub fn rank(status: &str) -> u8 {
    match status {
        "new" | "pending" => 0,
        "enriched" => 3,
        "validated" => 4,
        "qualified" => 5,
        "error" => 2,
        _ => 1,
    }
}

/// What happened to campaigns, as far as it has a name. Other words are kept as a record.
pub const LIFECYCLE: [&str; 7] =
    ["created", "processing_started", "progress_update", "completed", "error", "cancelled", "status_changed"];

/// The event that a campaign's new status is.
#[must_use]
pub fn lifecycle_of(status: &str) -> &'static str {
    match status {
        "processing" => "processing_started",
        "completed" => "completed",
        "error" => "error",
        "cancelled" => "cancelled",
        _ => "status_changed",
    }
}

/// A campaign as it is told of.
#[derive(Debug, Clone, PartialEq)]
pub struct CampaignTold {
    /// Whose it is.
    pub owner: Owner,
    /// Which row.
    pub id: RecordId,
    /// What happened, and its row in the log; `None` if only columns are others.
    pub event: Option<Lifecycle>,
    /// What is told of the campaign.
    pub fields: CampaignFields,
    /// How far it is.
    pub progress: Option<Progress>,
    /// When.
    pub at: Timestamp,
}

/// Something happened to a campaign.
#[derive(Debug, Clone, PartialEq)]
pub struct Lifecycle {
    /// Of the row in the log: the same however often it is told.
    pub log_id: String,
    /// Of [`LIFECYCLE`].
    pub name: String,
    /// Its status before.
    pub previous_state: Option<String>,
    /// Its status now.
    pub new_state: Option<String>,
    /// The whole payload.
    pub payload: Value,
}

/// Columns of a campaign; `None` says nothing.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(missing_docs, reason = "they are the columns of `campaigns`")]
pub struct CampaignFields {
    pub name: Option<String>,
    pub user_id: Option<String>,
    pub search_query: Option<String>,
    pub location: Option<String>,
    pub business_type: Option<String>,
    pub target_count: Option<i64>,
    pub budget_limit: Option<Amount>,
    pub status: Option<String>,
    pub leads_found: Option<i64>,
    pub total_cost: Option<Amount>,
    pub created_at: Option<Timestamp>,
}

/// How far a campaign is; `None` says nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[expect(missing_docs, reason = "they are the columns of `campaign_processing_status`")]
pub struct Progress {
    pub status: Option<String>,
    pub total_leads: Option<i64>,
    pub processed_leads: Option<i64>,
    pub qualified_leads: Option<i64>,
    pub error_leads: Option<i64>,
    pub processing_cost: Option<Amount>,
    pub current_stage: Option<String>,
    pub stage_progress: Option<f64>,
    pub completion_percentage: Option<f64>,
    #[serde(with = "clock::wire::option")]
    pub started_at: Option<Timestamp>,
    #[serde(with = "clock::wire::option")]
    pub estimated_completion: Option<Timestamp>,
}

/// Payload of `campaign:lifecycle`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CampaignLifecycle {
    /// In the hub's tables.
    pub campaign_id: String,
    /// In the database that told of it, if that is not the hub's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// For people.
    pub campaign_name: Option<String>,
    /// Of [`LIFECYCLE`].
    pub lifecycle_event: String,
    /// Its status before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_state: Option<String>,
    /// Its status now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_state: Option<String>,
    /// How far it is.
    pub progress: Option<Progress>,
    /// When it happened.
    #[serde(with = "clock::wire")]
    pub timestamp: Timestamp,
}

impl CampaignTold {
    /// What dashboards are told; `None` if nothing happened that has a name.
    #[must_use]
    pub fn lifecycle(&self) -> Option<CampaignLifecycle> {
        let event = self.event.as_ref()?;
        Some(CampaignLifecycle {
            campaign_id: self.id.id.clone(),
            external_id: self.id.external.clone(),
            campaign_name: self.fields.name.clone(),
            lifecycle_event: event.name.clone(),
            previous_state: event.previous_state.clone(),
            new_state: event.new_state.clone(),
            progress: self.progress.clone(),
            timestamp: self.at,
        })
    }
}

/// A row of costs.
#[derive(Debug, Clone, PartialEq)]
pub struct CostRecorded {
    /// Whose it is.
    pub owner: Owner,
    /// Which row.
    pub id: RecordId,
    /// Which API was called.
    pub api_service: String,
    /// What it cost.
    pub cost: Amount,
    /// For which campaign.
    pub campaign: Option<RecordId>,
    /// For which lead.
    pub lead: Option<RecordId>,
    /// When it was paid.
    pub created_at: Timestamp,
    /// A row that was there was changed.
    pub is_change: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_another_database_is_the_same_row_each_time_and_another_in_each_account() {
        let (one, two) = (AccountId::derive(&[b"1"]), AccountId::derive(&[b"2"]));
        let id = RecordId::lead(one, "7".to_owned());
        assert_eq!(id, RecordId::lead(one, "7".to_owned()));
        assert_ne!(id.id, RecordId::lead(two, "7".to_owned()).id);
        assert!(id.id.parse::<LeadId>().is_ok() && !id.is_own() && RecordId::own(id.id).is_own());
    }

    #[test]
    fn statuses_are_in_the_order_of_the_way() {
        let way = ["new", "processing", "error", "enriched", "validated", "qualified"].map(rank);
        assert!(way.is_sorted());
    }
}
