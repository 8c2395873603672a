//! Whose turn it is: accounts go round, each with so many at once and so many requests an hour. Plain state.

use std::{
    collections::{HashMap, VecDeque},
    time::Instant,
};

use crate::{config::Prospecting, domain::AccountId};

/// One account's prospects under way. There are as many lines as accounts for which something was enriched.
struct Line {
    under_way: usize,
    /// Its next is being claimed.
    claiming: bool,
    /// Requests to websites that are left; below zero: it was more than there were.
    left: f64,
    at: Instant,
}

/// All accounts. Bounded by their number.
pub(super) struct Turns {
    at_once: usize,
    per_account: usize,
    per_hour: f64,
    under_way: usize,
    lines: HashMap<AccountId, Line>,
    /// Those for which something may be to be done, in the order of their turns; each once.
    waiting: VecDeque<AccountId>,
}

impl Turns {
    pub fn new(settings: &Prospecting) -> Self {
        Self {
            at_once: settings.at_once,
            per_account: settings.at_once_per_account,
            per_hour: f64::from(settings.calls_per_hour),
            under_way: 0,
            lines: HashMap::new(),
            waiting: VecDeque::new(),
        }
    }

    /// There is something to be done for these.
    pub fn due(&mut self, accounts: impl IntoIterator<Item = AccountId>) {
        for account in accounts {
            if !self.waiting.contains(&account) {
                self.waiting.push_back(account);
            }
        }
    }

    /// The account that is next to claim one, if there is room. It is under way from now on.
    pub fn next(&mut self, now: Instant) -> Option<AccountId> {
        if self.under_way >= self.at_once {
            return None;
        }
        for _ in 0..self.waiting.len() {
            let account = self.waiting.pop_front()?;
            let (per_account, per_hour) = (self.per_account, self.per_hour);
            let line = self.lines.entry(account).or_insert_with(|| Line::new(per_hour, now));
            if line.claiming || line.under_way >= per_account {
                self.waiting.push_back(account);
            } else if line.may_call(per_hour, now) {
                (line.under_way, line.claiming) = (line.under_way + 1, true);
                self.under_way += 1;
                return Some(account);
            }
            // One without requests left is found again by the sweep.
        }
        None
    }

    /// It has claimed one, and there may be more.
    pub fn claimed(&mut self, account: AccountId) {
        if let Some(line) = self.lines.get_mut(&account) {
            line.claiming = false;
        }
        self.due([account]);
    }

    /// There was nothing to claim.
    pub fn drained(&mut self, account: AccountId) {
        if let Some(line) = self.lines.get_mut(&account) {
            line.claiming = false;
            line.under_way = line.under_way.saturating_sub(1);
            self.under_way = self.under_way.saturating_sub(1);
        }
    }

    /// One is over, after so many requests.
    pub fn done(&mut self, account: AccountId, calls: u32) {
        if let Some(line) = self.lines.get_mut(&account) {
            line.left -= f64::from(calls);
            line.under_way = line.under_way.saturating_sub(1);
            self.under_way = self.under_way.saturating_sub(1);
        }
    }
}

impl Line {
    fn new(per_hour: f64, now: Instant) -> Self {
        Self { under_way: 0, claiming: false, left: per_hour, at: now }
    }

    /// Whether there are requests left for one more, as far as those under way have told.
    fn may_call(&mut self, per_hour: f64, now: Instant) -> bool {
        let hours = now.saturating_duration_since(self.at).as_secs_f64() / 3600.0;
        (self.left, self.at) = ((self.left + hours * per_hour).min(per_hour), now);
        self.left >= f64::from(Prospecting::CALLS_EACH)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::Settings;

    fn turns(at_once: usize, at_once_per_account: usize, calls_per_hour: u32) -> Turns {
        let settings = Settings::parse("").unwrap().prospecting;
        Turns::new(&Prospecting { at_once, at_once_per_account, calls_per_hour, ..settings })
    }

    fn account(number: u8) -> AccountId {
        AccountId::derive(&[&[number]])
    }

    #[test]
    fn one_with_much_to_do_never_keeps_another_waiting() {
        let (mut turns, now) = (turns(4, 3, 1000), Instant::now());
        turns.due([account(1)]);
        for _ in 0..3 {
            assert_eq!(turns.next(now), Some(account(1)));
            assert_eq!(turns.next(now), None, "one claim of an account at a time");
            turns.claimed(account(1));
        }
        assert_eq!(turns.next(now), None, "it has as many as it may");
        turns.due([account(2), account(1)]);
        assert_eq!(turns.next(now), Some(account(2)), "there is room for others");
        turns.claimed(account(2));
        turns.done(account(1), 5);
        assert_eq!(turns.next(now), Some(account(1)));
        turns.claimed(account(1));
        turns.done(account(1), 5);
        assert_eq!(turns.next(now), Some(account(2)), "they take turns");
        turns.drained(account(2));
        assert_eq!(turns.next(now), Some(account(1)));
    }

    #[test]
    fn whoever_has_made_its_requests_waits_until_the_hour_gives_more() {
        let (mut turns, now) = (turns(4, 3, 20), Instant::now());
        turns.due([account(1), account(2)]);
        assert_eq!(turns.next(now), Some(account(1)));
        turns.claimed(account(1));
        turns.done(account(1), 25);
        assert_eq!(turns.next(now), Some(account(2)));
        turns.drained(account(2));
        assert_eq!(turns.next(now), None);
        turns.due([account(1)]);
        assert_eq!(turns.next(now + Duration::from_mins(40)), None);
        turns.due([account(1)]);
        assert_eq!(turns.next(now + Duration::from_mins(46)), Some(account(1)));
    }
}
