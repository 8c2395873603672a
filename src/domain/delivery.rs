//! Webhooks that the hub sends: the types there are, where they go, and how far one is.

use std::{fmt, str::FromStr};

use serde::Serialize;

use super::{AccountId, AgencyId, EndpointId, Timestamp, clock};

/// What an endpoint may ask for.
pub const EVENT_TYPES: [&str; 6] =
    ["new_lead", "message:new", "lead_enrichment", "lead_status_update", "cost_recorded", "campaign_lifecycle"];
/// A person's test of an endpoint; nobody asks for it.
pub const TEST: &str = "test";

/// Where webhooks go; its secrets are elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Endpoint {
    /// Its id.
    pub id: EndpointId,
    /// The tenant.
    #[serde(rename = "agency_id")]
    pub agency: AgencyId,
    /// Whose events it gets; `null` for all of the agency's accounts.
    #[serde(rename = "account_id")]
    pub account: Option<AccountId>,
    /// Where they are posted.
    pub url: String,
    /// For people.
    pub description: String,
    /// Of [`EVENT_TYPES`].
    pub types: Vec<String>,
    /// One delivery a subject (a lead, a chat, a campaign) at a time, the oldest first.
    pub ordered: bool,
    /// Gets events. Those that happen meanwhile are not kept for it.
    pub enabled: bool,
    /// Why the hub disabled it.
    pub disabled_reason: Option<String>,
    /// Whether a token goes with each delivery.
    pub has_token: bool,
    /// Until when the secret before the newest signs as well.
    #[serde(with = "clock::wire::option")]
    pub previous_secret_until: Option<Timestamp>,
    /// When it was added.
    #[serde(with = "clock::wire")]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[serde(with = "clock::wire")]
    pub updated_at: Timestamp,
}

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// Waits for its first or another attempt, or is under way.
    Pending,
    /// The endpoint has it.
    Delivered,
    /// Given up: a person has to look.
    Parked,
    /// A person wanted it no more.
    Cancelled,
}

impl DeliveryState {
    /// The word used in SQL and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Parked => "parked",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for DeliveryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a state of a delivery: pending, delivered, parked or cancelled")]
pub struct ParseDeliveryStateError(String);

impl FromStr for DeliveryState {
    type Err = ParseDeliveryStateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::Pending, Self::Delivered, Self::Parked, Self::Cancelled];
        let found = all.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| ParseDeliveryStateError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_survives_its_word() {
        for state in [DeliveryState::Pending, DeliveryState::Delivered, DeliveryState::Parked, DeliveryState::Cancelled]
        {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert!("lost".parse::<DeliveryState>().is_err());
    }
}
