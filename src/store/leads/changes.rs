//! What people may change of a lead.

use chrono::NaiveDate;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::wire;
use crate::{
    domain::{
        Timestamp,
        lead::{Cents, Lead},
    },
    store::{Result, check},
};

macro_rules! changes {
    ($($(#[$doc:meta])* $field:ident: $type:ty, $json:literal, $read:literal;)*) => {
        /// The columns to be changed; `None` leaves a column as it is, and so does a key that is missing from the JSON.
        /// Keys that are not here (the id, the account, times, the platform's data) are passed over, so that a client
        /// may send the whole lead back.
        #[derive(Debug, Clone, Default, PartialEq, Deserialize)]
        #[serde(default)]
        pub struct LeadChanges {
            $($(#[$doc])* #[serde(rename = $json, deserialize_with = $read)] pub $field: Option<$type>,)*
        }

        impl LeadChanges {
            /// The JSON names of the columns to be changed.
            fn touched(&self) -> impl Iterator<Item = &'static str> {
                [$(($json, self.$field.is_some()),)*].into_iter().filter_map(|(name, set)| set.then_some(name))
            }
        }
    };
}

changes! {
    /// Never empty.
    name: String, "name", "wire::word";
    /// As typed.
    phone: String, "phone", "wire::text";
    /// As typed.
    email: String, "email", "wire::text";
    /// As typed.
    message: String, "message", "wire::text";
    /// The lead's `type`.
    kind: String, "type", "wire::word";
    /// At most 500 bytes.
    status: String, "status", "wire::word";
    /// `qualified`, `not-qualified`.
    potential_status: String, "potential_status", "wire::word";
    /// Free text.
    notes: String, "notes", "wire::text";
    /// In the account's currency.
    premium: Cents, "premium", "wire::amount";
    /// The day a policy renews.
    renewal_date: Option<NaiveDate>, "renewal_date", "wire::day";
    /// Free text.
    insurance_type: Option<String>, "insurance_type", "wire::optional";
    /// Free text.
    policy_term: Option<String>, "policy_term", "wire::optional";
    /// Free text.
    visa_type: Option<String>, "visa_type", "wire::optional";
    /// In the account's currency.
    coverage: Option<Cents>, "coverage", "wire::optional_amount";
    /// First day of a trip.
    trip_start: Option<NaiveDate>, "trip_start", "wire::day";
    /// Last day of a trip.
    trip_end: Option<NaiveDate>, "trip_end", "wire::day";
    /// When it was last told to the platform.
    last_sync: Option<Timestamp>, "last_sync", "wire::moment";
    /// `pending`, `sent`, `failed`.
    sync_status: String, "sync_status", "wire::word";
    /// `green`, `red`; JSON `false` is undecided.
    sync_signal: Option<String>, "sync_signal", "wire::signal";
    /// The answer to the driver's licence question.
    driver_license_received: String, "driver_license_received", "wire::text";
}

impl LeadChanges {
    /// Whether nothing is to be changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.touched().next().is_none()
    }

    /// What `lead:updated` says: the id, the time of the change and the changed columns, as the stored lead has them.
    #[must_use]
    pub fn of(&self, lead: &Lead) -> Map<String, Value> {
        let Ok(Value::Object(mut all)) = serde_json::to_value(lead) else { return Map::new() };
        ["id", "updated_at"]
            .into_iter()
            .chain(self.touched())
            .map(|name| (name.to_owned(), all.remove(name).unwrap_or_default()))
            .collect()
    }

    /// Whether every value can be stored.
    pub(in crate::store) fn check(&self) -> Result<()> {
        let texts = [
            ("name", &self.name),
            ("phone", &self.phone),
            ("email", &self.email),
            ("message", &self.message),
            ("type", &self.kind),
            ("potential_status", &self.potential_status),
            ("notes", &self.notes),
            ("sync_status", &self.sync_status),
            ("driver_license_received", &self.driver_license_received),
        ];
        let optional = [
            ("insurance_type", &self.insurance_type),
            ("policy_term", &self.policy_term),
            ("visa_type", &self.visa_type),
            ("sync_signal", &self.sync_signal),
        ];
        let optional = optional.into_iter().map(|(field, value)| (field, value.as_ref().and_then(Option::as_deref)));
        let texts = texts.into_iter().map(|(field, value)| (field, value.as_deref()));
        texts.chain(optional).try_for_each(|(field, value)| check::text(field, value.unwrap_or_default()))?;
        check::key("status", self.status.as_deref().unwrap_or_default())?;
        check::day("renewal_date", self.renewal_date.flatten())?;
        check::day("trip_start", self.trip_start.flatten())?;
        check::day("trip_end", self.trip_end.flatten())?;
        check::moment("last_sync", self.last_sync.flatten())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> LeadChanges {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_key_that_is_missing_or_unknown_changes_nothing() {
        assert!(read(json!({})).is_empty());
        assert!(read(json!({"id": "lead_x", "account_id": 7, "created_at": null, "is_manual": true})).is_empty());
    }

    #[test]
    fn null_empties_what_may_be_empty_and_leaves_what_may_not() {
        let changes = read(json!({"name": null, "status": " ", "notes": null, "trip_end": "", "coverage": null}));
        assert_eq!(changes.touched().collect::<Vec<_>>(), ["notes", "coverage", "trip_end"]);
        assert_eq!((changes.notes.as_deref(), changes.coverage, changes.trip_end), (Some(""), Some(None), Some(None)));
    }

    #[test]
    fn values_are_taken_as_forms_send_them() {
        let changes = read(json!({
            "premium": "1200.50", "coverage": 5, "policy_term": 12, "sync_signal": false, "type": "life",
            "renewal_date": "2026-12-01T00:00:00.000Z", "last_sync": "2026-11-22T10:00:00+01:00", "phone": 5_550_100,
        }));
        assert_eq!(changes.premium, Some(Cents(120_050)));
        assert_eq!(changes.coverage, Some(Some(Cents(500))));
        assert_eq!(changes.policy_term, Some(Some("12".into())));
        assert_eq!(changes.sync_signal, Some(None));
        assert_eq!(changes.kind.as_deref(), Some("life"));
        assert_eq!(changes.renewal_date, Some(NaiveDate::from_ymd_opt(2026, 12, 1)));
        assert_eq!(changes.last_sync.flatten().unwrap().to_rfc3339(), "2026-11-22T09:00:00+00:00");
        assert_eq!(changes.phone.as_deref(), Some("5550100"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for value in [json!({"trip_end": "soon"}), json!({"premium": "much"}), json!({"notes": ["x"]})] {
            assert!(serde_json::from_value::<LeadChanges>(value.clone()).is_err(), "{value}");
        }
        assert!(read(json!({"notes": "a\u{0}b"})).check().is_err());
        assert!(read(json!({"visa_type": "a\u{0}b"})).check().is_err());
        assert!(read(json!({"status": "x".repeat(501)})).check().is_err());
        assert!(read(json!({"trip_end": "+12345-01-01"})).check().is_err());
    }
}
