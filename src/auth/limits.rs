//! How often a login may fail before one has to wait, for each address and for each user.
//!
//! Only failures count, so an office behind one address may sign in all at once. Each key holds one moment: the time
//! up to which its failures are paid for (the "virtual scheduling" form of a leaky bucket). `governor` is not used
//! here because its limiters can't be asked without being charged.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Keys remembered at once, some 5 MB. Beyond it, further keys share one allowance until others are forgotten.
const MAX_KEYS: usize = 50_000;
/// The allowance is counted over this time.
const WINDOW: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Address(IpAddr),
    User([u8; 32]),
    Overflow,
}

/// Counts failed logins.
#[derive(Debug)]
pub struct LoginLimits {
    per_window: u32,
    paid_until: Mutex<HashMap<Key, Instant>>,
}

impl LoginLimits {
    /// So many failures a minute, at least one.
    #[must_use]
    pub fn new(per_minute: u32) -> Self {
        Self { per_window: per_minute.max(1), paid_until: Mutex::default() }
    }

    /// How long a login from this address for this e-mail address has to wait, if at all.
    #[must_use]
    pub fn wait(&self, email: &str, address: Option<IpAddr>, now: Instant) -> Option<Duration> {
        let table = self.paid_until.lock().unwrap_or_else(PoisonError::into_inner);
        let full = table.len() >= MAX_KEYS;
        let wait = keys(email, address)
            .filter_map(|key| table.get(&key).or_else(|| table.get(&Key::Overflow).filter(|_| full)))
            .map(|paid_until| (*paid_until + self.cost()).saturating_duration_since(now + WINDOW))
            .max()?;
        (!wait.is_zero()).then_some(wait)
    }

    /// Counts a failure.
    pub fn failed(&self, email: &str, address: Option<IpAddr>, now: Instant) {
        let mut table = self.paid_until.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys(email, address) {
            if table.len() >= MAX_KEYS && !table.contains_key(&key) {
                table.retain(|_, paid_until| *paid_until > now);
                table.shrink_to(MAX_KEYS / 4);
            }
            let full = table.len() >= MAX_KEYS && !table.contains_key(&key);
            let paid_until = table.entry(if full { Key::Overflow } else { key }).or_insert(now);
            *paid_until = (*paid_until).max(now) + self.cost();
        }
    }

    fn cost(&self) -> Duration {
        WINDOW / self.per_window
    }
}

/// An IPv6 network of 64 bits belongs to one party, so it counts as one address.
fn keys(email: &str, address: Option<IpAddr>) -> impl Iterator<Item = Key> {
    let address = address.map(|address| match address.to_canonical() {
        IpAddr::V6(v6) => {
            let network = u128::from(v6) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(network))
        }
        v4 @ IpAddr::V4(_) => v4,
    });
    // A hash, so that a made-up address of any length costs no more.
    let user = Key::User(super::keys::hash(&email.to_lowercase()));
    address.map(Key::Address).into_iter().chain([user])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "as the limits take it")]
    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn after_so_many_failures_a_user_and_an_address_wait() {
        let mut now = Instant::now();
        let limits = LoginLimits::new(3);
        for _ in 0..3 {
            assert_eq!(limits.wait("Ada@example.com", address("192.0.2.1"), now), None);
            limits.failed("ada@example.com", address("192.0.2.1"), now);
        }
        assert!(limits.wait("ada@EXAMPLE.com", address("192.0.2.9"), now).is_some(), "the user waits everywhere");
        assert!(limits.wait("bob@example.com", address("192.0.2.1"), now).is_some(), "the address waits for everybody");
        assert_eq!(limits.wait("bob@example.com", address("192.0.2.9"), now), None);

        let wait = limits.wait("ada@example.com", None, now).unwrap();
        assert!(wait <= Duration::from_secs(20));
        now += wait;
        assert_eq!(limits.wait("ada@example.com", None, now), None);
        limits.failed("ada@example.com", None, now);
        assert!(limits.wait("ada@example.com", None, now).is_some());
    }

    #[test]
    fn neighbours_in_one_ipv6_network_count_as_one() {
        let now = Instant::now();
        let limits = LoginLimits::new(1);
        limits.failed("a", address("2001:db8::1"), now);
        assert!(limits.wait("b", address("2001:db8::ffff"), now).is_some());
        assert!(limits.wait("b", address("2001:db8:0:1::1"), now).is_none());
        limits.failed("a", address("::ffff:192.0.2.1"), now);
        assert!(limits.wait("b", address("192.0.2.1"), now).is_some(), "a mapped address is the IPv4 address");
    }

    #[test]
    fn made_up_keys_cannot_fill_the_memory_and_are_forgotten_in_time() {
        let mut now = Instant::now();
        let limits = LoginLimits::new(2);
        for n in 0..MAX_KEYS + 10 {
            limits.failed(&n.to_string(), None, now);
        }
        assert!(limits.paid_until.lock().unwrap().len() <= MAX_KEYS + 1);
        assert!(limits.wait("somebody new", None, now).is_some(), "what does not fit shares one allowance");
        now += WINDOW * 10;
        limits.failed("one more", None, now);
        assert_eq!(limits.paid_until.lock().unwrap().len(), 1);
    }
}
