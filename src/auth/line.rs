//! Logins whose passwords are being checked, or wait for it.
//!
//! Each takes a core for some 20 ms and 19 MiB. They take turns in the order in which they came; a person and a network have
//! few places each, so that nobody fills the line alone. Full means that one more is refused at once, and told to come back.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::limits::{Candidate, Key};

/// Passwords checked at once.
const AT_ONCE: usize = 2;
/// Places of one person.
const OF_A_PERSON: usize = 3;
/// Places of one network: an office signs in all at once in the morning.
const OF_A_NETWORK: usize = 32;
/// Places of all.
const OF_ALL: usize = 128;

/// The line.
#[derive(Debug)]
pub(super) struct Line {
    turns: Semaphore,
    taken: Mutex<HashMap<Key, usize>>,
}

/// There is no place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// A place in the line; given back when dropped.
#[derive(Debug)]
pub(super) struct Place<'l> {
    line: &'l Line,
    keys: [Key; 2],
}

impl Line {
    pub(super) fn new() -> Self {
        Self { turns: Semaphore::new(AT_ONCE), taken: Mutex::default() }
    }

    /// A place for one more.
    pub(super) fn enter(&self, candidate: Candidate) -> Result<Place<'_>, Full> {
        let mut taken = self.taken();
        let keys = [candidate.person, candidate.network];
        let places = |key: &Key| taken.get(key).copied().unwrap_or(0);
        // Each place stands under two keys.
        let all = taken.values().sum::<usize>() / 2;
        if places(&keys[0]) >= OF_A_PERSON || places(&keys[1]) >= OF_A_NETWORK || all >= OF_ALL {
            return Err(Full);
        }
        for key in keys {
            *taken.entry(key).or_default() += 1;
        }
        Ok(Place { line: self, keys })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<Key, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// Waits until it is this one's turn; `None` if there are no turns any more.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.line.turns.acquire().await.ok()
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut taken = self.line.taken();
        for key in self.keys {
            if let Some(places) = taken.get_mut(&key) {
                *places -= 1;
                if *places == 0 {
                    taken.remove(&key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(person: usize, network: usize) -> Candidate {
        let address = format!("10.0.{}.{}", network / 250, network % 250);
        Candidate::new(&person.to_string(), Some(address.parse().unwrap()), None)
    }

    #[test]
    fn one_person_takes_no_more_than_a_few_places_and_leaves_the_others_theirs() {
        let line = Line::new();
        let mut places: Vec<_> = (0..OF_A_PERSON).map(|n| line.enter(candidate(1, n)).unwrap()).collect();
        assert_eq!(line.enter(candidate(1, 99)).unwrap_err(), Full);
        assert!(line.enter(candidate(2, 0)).is_ok());
        places.pop();
        assert!(line.enter(candidate(1, 99)).is_ok(), "a place that was left is free again");
        drop(places);
        assert!(line.taken().is_empty());
    }

    #[test]
    fn a_network_and_all_together_have_an_end() {
        let line = Line::new();
        let _of_one: Vec<_> = (0..OF_A_NETWORK).map(|n| line.enter(candidate(n, 0)).unwrap()).collect();
        assert_eq!(line.enter(candidate(500, 0)).unwrap_err(), Full);
        let _others: Vec<_> = (OF_A_NETWORK..OF_ALL).map(|n| line.enter(candidate(n, n)).unwrap()).collect();
        assert_eq!(line.enter(candidate(500, 500)).unwrap_err(), Full);
    }
}
