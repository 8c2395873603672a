//! What a member of an account may do.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A member's standing in one account; a later one may do all that an earlier one may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees leads and messages.
    Viewer,
    /// Also works on them: status, notes, replies.
    Agent,
    /// Also deletes, and sees the health of sources and what is parked.
    Manager,
    /// Also replays and releases what is parked.
    Owner,
}

impl Role {
    /// May change a lead or answer a message.
    #[must_use]
    pub fn may_edit(self) -> bool {
        self >= Self::Agent
    }

    /// May delete, and see sources' health and the attention list.
    #[must_use]
    pub fn may_operate(self) -> bool {
        self >= Self::Manager
    }

    /// The word used in JSON, SQL and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Agent => "agent",
            Self::Manager => "manager",
            Self::Owner => "owner",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a role: use owner, manager, agent or viewer")]
pub struct ParseRoleError(String);

impl FromStr for Role {
    type Err = ParseRoleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "viewer" => Ok(Self::Viewer),
            "agent" => Ok(Self::Agent),
            "manager" => Ok(Self::Manager),
            "owner" => Ok(Self::Owner),
            other => Err(ParseRoleError(other.to_owned())),
        }
    }
}
