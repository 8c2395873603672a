//! A lead: one person who asked to be contacted.
//!
//! The fields and their JSON are those of the lead dashboard that agencies switch over from, with an id always set and
//! times in UTC with a zone. There are no length limits: testing tools send 40-character phone numbers.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AccountId, AgencyId, LeadId, SourceId, Timestamp, clock};

/// A lead as the store keeps it and as dashboards receive it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lead {
    /// Derived from the account and the platform's lead id, so it is known before anything is stored.
    pub id: LeadId,
    /// The tenant.
    #[serde(rename = "agency_id")]
    pub agency: AgencyId,
    /// Whose lead it is.
    #[serde(rename = "account_id")]
    pub account: AccountId,
    /// Through which source it came; none for one that was typed in.
    #[serde(rename = "source_id", default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceId>,
    /// Meta's id of the lead; unique within the account.
    pub meta_lead_id: Option<String>,
    /// Meta's id of the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta_user_id: Option<String>,
    /// Never empty: `Unknown` when the form has none.
    pub name: String,
    /// As typed, or empty.
    #[serde(default)]
    pub phone: String,
    /// As typed, or empty.
    #[serde(default)]
    pub email: String,
    /// As typed, or empty.
    #[serde(default)]
    pub message: String,
    /// `Auto` from a webhook; `general`, `life`, `travel` when typed in.
    #[serde(rename = "type")]
    pub kind: String,
    /// `New Lead`, `Qualified`, `Called`, `Closed Won` and so on; the dashboards decide.
    pub status: String,
    /// `Not Qualified`, `qualified`, `not-qualified`.
    pub potential_status: String,
    /// Free text.
    #[serde(default)]
    pub notes: String,
    /// Typed in by a person.
    #[serde(default)]
    pub is_manual: bool,
    /// In the account's currency; a JSON number with at most two decimals.
    #[serde(with = "money", default)]
    pub premium: Cents,
    /// The day a policy renews.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal_date: Option<NaiveDate>,
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insurance_type: Option<String>,
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_term: Option<String>,
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visa_type: Option<String>,
    /// In the account's currency.
    #[serde(with = "money::option", default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Cents>,
    /// First day of a trip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trip_start: Option<NaiveDate>,
    /// Last day of a trip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trip_end: Option<NaiveDate>,
    /// When it was last told to the platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sync: Option<Timestamp>,
    /// `Not Synced`, `pending`, `sent`, `failed`.
    pub sync_status: String,
    /// `green` or `red`; JSON `false` until somebody decides, as the origin's pushes have it.
    #[serde(with = "signal", default)]
    pub sync_signal: Option<String>,
    /// The answer to the driver's licence question of the origin's forms, or empty.
    #[serde(default)]
    pub driver_license_received: String,
    /// When the person filled in the form, by the platform's clock.
    #[serde(with = "clock::wire")]
    pub created_at: Timestamp,
    /// When the hub last changed the row.
    #[serde(with = "clock::wire")]
    pub updated_at: Timestamp,
    /// The platform's object as it was fetched; `null` for one that was typed in.
    #[serde(default)]
    pub meta_data: Value,
    /// When somebody first read it on a dashboard: the speed to lead begins with `created_at` and ends here.
    #[serde(with = "clock::wire::option", default)]
    pub first_seen_at: Option<Timestamp>,
}

impl Lead {
    /// The id of the lead that a platform calls `platform_id` in this account.
    #[must_use]
    pub fn id_for(account: AccountId, platform_id: &str) -> LeadId {
        LeadId::derive(&[&account.to_bytes(), b"meta", platform_id.as_bytes()])
    }
}

/// An amount of money in hundredths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cents(pub i64);

/// Money on the wire: a JSON number (or a numeric string, as forms send it), in units, not hundredths.
pub mod money {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use serde_json::Value;

    use super::Cents;

    /// Units with at most two decimals; a whole amount as an integer.
    ///
    /// # Errors
    /// Only what the serializer itself reports.
    #[expect(clippy::cast_precision_loss, reason = "exact up to 90 million million units")]
    pub fn serialize<S: Serializer>(amount: &Cents, s: S) -> Result<S::Ok, S::Error> {
        if amount.0 % 100 == 0 { s.serialize_i64(amount.0 / 100) } else { s.serialize_f64(amount.0 as f64 / 100.0) }
    }

    /// Reads units from a number or a numeric string.
    ///
    /// # Errors
    /// If it is neither, or larger than a million million units.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Cents, D::Error> {
        option::deserialize(d).map(Option::unwrap_or_default)
    }

    /// The same for an amount that may be absent.
    pub mod option {
        use super::{Cents, Deserialize, Deserializer, Error, Serializer, Value};

        /// `null` when absent.
        ///
        /// # Errors
        /// Only what the serializer itself reports.
        pub fn serialize<S: Serializer>(amount: &Option<Cents>, s: S) -> Result<S::Ok, S::Error> {
            match amount {
                Some(amount) => super::serialize(amount, s),
                None => s.serialize_none(),
            }
        }

        /// `null` and `""` are absent.
        ///
        /// # Errors
        /// If it is neither a number nor a numeric string, or too large.
        #[expect(clippy::cast_possible_truncation, reason = "checked against the limit first")]
        pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Cents>, D::Error> {
            let units = match Value::deserialize(d)? {
                Value::Null => return Ok(None),
                Value::String(text) if text.trim().is_empty() => return Ok(None),
                Value::String(text) => text.trim().parse::<f64>().ok(),
                Value::Number(number) => number.as_f64(),
                _ => None,
            };
            match units {
                Some(units) if units.abs() <= 1e12 => Ok(Some(Cents((units * 100.0).round() as i64))),
                _ => Err(D::Error::custom("an amount is a number of at most a million million")),
            }
        }
    }
}

/// `sync_signal` on the wire: text, or `false` while undecided.
mod signal {
    use serde::{Deserialize, Deserializer, Serializer};
    use serde_json::Value;

    #[expect(clippy::ref_option, reason = "the shape that serde's `with` asks for")]
    pub fn serialize<S: Serializer>(signal: &Option<String>, s: S) -> Result<S::Ok, S::Error> {
        match signal {
            Some(signal) => s.serialize_str(signal),
            None => s.serialize_bool(false),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
        Ok(match Value::deserialize(d)? {
            Value::String(text) => Some(text),
            _ => None,
        })
    }
}
