//! What is to be stored, by account: who waits, whose turn it is, and what has to wait for another try. Plain state; no clock.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::{Duration, Instant},
};

use super::{FIRST_BACKOFF, Store};
use crate::domain::{AccountId, EventId};

/// Rows of one account that go in a row while others wait.
const TURN: usize = 50;

/// A row that waits.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub row: Store,
    /// How often the store has refused it alone, without a fault that is told to be its own.
    pub tries: u32,
    /// How many rows had been stored when it was refused first.
    pub since: u64,
}

/// An account's rows, in order.
#[derive(Default)]
struct Rows {
    waiting: VecDeque<Waiting>,
    /// Something of the account is locked: its rows wait until then, each time twice as long.
    until: Option<(Instant, Duration)>,
}

/// All that is held.
pub(super) struct Queue {
    accounts: HashMap<AccountId, Rows>,
    /// Accounts with rows, the next one first.
    turns: VecDeque<AccountId>,
    /// Rows of all accounts.
    waiting: usize,
    /// Accounts that were put off, until something of them is stored.
    locked: HashSet<AccountId>,
    /// Single rows that wait for another try.
    later: Vec<(Instant, Waiting)>,
    /// Everything that waits or is being written.
    held: HashSet<EventId>,
    capacity: usize,
    /// The longest wait for another try.
    longest: Duration,
}

impl Queue {
    pub(super) fn new(capacity: usize, longest: Duration) -> Self {
        Self {
            accounts: HashMap::new(),
            turns: VecDeque::new(),
            waiting: 0,
            locked: HashSet::new(),
            later: Vec::new(),
            held: HashSet::new(),
            capacity,
            longest,
        }
    }

    /// Takes a row in; `false` if there is no room. An account with fewer rows than another takes the place of that one's
    /// newest, which stays in the inbox.
    pub(super) fn take(&mut self, row: Store) -> bool {
        if self.held.contains(&row.event) {
            return true;
        }
        let has_room = self.held.len() < self.capacity || self.make_room(row.account);
        if has_room {
            self.held.insert(row.event);
            self.push_back(Waiting { row, tries: 0, since: 0 });
        }
        has_room
    }

    fn make_room(&mut self, account: AccountId) -> bool {
        let own = self.accounts.get(&account).map_or(0, |rows| rows.waiting.len());
        if own * self.accounts.len() >= self.capacity {
            return false;
        }
        let Some(most) = self.accounts.values_mut().max_by_key(|rows| rows.waiting.len()) else { return false };
        if most.waiting.len() <= own + 1 {
            return false;
        }
        self.waiting -= 1;
        most.waiting.pop_back().is_some_and(|newest| self.held.remove(&newest.row.event))
    }

    fn push_back(&mut self, waiting: Waiting) {
        let account = waiting.row.account;
        let rows = self.accounts.entry(account).or_default();
        if rows.waiting.is_empty() {
            self.turns.push_back(account);
        }
        rows.waiting.push_back(waiting);
        self.waiting += 1;
    }

    /// Back to the front of their accounts, in their order.
    pub(super) fn put_back(&mut self, batch: Vec<Waiting>) {
        for waiting in batch.into_iter().rev() {
            let account = waiting.row.account;
            let rows = self.accounts.entry(account).or_default();
            if rows.waiting.is_empty() {
                self.turns.push_front(account);
            }
            rows.waiting.push_front(waiting);
            self.waiting += 1;
        }
    }

    /// These rows of one account wait, and the account's other rows behind them.
    pub(super) fn put_off_account(&mut self, batch: Vec<Waiting>, now: Instant) {
        let Some(account) = batch.first().map(|first| first.row.account) else { return };
        self.put_back(batch);
        let longest = self.longest;
        let rows = self.accounts.entry(account).or_default();
        let wait = rows.until.map_or(FIRST_BACKOFF, |(_, wait)| (wait * 2).min(longest));
        rows.until = Some((now + wait, wait));
        self.locked.insert(account);
    }

    /// This row waits on its own. `stored`: how many rows had been stored before it was tried.
    pub(super) fn put_off(&mut self, mut waiting: Waiting, stored: u64, now: Instant) {
        if waiting.tries == 0 {
            waiting.since = stored;
        }
        let wait = FIRST_BACKOFF.saturating_mul(1 << waiting.tries.min(16)).min(self.longest);
        waiting.tries += 1;
        self.later.push((now + wait, waiting));
    }

    /// The next rows, of one account after the other. An account that was locked comes alone: its wait must not be others'.
    pub(super) fn batch(&mut self, most: usize, now: Instant) -> Vec<Waiting> {
        let due = self.later.extract_if(.., |(at, _)| *at <= now).map(|(_, waiting)| waiting);
        for waiting in due.collect::<Vec<_>>() {
            self.push_back(waiting);
        }
        let (mut batch, mut passed_over) = (Vec::new(), 0);
        while batch.len() < most && passed_over < self.turns.len() {
            let Some(account) = self.turns.pop_front() else { break };
            let Some(rows) = self.accounts.get_mut(&account) else { continue };
            let was_locked = rows.until.is_some();
            if rows.until.is_some_and(|(until, _)| until > now) || was_locked && !batch.is_empty() {
                self.turns.push_back(account);
                passed_over += 1;
                continue;
            }
            let share = TURN.min(most - batch.len()).min(rows.waiting.len());
            batch.extend(rows.waiting.drain(..share));
            self.waiting -= share;
            passed_over = 0;
            if !rows.waiting.is_empty() {
                self.turns.push_back(account);
            }
            if was_locked {
                break;
            }
        }
        batch
    }

    /// Stored, or parked: it is held no more, and its account is not locked.
    pub(super) fn release(&mut self, row: &Store) {
        self.held.remove(&row.event);
        self.locked.remove(&row.account);
        if let Some(rows) = self.accounts.get_mut(&row.account) {
            rows.until = None;
            if rows.waiting.is_empty() {
                self.accounts.remove(&row.account);
            }
        }
    }

    /// Rows whose turn may come by now.
    pub(super) fn ready(&self, now: Instant) -> usize {
        let put_off = self.locked_rows().filter(|(until, _)| *until > now).map(|(_, rows)| rows).sum::<usize>();
        self.waiting - put_off + self.later.iter().filter(|(at, _)| *at <= now).count()
    }

    /// When the next of what was put off is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let locked = self.locked_rows().filter(|(_, rows)| *rows > 0).map(|(until, _)| until);
        locked.chain(self.later.iter().map(|(at, _)| *at)).min()
    }

    /// Until when accounts are put off, and how many rows of theirs wait.
    fn locked_rows(&self) -> impl Iterator<Item = (Instant, usize)> {
        let rows = self.locked.iter().filter_map(|account| self.accounts.get(account));
        rows.filter_map(|rows| Some((rows.until?.0, rows.waiting.len())))
    }

    /// Half of it is free.
    pub(super) fn has_much_room(&self) -> bool {
        self.held.len() * 2 <= self.capacity
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::persistence::Keep;

    fn row(account: AccountId) -> Store {
        Store { account, event: EventId::generate(), what: Keep::Nothing }
    }

    fn of(batch: &[Waiting], account: AccountId) -> usize {
        batch.iter().filter(|waiting| waiting.row.account == account).count()
    }

    #[test]
    fn a_message_of_one_account_waits_for_no_backlog_of_another() {
        let (large, small, now) = (AccountId::generate(), AccountId::generate(), Instant::now());
        let mut queue = Queue::new(1000, Duration::from_secs(15));
        let taken = (0..5000).filter(|_| queue.take(row(large))).count();
        assert_eq!(taken, 1000);
        assert!(queue.take(row(small)), "it takes the place of the newest of the other");
        assert!(!queue.take(row(large)));
        let batch = queue.batch(200, now);
        assert_eq!((batch.len(), of(&batch, small)), (200, 1));
        assert_eq!(batch.iter().position(|waiting| waiting.row.account == small), Some(TURN), "a turn of each");
    }

    #[test]
    fn rows_of_an_account_stay_in_order_whatever_is_put_back() {
        let (account, now) = (AccountId::generate(), Instant::now());
        let mut queue = Queue::new(100, Duration::from_secs(15));
        let rows: Vec<Store> = (0..10).map(|_| row(account)).collect();
        for row in &rows {
            assert!(queue.take(row.clone()) && queue.take(row.clone()));
        }
        let batch = queue.batch(4, now);
        queue.put_back(batch);
        let batch = queue.batch(100, now);
        let order = |batch: &[Waiting]| batch.iter().map(|waiting| waiting.row.event).collect::<Vec<_>>();
        assert_eq!(order(&batch), rows.iter().map(|row| row.event).collect::<Vec<_>>());
    }

    #[test]
    fn an_account_that_is_locked_waits_and_then_comes_alone() {
        let (locked, free, now) = (AccountId::generate(), AccountId::generate(), Instant::now());
        let mut queue = Queue::new(100, Duration::from_millis(300));
        assert!(queue.take(row(locked)) && queue.take(row(locked)) && queue.take(row(free)));
        let (stuck, other): (Vec<_>, Vec<_>) =
            queue.batch(100, now).into_iter().partition(|waiting| waiting.row.account == locked);
        queue.release(&other[0].row);
        queue.put_off_account(stuck, now);
        assert!(queue.take(row(free)));
        assert_eq!((queue.ready(now), queue.next_due()), (1, Some(now + FIRST_BACKOFF)));
        assert_eq!(of(&queue.batch(100, now), free), 1);
        assert!(queue.take(row(free)));
        let due = now + FIRST_BACKOFF;
        let batches = [queue.batch(100, due), queue.batch(100, due)];
        assert_eq!([of(&batches[0], locked), of(&batches[1], locked)].iter().sum::<usize>(), 2);
        assert!(batches.iter().all(|batch| of(batch, locked) == 0 || of(batch, free) == 0));
        let stuck = batches.into_iter().find(|batch| of(batch, locked) > 0).unwrap();
        queue.put_off_account(stuck, due);
        assert_eq!(queue.next_due(), Some(due + FIRST_BACKOFF * 2));
        let stuck = queue.batch(100, due + FIRST_BACKOFF * 2);
        for waiting in &stuck {
            queue.release(&waiting.row);
        }
        assert_eq!((queue.next_due(), queue.held.len()), (None, 2), "two of the other are being written");
    }

    #[test]
    fn a_row_that_is_refused_alone_waits_alone() {
        let (account, now) = (AccountId::generate(), Instant::now());
        let mut queue = Queue::new(100, Duration::from_millis(250));
        assert!(queue.take(row(account)) && queue.take(row(account)));
        let mut batch = queue.batch(100, now);
        queue.put_off(batch.remove(0), 7, now);
        assert_eq!(queue.ready(now), 0);
        let again = queue.batch(100, now + FIRST_BACKOFF).remove(0);
        assert_eq!((again.tries, again.since), (1, 7));
        queue.put_off(again, 9, now);
        assert_eq!(queue.next_due(), Some(now + FIRST_BACKOFF * 2));
    }
}
