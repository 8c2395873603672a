//! What becomes of a delivery after an attempt. Pure rules.

use std::time::Duration;

use crate::{
    config::Outbox,
    domain::{Timestamp, delivery::TEST},
    store::{Claimed, Outcome},
};

/// Why a delivery is parked that was tried for long enough.
pub(super) const GAVE_UP: &str = "gave_up";
/// Why a test that failed is not tried again.
const TEST_FAILED: &str = "test_failed";

/// What an endpoint's answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    /// The status; `None` if there was no answer.
    pub status: Option<u16>,
    /// How long it asks to be left alone.
    pub retry_after: Option<Duration>,
}

impl Verdict {
    /// Whether the endpoint has it.
    pub fn is_success(self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// Whether the endpoint is ailing, rather than of another opinion about one event.
    pub fn is_ailing(self) -> bool {
        self.status.is_none_or(|status| status >= 500 || status == 429)
    }
}

/// Decides by the answer, how often it failed before, and how long it has been tried. `shift` is between -1 and 1, so that
/// what failed together does not come back together.
pub(super) fn after(verdict: Verdict, of: &Claimed, now: Timestamp, shift: f64, settings: &Outbox) -> Outcome {
    if verdict.is_success() {
        return Outcome::Delivered;
    }
    if of.kind == TEST {
        return Outcome::Cancelled(TEST_FAILED);
    }
    if verdict.status == Some(410) {
        return Outcome::Gone;
    }
    let patience = settings.give_up_after;
    let left = patience.checked_sub((now - of.since).to_std().unwrap_or_default()).unwrap_or_default();
    if left.is_zero() {
        return Outcome::Parked(GAVE_UP);
    }
    let failures = usize::try_from(of.failures).unwrap_or(usize::MAX);
    let wait = settings.retry.get(failures).or(settings.retry.last()).map_or(Duration::from_secs(1), |span| span.0);
    let wait = wait.mul_f64(1.0 + 0.2 * shift).max(verdict.retry_after.unwrap_or_default());
    // The last attempt is at the end of patience.
    Outcome::Retry(now + wait.min(left))
}

/// `Retry-After`: seconds, or a date.
pub(super) fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = chrono::DateTime::parse_from_rfc2822(value).ok()?;
    (at.to_utc() - now).to_std().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::Settings,
        domain::{EventId, clock},
        store::Consent,
    };

    fn claimed(failures: i32) -> Claimed {
        Claimed {
            row: 1,
            event: EventId::derive(&[b"a"]),
            kind: "new_lead".into(),
            payload: "{}".into(),
            attempt: failures + 1,
            failures,
            since: clock::from_micros(0),
            created_at: clock::from_micros(0),
            account: None,
            consent: Consent::By(None),
        }
    }

    fn outcome(status: Option<u16>, retry_after: Option<u64>, failures: i32, age: Duration) -> Outcome {
        let verdict = Verdict { status, retry_after: retry_after.map(Duration::from_secs) };
        let settings = Settings::parse("").unwrap().outbox;
        after(verdict, &claimed(failures), clock::from_micros(0) + age, 0.0, &settings)
    }

    fn wait(outcome: &Outcome, age: Duration) -> u64 {
        let Outcome::Retry(at) = outcome else { panic!("{outcome:?}") };
        (*at - clock::from_micros(0) - chrono::TimeDelta::from_std(age).unwrap()).num_seconds().try_into().unwrap()
    }

    #[test]
    fn failures_wait_1_2_4_8_16_seconds_then_longer_and_are_parked_after_36_hours() {
        let waits: Vec<u64> =
            (0..12).map(|failures| wait(&outcome(Some(500), None, failures, Duration::ZERO), Duration::ZERO)).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 60, 300, 900, 1800, 3600, 3600, 3600]);
        let late = Duration::from_hours(36) - Duration::from_secs(90);
        assert_eq!(wait(&outcome(None, None, 40, late), late), 90, "the last one is at the end");
        assert_eq!(outcome(None, None, 41, Duration::from_hours(36)), Outcome::Parked(GAVE_UP));
    }

    #[test]
    fn only_two_hundreds_are_a_delivery_and_only_410_is_an_end() {
        assert_eq!(
            [200, 204, 299].map(|status| outcome(Some(status), None, 0, Duration::ZERO)),
            [(); 3].map(|()| Outcome::Delivered)
        );
        assert_eq!(outcome(Some(410), None, 0, Duration::ZERO), Outcome::Gone);
        for status in [100, 301, 302, 307, 400, 401, 404, 429, 500, 503] {
            assert!(matches!(outcome(Some(status), None, 0, Duration::ZERO), Outcome::Retry(_)), "{status}");
        }
    }

    #[test]
    fn what_an_endpoint_asks_for_is_a_minimum_within_patience() {
        assert_eq!(wait(&outcome(Some(503), Some(120), 0, Duration::ZERO), Duration::ZERO), 120);
        assert_eq!(wait(&outcome(Some(503), Some(1), 4, Duration::ZERO), Duration::ZERO), 16);
        let forever = outcome(Some(503), Some(u64::MAX / 4), 0, Duration::ZERO);
        assert_eq!(wait(&forever, Duration::ZERO), 36 * 3600);
        let now = clock::from_micros(784_111_777_000_000);
        assert_eq!(retry_after("120", now), Some(Duration::from_mins(2)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:50:37 GMT", now), Some(Duration::from_mins(1)));
        assert_eq!((retry_after("soon", now), retry_after("-3", now)), (None, None));
    }

    #[test]
    fn a_test_is_not_tried_again() {
        let test = Claimed { kind: TEST.into(), ..claimed(0) };
        let settings = Settings::parse("").unwrap().outbox;
        for status in [None, Some(500), Some(410)] {
            let verdict = Verdict { status, retry_after: None };
            assert_eq!(after(verdict, &test, clock::from_micros(0), 0.0, &settings), Outcome::Cancelled(TEST_FAILED));
        }
    }
}
