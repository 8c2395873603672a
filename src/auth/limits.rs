//! How often a login may fail before one has to wait.
//!
//! | counted | may fail | so that |
//! |---|---|---|
//! | a network | `auth.login_attempts` a minute | nobody tries out the passwords of many |
//! | a person, over all networks | [`EVERYWHERE`] times as often | many networks together don't try out theirs |
//! | a device that a person has signed in on | `auth.login_attempts` a minute, and nothing else counts there | nobody else keeps them out |
//!
//! A person in one network needs no count of their own: what fails there fails in that network. Only failures count, so an
//! office behind one address may sign in all at once. Each key holds one moment: the time up to which its failures are paid
//! for (the "virtual scheduling" form of a leaky bucket). `governor` is not used here because its limiters can't be asked
//! without being charged.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::keys::hash;
use crate::http::network_of;

/// Keys remembered at once, some 5 MB. Beyond it, further keys share one allowance until others are forgotten.
const MAX_KEYS: usize = 50_000;
/// The allowance is counted over this time.
const WINDOW: Duration = Duration::from_mins(1);
/// So many times as often as from one network the logins of a person may fail from all together.
const EVERYWHERE: u32 = 20;

/// Whose logins have to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crowd {
    /// All that come from a network.
    Network,
    /// All of a person, but for devices that they have signed in on.
    Person,
    /// Those on one such device.
    Device,
    /// So many are being checked or wait for it that one more would keep the others waiting.
    UnderWay,
}

/// A made-up address or id of any length costs no more than another: hashes stand for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Network(IpAddr),
    Person([u8; 32]),
    Device([u8; 32]),
    Overflow,
}

impl Key {
    const fn crowd(self) -> Crowd {
        match self {
            Self::Network(_) | Self::Overflow => Crowd::Network,
            Self::Person(_) => Crowd::Person,
            Self::Device(_) => Crowd::Device,
        }
    }
}

/// Who tries to sign in, where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub network: Key,
    pub person: Key,
    /// On which the person has signed in before.
    device: Option<Key>,
}

impl Candidate {
    pub(super) fn new(email: &str, address: Option<IpAddr>, device: Option<&str>) -> Self {
        let address = address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        Self {
            network: Key::Network(network_of(address)),
            person: Key::Person(hash(&email.to_lowercase())),
            device: device.map(|id| Key::Device(hash(id))),
        }
    }

    fn keys(self) -> impl Iterator<Item = Key> {
        let others = self.device.is_none().then_some([self.network, self.person]);
        self.device.into_iter().chain(others.into_iter().flatten())
    }
}

/// Counts failed logins.
#[derive(Debug)]
pub(super) struct LoginLimits {
    per_window: u32,
    paid_until: Mutex<HashMap<Key, Instant>>,
}

impl LoginLimits {
    /// So many failures a minute from one network, at least one.
    #[must_use]
    pub fn new(per_minute: u32) -> Self {
        Self { per_window: per_minute.max(1), paid_until: Mutex::default() }
    }

    /// How long a login has to wait, if at all, and whose logins do.
    #[must_use]
    pub fn wait(&self, candidate: Candidate, now: Instant) -> Option<(Duration, Crowd)> {
        let table = self.paid_until.lock().unwrap_or_else(PoisonError::into_inner);
        let full = table.len() >= MAX_KEYS;
        let waits = candidate.keys().filter_map(|key| {
            let own = table.get(&key).map(|paid_until| (key, paid_until));
            let shared = || table.get(&Key::Overflow).filter(|_| full).map(|paid_until| (Key::Overflow, paid_until));
            let (key, paid_until) = own.or_else(shared)?;
            Some((self.left(key, *paid_until, now)?, key.crowd()))
        });
        waits.max_by_key(|(wait, _)| *wait)
    }

    /// Counts a failure.
    pub fn failed(&self, candidate: Candidate, now: Instant) {
        let mut table = self.paid_until.lock().unwrap_or_else(PoisonError::into_inner);
        for key in candidate.keys() {
            if table.len() >= MAX_KEYS && !table.contains_key(&key) {
                table.retain(|_, paid_until| *paid_until > now);
                table.shrink_to(MAX_KEYS / 4);
            }
            let full = table.len() >= MAX_KEYS && !table.contains_key(&key);
            let key = if full { Key::Overflow } else { key };
            let paid_until = table.entry(key).or_insert(now);
            *paid_until = (*paid_until).max(now) + self.cost(key);
        }
    }

    fn left(&self, key: Key, paid_until: Instant, now: Instant) -> Option<Duration> {
        let wait = (paid_until + self.cost(key)).saturating_duration_since(now + WINDOW);
        (!wait.is_zero()).then_some(wait)
    }

    fn cost(&self, key: Key) -> Duration {
        match key {
            Key::Person(_) => WINDOW / self.per_window.saturating_mul(EVERYWHERE),
            _ => WINDOW / self.per_window,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(email: &str, address: &str) -> Candidate {
        Candidate::new(email, Some(address.parse().unwrap()), None)
    }

    #[test]
    fn after_so_many_failures_a_network_waits_and_the_person_elsewhere_does_not() {
        let mut now = Instant::now();
        let limits = LoginLimits::new(3);
        for _ in 0..3 {
            assert_eq!(limits.wait(at("Ada@example.com", "192.0.2.1"), now), None);
            limits.failed(at("ada@example.com", "192.0.2.1"), now);
        }
        assert!(limits.wait(at("bob@example.com", "192.0.2.1"), now).is_some(), "the network waits for everybody");
        assert_eq!(limits.wait(at("ada@example.com", "192.0.2.9"), now), None, "the person goes elsewhere");

        let (wait, crowd) = limits.wait(at("ada@example.com", "192.0.2.1"), now).unwrap();
        assert!(wait <= Duration::from_secs(20) && crowd == Crowd::Network);
        now += wait;
        assert_eq!(limits.wait(at("ada@example.com", "192.0.2.1"), now), None);
        limits.failed(at("ada@example.com", "192.0.2.1"), now);
        assert!(limits.wait(at("ada@example.com", "192.0.2.1"), now).is_some());
    }

    #[test]
    fn many_networks_together_make_a_person_wait_but_not_where_they_were_in_before() {
        let (now, limits) = (Instant::now(), LoginLimits::new(3));
        for network in 0..3 * EVERYWHERE {
            let address = format!("10.0.{}.{}", network / 250, network % 250);
            assert_eq!(limits.wait(at("ADA@example.com", &address), now), None, "{network}");
            limits.failed(at("ada@example.com", &address), now);
        }
        let (_, crowd) = limits.wait(at("ada@EXAMPLE.com", "192.0.2.9"), now).unwrap();
        assert_eq!(crowd, Crowd::Person);
        let known = Candidate::new("ada@example.com", Some("10.0.0.1".parse().unwrap()), Some("laptop"));
        assert_eq!(limits.wait(known, now), None);
        for _ in 0..3 {
            limits.failed(known, now);
        }
        assert_eq!(limits.wait(known, now).unwrap().1, Crowd::Device, "what was stolen tries out no more than others");
    }

    #[test]
    fn neighbours_in_one_ipv6_network_count_as_one() {
        let now = Instant::now();
        let limits = LoginLimits::new(1);
        limits.failed(at("a", "2001:db8::1"), now);
        assert!(limits.wait(at("b", "2001:db8::ffff"), now).is_some());
        assert!(limits.wait(at("b", "2001:db8:0:1::1"), now).is_none());
        limits.failed(at("a", "::ffff:192.0.2.1"), now);
        assert!(limits.wait(at("b", "192.0.2.1"), now).is_some(), "a mapped address is the IPv4 address");
    }

    #[test]
    fn made_up_keys_cannot_fill_the_memory_and_are_forgotten_in_time() {
        let mut now = Instant::now();
        let limits = LoginLimits::new(2);
        for n in 0..MAX_KEYS + 10 {
            limits.failed(at(&n.to_string(), "192.0.2.1"), now);
        }
        assert!(limits.paid_until.lock().unwrap().len() <= MAX_KEYS + 1);
        assert!(limits.wait(at("somebody new", "192.0.2.9"), now).is_some(), "what does not fit shares one allowance");
        // The one network has failed so often that it waits for days.
        now += WINDOW * u32::try_from(MAX_KEYS).unwrap();
        limits.failed(at("one more", "192.0.2.9"), now);
        assert_eq!(limits.paid_until.lock().unwrap().len(), 2);
    }
}
