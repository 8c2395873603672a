//! Who did what, when and from where, as far as it bears on who may do what and on what left the hub.
//!
//! No secret and nothing personal goes into an [`Event`]: ids, words and counts only. Whoever reads it looks names up.

use std::{convert::Infallible, fmt, net::IpAddr, str::FromStr};

use serde::Serialize;
use serde_json::{Map, Value};

use super::{AccountId, AgencyId, ApiKeyId, AuditId, Timestamp, UserId, clock};

macro_rules! actions {
    ($($name:ident = $text:literal,)*) => {
        /// What was done. The texts are stable: they stand in the database and in answers.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "the texts say it")]
        pub enum Action {
            $($name,)*
        }

        impl Action {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// As it stands in JSON and SQL.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

actions! {
    LoginSucceeded = "login.succeeded",
    LoginFailed = "login.failed",
    LoginLockedOut = "login.locked_out",
    Logout = "logout",
    TokenIssued = "token.issued",
    AgencyAdded = "agency.added",
    AgencyRemoved = "agency.removed",
    AccountAdded = "account.added",
    AccountChanged = "account.changed",
    UserAdded = "user.added",
    UserChanged = "user.changed",
    UserDisabled = "user.disabled",
    UserEnabled = "user.enabled",
    UserSignedOut = "user.signed_out",
    MemberAdded = "member.added",
    MemberChanged = "member.changed",
    MemberRemoved = "member.removed",
    KeyAdded = "key.added",
    KeyRemoved = "key.removed",
    KeyTakenOver = "key.taken_over",
    EndpointAdded = "endpoint.added",
    EndpointChanged = "endpoint.changed",
    EndpointRemoved = "endpoint.removed",
    EndpointRotated = "endpoint.rotated",
    EndpointTested = "endpoint.tested",
    EndpointReplayed = "endpoint.replayed",
    EndpointStopped = "endpoint.stopped",
    EndpointTakenOver = "endpoint.taken_over",
    SourceAdded = "source.added",
    SourceChanged = "source.changed",
    SourceRemoved = "source.removed",
    IssuerAdded = "issuer.added",
    IssuerRemoved = "issuer.removed",
    ExportDownloaded = "export.downloaded",
    LeadErased = "lead.erased",
    ErasureDone = "erasure.done",
    InboxReplayed = "inbox.replayed",
    MasterKeyRotated = "master_key.rotated",
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an action that is recorded")]
pub struct ParseActionError(String);

impl FromStr for Action {
    type Err = ParseActionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.iter().find(|action| action.as_str() == text);
        known.copied().ok_or_else(|| ParseActionError(text.chars().take(64).collect()))
    }
}

/// Who did it. As text: `usr_…`, `key_…`, `operator:ada`, `hub`, `unknown`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A person who signed in.
    User(UserId),
    /// A program.
    Key(ApiKeyId),
    /// Somebody at the command line, by the name that they have on the machine.
    Operator(String),
    /// The hub on its own account.
    Hub,
    /// Somebody who did not prove who they are.
    Unknown,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => id.fmt(f),
            Self::Key(id) => id.fmt(f),
            Self::Operator(name) => write!(f, "operator:{name}"),
            Self::Hub => f.write_str("hub"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

impl FromStr for Actor {
    type Err = Infallible;

    /// A text that is none of the others is an unknown actor's.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let user = text.parse().map(Self::User);
        Ok(user.or_else(|_| text.parse().map(Self::Key)).unwrap_or_else(|_| match text.split_once(':') {
            Some(("operator", name)) => Self::Operator(name.to_owned()),
            None if text == "hub" => Self::Hub,
            _ => Self::Unknown,
        }))
    }
}

/// From where. As text: an IP address, or `cli`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address {
    /// The client's, as far as trusted proxies tell it.
    Ip(IpAddr),
    /// The hub's own machine.
    CommandLine,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::CommandLine => f.write_str("cli"),
        }
    }
}

impl FromStr for Address {
    type Err = std::net::AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "cli" { Ok(Self::CommandLine) } else { text.parse().map(Self::Ip) }
    }
}

/// Who acts, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// Who.
    pub actor: Actor,
    /// From where, if that is known.
    pub address: Option<Address>,
}

impl Author {
    /// The hub itself.
    pub const HUB: Self = Self { actor: Actor::Hub, address: None };

    /// A client of the hub.
    #[must_use]
    pub fn client(actor: Actor, address: Option<IpAddr>) -> Self {
        Self { actor, address: address.map(Address::Ip) }
    }

    /// Somebody at the command line.
    #[must_use]
    pub fn operator(name: impl Into<String>) -> Self {
        Self { actor: Actor::Operator(name.into()), address: Some(Address::CommandLine) }
    }
}

/// What was done, to whom. Who did it is the author's matter: see `Store::by`.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// What.
    pub action: Action,
    /// The tenant; `None`: nobody's, for operators alone.
    pub agency: Option<AgencyId>,
    /// The account, if it is about one.
    pub account: Option<AccountId>,
    /// The id of what it was done to.
    pub target: Option<String>,
    /// Words and counts.
    pub details: Map<String, Value>,
}

impl Event {
    /// Something that was done in an agency.
    #[must_use]
    pub fn new(action: Action, agency: AgencyId) -> Self {
        Self { agency: Some(agency), ..Self::nobodys(action) }
    }

    /// Something that concerns no agency.
    #[must_use]
    pub fn nobodys(action: Action) -> Self {
        Self { action, agency: None, account: None, target: None, details: Map::new() }
    }

    /// In this account.
    #[must_use]
    pub fn within(self, account: impl Into<Option<AccountId>>) -> Self {
        Self { account: account.into(), ..self }
    }

    /// To what.
    #[must_use]
    pub fn on(self, target: impl fmt::Display) -> Self {
        Self { target: Some(target.to_string()), ..self }
    }

    /// With a word or a count.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }
}

/// An event as it was recorded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// Its id.
    pub id: AuditId,
    /// When.
    #[serde(with = "clock::wire")]
    pub at: Timestamp,
    /// The tenant.
    #[serde(rename = "agency_id")]
    pub agency: Option<AgencyId>,
    /// The account, if it is about one.
    #[serde(rename = "account_id")]
    pub account: Option<AccountId>,
    /// Who.
    #[serde(serialize_with = "as_text")]
    pub actor: Actor,
    /// What.
    #[serde(serialize_with = "as_text")]
    pub action: Action,
    /// To what.
    pub target: Option<String>,
    /// From where.
    #[serde(serialize_with = "as_optional_text")]
    pub address: Option<Address>,
    /// Words and counts.
    pub details: Value,
}

fn as_text<T: fmt::Display, S: serde::Serializer>(value: &T, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(value)
}

#[expect(clippy::ref_option, reason = "as serde calls it")]
fn as_optional_text<T: fmt::Display, S: serde::Serializer>(value: &Option<T>, s: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => s.collect_str(value),
        None => s.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_actors_and_addresses_survive_their_texts() {
        for action in Action::ALL {
            assert_eq!(action.to_string().parse(), Ok(*action));
        }
        assert!("lead.painted".parse::<Action>().is_err());
        let operator = Actor::Operator("ada:l".into());
        let (user, key) = (Actor::User(UserId::generate()), Actor::Key(ApiKeyId::generate()));
        for actor in [operator, user, key, Actor::Hub, Actor::Unknown] {
            assert_eq!(actor.to_string().parse(), Ok(actor));
        }
        for address in [Address::CommandLine, Address::Ip([192, 0, 2, 1].into())] {
            assert_eq!(address.to_string().parse(), Ok(address));
        }
    }
}
