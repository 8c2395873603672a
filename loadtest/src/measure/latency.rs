//! Latencies, counted without losing their tail.

use std::time::Duration;

use anyhow::Result;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// A histogram of latencies from a microsecond to ten minutes, with three digits.
pub(super) struct Latencies(Histogram<u64>);

const LONGEST: u64 = 600_000_000;

impl Latencies {
    pub(super) fn new() -> Result<Self> {
        Ok(Self(Histogram::new_with_bounds(1, LONGEST, 3)?))
    }

    pub(super) fn record(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(LONGEST);
        self.0.saturating_record(micros.clamp(1, LONGEST));
    }

    pub(super) fn add(&mut self, other: &Self) -> Result<()> {
        Ok(self.0.add(&other.0)?)
    }

    /// Milliseconds that this share of all (0 to 1) took at most; none when there are no latencies.
    pub(super) fn quantile(&self, share: f64) -> Option<f64> {
        (!self.0.is_empty()).then(|| millis(self.0.value_at_quantile(share)))
    }

    /// What is told of them; none when there are no latencies.
    pub(super) fn quantiles(&self) -> Option<Quantiles> {
        let [p50, p90, p99, p999] = [0.5, 0.9, 0.99, 0.999].map(|share| self.quantile(share));
        Some(Quantiles { p50: p50?, p90: p90?, p99: p99?, p999: p999?, max: millis(self.0.max()) })
    }

    pub(super) fn clear(&mut self) {
        self.0.reset();
    }
}

/// Milliseconds that these shares of all took at most.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Quantiles {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

#[expect(clippy::cast_precision_loss, reason = "at most ten minutes of microseconds")]
fn millis(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

/// The middle one; of an even number the mean of the two in the middle.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.get(sorted.len() / 2)?;
    let lower = sorted.get((sorted.len() - 1) / 2)?;
    Some(f64::midpoint(*lower, *upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn quantiles_are_in_milliseconds() {
        let mut latencies = Latencies::new().unwrap();
        assert_eq!(latencies.quantile(0.5), None);
        (1..=100).for_each(|millis| latencies.record(Duration::from_millis(millis)));
        let median = latencies.quantile(0.5).unwrap();
        assert!((49.9..50.2).contains(&median), "{median}");
        assert!(latencies.quantiles().unwrap().max >= 100.0);
        latencies.clear();
        assert!(latencies.quantiles().is_none());
    }
}
