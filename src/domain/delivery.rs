//! Webhooks that the hub sends: the types there are, where they go, and how far one is.

use std::{fmt, str::FromStr};

use serde::Serialize;

use super::{AccountId, AgencyId, EndpointId, Timestamp, clock};

/// What an endpoint may ask for.
pub const EVENT_TYPES: [&str; 7] = [
    "new_lead",
    "message:new",
    "lead_enrichment",
    "lead_status_update",
    "cost_recorded",
    "cost_alert",
    "campaign_lifecycle",
];
/// What the hub's own endpoint of a prospecting source gets: what its account's tables tell, and the hub does not know yet.
pub const OWN_TYPES: [&str; 4] = ["lead_enrichment", "lead_status_update", "cost_recorded", "campaign_lifecycle"];
/// What the URL of such an endpoint begins with; the source's id follows.
pub const OWN_SCHEME: &str = "leadwire:";
/// A person's test of an endpoint; nobody asks for it.
pub const TEST: &str = "test";

/// An account whose events an endpoint gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cover {
    /// The account.
    #[serde(rename = "account_id")]
    pub account: AccountId,
    /// Who answers for it: the id of a user or of an API key. `null` for what is older than this rule.
    pub responsible: Option<String>,
    /// Since when nobody does, and nothing is sent until somebody takes it over.
    #[serde(with = "clock::wire::option")]
    pub left_at: Option<Timestamp>,
    /// Since when those who manage the account want nothing of it sent there.
    #[serde(with = "clock::wire::option")]
    pub stopped_at: Option<Timestamp>,
    /// Who said so.
    pub stopped_by: Option<String>,
}

/// Where webhooks go; its secrets are elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each says another thing, and none follows from the others")]
pub struct Endpoint {
    /// Its id.
    pub id: EndpointId,
    /// The tenant.
    #[serde(rename = "agency_id")]
    pub agency: AgencyId,
    /// The account that it covers; `null` if there are several. [`Cover`] names them.
    #[serde(rename = "account_id")]
    pub account: Option<AccountId>,
    /// Where they are posted.
    pub url: String,
    /// The hub itself: for what a prospecting source's account has in the hub's tables. Comes and goes with the source.
    pub own: bool,
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
    /// Who added it: the id of a user or of an API key; `null` for what is older than this column.
    pub created_by: Option<String>,
    /// Who changed it last.
    pub changed_by: Option<String>,
}

/// How an endpoint does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// It takes what it gets, as far as anybody knows.
    Healthy,
    /// The last attempt failed, or some are tried again.
    Failing,
    /// It has failed so often that it is left alone for a while.
    Paused,
    /// Nobody answers for it: nothing is sent until somebody takes it over.
    #[serde(rename = "left_behind")]
    LeftBehind,
    /// It answered that it is gone, and was disabled.
    Gone,
    /// A person disabled it.
    Disabled,
}

impl Health {
    /// What an endpoint's columns, who answers for it, its attempts and its breaker come to.
    #[must_use]
    pub const fn of(endpoint: &Endpoint, is_left: bool, is_failing: bool, is_paused: bool) -> Self {
        match (endpoint.enabled, endpoint.disabled_reason.is_some()) {
            (false, true) => Self::Gone,
            (false, false) => Self::Disabled,
            (true, _) if is_left => Self::LeftBehind,
            (true, _) if is_paused => Self::Paused,
            (true, _) if is_failing => Self::Failing,
            (true, _) => Self::Healthy,
        }
    }
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
    fn a_disabled_endpoint_is_neither_failing_nor_paused_and_one_that_is_gone_says_so() {
        let now = clock::now();
        let endpoint = |enabled, disabled_reason: Option<&str>| Endpoint {
            id: EndpointId::generate(),
            agency: AgencyId::generate(),
            account: None,
            url: String::new(),
            own: false,
            description: String::new(),
            types: Vec::new(),
            ordered: false,
            enabled,
            disabled_reason: disabled_reason.map(str::to_owned),
            has_token: false,
            previous_secret_until: None,
            created_at: now,
            updated_at: now,
            created_by: None,
            changed_by: None,
        };
        assert_eq!(Health::of(&endpoint(false, Some("endpoint_gone")), true, true, true), Health::Gone);
        assert_eq!(Health::of(&endpoint(false, None), true, true, true), Health::Disabled);
        assert_eq!(Health::of(&endpoint(true, None), true, true, true), Health::LeftBehind);
        assert_eq!(Health::of(&endpoint(true, None), false, true, true), Health::Paused);
        assert_eq!(Health::of(&endpoint(true, None), false, true, false), Health::Failing);
        assert_eq!(Health::of(&endpoint(true, None), false, false, false), Health::Healthy);
    }

    #[test]
    fn a_state_survives_its_word() {
        for state in [DeliveryState::Pending, DeliveryState::Delivered, DeliveryState::Parked, DeliveryState::Cancelled]
        {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert!("lost".parse::<DeliveryState>().is_err());
    }
}
