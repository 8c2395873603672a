//! Addresses for envelopes.

use std::{fmt, str::FromStr};

use super::AccountId;

/// Where an envelope goes. A room cannot be made without the account that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Room {
    /// Everything of one account that any of its members may see.
    Account(AccountId),
    /// What only the account's managers and owners may see: the health of its sources.
    Operators(AccountId),
}

impl Room {
    /// The account whose members may enter.
    #[must_use]
    pub const fn account(self) -> AccountId {
        match self {
            Self::Account(account) | Self::Operators(account) => account,
        }
    }
}

impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(account) => write!(f, "account:{account}"),
            Self::Operators(account) => write!(f, "operators:{account}"),
        }
    }
}

/// The text names no room.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no such room: use `dashboard`, `account:<account id>` or `operators:<account id>`")]
pub struct ParseRoomError;

impl FromStr for Room {
    type Err = ParseRoomError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, id) = text.split_once(':').ok_or(ParseRoomError)?;
        let account = id.parse().map_err(|_| ParseRoomError)?;
        match kind {
            "account" => Ok(Self::Account(account)),
            "operators" => Ok(Self::Operators(account)),
            _ => Err(ParseRoomError),
        }
    }
}
