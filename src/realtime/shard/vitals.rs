//! Whether a session is alive, and when its time is over. Plain state; the shard asks once a second.

use std::time::Duration;

use crate::{domain::Timestamp, realtime::close::Close};

/// A session's deadlines.
#[derive(Debug)]
pub(super) struct Vitals {
    born: Timestamp,
    /// Whether a frame came since the last heartbeat.
    alive: bool,
    /// Whether the heartbeat before had no answer.
    missed: bool,
    /// Whether it was told that its token has run out.
    warned: bool,
    /// How it ends if nobody is known to be there.
    unknown: Close,
}

/// What is to be done about a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    /// Say that its token has run out.
    Warning,
    End(Close),
}

impl Vitals {
    pub(super) const fn new(born: Timestamp) -> Self {
        Self { born, alive: true, missed: false, warned: false, unknown: Close::Unauthenticated }
    }

    /// Its cookie did not count, because of the page that it came from.
    pub(super) const fn refuse_cookie(&mut self) {
        self.unknown = Close::OriginRefused;
    }

    /// A frame came.
    pub(super) const fn heard(&mut self) {
        self.alive = true;
    }

    /// A fresh token came.
    pub(super) const fn renewed(&mut self) {
        self.warned = false;
    }

    /// A heartbeat is due; `false` if the last two had no answer.
    pub(super) fn beat(&mut self) -> bool {
        let silent = !std::mem::take(&mut self.alive);
        !(std::mem::replace(&mut self.missed, silent) && silent)
    }

    /// A session that has not said who it is has `auth_timeout` to do so.
    pub(super) fn unknown(&self, now: Timestamp, auth_timeout: Duration) -> Due {
        if self.born < now - auth_timeout { Due::End(self.unknown) } else { Due::Nothing }
    }

    /// A known session lives until its token has run out, and then for `grace`.
    pub(super) fn known(&mut self, now: Timestamp, expires_at: Option<Timestamp>, grace: Duration) -> Due {
        // Never `expires_at + grace`: a token may be good until the end of all time, and that sum would panic.
        match expires_at {
            Some(at) if at < now - grace => Due::End(Close::Unauthenticated),
            Some(at) if at < now && !std::mem::replace(&mut self.warned, true) => Due::Warning,
            _ => Due::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock;

    const fn seconds(seconds: i64) -> chrono::Duration {
        chrono::Duration::seconds(seconds)
    }

    #[test]
    fn two_heartbeats_in_a_row_without_an_answer_are_the_end() {
        let mut vitals = Vitals::new(clock::now());
        assert!(vitals.beat(), "the first was not sent yet");
        assert!(vitals.beat(), "one was missed");
        vitals.heard();
        assert!(vitals.beat() && vitals.beat(), "an answer makes up for it");
        assert!(!vitals.beat());
    }

    #[test]
    fn a_token_that_ran_out_is_warned_about_once_then_ends_the_session() {
        let now = clock::now();
        let mut vitals = Vitals::new(now);
        let grace = Duration::from_secs(30);
        assert_eq!(vitals.known(now, Some(now + seconds(1)), grace), Due::Nothing);
        assert_eq!(vitals.known(now, Some(now - seconds(1)), grace), Due::Warning);
        assert_eq!(vitals.known(now, Some(now - seconds(2)), grace), Due::Nothing);
        vitals.renewed();
        assert_eq!(vitals.known(now, Some(now - seconds(3)), grace), Due::Warning);
        assert_eq!(vitals.known(now, Some(now - seconds(31)), grace), Due::End(Close::Unauthenticated));
    }

    #[test]
    fn a_key_never_runs_out_and_neither_does_a_token_for_all_time() {
        let now = clock::now();
        let mut vitals = Vitals::new(now);
        assert_eq!(vitals.known(now, None, Duration::ZERO), Due::Nothing);
        assert_eq!(vitals.known(now, Some(Timestamp::MAX_UTC), Duration::from_secs(30)), Due::Nothing);
    }

    #[test]
    fn a_socket_that_does_not_say_who_it_is_has_a_while() {
        let now = clock::now();
        let vitals = Vitals::new(now - seconds(4));
        assert_eq!(vitals.unknown(now, Duration::from_secs(5)), Due::Nothing);
        assert_eq!(vitals.unknown(now, Duration::from_secs(3)), Due::End(Close::Unauthenticated));
    }

    #[test]
    fn a_socket_whose_cookie_did_not_count_is_told_so() {
        let now = clock::now();
        let mut vitals = Vitals::new(now - seconds(4));
        vitals.refuse_cookie();
        assert_eq!(vitals.unknown(now, Duration::from_secs(3)), Due::End(Close::OriginRefused));
    }
}
