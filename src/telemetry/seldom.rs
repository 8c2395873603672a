//! A line in the log that anybody can cause: written seldom, with how often it was not.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// One line in this time.
const PERIOD: Duration = Duration::from_mins(1);

/// Whether a line may be written.
#[derive(Debug, Default)]
pub struct Seldom(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    withheld: u64,
}

impl Seldom {
    /// Whether it may be written now; then how many were withheld since the last.
    #[must_use]
    pub fn admit(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.last.is_some_and(|last| now.saturating_duration_since(last) < PERIOD) {
            state.withheld += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.withheld))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_minute_says_how_many_were_withheld() {
        let (line, begin) = (Seldom::default(), Instant::now());
        assert_eq!(line.admit(begin), Some(0));
        assert_eq!((line.admit(begin), line.admit(begin + PERIOD / 2)), (None, None));
        assert_eq!(line.admit(begin + PERIOD), Some(2));
        assert_eq!(line.admit(begin + PERIOD * 2), Some(0));
    }
}
