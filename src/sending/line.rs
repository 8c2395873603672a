//! Whose turn it is among a source's open sends, and how long to wait after a failure. Plain rules.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use governor::{
    DefaultDirectRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};

use crate::{
    config,
    domain::{ChatId, SendId, Timestamp, send::SendState},
    store::OpenSend,
};

/// The first wait after a failure; each is twice the one before.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// One source's sends under way. There are as many lines as sources that something was sent through.
pub(super) struct Line {
    /// Chats with a send under way, one each.
    busy: HashMap<ChatId, SendId>,
    bucket: DefaultDirectRateLimiter,
    at_once: usize,
    /// The store is being asked what is open.
    pub(super) looking: bool,
    /// Something has changed since it was asked.
    pub(super) look_again: bool,
}

/// What may begin now, and when something more may.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Turns {
    pub(super) now: Vec<OpenSend>,
    pub(super) next: Option<Timestamp>,
}

impl Line {
    pub(super) fn new(settings: &config::Sending) -> Self {
        let quota = Quota::per_second(settings.per_second.try_into().unwrap_or(std::num::NonZeroU32::MIN))
            .allow_burst(settings.burst.try_into().unwrap_or(std::num::NonZeroU32::MIN));
        Self {
            busy: HashMap::new(),
            bucket: RateLimiter::direct(quota),
            at_once: settings.at_once.max(1),
            looking: false,
            look_again: false,
        }
    }

    /// Takes the turns of what is open, in its order: the first of each chat, one at a time, within the rate. What was
    /// being sent when the hub died takes no room in the rate: it is not sent again.
    pub(super) fn take_turns(&mut self, open: &[OpenSend], now: Timestamp) -> Turns {
        let mut turns = Turns { now: Vec::new(), next: None };
        let waits_until = |turns: &mut Turns, at: Timestamp| {
            turns.next = Some(turns.next.map_or(at, |next: Timestamp| next.min(at)));
        };
        let mut met = HashSet::new();
        let mut dry = false;
        for send in open {
            if !met.insert(send.chat) || self.busy.contains_key(&send.chat) {
                continue;
            }
            if send.next_try > now {
                waits_until(&mut turns, send.next_try);
                continue;
            }
            // Whoever is ready makes the next one begin.
            if self.busy.len() >= self.at_once {
                break;
            }
            if send.state == SendState::Pending {
                if dry {
                    continue;
                }
                if let Err(early) = self.bucket.check() {
                    dry = true;
                    waits_until(&mut turns, now + early.wait_time_from(DefaultClock::default().now()));
                    continue;
                }
            }
            self.busy.insert(send.chat, send.id);
            turns.now.push(*send);
        }
        turns
    }

    /// What was under way in a chat is over.
    pub(super) fn done(&mut self, chat: ChatId) {
        self.busy.remove(&chat);
    }
}

/// How long to wait after so many failures; `None` when all waits together are longer than `give_up_after`.
pub(super) fn wait_after(attempts: u32, give_up_after: Duration) -> Option<Duration> {
    let wait = |attempt: u32| FIRST_WAIT.saturating_mul(1 << attempt.min(16)).min(LONGEST_WAIT);
    let attempts = attempts.max(1);
    let waited: Duration = (0..attempts.min(10_000)).map(wait).sum();
    (waited <= give_up_after).then(|| wait(attempts - 1))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::domain::{AccountId, clock};

    fn line(per_second: u32, burst: u32, at_once: usize) -> Line {
        let settings = config::Sending {
            per_second,
            burst,
            at_once,
            pending_per_account: 10,
            give_up_after: Duration::from_mins(2),
            stale_after: Duration::from_hours(1),
            confirm_within: Duration::from_mins(1),
            read_receipts: true,
            retention: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            sweep_interval: Duration::from_secs(1),
        };
        Line::new(&settings)
    }

    fn send(chat: &[u8], state: SendState, next_try: Timestamp) -> OpenSend {
        let (account, chat) = (AccountId::derive(&[b"a"]), ChatId::derive(&[chat]));
        OpenSend { id: SendId::generate(), account, chat, state, next_try }
    }

    #[test]
    fn one_a_chat_is_under_way_and_the_next_waits_for_it() {
        let (mut line, now) = (line(100, 100, 8), clock::now());
        let open = [b"x", b"x", b"y"].map(|chat| send(chat, SendState::Pending, now));
        assert_eq!(line.take_turns(&open, now), Turns { now: vec![open[0], open[2]], next: None });
        assert_eq!(line.take_turns(&open, now).now, []);
        line.done(open[0].chat);
        assert_eq!(line.take_turns(&open[1..], now).now, [open[1]]);
    }

    #[test]
    fn one_that_waits_for_another_try_holds_up_its_chat_and_no_other() {
        let (mut line, now) = (line(100, 100, 8), clock::now());
        let later = now + TimeDelta::seconds(5);
        let open = [
            send(b"x", SendState::Pending, later),
            send(b"x", SendState::Pending, now),
            send(b"y", SendState::Pending, now),
        ];
        assert_eq!(line.take_turns(&open, now), Turns { now: vec![open[2]], next: Some(later) });
    }

    #[test]
    fn beyond_the_rate_a_send_waits_and_what_is_not_sent_again_does_not() {
        let (mut line, now) = (line(1, 2, 8), clock::now());
        let open = [b"1", b"2", b"3"].map(|chat| send(chat, SendState::Pending, now));
        let unknown = send(b"4", SendState::Sending, now);
        let turns = line.take_turns(&[open[0], open[1], open[2], unknown], now);
        assert_eq!(turns.now, [open[0], open[1], unknown]);
        let wait = turns.next.unwrap() - now;
        assert!(wait > TimeDelta::zero() && wait <= TimeDelta::seconds(1), "{wait}");
    }

    #[test]
    fn no_more_are_under_way_than_may_be() {
        let (mut line, now) = (line(100, 100, 2), clock::now());
        let open = [b"1", b"2", b"3"].map(|chat| send(chat, SendState::Pending, now));
        assert_eq!(line.take_turns(&open, now).now, open[..2]);
        line.done(open[1].chat);
        assert_eq!(line.take_turns(&[open[0], open[2]], now).now, open[2..]);
    }

    #[test]
    fn waits_double_until_they_are_given_up() {
        let waits: Vec<_> = (1..20).map_while(|attempts| wait_after(attempts, Duration::from_mins(2))).collect();
        assert_eq!(waits.iter().map(Duration::as_secs).collect::<Vec<_>>(), [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(wait_after(1, Duration::ZERO), None);
    }
}
