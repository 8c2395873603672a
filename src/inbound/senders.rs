//! What is known of the networks that webhooks come from: which has proven itself lately, and which fails too often.
//!
//! Only failures are charged, and who shows a right secret is let in all the same: many platforms and everybody else may come
//! through one proxy. `governor` can't be asked without being charged, so this is its own leaky bucket: one moment a network,
//! up to which its failures are paid for.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError, RwLock},
    time::{Duration, Instant},
};

use super::intake::SMALL;

/// Failures are counted over this time.
const WINDOW: Duration = Duration::from_mins(1);
/// A network that has proven itself is known for so long.
const LATELY: Duration = Duration::from_hours(24);
/// So long the proof before is as good as the next: noting it would be for nothing.
const FRESH: Duration = Duration::from_mins(1);
/// Networks remembered at once; beyond it the one that was silent for longest is forgotten.
const MOST_PROVEN: usize = 4096;
/// Networks remembered at once, some 3 MB. Beyond it, further ones share one allowance until others are forgotten.
const MOST_FAILING: usize = 50_000;
/// Those that are paid for are looked for no more often than this: whoever has many addresses must not make it dear.
const SWEPT_EVERY: Duration = Duration::from_secs(1);

type Network = Option<IpAddr>;

pub(super) struct Senders {
    /// What a failure costs of a [`WINDOW`].
    cost: Duration,
    proven: RwLock<HashMap<Network, Instant>>,
    failing: Mutex<Failing>,
}

#[derive(Default)]
struct Failing {
    /// What is shared stands under `None`.
    paid_until: HashMap<Network, Instant>,
    swept: Option<Instant>,
}

impl Senders {
    /// So many failures a minute, at least one.
    pub fn new(failures_per_minute: u32) -> Self {
        let cost = WINDOW / failures_per_minute.max(1);
        Self { cost, proven: RwLock::default(), failing: Mutex::default() }
    }

    /// A webhook of this network was authentic.
    pub fn proved(&self, network: Network, now: Instant) {
        let noted = self.proven.read().unwrap_or_else(PoisonError::into_inner).get(&network).copied();
        if noted.is_some_and(|at| now.saturating_duration_since(at) < FRESH) {
            return;
        }
        let mut proven = self.proven.write().unwrap_or_else(PoisonError::into_inner);
        if proven.len() >= MOST_PROVEN
            && !proven.contains_key(&network)
            && let Some(oldest) = proven.iter().min_by_key(|(_, at)| **at).map(|(network, _)| *network)
        {
            proven.remove(&oldest);
        }
        proven.insert(network, now);
    }

    /// Whether an authentic webhook came from it lately.
    pub fn has_proven(&self, network: Network, now: Instant) -> bool {
        let proven = self.proven.read().unwrap_or_else(PoisonError::into_inner);
        proven.get(&network).is_some_and(|at| now.saturating_duration_since(*at) < LATELY)
    }

    /// Counts a failure, for more the more bytes were verified in vain; how long to wait, if there were too many.
    pub fn failed(&self, network: Network, bytes: usize, now: Instant) -> Option<Duration> {
        let cost = self.cost * u32::try_from(1 + bytes / SMALL).unwrap_or(u32::MAX);
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let Failing { paid_until: table, swept } = &mut *failing;
        if table.len() >= MOST_FAILING
            && !table.contains_key(&network)
            && swept.is_none_or(|swept| now.saturating_duration_since(swept) >= SWEPT_EVERY)
        {
            *swept = Some(now);
            table.retain(|_, paid_until| *paid_until > now);
            table.shrink_to(MOST_FAILING / 4);
        }
        let is_new = table.len() >= MOST_FAILING && !table.contains_key(&network);
        let paid_until = table.entry(if is_new { None } else { network }).or_insert(now);
        // Never more than a window beyond the allowance, so that the wait has an end.
        *paid_until = ((*paid_until).max(now) + cost).min(now + 2 * WINDOW);
        over(*paid_until, now)
    }

    /// How long this network has to wait, if it has failed too often.
    pub fn has_to_wait(&self, network: Network, now: Instant) -> Option<Duration> {
        let failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        over(*failing.paid_until.get(&network)? + self.cost, now)
    }
}

fn over(paid_until: Instant, now: Instant) -> Option<Duration> {
    let wait = paid_until.saturating_duration_since(now + WINDOW);
    (!wait.is_zero()).then_some(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "as the table takes it")]
    fn network(number: u32) -> Network {
        Some(IpAddr::V4(number.into()))
    }

    #[test]
    fn after_so_many_failures_a_network_waits_and_others_do_not() {
        let (senders, mut now) = (Senders::new(3), Instant::now());
        for _ in 0..3 {
            assert_eq!(senders.has_to_wait(network(1), now), None);
            assert_eq!(senders.failed(network(1), 0, now), None);
        }
        assert!(senders.failed(network(1), 0, now).is_some());
        assert!(senders.has_to_wait(network(1), now).is_some());
        assert_eq!(senders.has_to_wait(network(2), now), None);
        for _ in 0..1000 {
            senders.failed(network(1), 0, now);
        }
        let wait = senders.has_to_wait(network(1), now).unwrap();
        assert!(wait <= WINDOW + WINDOW / 3, "{wait:?}");
        now += wait;
        assert_eq!(senders.failed(network(1), 0, now), None);
    }

    #[test]
    fn what_was_verified_in_vain_counts_by_its_size() {
        let (senders, now) = (Senders::new(100), Instant::now());
        assert_eq!(senders.failed(network(1), 63 * SMALL, now), None);
        assert!(senders.failed(network(1), 63 * SMALL, now).is_some());
    }

    #[test]
    fn a_network_is_known_for_a_while_after_its_last_proof() {
        let (senders, now) = (Senders::new(1), Instant::now());
        assert!(!senders.has_proven(network(1), now));
        senders.proved(network(1), now);
        senders.proved(network(1), now + FRESH);
        assert!(senders.has_proven(network(1), now + LATELY));
        assert!(!senders.has_proven(network(1), now + FRESH + LATELY));
    }

    #[test]
    fn networks_without_number_fill_no_memory() {
        let (senders, now) = (Senders::new(2), Instant::now());
        for number in 0..MOST_PROVEN + 10 {
            senders.proved(network(u32::try_from(number).unwrap()), now + Duration::from_millis(number as u64));
        }
        let proven = senders.proven.read().unwrap().len();
        assert_eq!(proven, MOST_PROVEN);
        assert!(!senders.has_proven(network(0), now), "the one that was silent for longest is forgotten");
        for number in 0..MOST_FAILING + 10 {
            senders.failed(network(u32::try_from(number).unwrap()), 0, now);
        }
        assert!(senders.failing.lock().unwrap().paid_until.len() <= MOST_FAILING + 1);
        assert!(senders.failed(network(u32::MAX), 0, now).is_some(), "what does not fit shares one allowance");
        assert_eq!(senders.failed(network(u32::MAX), 0, now + 3 * WINDOW), None);
        assert_eq!(senders.failing.lock().unwrap().paid_until.len(), 1);
    }
}
