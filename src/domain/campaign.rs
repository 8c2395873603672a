//! A campaign: a search for prospects, how far it is, and which statuses may follow which.

use serde::Serialize;
use serde_json::Value;

use super::{AccountId, AgencyId, Timestamp, clock, cost::Amount};

/// What a campaign's status is; other programs that write the table have words of their own.
pub mod status {
    /// It has not begun.
    pub const PENDING: &str = "pending";
    /// Its leads are being enriched.
    pub const PROCESSING: &str = "processing";
    /// All of it was done.
    pub const COMPLETED: &str = "completed";
    /// It could not be done.
    pub const ERROR: &str = "error";
    /// A person has ended it.
    pub const CANCELLED: &str = "cancelled";
}

/// It has cost what it may cost: its leads that were not begun are left as they are.
pub const BUDGET_REACHED: &str = "budget_reached";

/// A row of `campaigns` with what is known of its progress.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the columns of the tables, under their names on the wire")]
pub struct Campaign {
    pub id: String,
    #[serde(rename = "agency_id")]
    pub agency: AgencyId,
    #[serde(rename = "account_id")]
    pub account: AccountId,
    /// In the database that told of it, if that is not the hub's.
    pub external_id: Option<String>,
    pub name: String,
    pub user_id: Option<String>,
    pub search_query: Option<String>,
    pub location: Option<String>,
    pub business_type: Option<String>,
    /// As many leads are wanted.
    pub target_count: Option<i64>,
    /// In units of money, as all amounts.
    pub budget_limit: Option<Amount>,
    /// See [`status`].
    pub status: String,
    /// Why, if nobody asked for it: [`BUDGET_REACHED`].
    pub status_reason: Option<String>,
    pub leads_found: i64,
    pub total_cost: Amount,
    #[serde(with = "clock::wire")]
    pub created_at: Timestamp,
    /// `null` until anything was done.
    pub progress: Option<Progress>,
    /// When its files were made; `null` before.
    #[serde(with = "clock::wire::option")]
    pub exported_at: Option<Timestamp>,
    /// What they hold.
    pub export_metadata: Option<Value>,
}

/// How far a campaign is.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the columns of `campaign_processing_status`")]
pub struct Progress {
    pub status: String,
    pub total_leads: i64,
    pub processed_leads: i64,
    pub qualified_leads: i64,
    pub error_leads: i64,
    pub processing_cost: Amount,
    pub current_stage: Option<String>,
    /// 0 to 100.
    pub stage_progress: Amount,
    #[serde(with = "clock::wire::option")]
    pub started_at: Option<Timestamp>,
    #[serde(with = "clock::wire::option")]
    pub completed_at: Option<Timestamp>,
    #[serde(with = "clock::wire::option")]
    pub estimated_completion: Option<Timestamp>,
}

/// What a person may do to a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Its leads are enriched from now on.
    Start,
    /// It has all that it is to have.
    Complete,
    /// It is ended.
    Cancel,
}

impl Step {
    /// The status that it leads to.
    #[must_use]
    pub const fn to(self) -> &'static str {
        match self {
            Self::Start => status::PROCESSING,
            Self::Complete => status::COMPLETED,
            Self::Cancel => status::CANCELLED,
        }
    }

    /// Whether it may be taken from a status. What has ended stays so; what other programs call theirs may go on.
    #[must_use]
    pub fn follows(self, current: &str) -> bool {
        match self {
            Self::Start => !matches!(current, status::PROCESSING | status::COMPLETED | status::CANCELLED),
            Self::Complete => current == status::PROCESSING,
            Self::Cancel => !matches!(current, status::COMPLETED | status::CANCELLED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_ended_stays_so_and_what_has_failed_may_begin_again() {
        let may = |current| [Step::Start, Step::Complete, Step::Cancel].map(|step| step.follows(current));
        assert_eq!(may(status::PENDING), [true, false, true]);
        assert_eq!(may("ready_for_processing"), [true, false, true]);
        assert_eq!(may(status::PROCESSING), [false, true, true]);
        assert_eq!(may(status::ERROR), [true, false, true]);
        for ended in [status::COMPLETED, status::CANCELLED] {
            assert_eq!(may(ended), [false; 3], "{ended}");
        }
    }
}
