//! The shapes that a payload has, made one: a few maps to look a column up in.

use serde_json::{Map, Value};

use super::super::{
    Unreadable,
    item::{id, moment, number, object, text},
};
use crate::domain::{AccountId, EventId, Timestamp, cost::Amount, message::Owner, prospecting::RecordId};

/// What a payload is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    Lead,
    Campaign,
    Cost,
    Alert,
}

/// A payload, and what the hub knows of it besides.
pub(super) struct Item {
    all: Map<String, Value>,
    pub(super) owner: Owner,
    pub(super) received_at: Timestamp,
}

impl Item {
    pub(super) fn of(text: &str, owner: Owner, received_at: Timestamp) -> Result<Self, Unreadable> {
        Ok(Self { all: object(text)?, owner, received_at })
    }

    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.all.get(key).filter(|value| !value.is_null())
    }

    /// An object in it.
    pub(super) fn part(&self, key: &str) -> Option<&Map<String, Value>> {
        self.get(key)?.as_object()
    }

    pub(super) fn payload(&self) -> Value {
        Value::Object(self.all.clone())
    }

    pub(super) fn subject(&self) -> Option<Subject> {
        let has = |key: &str| self.get(key).is_some();
        if self.row().is_some() {
            return match text(self.get("table"))?.to_lowercase().as_str() {
                "enhanced_leads" | "leads" => Some(Subject::Lead),
                "api_costs" => Some(Subject::Cost),
                "campaigns" => Some(Subject::Campaign),
                _ => None,
            };
        }
        if has("lifecycle_event") {
            Some(Subject::Campaign)
        } else if has("alert_type") || has("threshold_name") {
            Some(Subject::Alert)
        } else if has("api_service") && has("cost") {
            Some(Subject::Cost)
        } else if has("lead_id") || has("lead_data") {
            Some(Subject::Lead)
        } else {
            None
        }
    }

    /// The row that Supabase brings.
    pub(super) fn row(&self) -> Option<&Map<String, Value>> {
        self.get("table")?;
        self.part("record")
    }

    /// The row as it was before.
    pub(super) fn old_row(&self) -> Option<&Map<String, Value>> {
        self.part("old_record")
    }

    /// The id of the event, if it is one of the hub's own tables.
    pub(super) fn own_event(&self) -> Option<EventId> {
        let is_own = text(self.get("account_id")).is_some_and(|account| account == self.owner.account.to_string());
        text(self.get("event_id")).filter(|_| is_own)?.parse().ok()
    }

    /// An id as this payload's database has it: the hub's own if the payload is the hub's own, else derived.
    pub(super) fn record(&self, value: Option<&Value>, foreign: fn(AccountId, String) -> RecordId) -> Option<RecordId> {
        let found = id(value)?;
        Some(if self.own_event().is_some() { RecordId::own(found) } else { foreign(self.owner.account, found) })
    }

    /// When it happened, by the first of these that is a time.
    pub(super) fn at(&self, times: &[Option<&Value>]) -> Timestamp {
        times.iter().find_map(|value| when(*value, self.received_at)).unwrap_or(self.received_at)
    }

    /// Of `webhook_metadata`.
    pub(super) fn metadata(&self, key: &str) -> Option<&Value> {
        self.part("webhook_metadata")?.get(key)
    }
}

/// A time that is not of tomorrow: clocks of databases are not always right.
pub(super) fn when(value: Option<&Value>, received_at: Timestamp) -> Option<Timestamp> {
    moment(value?).filter(|at| *at <= received_at + chrono::TimeDelta::days(1))
}

/// A count of things.
pub(super) fn count(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::Number(number) if number.is_i64() => number.as_i64(),
        other => rounded(number(Some(other))?),
    }
    .filter(|count| (0..=i64::MAX / 2).contains(count))
}

/// A score, in percent.
pub(super) fn score(value: Option<&Value>) -> Option<i32> {
    rounded(number(value)?.clamp(-1000.0, 1000.0)).and_then(|score| i32::try_from(score).ok())
}

#[expect(clippy::cast_possible_truncation, reason = "its size is looked at before")]
fn rounded(number: f64) -> Option<i64> {
    (number.abs() < 9e15).then(|| number.round() as i64)
}

pub(super) fn amount(value: Option<&Value>) -> Option<Amount> {
    Amount::of(number(value)?)
}
