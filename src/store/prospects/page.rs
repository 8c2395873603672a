//! Which prospects a page is to show, and where the next one goes on.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    domain::{Timestamp, prospect::Prospect},
    store::ParseCursorError,
};

/// Which prospects a page is to show: those that everything given here holds for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProspectFilter {
    /// Of this campaign.
    pub campaign: Option<String>,
    /// Exactly this status.
    pub status: Option<String>,
    /// Prospects on the page.
    pub limit: u32,
    /// Where the page before ended.
    pub cursor: Option<PageCursor>,
}

/// Prospects, newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProspectPage {
    /// What was found.
    pub prospects: Vec<Prospect>,
    /// Where the next page goes on; none if this is the last.
    pub next: Option<PageCursor>,
}

/// The last row of a page that has the newest first. Opaque to clients: its text is base 64 of the moment and the id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageCursor {
    pub(in crate::store) created_at: Timestamp,
    pub(in crate::store) id: String,
}

impl fmt::Display for PageCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.created_at.timestamp_micros().to_be_bytes().to_vec();
        bytes.extend(self.id.as_bytes());
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for PageCursor {
    type Err = ParseCursorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| ParseCursorError)?;
        let (micros, id) = bytes.split_first_chunk().ok_or(ParseCursorError)?;
        let created_at = Timestamp::from_timestamp_micros(i64::from_be_bytes(*micros)).ok_or(ParseCursorError)?;
        // Neither engine has years beyond these, nor a text with NUL.
        let is_usual = (0..=253_402_300_799).contains(&created_at.timestamp());
        let id = String::from_utf8(id.to_vec()).map_err(|_| ParseCursorError)?;
        if is_usual && !id.contains('\0') { Ok(Self { created_at, id }) } else { Err(ParseCursorError) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock;

    #[test]
    fn a_cursor_survives_its_text_and_nonsense_is_refused() {
        let cursor = PageCursor { created_at: clock::from_micros(1_795_000_000_123_456), id: "lead_1".to_owned() };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for text in ["", "x", "####", "AAAA", &"_".repeat(20), &"/".repeat(32)] {
            assert_eq!(text.parse::<PageCursor>(), Err(ParseCursorError), "{text}");
        }
    }
}
