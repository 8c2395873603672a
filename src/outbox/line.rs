//! An endpoint's deliveries in memory: how many are under way, and whether it is left alone for a while. Plain state.

use std::time::{Duration, Instant};

use recloser::{AsyncRecloser, Recloser};

use crate::config::Outbox;

/// The line to one endpoint.
pub(super) struct Line {
    /// Shared with the attempts.
    pub breaker: AsyncRecloser,
    /// Its deliveries are being claimed.
    pub looking: bool,
    /// Something came meanwhile.
    pub look_again: bool,
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
        Self { breaker, looking: false, look_again: false, under_way: 0, at_once: settings.at_once, paused_until: None }
    }

    /// How many more may go now.
    pub fn room(&self, now: Instant) -> u32 {
        if self.paused_until.is_some_and(|until| now < until) { 0 } else { self.at_once.saturating_sub(self.under_way) }
    }

    pub fn begin(&mut self) {
        self.under_way += 1;
    }

    pub fn done(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
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
        line.begin();
        line.begin();
        assert_eq!(line.room(now), 0);
        line.done();
        assert_eq!(line.room(now), 1);
        line.pause(now, Duration::from_secs(10));
        assert_eq!((line.room(now), line.room(now + Duration::from_secs(10))), (0, 1));
    }
}
