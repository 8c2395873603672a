//! A campaign as its rows, and which of them a page is to show.

use diesel::prelude::*;

use crate::{
    domain::{
        AccountId, AgencyId, CampaignId,
        campaign::{Campaign, Progress, status},
        cost::Amount,
    },
    store::{
        Result, check,
        prospecting::{CampaignRow, ProgressRow},
        prospects::PageCursor,
        schema::campaigns,
        types::{At, Figure, Json, Word},
    },
};

/// A campaign that is to be made.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "they are the columns of `campaigns`")]
pub struct NewCampaign {
    pub agency: AgencyId,
    pub account: AccountId,
    pub name: String,
    /// Who makes it.
    pub user_id: String,
    pub search_query: Option<String>,
    pub location: Option<String>,
    pub business_type: Option<String>,
    pub target_count: Option<i64>,
    pub budget_limit: Option<Amount>,
}

impl NewCampaign {
    pub(super) fn row(self, now: At) -> Result<CampaignRow> {
        check::filled("name", &self.name)?;
        for (field, text) in
            [("search_query", &self.search_query), ("location", &self.location), ("business_type", &self.business_type)]
        {
            check::text(field, text.as_deref().unwrap_or_default())?;
        }
        Ok(CampaignRow {
            id: CampaignId::generate().to_string(),
            agency_id: Word(self.agency),
            account_id: Word(self.account),
            name: self.name,
            user_id: Some(self.user_id),
            search_query: self.search_query,
            location: self.location,
            business_type: self.business_type,
            target_count: self.target_count,
            budget_limit: self.budget_limit.map(Figure),
            status: status::PENDING.to_owned(),
            leads_found: 0,
            total_cost: Figure(Amount(0)),
            created_at: now,
            external_id: None,
        })
    }
}

/// What else stands in the row: the hub's own columns, of which other databases never tell.
#[derive(Debug, Clone, Default, Queryable, Selectable)]
#[diesel(table_name = campaigns)]
pub(in crate::store) struct OwnColumns {
    status_reason: Option<String>,
    exported_at: Option<At>,
    export_metadata: Option<Json>,
}

/// A campaign of its rows.
pub(in crate::store) fn campaign(row: CampaignRow, exported: OwnColumns, progress: Option<ProgressRow>) -> Campaign {
    Campaign {
        id: row.id,
        agency: row.agency_id.0,
        account: row.account_id.0,
        external_id: row.external_id,
        name: row.name,
        user_id: row.user_id,
        search_query: row.search_query,
        location: row.location,
        business_type: row.business_type,
        target_count: row.target_count,
        budget_limit: row.budget_limit.map(|limit| limit.0),
        status: row.status,
        status_reason: exported.status_reason,
        leads_found: row.leads_found,
        total_cost: row.total_cost.0,
        created_at: row.created_at.0,
        progress: progress.map(Progress::from),
        exported_at: exported.exported_at.map(|at| at.0),
        export_metadata: exported.export_metadata.map(|metadata| metadata.0),
    }
}

impl From<ProgressRow> for Progress {
    fn from(row: ProgressRow) -> Self {
        Self {
            status: row.status,
            total_leads: row.total_leads,
            processed_leads: row.processed_leads,
            qualified_leads: row.qualified_leads,
            error_leads: row.error_leads,
            processing_cost: row.processing_cost.0,
            current_stage: row.current_stage,
            stage_progress: row.stage_progress.0,
            started_at: row.started_at.map(|at| at.0),
            completed_at: row.completed_at.map(|at| at.0),
            estimated_completion: row.estimated_completion.map(|at| at.0),
        }
    }
}

/// Which campaigns a page is to show: those that everything given here holds for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CampaignFilter {
    /// Exactly this status.
    pub status: Option<String>,
    /// Campaigns on the page.
    pub limit: u32,
    /// Where the page before ended.
    pub cursor: Option<PageCursor>,
}

/// Campaigns, newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CampaignPage {
    /// What was found.
    pub campaigns: Vec<Campaign>,
    /// Where the next page goes on; none if this is the last.
    pub next: Option<PageCursor>,
}
