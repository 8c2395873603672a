//! Addresses for envelopes.

use std::{fmt, str::FromStr};

use super::{AccountId, ChatId};

/// Where an envelope goes. A room cannot be made without the account that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Room {
    /// Everything of one account that any of its members may see.
    Account(AccountId),
    /// What only the account's managers and owners may see: the health of its sources.
    Operators(AccountId),
    /// One chat of the account: who looks at it and types there, and its messages for who wants no others. No envelope
    /// has its position here: they have it in the account's room.
    Chat(AccountId, ChatId),
}

impl Room {
    /// The account whose members may enter.
    #[must_use]
    pub const fn account(self) -> AccountId {
        match self {
            Self::Account(account) | Self::Operators(account) | Self::Chat(account, _) => account,
        }
    }
}

impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(account) => write!(f, "account:{account}"),
            Self::Operators(account) => write!(f, "operators:{account}"),
            Self::Chat(account, chat) => write!(f, "chat:{account}/{chat}"),
        }
    }
}

/// The text names no room.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no such room: use `dashboard`, `operators`, `account:<account>`, `operators:<account>` or \
     `chat:<account>/<chat>`, with ids"
)]
pub struct ParseRoomError;

impl FromStr for Room {
    type Err = ParseRoomError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, id) = text.split_once(':').ok_or(ParseRoomError)?;
        let (account, chat) = match id.split_once('/') {
            Some((account, chat)) => (account, Some(chat.parse().map_err(|_| ParseRoomError)?)),
            None => (id, None),
        };
        let account = account.parse().map_err(|_| ParseRoomError)?;
        match (kind, chat) {
            ("account", None) => Ok(Self::Account(account)),
            ("operators", None) => Ok(Self::Operators(account)),
            ("chat", Some(chat)) => Ok(Self::Chat(account, chat)),
            _ => Err(ParseRoomError),
        }
    }
}
