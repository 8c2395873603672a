//! When to try again, and when to stop trying. Pure rules.

use std::time::Duration;

use crate::{
    config::{Enrichment, Span},
    domain::{Timestamp, event::Event},
    inbox::ParkReason,
    platforms::meta::{GraphError, Remedy},
};

/// How long a call is not repeated when the platform has blocked it as abuse.
const BLOCKED: Duration = Duration::from_hours(1);

/// What becomes of an event whose call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Another try after this long. `counted`: the try was the event's own; otherwise it only had to wait.
    Later {
        /// From now.
        wait: Duration,
        /// Whether it counts as a failed try.
        counted: bool,
    },
    /// A person has to look.
    Park(ParkReason),
}

/// Decides by what the platform said, how often the event was tried and how old it is.
#[must_use]
pub fn after(error: &GraphError, event: &Event, now: Timestamp, settings: &Enrichment) -> Next {
    let age = (now - event.received_at).to_std().unwrap_or_default();
    let tries = usize::try_from(event.attempts).unwrap_or(usize::MAX);
    let wait = |waits: &[Span]| waits.get(tries).map(|span| span.0);
    let next = match error.remedy {
        Remedy::Retry => {
            let last = settings.retry.last().map_or(Duration::from_mins(1), |span| span.0);
            Next::Later { wait: wait(&settings.retry).unwrap_or(last), counted: true }
        }
        Remedy::RetryDenied => match wait(&settings.retry_denied) {
            Some(wait) => Next::Later { wait, counted: true },
            None => Next::Park(ParkReason::Denied),
        },
        Remedy::Pause { wait, .. } => Next::Later { wait: wait.unwrap_or(settings.pause), counted: false },
        Remedy::Blocked => Next::Later { wait: BLOCKED, counted: false },
        Remedy::ReplaceToken => Next::Park(ParkReason::TokenInvalid),
        Remedy::GrantAccess => Next::Park(ParkReason::Denied),
        Remedy::Park => Next::Park(ParkReason::Impossible),
    };
    match next {
        Next::Later { .. } if age >= settings.give_up_after => Next::Park(ParkReason::GaveUp),
        next => next,
    }
}

/// The wait, longer or shorter by up to a fifth, so that what failed together does not come back together.
#[must_use]
pub fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(0.8 + 0.4 * fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::Settings,
        domain::{AccountId, EventId, SourceId, clock, event::EventKind},
        platforms::meta::{PauseScope, Usage},
    };

    fn event(attempts: u32) -> Event {
        Event {
            id: EventId::generate(),
            account: AccountId::generate(),
            source: SourceId::generate(),
            kind: EventKind::Lead,
            platform_id: "1".to_owned(),
            item: "{}".to_owned(),
            received_at: clock::now(),
            attempts,
            replayed: false,
        }
    }

    fn next(remedy: Remedy, event: &Event, age: Duration) -> Next {
        let error = GraphError { remedy, code: None, subcode: None, message: String::new(), usage: Usage::default() };
        let settings = Settings::parse("").unwrap().enrichment;
        after(&error, event, event.received_at + age, &settings)
    }

    #[test]
    fn a_passing_failure_is_tried_again_later_each_time_until_the_event_is_too_old() {
        let wait = |attempts| next(Remedy::Retry, &event(attempts), Duration::ZERO);
        let later = |seconds| Next::Later { wait: Duration::from_secs(seconds), counted: true };
        assert_eq!([0, 1, 2, 3, 4].map(wait), [1, 2, 4, 8, 16].map(later));
        assert_eq!(wait(5000), later(3600));
        let old = next(Remedy::Retry, &event(20), Duration::from_hours(73));
        assert_eq!(old, Next::Park(ParkReason::GaveUp));
    }

    #[test]
    fn a_denied_lead_gets_a_few_slow_tries_and_a_bad_token_none() {
        let denied = |attempts| next(Remedy::RetryDenied, &event(attempts), Duration::ZERO);
        assert_eq!(denied(0), Next::Later { wait: Duration::from_mins(1), counted: true });
        assert_eq!(denied(3), Next::Park(ParkReason::Denied));
        assert_eq!(next(Remedy::ReplaceToken, &event(0), Duration::ZERO), Next::Park(ParkReason::TokenInvalid));
    }

    #[test]
    fn waiting_for_the_platform_is_not_a_failed_try() {
        let pause = Remedy::Pause { scope: PauseScope::Page, wait: Some(Duration::from_mins(7)) };
        let wanted = Next::Later { wait: Duration::from_mins(7), counted: false };
        assert_eq!(next(pause, &event(50), Duration::ZERO), wanted);
    }
}
