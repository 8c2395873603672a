//! Sends: replies on their way to a platform, and what became of them.
//!
//! One is kept before anything else happens with it, and goes out once: whatever is not known to have failed is never
//! sent a second time.

use std::{fmt, str::FromStr};

use serde::Serialize;

use super::{AccountId, AgencyId, ChatId, MessageId, SendId, SourceId, Timestamp, UserId, clock};

/// How far a send is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SendState {
    /// Waits for its turn, or for another try.
    Pending,
    /// The platform is being asked, or was asked and nobody knows what it made of it.
    Sending,
    /// The platform has it.
    Sent,
    /// It has not gone out, or nobody knows; a person has to look.
    Failed,
}

impl SendState {
    /// The word used in SQL and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Failed => "failed",
        }
    }

    /// Whether anything is still to happen.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Sending)
    }
}

impl fmt::Display for SendState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a state of a send")]
pub struct ParseSendStateError(String);

impl FromStr for SendState {
    type Err = ParseSendStateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "pending" => Ok(Self::Pending),
            "sending" => Ok(Self::Sending),
            "sent" => Ok(Self::Sent),
            "failed" => Ok(Self::Failed),
            other => Err(ParseSendStateError(other.to_owned())),
        }
    }
}

/// Why a send waits for another try, or has failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// For programs: `outside_window`, `token_invalid`, `unconfirmed` and so on.
    pub code: String,
    /// For people: why, and what to do.
    pub message: String,
}

impl Reason {
    /// From its two halves.
    #[must_use]
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into() }
    }
}

/// A send as the store keeps it; as JSON the payload of `message:pending`, `message:sent` and `message:failed`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outgoing {
    /// Its id.
    pub id: SendId,
    /// Whoever asks again under the same id is told of this one; unique within the account.
    pub client_id: String,
    /// The tenant.
    #[serde(rename = "agency_id")]
    pub agency: AgencyId,
    /// Whose reply it is.
    #[serde(rename = "account_id")]
    pub account: AccountId,
    /// Where it is to stand.
    #[serde(rename = "chat_id")]
    pub chat: ChatId,
    /// Through which source it goes.
    #[serde(rename = "source_id")]
    pub source: SourceId,
    /// What it says.
    pub text: String,
    /// Who wrote it; `null` for a program.
    pub by: Option<UserId>,
    /// How far it is.
    pub state: SendState,
    /// Why it waits or has failed.
    pub reason: Option<Reason>,
    /// The message that it has become; `null` also when the platform has it and said no id.
    #[serde(rename = "message_id")]
    pub message: Option<MessageId>,
    /// The platform's id of that.
    #[serde(skip)]
    pub platform_id: Option<String>,
    /// How often the platform was asked.
    #[serde(skip)]
    pub attempts: u32,
    /// Not before.
    #[serde(skip)]
    pub next_try: Timestamp,
    /// When the platform was last asked.
    #[serde(skip)]
    pub tried_at: Option<Timestamp>,
    /// When the hub kept it; decides on the order within the chat.
    #[serde(rename = "timestamp", with = "clock::wire")]
    pub created_at: Timestamp,
    /// When it last became something else.
    #[serde(with = "clock::wire")]
    pub updated_at: Timestamp,
}

/// A reply to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSend {
    /// The tenant.
    pub agency: AgencyId,
    /// Whose reply it is.
    pub account: AccountId,
    /// Where it is to stand.
    pub chat: ChatId,
    /// Through which source it goes.
    pub source: SourceId,
    /// See [`Outgoing::client_id`]; none makes it one of its own.
    pub client_id: Option<String>,
    /// What it says.
    pub text: String,
    /// Who wrote it.
    pub by: Option<UserId>,
}

/// How much a messenger takes at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Longest {
    /// So many characters.
    Characters(usize),
    /// So many bytes of UTF-8.
    Bytes(usize),
}

impl Longest {
    /// Of the messenger that a chat is in (`MESSENGER`, `INSTAGRAM`, …). Messenger Platform reference, "Send API".
    #[must_use]
    pub fn of(account_type: &str) -> Self {
        match account_type {
            "MESSENGER" => Self::Characters(2_000),
            "INSTAGRAM" => Self::Bytes(1_000),
            _ => Self::Characters(8_000),
        }
    }

    /// Whether the text is no longer.
    #[must_use]
    pub fn fits(self, text: &str) -> bool {
        match self {
            Self::Characters(most) => text.chars().count() <= most,
            Self::Bytes(most) => text.len() <= most,
        }
    }
}

impl fmt::Display for Longest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Characters(most) => write!(f, "{most} characters"),
            Self::Bytes(most) => write!(f, "{most} bytes (a letter with an accent has 2, an emoji 4 and more)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_survives_its_word() {
        for state in [SendState::Pending, SendState::Sending, SendState::Sent, SendState::Failed] {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert!("lost".parse::<SendState>().is_err());
    }

    #[test]
    fn each_messenger_takes_so_much() {
        assert!(
            Longest::of("MESSENGER").fits(&"ä".repeat(2_000)) && !Longest::of("MESSENGER").fits(&"ä".repeat(2_001))
        );
        assert!(Longest::of("INSTAGRAM").fits(&"ä".repeat(500)) && !Longest::of("INSTAGRAM").fits(&"ä".repeat(501)));
        assert!(Longest::of("LINKEDIN").fits(&"a".repeat(8_000)) && !Longest::of("LINKEDIN").fits(&"a".repeat(8_001)));
    }
}
