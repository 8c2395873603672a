//! The one place that reads the wall clock. Rules take `now` as an argument instead.

use std::time::{Duration, Instant};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

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

/// What the wall clock may run ahead of the monotonic one before it is doubted.
const BELIEVED: TimeDelta = TimeDelta::days(1);
/// A clock that still says the same after so long is right: somebody has set it, or the hub was off for days.
const DOUBTED_FOR: Duration = Duration::from_hours(1);

/// A wall clock for what can't be undone: when it has jumped ahead by more than a day, it is not believed for an hour.
#[derive(Debug)]
pub struct Steady {
    /// A time that was believed, and when.
    believed: Option<(Timestamp, Instant)>,
    doubted: Option<Instant>,
}

impl Steady {
    /// `newest`: the newest time on record. A clock that is days ahead of it at the start is doubted as well.
    #[must_use]
    pub fn since(newest: Option<Timestamp>, began: Instant) -> Self {
        Self { believed: newest.map(|newest| (newest, began)), doubted: None }
    }

    /// What the wall clock says, unless that is doubtful.
    pub fn look(&mut self, wall: Timestamp, at: Instant) -> Option<Timestamp> {
        if let Some((time, when)) = self.believed {
            let passed = TimeDelta::from_std(at.saturating_duration_since(when)).unwrap_or(TimeDelta::MAX);
            let is_ahead = wall - time > passed.checked_add(&BELIEVED).unwrap_or(TimeDelta::MAX);
            if is_ahead && at.saturating_duration_since(*self.doubted.get_or_insert(at)) < DOUBTED_FOR {
                return None;
            }
        }
        (self.believed, self.doubted) = (Some((wall, at)), None);
        Some(wall)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_jumps_ahead_by_days_is_believed_only_when_it_stays_so() {
        let (time, began) = (now(), Instant::now());
        let mut clock = Steady::since(Some(time), began);
        let after = |seconds: u64| began + Duration::from_secs(seconds);
        let plus = |days: i64, seconds: i64| time + TimeDelta::days(days) + TimeDelta::seconds(seconds);
        assert_eq!(clock.look(plus(0, 5), after(5)), Some(plus(0, 5)));
        assert_eq!(clock.look(plus(70, 10), after(10)), None, "seventy days in five seconds");
        assert_eq!(clock.look(plus(0, 15), after(15)), Some(plus(0, 15)), "and back");
        assert_eq!(clock.look(plus(-70, 20), after(20)), Some(plus(-70, 20)), "what is behind removes nothing");
        assert_eq!(clock.look(plus(0, 25), after(25)), None);
        assert_eq!(clock.look(plus(0, 3000), after(3000)), None);
        assert_eq!(clock.look(plus(0, 3700), after(3700)), Some(plus(0, 3700)), "it stays so");
        assert_eq!(
            clock.look(plus(1, 90_000), after(93_700)),
            Some(plus(1, 90_000)),
            "a day passed, and one more is near"
        );
    }

    #[test]
    fn a_start_days_after_the_newest_record_is_doubted_and_one_without_records_is_not() {
        let (time, began) = (now(), Instant::now());
        assert_eq!(Steady::since(Some(time - TimeDelta::days(3)), began).look(time, began), None);
        assert_eq!(Steady::since(None, began).look(time, began), Some(time));
    }
}
