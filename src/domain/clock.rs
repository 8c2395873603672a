//! The one place that reads the wall clock. Rules take `now` as an argument instead.

use chrono::{DateTime, SubsecRound, Utc};

/// A moment in UTC, never finer than a microsecond, so that it survives a round trip through either database.
pub type Timestamp = DateTime<Utc>;

/// The current time, cut to microseconds.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that is allowed to ask")]
pub fn now() -> Timestamp {
    Utc::now().trunc_subsecs(6)
}

/// Microseconds since 1970, as both databases and the inbox keep it.
#[must_use]
pub fn from_micros(micros: i64) -> Timestamp {
    DateTime::from_timestamp_micros(micros).unwrap_or_default()
}

/// Writes a moment as `2026-11-21T22:00:00.123Z`, the form of every timestamp that leaves the hub.
#[must_use]
pub fn rfc3339(at: Timestamp) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// `#[serde(with = "clock::wire")]`: [`rfc3339`] out, any RFC 3339 in.
pub mod wire {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Timestamp;

    /// Milliseconds and a `Z`.
    ///
    /// # Errors
    /// Only what the serializer itself reports.
    pub fn serialize<S: Serializer>(at: &Timestamp, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&super::rfc3339(*at))
    }

    /// Reads any RFC 3339 time.
    ///
    /// # Errors
    /// If the text is not RFC 3339.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Timestamp, D::Error> {
        Timestamp::deserialize(d)
    }

    /// The same for a moment that may not have come.
    pub mod option {
        use super::{Deserialize, Deserializer, Serializer, Timestamp};

        /// `null` when it has not.
        ///
        /// # Errors
        /// Only what the serializer itself reports.
        pub fn serialize<S: Serializer>(at: &Option<Timestamp>, s: S) -> Result<S::Ok, S::Error> {
            match at {
                Some(at) => super::serialize(at, s),
                None => s.serialize_none(),
            }
        }

        /// `null` or any RFC 3339 time.
        ///
        /// # Errors
        /// If it is neither.
        pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Timestamp>, D::Error> {
            Option::deserialize(d)
        }
    }
}
