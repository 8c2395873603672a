//! How fast a page may be asked: a token bucket that narrows as the platform reports more of the allowance used.

use std::{num::NonZeroU32, time::Duration};

use governor::{
    DefaultDirectRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};

/// One page's budget.
pub struct Budget {
    full: Quota,
    share: u32,
    bucket: DefaultDirectRateLimiter,
}

impl Budget {
    /// Calls a second, and how many may come at once, while little of the allowance is used.
    #[must_use]
    pub fn new(per_second: u32, burst: u32) -> Self {
        let full = Quota::per_second(NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN))
            .allow_burst(NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN));
        Self { full, share: 1, bucket: RateLimiter::direct(full) }
    }

    /// Takes one call, or says how long to wait for it.
    ///
    /// # Errors
    /// The wait.
    pub fn take(&self) -> Result<(), Duration> {
        self.bucket.check().map_err(|early| early.wait_time_from(DefaultClock::default().now()))
    }

    /// What the platform said of the allowance, in percent: from 75 a quarter of the speed, from 90 a twentieth.
    pub fn observe(&mut self, percent: u16) {
        let share = match percent {
            0..75 => 1,
            75..90 => 4,
            _ => 20,
        };
        if share == self.share {
            return;
        }
        self.share = share;
        let slower = Quota::with_period(self.full.replenish_interval() * share).unwrap_or(self.full);
        let burst = NonZeroU32::new(self.full.burst_size().get() / share).unwrap_or(NonZeroU32::MIN);
        self.bucket = RateLimiter::direct(slower.allow_burst(burst));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_once(budget: &Budget) -> usize {
        (0..1000).take_while(|_| budget.take().is_ok()).count()
    }

    #[test]
    fn a_page_near_its_limit_is_asked_less() {
        let mut budget = Budget::new(1, 100);
        assert_eq!(at_once(&budget), 100);
        budget.observe(80);
        assert_eq!(at_once(&budget), 25);
        budget.observe(99);
        assert_eq!(at_once(&budget), 5);
        assert!(budget.take().unwrap_err() > Duration::from_secs(15));
        budget.observe(10);
        assert_eq!(at_once(&budget), 100);
    }
}
