//! An endpoint's deliveries in memory: those that wait, how many are under way, and whether it is left alone for a while.
//! Plain state.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use recloser::{AsyncRecloser, Recloser};

use crate::{
    config::Outbox,
    store::{Claimed, Target},
};

/// Claimed ahead for an endpoint that answers quickly: a transaction for each delivery would take longer than the delivery.
const AHEAD: u32 = 100;
/// An attempt that took no longer was quick.
const QUICK: Duration = Duration::from_millis(250);

/// A delivery that is claimed and not begun.
pub(super) struct Waiting {
    pub target: Arc<Target>,
    pub claimed: Claimed,
    /// Begun later it might end after its lease.
    pub begin_by: Instant,
}

/// The line to one endpoint.
pub(super) struct Line {
    /// Shared with the attempts.
    pub breaker: AsyncRecloser,
    /// Its deliveries are being claimed.
    pub looking: bool,
    /// Something came meanwhile.
    pub look_again: bool,
    /// The oldest first.
    pub waiting: VecDeque<Waiting>,
    is_quick: bool,
    under_way: u32,
    at_once: u32,
    paused_until: Option<Instant>,
}

impl Line {
    pub fn new(settings: &Outbox) -> Self {
        let breaker = Recloser::custom()
            .closed_len(settings.breaker_calls)
            .half_open_len((settings.breaker_calls / 4).max(1))
            .error_rate(settings.breaker_rate)
            .open_wait(settings.breaker_wait)
            .build();
        let breaker = breaker.into();
        Self {
            breaker,
            looking: false,
            look_again: false,
            waiting: VecDeque::new(),
            is_quick: false,
            under_way: 0,
            at_once: settings.at_once,
            paused_until: None,
        }
    }

    /// How many more may go now.
    pub fn room(&self, now: Instant) -> u32 {
        if self.is_paused(now) { 0 } else { self.at_once.saturating_sub(self.under_way) }
    }

    /// How many are to be claimed now: none while enough wait.
    pub fn wants(&self, now: Instant) -> u32 {
        let waiting = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
        if self.is_paused(now) || waiting >= self.at_once {
            return 0;
        }
        let ahead = if self.is_quick { AHEAD } else { 0 };
        (self.at_once + ahead).saturating_sub(self.under_way).saturating_sub(waiting)
    }

    pub fn is_paused(&self, now: Instant) -> bool {
        self.paused_until.is_some_and(|until| now < until)
    }

    /// So many may go at once from now on.
    pub fn widen(&mut self, at_once: u32) {
        self.at_once = at_once;
    }

    pub fn begin(&mut self, count: u32) {
        self.under_way += count;
    }

    /// So many are over that took so long.
    pub fn done(&mut self, count: u32, took: Duration) {
        self.under_way = self.under_way.saturating_sub(count);
        self.is_quick = took <= QUICK;
    }

    /// Its breaker is open: nothing is claimed until it may be tried again.
    pub fn pause(&mut self, now: Instant, wait: Duration) {
        self.paused_until = Some(now + wait);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    #[test]
    fn no_more_go_at_once_than_may_and_none_during_a_pause() {
        let settings = Outbox { at_once: 2, ..Settings::parse("").unwrap().outbox };
        let (mut line, now) = (Line::new(&settings), Instant::now());
        assert_eq!(line.room(now), 2);
        line.begin(1);
        line.begin(1);
        assert_eq!(line.room(now), 0);
        line.done(1, Duration::from_secs(1));
        assert_eq!((line.room(now), line.wants(now)), (1, 1));
        line.done(1, Duration::from_millis(5));
        assert_eq!((line.room(now), line.wants(now)), (2, 2 + AHEAD));
        line.begin(1);
        line.pause(now, Duration::from_secs(10));
        assert_eq!((line.room(now), line.room(now + Duration::from_secs(10))), (0, 1));
    }
}
