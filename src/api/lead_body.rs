//! Leads as people send them: changes to one, or a new one.

use serde_json::{Map, Value};

use super::ApiError;
use crate::{
    domain::{
        AccountId, AgencyId, LeadId, Timestamp,
        lead::{Cents, Lead},
    },
    store::LeadChanges,
};

/// The changes that an object asks for; fields that can't be changed are passed over.
pub(super) fn changes(fields: &Map<String, Value>) -> Result<LeadChanges, ApiError> {
    // Each alone, so that the answer can name the one that is wrong.
    for (key, value) in fields {
        let alone = Map::from_iter([(key.clone(), value.clone())]);
        if let Err(error) = serde_json::from_value::<LeadChanges>(Value::Object(alone)) {
            return Err(ApiError::bad_request(format!("`{key}`: {error}.")));
        }
    }
    let changes = serde_json::from_value(Value::Object(fields.clone()));
    changes.map_err(|error| ApiError::bad_request(format!("The lead can't be read: {error}.")))
}

/// What `signal` stands for: green is a qualified lead, red is not.
pub(super) fn signal(signal: &str) -> Result<LeadChanges, ApiError> {
    let potential_status = match signal {
        "green" => "qualified",
        "red" => "not-qualified",
        _ => return Err(ApiError::bad_request("`signal` must be green or red.")),
    };
    Ok(LeadChanges {
        potential_status: Some(potential_status.to_owned()),
        sync_signal: Some(Some(signal.to_owned())),
        ..LeadChanges::default()
    })
}

/// A lead that somebody typed in, with the origin's defaults for what they left out.
pub(super) fn new_lead(
    fields: &Map<String, Value>,
    agency: AgencyId,
    account: AccountId,
    now: Timestamp,
) -> Result<Lead, ApiError> {
    let given = changes(fields)?;
    let name = given.name.ok_or_else(|| ApiError::bad_request("`name` is missing or empty."))?;
    let or = |given: Option<String>, default: &str| given.unwrap_or_else(|| default.to_owned());
    Ok(Lead {
        id: LeadId::generate(),
        agency,
        account,
        source: None,
        meta_lead_id: None,
        meta_user_id: None,
        name,
        phone: given.phone.unwrap_or_default(),
        email: given.email.unwrap_or_default(),
        message: given.message.unwrap_or_default(),
        kind: or(given.kind, "general"),
        status: or(given.status, "New Lead"),
        potential_status: or(given.potential_status, "qualified"),
        notes: given.notes.unwrap_or_default(),
        is_manual: true,
        premium: given.premium.unwrap_or(Cents(0)),
        renewal_date: given.renewal_date.flatten(),
        insurance_type: given.insurance_type.flatten(),
        policy_term: given.policy_term.flatten(),
        visa_type: given.visa_type.flatten(),
        coverage: given.coverage.flatten(),
        trip_start: given.trip_start.flatten(),
        trip_end: given.trip_end.flatten(),
        last_sync: None,
        sync_status: "pending".to_owned(),
        sync_signal: Some("green".to_owned()),
        driver_license_received: given.driver_license_received.unwrap_or_default(),
        created_at: now,
        updated_at: now,
        meta_data: Value::Null,
        first_seen_at: None,
    })
}
