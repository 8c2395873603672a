//! One thing that happened at a platform, from its webhook to its envelope.

use std::{fmt, str::FromStr};

use super::{AccountId, AgencyId, EventId, SecretDigest, SourceId, Timestamp};

/// The platforms that webhooks come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SourceKind {
    /// A Facebook page (Lead Ads, Messenger) or an Instagram account behind Meta's webhooks.
    Meta,
    /// An account that is connected through Unipile: LinkedIn, WhatsApp, Instagram and others.
    Unipile,
    /// A prospecting database of one account, and the hub's own tables of it. Its external id is the account's id.
    Prospecting,
}

impl SourceKind {
    /// The word used in SQL, URLs and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Unipile => "unipile",
            Self::Prospecting => "prospecting",
        }
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a kind of source: use meta, unipile or prospecting")]
pub struct ParseSourceKindError(String);

impl FromStr for SourceKind {
    type Err = ParseSourceKindError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "meta" => Ok(Self::Meta),
            "unipile" => Ok(Self::Unipile),
            "prospecting" => Ok(Self::Prospecting),
            other => Err(ParseSourceKindError(other.to_owned())),
        }
    }
}

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// Somebody filled in a lead form; the answers must be fetched.
    Lead,
    /// A message, receipt, reaction or other happening in a conversation.
    Message,
    /// How a connected account is doing.
    Account,
    /// A row of a prospecting database's leads, new or changed.
    Prospect,
    /// What prospecting has cost, or an alert about it.
    Cost,
    /// What happened to a campaign.
    Campaign,
    /// The platform's own test button.
    Test,
    /// Authentic, but of a kind the hub does nothing with.
    Other,
    /// Authentic, but not to be understood.
    Unreadable,
}

impl EventKind {
    /// The word used in SQL, JSON and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Message => "message",
            Self::Account => "account",
            Self::Prospect => "prospect",
            Self::Cost => "cost",
            Self::Campaign => "campaign",
            Self::Test => "test",
            Self::Other => "other",
            Self::Unreadable => "unreadable",
        }
    }

    /// Back from [`Self::as_str`]; anything else is [`EventKind::Other`].
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        match text {
            "lead" => Self::Lead,
            "message" => Self::Message,
            "account" => Self::Account,
            "prospect" => Self::Prospect,
            "cost" => Self::Cost,
            "campaign" => Self::Campaign,
            "test" => Self::Test,
            "unreadable" => Self::Unreadable,
            _ => Self::Other,
        }
    }

    /// Whether it is about prospecting: then its item says what there is to keep, and not its envelope.
    #[must_use]
    pub const fn is_prospecting(self) -> bool {
        matches!(self, Self::Prospect | Self::Cost | Self::Campaign)
    }
}

/// What was proved of where a webhook comes from, and so which sources its events may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The hub's own app or token: any agency's sources.
    Hub,
    /// The hub says so itself of one agency's: that agency's sources.
    Agency(AgencyId),
    /// A secret of an agency's own: the sources that carry exactly this secret.
    Secret {
        /// Whose.
        agency: AgencyId,
        /// Which.
        secret: SecretDigest,
    },
}

impl Scope {
    /// The agency whose events they are; none if the hub's own app or token sent them.
    #[must_use]
    pub const fn agency(self) -> Option<AgencyId> {
        match self {
            Self::Hub => None,
            Self::Agency(agency) | Self::Secret { agency, .. } => Some(agency),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hub => f.write_str("hub"),
            Self::Agency(agency) => agency.fmt(f),
            Self::Secret { agency, secret } => write!(f, "{agency}/{secret}"),
        }
    }
}

/// The text is no scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text is no scope of events")]
pub struct ParseScopeError;

impl FromStr for Scope {
    type Err = ParseScopeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let scope = match text.split_once('/') {
            None if text == "hub" => Some(Self::Hub),
            None => text.parse().ok().map(Self::Agency),
            Some((agency, secret)) => {
                agency.parse().ok().zip(secret.parse().ok()).map(|(agency, secret)| Self::Secret { agency, secret })
            }
        };
        scope.ok_or(ParseScopeError)
    }
}

/// What is to become of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Goes to its account's supervisor.
    Work {
        /// Whose it is.
        account: AccountId,
        /// Through which source it came.
        source: SourceId,
    },
    /// Nobody has claimed the object it is about: parked until somebody does.
    Unrouted {
        /// Whose sources may claim it.
        scope: Scope,
    },
    /// Kept as a record; nothing is to be done.
    Record {
        /// Whose it is, when that is known.
        owner: Option<(AccountId, SourceId)>,
    },
}

/// An event as a provider finds it in a webhook, with where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Derived from account, source kind, platform id and kind: the same for every redelivery.
    pub id: EventId,
    /// What happened.
    pub kind: EventKind,
    /// The platform.
    pub source_kind: SourceKind,
    /// The platform's id of the object that the webhook is about: a page.
    pub external_id: String,
    /// The platform's own id of what happened: a leadgen id, a message id.
    pub platform_id: String,
    /// The item as it stood in the body, JSON unless it is unreadable.
    pub item: String,
    /// Where it goes.
    pub fate: Fate,
}

impl NewEvent {
    /// The deduplication key as an id. `owner` is the account's id, or what stands for it while nobody owns the event.
    ///
    /// Where the platform's ids are numbers that grow with time, so do these: what happens at about the same time stands
    /// together in the inbox's index, and a commit touches few of its pages.
    #[must_use]
    pub fn key(owner: &str, source_kind: SourceKind, platform_id: &str, kind: EventKind) -> EventId {
        let hashed = EventId::derive(&[
            owner.as_bytes(),
            source_kind.as_str().as_bytes(),
            platform_id.as_bytes(),
            kind.as_str().as_bytes(),
        ]);
        match platform_id.parse::<u64>() {
            Ok(number) => hashed.sorted_by(number),
            Err(_) => hashed,
        }
    }
}

/// An accepted event on its way through enrichment.
#[derive(Debug, Clone)]
pub struct Event {
    /// Stable over redelivery and replay.
    pub id: EventId,
    /// Whose it is.
    pub account: AccountId,
    /// Through which source it came.
    pub source: SourceId,
    /// What happened.
    pub kind: EventKind,
    /// The platform's own id of what happened.
    pub platform_id: String,
    /// The item as it stood in the body.
    pub item: String,
    /// When the hub accepted it.
    pub received_at: Timestamp,
    /// How often it was tried before.
    pub attempts: u32,
    /// Whether a person asked for it again.
    pub replayed: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_read_back_from_its_text() {
        let agency = AgencyId::derive(&[b"agency"]);
        for scope in [Scope::Hub, Scope::Agency(agency), Scope::Secret { agency, secret: SecretDigest::of(b"secret") }]
        {
            assert_eq!(scope.to_string().parse(), Ok(scope));
        }
        for text in ["", "hubs", "agc_/", &format!("{agency}/"), &format!("{agency}/00")] {
            assert_eq!(text.parse::<Scope>(), Err(ParseScopeError), "{text}");
        }
    }
}
