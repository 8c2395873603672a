//! Webhooks that are not accepted: what is answered, what is logged, and what is kept for a look.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::{
    providers::Answer,
    request::{plain, said},
};
use crate::{
    config,
    http::BodyError,
    inbox::{Inbox, Quarantined},
};

/// What a platform that was refused for lack of room is told to wait, in seconds.
const RETRY_AFTER: u64 = 5;
/// A person has to do something first.
const RETRY_OVER_SHARE: u64 = 60;
/// Of each outcome at most one line is logged in this time.
const QUIET: Duration = Duration::from_secs(1);
/// Refused webhooks kept a second at most: whoever sends garbage must not keep the inbox busy.
const KEPT_PER_SECOND: u32 = 20;
/// And so many of one address, so that the others' are kept as well.
const KEPT_OF_ONE: u32 = 5;

/// Why a POST was not accepted.
pub(super) enum Refused {
    NoSuchDoor,
    NotReady,
    TooLarge,
    Slow,
    Broken,
    Full,
    /// What waits of its agency takes more than its share of the inbox.
    OverShare,
    /// It was being received when the room was needed for others.
    MadeRoom,
    BadSignature(Answer),
    /// Its address has failed too often, and has to wait so long.
    TooOften(Duration),
    Incomplete(Answer),
}

impl Refused {
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::NoSuchDoor => "unknown_address",
            Self::NotReady => "not_ready",
            Self::TooLarge => "too_large",
            Self::Slow => "too_slow",
            Self::Broken => "broken_off",
            Self::Full => "unavailable",
            Self::OverShare => "over_share",
            Self::MadeRoom => "made_room",
            Self::BadSignature(_) => "bad_signature",
            Self::TooOften(_) => "too_often",
            Self::Incomplete(_) => "incomplete",
        }
    }

    pub fn answer(&self) -> HttpResponse {
        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        let (status, text, wait) = match self {
            Self::NoSuchDoor => (StatusCode::NOT_FOUND, "No source has this address", None),
            Self::NotReady => (unavailable, "Starting, try again", Some(RETRY_AFTER)),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "Too large", None),
            Self::Slow => (StatusCode::REQUEST_TIMEOUT, "Too slow", None),
            Self::Broken => (StatusCode::BAD_REQUEST, "The body broke off", None),
            Self::Full | Self::MadeRoom => (unavailable, "Not kept, try again", Some(RETRY_AFTER)),
            Self::OverShare => {
                let text = "Not kept, try again: what waits of this agency takes all of its share of the inbox; its attention \
                            list says why";
                (unavailable, text, Some(RETRY_OVER_SHARE))
            }
            Self::TooOften(wait) => {
                let text = "Too many webhooks with a wrong secret or signature came from this address";
                (StatusCode::TOO_MANY_REQUESTS, text, Some(wait.as_secs() + 1))
            }
            Self::BadSignature(answer) | Self::Incomplete(answer) => return said(answer),
        };
        let mut answer = plain(status);
        if let Some(wait) = wait {
            answer.insert_header((header::RETRY_AFTER, wait));
        }
        answer.body(text)
    }
}

impl From<BodyError> for Refused {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Slow => Self::Slow,
            BodyError::Broken => Self::Broken,
            BodyError::TooLarge => Self::TooLarge,
        }
    }
}

/// Lets through what is logged: whoever sends garbage must not fill the log. All is counted in the metrics.
#[derive(Default)]
pub(super) struct Sample(Mutex<HashMap<&'static str, (Instant, u64)>>);

impl Sample {
    /// Whether this one is to be logged, and how many of its outcome were left out since the last that was.
    pub fn take(&self, outcome: &'static str, now: Instant) -> Option<u64> {
        let mut outcomes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match outcomes.get_mut(outcome) {
            Some((logged, left_out)) if now.saturating_duration_since(*logged) < QUIET => {
                *left_out += 1;
                None
            }
            Some(last) => Some(std::mem::replace(last, (now, 0)).1),
            None => {
                outcomes.insert(outcome, (now, 0));
                Some(0)
            }
        }
    }
}

/// Webhooks that nobody has vouched for, kept for a look.
pub(super) struct Quarantine {
    inbox: Inbox,
    most: u32,
    rate: DefaultDirectRateLimiter,
    /// By source, as the next.
    rates: DefaultKeyedRateLimiter<String>,
    /// Since the last that was kept, by source: at most as many as there are sources.
    refusals: Mutex<HashMap<String, i64>>,
}

impl Quarantine {
    pub fn new(settings: &config::Inbox, inbox: Inbox) -> Self {
        let quota = |most| Quota::per_second(NonZeroU32::new(most).unwrap_or(NonZeroU32::MIN));
        let (rate, rates) = (RateLimiter::direct(quota(KEPT_PER_SECOND)), RateLimiter::keyed(quota(KEPT_OF_ONE)));
        Self { inbox, most: settings.quarantine, rate, rates, refusals: Mutex::default() }
    }

    /// Counts a refusal at a source's address. If this one may be kept: how many there were since the last that was.
    pub fn count(&self, source: &str) -> Option<i64> {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let count = refusals.entry(source.to_owned()).or_insert(0);
        *count += 1;
        let source = source.to_owned();
        let may = self.rates.check_key(&source).is_ok() && self.rate.check().is_ok();
        may.then(|| std::mem::take(count))
    }

    /// Never waited for.
    pub fn keep(&self, refused: Quarantined, count: i64) {
        let (inbox, most) = (self.inbox.clone(), self.most);
        actix_rt::spawn(async move {
            if let Err(error) = inbox.quarantine(refused, count, most).await {
                tracing::warn!(%error, "a refused webhook could not be kept for a look");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_storm_of_refusals_one_a_second_is_logged_and_the_others_are_counted() {
        let (sample, now) = (Sample::default(), Instant::now());
        assert_eq!(sample.take("bad_signature", now), Some(0));
        for _ in 0..5000 {
            assert_eq!(sample.take("bad_signature", now + QUIET / 2), None);
        }
        assert_eq!(sample.take("unavailable", now + QUIET / 2), Some(0), "one kind of trouble hides no other");
        assert_eq!(sample.take("bad_signature", now + QUIET), Some(5000));
        assert_eq!(sample.take("bad_signature", now + QUIET * 2), Some(0));
    }
}
