//! Which leads a page is to show, and where the next one goes on.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    domain::{LeadId, Timestamp, lead::Lead},
    store::{Result, check},
};

/// Which leads a page is to show: those that everything given here holds for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeadFilter {
    /// Exactly this status.
    pub status: Option<String>,
    /// Name, phone, email or notes have this text in them, in any case.
    pub text: Option<String>,
    /// Created at this moment or later.
    pub since: Option<Timestamp>,
    /// Created before this moment.
    pub until: Option<Timestamp>,
    /// Typed in by a person, or not.
    pub is_manual: Option<bool>,
    /// Leads on the page; brought into 1 to [`LeadFilter::MAX_LIMIT`].
    pub limit: usize,
    /// Where the page before ended.
    pub cursor: Option<Cursor>,
}

impl LeadFilter {
    /// Leads on a page if nothing is said.
    pub const DEFAULT_LIMIT: usize = 100;
    /// Leads on a page at most.
    pub const MAX_LIMIT: usize = 250;

    /// How many leads the page has at most.
    pub(in crate::store) fn page_size(&self) -> usize {
        self.limit.clamp(1, Self::MAX_LIMIT)
    }

    pub(in crate::store) fn check(&self) -> Result<()> {
        check::text("status", self.status.as_deref().unwrap_or_default())?;
        check::key("text", self.text.as_deref().unwrap_or_default())?;
        check::moment("since", self.since)?;
        check::moment("until", self.until)?;
        check::moment("cursor", self.cursor.map(|cursor| cursor.created_at))
    }
}

impl Default for LeadFilter {
    fn default() -> Self {
        Self {
            status: None,
            text: None,
            since: None,
            until: None,
            is_manual: None,
            limit: Self::DEFAULT_LIMIT,
            cursor: None,
        }
    }
}

/// Leads, newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LeadPage {
    /// What was found.
    pub leads: Vec<Lead>,
    /// Where the next page goes on; none if this is the last.
    pub next: Option<Cursor>,
}

/// The last lead of a page. Opaque to clients: its text is base 64 of the moment and the id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    pub(in crate::store) created_at: Timestamp,
    pub(in crate::store) id: LeadId,
}

/// The text is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor that this hub gave out")]
pub struct ParseCursorError;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&self.created_at.timestamp_micros().to_be_bytes());
        bytes[8..].copy_from_slice(&self.id.to_bytes());
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for Cursor {
    type Err = ParseCursorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| ParseCursorError)?;
        let (micros, id) = bytes.split_first_chunk().ok_or(ParseCursorError)?;
        let created_at = Timestamp::from_timestamp_micros(i64::from_be_bytes(*micros)).ok_or(ParseCursorError)?;
        let id = LeadId::from_bytes(id).ok_or(ParseCursorError)?;
        Ok(Self { created_at, id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock;

    #[test]
    fn a_cursor_survives_its_text_and_nonsense_is_refused() {
        let cursor = Cursor { created_at: clock::from_micros(1_795_000_000_123_456), id: LeadId::generate() };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for text in ["", "x", "####", "AAAA", &"A".repeat(31), &"A".repeat(33), &"/".repeat(32), &"_".repeat(11)] {
            assert_eq!(text.parse::<Cursor>(), Err(ParseCursorError), "{text}");
        }
    }

    #[test]
    fn a_page_has_between_1_and_250_leads() {
        let size = |limit| LeadFilter { limit, ..LeadFilter::default() }.page_size();
        assert_eq!([size(0), size(1), size(250), size(251), size(usize::MAX)], [1, 1, 250, 250, 250]);
    }
}
