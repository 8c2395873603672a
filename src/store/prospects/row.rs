//! A prospect as its row.

use diesel::prelude::*;

use crate::{
    domain::{AccountId, AgencyId, LeadId, prospect::Prospect},
    store::{
        schema::enhanced_leads,
        types::{At, Word},
    },
};

/// A row of `enhanced_leads`, as far as a prospect is known by it.
#[derive(Debug, Clone, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = enhanced_leads, treat_none_as_default_value = false, treat_none_as_null = true)]
pub(in crate::store) struct ProspectRow {
    pub id: String,
    pub agency_id: Word<AgencyId>,
    pub account_id: Word<AccountId>,
    pub campaign_id: Option<String>,
    pub lead_id: Option<Word<LeadId>>,
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
    pub rating: Option<f64>,
    pub review_count: Option<i64>,
    pub registry_validated: Option<bool>,
    pub is_nonprofit: Option<bool>,
    pub status: String,
    pub processing_stage: Option<String>,
    pub confidence_score: Option<i32>,
    pub pre_validation_score: Option<i32>,
    pub is_qualified: Option<bool>,
    pub created_at: At,
    pub updated_at: At,
}

impl From<&Prospect> for ProspectRow {
    fn from(prospect: &Prospect) -> Self {
        let p = prospect.clone();
        Self {
            id: p.id,
            agency_id: Word(p.agency),
            account_id: Word(p.account),
            campaign_id: p.campaign,
            lead_id: p.lead.map(Word),
            name: p.name,
            address: p.address,
            city: p.city,
            state: p.state,
            postal_code: p.postal_code,
            country: p.country,
            source: p.source,
            phone: p.phone,
            website: p.website,
            category: p.category,
            email: p.email,
            owner_name: p.owner_name,
            owner_title: p.owner_title,
            owner_email: p.owner_email,
            google_place_id: p.google_place_id,
            rating: p.rating,
            review_count: p.review_count,
            registry_validated: p.registry_validated,
            is_nonprofit: p.is_nonprofit,
            status: p.status,
            processing_stage: p.processing_stage,
            confidence_score: p.confidence_score,
            pre_validation_score: p.pre_validation_score,
            is_qualified: p.is_qualified,
            created_at: At(p.created_at),
            updated_at: At(p.updated_at),
        }
    }
}

impl From<ProspectRow> for Prospect {
    fn from(row: ProspectRow) -> Self {
        Self {
            id: row.id,
            agency: row.agency_id.0,
            account: row.account_id.0,
            campaign: row.campaign_id,
            lead: row.lead_id.map(|lead| lead.0),
            name: row.name,
            address: row.address,
            city: row.city,
            state: row.state,
            postal_code: row.postal_code,
            country: row.country,
            source: row.source,
            phone: row.phone,
            website: row.website,
            category: row.category,
            email: row.email,
            owner_name: row.owner_name,
            owner_title: row.owner_title,
            owner_email: row.owner_email,
            google_place_id: row.google_place_id,
            rating: row.rating,
            review_count: row.review_count,
            registry_validated: row.registry_validated,
            is_nonprofit: row.is_nonprofit,
            status: row.status,
            processing_stage: row.processing_stage,
            confidence_score: row.confidence_score,
            pre_validation_score: row.pre_validation_score,
            is_qualified: row.is_qualified,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        }
    }
}
