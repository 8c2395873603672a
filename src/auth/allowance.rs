//! Which sign-ins get a record of their own, so that nobody fills the table or the log by trying.
//!
//! For each network and agency some a minute do, for each agency some more in all; what is beyond is counted and becomes one
//! record when the minute is over. The map holds no more than what got records, and so many sums.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use crate::domain::{AgencyId, UserId, audit::Action};

/// Records a minute for one key.
const EACH: u32 = 5;
/// Failures with a record of their own a minute in one agency; those of nobody's agency count as one.
const AN_AGENCY: u32 = 60;
/// Sums kept apart by network; beyond it an agency's are one.
const SUMS: usize = 100;
/// What is counted over.
const WINDOW: Duration = Duration::from_mins(1);

/// What is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub action: Action,
    pub agency: Option<AgencyId>,
    /// Who got in; a failure is counted whomever it names.
    pub user: Option<UserId>,
    pub network: Option<IpAddr>,
}

/// What was spent in this minute, and what is beyond it.
#[derive(Debug, Default)]
pub(super) struct Allowance {
    began: Option<Instant>,
    spent: HashMap<Key, u32>,
    failures: HashMap<Option<AgencyId>, u32>,
    beyond: HashMap<Key, u64>,
    over: Vec<(Key, u64)>,
}

impl Allowance {
    /// Whether this one gets a record of its own; else it is counted.
    pub fn take(&mut self, key: Key, now: Instant) -> bool {
        self.turn(now);
        let failures = self.failures.entry(key.agency).or_default();
        let spent = self.spent.get(&key).copied().unwrap_or_default();
        if spent < EACH && (key.user.is_some() || *failures < AN_AGENCY) {
            *failures += u32::from(key.user.is_none());
            self.spent.insert(key, spent + 1);
            return true;
        }
        let apart = self.beyond.contains_key(&key) || self.beyond.len() < SUMS;
        *self.beyond.entry(if apart { key } else { Key { network: None, ..key } }).or_default() += 1;
        false
    }

    /// What was beyond in minutes that are over, each once.
    pub fn over(&mut self, now: Instant) -> Vec<(Key, u64)> {
        self.turn(now);
        std::mem::take(&mut self.over)
    }

    fn turn(&mut self, now: Instant) {
        if self.began.is_some_and(|began| now.saturating_duration_since(began) < WINDOW) {
            return;
        }
        self.began = Some(now);
        self.spent.clear();
        self.failures.clear();
        self.over.extend(self.beyond.drain());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(agency: Option<AgencyId>, last: u32) -> Key {
        let network = Some(IpAddr::from(last.to_be_bytes()));
        Key { action: Action::LoginFailed, agency, user: None, network }
    }

    #[test]
    fn a_network_gets_some_records_a_minute_and_the_rest_is_one_with_its_count() {
        let (mut allowance, start) = (Allowance::default(), Instant::now());
        let got = (0..1_000).filter(|_| allowance.take(failed(None, 1), start)).count();
        assert_eq!(got, 5);
        assert!(allowance.take(failed(None, 2), start), "another network has its own");
        assert!(allowance.over(start + Duration::from_secs(59)).is_empty());
        let later = start + Duration::from_mins(1);
        assert_eq!(allowance.over(later), [(failed(None, 1), 995)]);
        assert!(allowance.over(later).is_empty(), "each once");
        assert!(allowance.take(failed(None, 1), later));
    }

    #[test]
    fn many_networks_together_get_no_more_than_their_agencys_share() {
        let (mut allowance, now) = (Allowance::default(), Instant::now());
        let victim = Some(AgencyId::generate());
        let got = (0..100_000).filter(|number| allowance.take(failed(victim, *number), now)).count();
        assert_eq!(got, 60);
        assert!(allowance.take(failed(Some(AgencyId::generate()), 1), now), "another agency's records go on");
        assert!(allowance.spent.len() <= 61 && allowance.beyond.len() <= SUMS + 1);
        let sums = allowance.over(now + WINDOW);
        assert_eq!(sums.iter().map(|(_, count)| count).sum::<u64>(), 100_000 - 60);
    }

    #[test]
    fn an_office_that_signs_in_at_once_has_a_record_for_each() {
        let (mut allowance, now) = (Allowance::default(), Instant::now());
        let agency = Some(AgencyId::generate());
        let person = || Key { action: Action::LoginSucceeded, user: Some(UserId::generate()), ..failed(agency, 1) };
        assert!((0..200).all(|_| allowance.take(person(), now)));
    }
}
