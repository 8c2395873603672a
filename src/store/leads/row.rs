//! A lead as its row.

use chrono::NaiveDate;
use diesel::prelude::*;
use serde_json::Value;

use crate::{
    domain::{
        AccountId, AgencyId, LeadId, SourceId,
        lead::{Cents, Lead},
    },
    store::{
        schema::leads,
        types::{At, Json, Word},
    },
};

/// A row of `leads`.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = leads, treat_none_as_default_value = false)]
pub(in crate::store) struct LeadRow {
    pub id: Word<LeadId>,
    pub agency_id: Word<AgencyId>,
    pub account_id: Word<AccountId>,
    pub source_id: Option<Word<SourceId>>,
    pub meta_lead_id: Option<String>,
    pub meta_user_id: Option<String>,
    pub name: String,
    pub phone: String,
    pub email: String,
    pub message: String,
    pub kind: String,
    pub status: String,
    pub potential_status: String,
    pub notes: String,
    pub is_manual: bool,
    pub premium: i64,
    pub renewal_date: Option<NaiveDate>,
    pub insurance_type: Option<String>,
    pub policy_term: Option<String>,
    pub visa_type: Option<String>,
    pub coverage: Option<i64>,
    pub trip_start: Option<NaiveDate>,
    pub trip_end: Option<NaiveDate>,
    pub last_sync: Option<At>,
    pub sync_status: String,
    pub sync_signal: Option<String>,
    pub driver_license_received: String,
    pub created_at: At,
    pub updated_at: At,
    pub meta_data: Option<Json>,
    pub first_seen_at: Option<At>,
}

impl From<&Lead> for LeadRow {
    fn from(lead: &Lead) -> Self {
        let lead = lead.clone();
        Self {
            id: Word(lead.id),
            agency_id: Word(lead.agency),
            account_id: Word(lead.account),
            source_id: lead.source.map(Word),
            meta_lead_id: lead.meta_lead_id,
            meta_user_id: lead.meta_user_id,
            name: lead.name,
            phone: lead.phone,
            email: lead.email,
            message: lead.message,
            kind: lead.kind,
            status: lead.status,
            potential_status: lead.potential_status,
            notes: lead.notes,
            is_manual: lead.is_manual,
            premium: lead.premium.0,
            renewal_date: lead.renewal_date,
            insurance_type: lead.insurance_type,
            policy_term: lead.policy_term,
            visa_type: lead.visa_type,
            coverage: lead.coverage.map(|amount| amount.0),
            trip_start: lead.trip_start,
            trip_end: lead.trip_end,
            last_sync: lead.last_sync.map(At),
            sync_status: lead.sync_status,
            sync_signal: lead.sync_signal,
            driver_license_received: lead.driver_license_received,
            created_at: At(lead.created_at),
            updated_at: At(lead.updated_at),
            meta_data: Some(lead.meta_data).filter(|data| !data.is_null()).map(Json),
            first_seen_at: lead.first_seen_at.map(At),
        }
    }
}

impl From<LeadRow> for Lead {
    fn from(row: LeadRow) -> Self {
        Self {
            id: row.id.0,
            agency: row.agency_id.0,
            account: row.account_id.0,
            source: row.source_id.map(|source| source.0),
            meta_lead_id: row.meta_lead_id,
            meta_user_id: row.meta_user_id,
            name: row.name,
            phone: row.phone,
            email: row.email,
            message: row.message,
            kind: row.kind,
            status: row.status,
            potential_status: row.potential_status,
            notes: row.notes,
            is_manual: row.is_manual,
            premium: Cents(row.premium),
            renewal_date: row.renewal_date,
            insurance_type: row.insurance_type,
            policy_term: row.policy_term,
            visa_type: row.visa_type,
            coverage: row.coverage.map(Cents),
            trip_start: row.trip_start,
            trip_end: row.trip_end,
            last_sync: row.last_sync.map(|at| at.0),
            sync_status: row.sync_status,
            sync_signal: row.sync_signal,
            driver_license_received: row.driver_license_received,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            meta_data: row.meta_data.map_or(Value::Null, |data| data.0),
            first_seen_at: row.first_seen_at.map(|at| at.0),
        }
    }
}
