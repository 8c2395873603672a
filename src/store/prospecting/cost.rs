//! A cost as its row.

use diesel::prelude::*;

use crate::{
    domain::{AccountId, AgencyId, CostId, prospecting::CostRecorded},
    store::{
        costs::NewCost,
        schema::api_costs,
        types::{At, Figure, Word},
    },
};

/// A row of `api_costs`.
#[derive(Debug, Clone, PartialEq, Insertable, AsChangeset)]
#[diesel(table_name = api_costs, treat_none_as_default_value = false, treat_none_as_null = true)]
pub(in crate::store) struct CostRow {
    pub id: String,
    pub agency_id: Word<AgencyId>,
    pub account_id: Word<AccountId>,
    pub api_service: String,
    pub cost: Figure,
    pub campaign_id: Option<String>,
    pub lead_id: Option<String>,
    pub created_at: At,
    pub external_id: Option<String>,
}

impl CostRow {
    /// Of the hub's own.
    pub fn new(new: NewCost, created_at: At) -> Self {
        Self {
            id: CostId::generate().to_string(),
            agency_id: Word(new.agency),
            account_id: Word(new.account),
            api_service: new.api_service,
            cost: Figure(new.cost),
            campaign_id: new.campaign,
            lead_id: new.lead,
            created_at,
            external_id: None,
        }
    }
}

impl From<&CostRecorded> for CostRow {
    fn from(told: &CostRecorded) -> Self {
        Self {
            id: told.id.id.clone(),
            agency_id: Word(told.owner.agency),
            account_id: Word(told.owner.account),
            api_service: told.api_service.clone(),
            cost: Figure(told.cost),
            campaign_id: told.campaign.as_ref().map(|campaign| campaign.id.clone()),
            lead_id: told.lead.as_ref().map(|lead| lead.id.clone()),
            created_at: At(told.created_at),
            external_id: told.id.external.clone(),
        }
    }
}
