//! A campaign as its rows, and what is told of it.

use diesel::prelude::*;
use serde_json::{Value, json};

use super::LoggedLifecycle;
use crate::{
    domain::{
        AccountId, AgencyId, clock,
        cost::Amount,
        message::Owner,
        prospecting::{CampaignTold, Lifecycle, Progress, RecordId},
    },
    store::{
        schema::{campaign_lifecycle_log, campaign_processing_status, campaigns},
        types::{At, Figure, Json, Word},
    },
};

/// A row of `campaigns` that another database has told of.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = campaigns, treat_none_as_default_value = false, treat_none_as_null = true)]
pub(in crate::store) struct CampaignRow {
    pub id: String,
    pub agency_id: Word<AgencyId>,
    pub account_id: Word<AccountId>,
    pub name: String,
    pub user_id: Option<String>,
    pub search_query: Option<String>,
    pub location: Option<String>,
    pub business_type: Option<String>,
    pub target_count: Option<i64>,
    pub budget_limit: Option<Figure>,
    pub status: String,
    pub leads_found: i64,
    pub total_cost: Figure,
    pub created_at: At,
    pub external_id: Option<String>,
}

impl CampaignRow {
    /// One of which nothing is known but that it is there.
    pub fn named(owner: Owner, id: &RecordId, now: At) -> Self {
        let external = id.external.clone().unwrap_or_default();
        Self {
            id: id.id.clone(),
            agency_id: Word(owner.agency),
            account_id: Word(owner.account),
            name: nameless(&external),
            user_id: None,
            search_query: None,
            location: None,
            business_type: None,
            target_count: None,
            budget_limit: None,
            status: "pending".to_owned(),
            leads_found: 0,
            total_cost: Figure(Amount(0)),
            created_at: now,
            external_id: Some(external),
        }
    }

    /// `is_newest`: nothing later was told before. Of what is older only what the row lacks counts.
    pub fn take(&mut self, told: &CampaignTold, is_newest: bool) {
        let fields = told.fields.clone();
        let nameless = nameless(self.external_id.as_deref().unwrap_or_default());
        if let Some(name) = fields.name.filter(|_| is_newest || self.name == nameless) {
            self.name = name;
        }
        for (column, told) in [
            (&mut self.user_id, fields.user_id),
            (&mut self.search_query, fields.search_query),
            (&mut self.location, fields.location),
            (&mut self.business_type, fields.business_type),
        ] {
            if is_newest || column.is_none() {
                *column = told.or(column.take());
            }
        }
        if is_newest || self.target_count.is_none() {
            self.target_count = fields.target_count.or(self.target_count);
        }
        if is_newest || self.budget_limit.is_none() {
            self.budget_limit = fields.budget_limit.map(Figure).or(self.budget_limit);
        }
        if is_newest {
            self.status = fields.status.unwrap_or_else(|| self.status.clone());
            self.leads_found = fields.leads_found.unwrap_or(self.leads_found);
            self.total_cost = fields.total_cost.map_or(self.total_cost, Figure);
        }
        if let Some(created_at) = fields.created_at {
            self.created_at = At(created_at);
        }
    }

    /// What endpoints get of it: in the shape of what happens to the hub's own campaigns, and where it comes from.
    pub fn passed_on(&self, told: &CampaignTold, event: &Lifecycle, progress: Option<&ProgressRow>) -> Value {
        let time = |at: Option<At>| at.map(|at| clock::rfc3339(at.0));
        let figure = |figure: Figure| figure.0.to_f64();
        let progress = progress.map(|p| {
            json!({
                "status": p.status, "total_leads": p.total_leads, "processed_leads": p.processed_leads,
                "qualified_leads": p.qualified_leads, "error_leads": p.error_leads,
                "processing_cost": figure(p.processing_cost), "current_stage": p.current_stage,
                "stage_progress": figure(p.stage_progress),
                "completion_percentage": Amount::ratio(p.processed_leads.saturating_mul(100), p.total_leads).map_or(0.0, Amount::to_f64),
                "started_at": time(p.started_at), "estimated_completion": time(p.estimated_completion),
            })
        });
        let data = event.payload.get("event_data").filter(|data| data.is_object()).cloned().unwrap_or_else(|| {
            json!({
                "old_status": event.previous_state, "new_status": event.new_state,
                "status_changed_at": clock::rfc3339(told.at), "leads_found": self.leads_found,
                "total_cost": figure(self.total_cost),
            })
        });
        json!({
            "event_id": event.log_id, "account_id": self.account_id.0, "campaign_id": self.id, "external_id": self.external_id,
            "lifecycle_event": event.name,
            "campaign_info": {
                "name": self.name, "status": self.status, "user_id": self.user_id, "search_query": self.search_query,
                "location": self.location, "business_type": self.business_type, "target_count": self.target_count,
                "budget_limit": self.budget_limit.map(figure), "created_at": clock::rfc3339(self.created_at.0),
            },
            "event_data": data,
            "processing_status": progress,
            "webhook_metadata": {"trigger_source": LogRow::TRIGGERED_BY, "trigger_time": clock::rfc3339(told.at)},
        })
    }
}

fn nameless(external: &str) -> String {
    format!("Campaign {external}")
}

/// A row of `campaign_processing_status`.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = campaign_processing_status, primary_key(campaign_id))]
#[diesel(treat_none_as_default_value = false, treat_none_as_null = true)]
pub(in crate::store) struct ProgressRow {
    pub campaign_id: String,
    pub agency_id: Word<AgencyId>,
    pub account_id: Word<AccountId>,
    pub status: String,
    pub total_leads: i64,
    pub processed_leads: i64,
    pub qualified_leads: i64,
    pub error_leads: i64,
    pub processing_cost: Figure,
    pub started_at: Option<At>,
    pub completed_at: Option<At>,
    pub estimated_completion: Option<At>,
    pub current_stage: Option<String>,
    pub stage_progress: Figure,
    pub updated_at: At,
}

impl ProgressRow {
    /// Of one of which nothing is known but that it is there.
    pub fn unbegun(of: &CampaignRow, now: At) -> Self {
        Self {
            campaign_id: of.id.clone(),
            agency_id: of.agency_id,
            account_id: of.account_id,
            status: "pending".to_owned(),
            total_leads: 0,
            processed_leads: 0,
            qualified_leads: 0,
            error_leads: 0,
            processing_cost: Figure(Amount(0)),
            started_at: None,
            completed_at: None,
            estimated_completion: None,
            current_stage: None,
            stage_progress: Figure(Amount(0)),
            updated_at: now,
        }
    }

    /// What happened and how far the campaign is, if nothing later was told before.
    pub fn take(&mut self, told: &CampaignTold) {
        let progress = told.progress.clone().unwrap_or_default();
        let Progress { total_leads, processed_leads, qualified_leads, error_leads, .. } = progress;
        for (column, told) in [
            (&mut self.total_leads, total_leads),
            (&mut self.processed_leads, processed_leads),
            (&mut self.qualified_leads, qualified_leads),
            (&mut self.error_leads, error_leads),
        ] {
            *column = told.unwrap_or(*column);
        }
        self.processing_cost = progress.processing_cost.map_or(self.processing_cost, Figure);
        let done = progress.stage_progress.or(progress.completion_percentage).and_then(Amount::of);
        self.stage_progress = done.map_or(self.stage_progress, Figure);
        self.current_stage = progress.current_stage.or(self.current_stage.take());
        self.estimated_completion = progress.estimated_completion.map(At).or(self.estimated_completion);
        self.started_at = progress.started_at.map(At).or(self.started_at);
        let event = told.event.as_ref().map_or("", |event| event.name.as_str());
        match event {
            "processing_started" => self.started_at = self.started_at.or(Some(At(told.at))),
            "completed" => self.completed_at = Some(At(told.at)),
            _ => {}
        }
        let state = told.event.as_ref().and_then(|event| event.new_state.clone());
        self.status = progress.status.or(state).unwrap_or_else(|| self.status.clone());
        self.updated_at = At(told.at);
    }
}

/// A row of `campaign_lifecycle_log`.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = campaign_lifecycle_log, treat_none_as_default_value = false)]
pub(in crate::store) struct LogRow {
    pub id: String,
    pub agency_id: Word<AgencyId>,
    pub account_id: Word<AccountId>,
    pub campaign_id: String,
    pub lifecycle_event: String,
    pub previous_state: Option<String>,
    pub new_state: String,
    pub event_data: Json,
    pub triggered_by: String,
    pub created_at: At,
    pub processed_at: Option<At>,
}

impl LogRow {
    /// The hub's own triggers write `database_trigger`, and are silent about this one.
    const TRIGGERED_BY: &'static str = "webhook";

    pub fn new(told: &CampaignTold, event: &Lifecycle, status: &str, now: At) -> Self {
        Self {
            id: event.log_id.clone(),
            agency_id: Word(told.owner.agency),
            account_id: Word(told.owner.account),
            campaign_id: told.id.id.clone(),
            lifecycle_event: event.name.clone(),
            previous_state: event.previous_state.clone(),
            new_state: event.new_state.clone().unwrap_or_else(|| status.to_owned()),
            event_data: Json(event.payload.clone()),
            triggered_by: Self::TRIGGERED_BY.to_owned(),
            created_at: At(told.at),
            processed_at: Some(now),
        }
    }
}

impl From<LogRow> for LoggedLifecycle {
    fn from(row: LogRow) -> Self {
        Self {
            id: row.id,
            campaign_id: row.campaign_id,
            lifecycle_event: row.lifecycle_event,
            previous_state: row.previous_state,
            new_state: row.new_state,
            event_data: row.event_data.0,
            triggered_by: row.triggered_by,
            created_at: row.created_at.0,
            processed_at: row.processed_at.map(|at| at.0),
        }
    }
}
