//! How far a median of rounds or windows can be trusted, and with it what is change and what is noise.

use crate::measure::latency::median;

/// Two-sided 95 % points of Student's t, for two to five values.
const STUDENT: [f64; 4] = [12.706, 4.303, 3.182, 2.776];
/// How much wider a median's standard error is than a mean's, for values around a normal distribution: √(π/2).
const MEDIAN_TO_MEAN: f64 = 1.2533;

/// The median, and half the width of its 95 % interval; no interval for fewer than two values.
///
/// From six values on, the interval is the one between two of the sorted values (order statistics): the k-th and the
/// k-th from the end enclose the true median unless fewer than k of n coin tosses show heads. It takes nothing for granted
/// about how the values are distributed, and one wild round doesn't widen it. Up to five values even their whole range
/// is no 95 % interval, so that a normal distribution has to be assumed: Student's t times the median's standard error.
///
/// Both take the values as independent of each other. Windows of one run share what the machine did meanwhile, so that
/// runs differ by somewhat more than this says.
pub(super) fn median_with_spread(values: &[f64]) -> (f64, Option<f64>) {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let middle = median(&sorted).unwrap_or(f64::NAN);
    let spread = match sorted.len() {
        0 | 1 => None,
        few @ 2..=5 => Some(STUDENT[few - 2] * MEDIAN_TO_MEAN * standard_error(&sorted)),
        many => {
            let below = outside(many);
            // The interval need not lie evenly around the median: its longer side is the bound.
            Some((middle - sorted[below]).max(sorted[many - 1 - below] - middle))
        }
    };
    (middle, spread)
}

/// Values to leave out at each end of `count`: as many as leave at most 2.5 % of doubt at either.
#[expect(clippy::cast_precision_loss, reason = "nobody measures 2^53 rounds")]
fn outside(count: usize) -> usize {
    let n = count as f64;
    if count > 50 {
        // The binomial distribution by the normal one, with its half a step.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 17 to half of count")]
        return ((n - 1.0) / 2.0 - 1.96 * n.sqrt() / 2.0).floor() as usize;
    }
    let mut chance = 0.5_f64.powf(n);
    let mut doubt = chance;
    let mut left_out = 0;
    while doubt <= 0.025 {
        left_out += 1;
        let heads = left_out as f64;
        chance *= (n - heads + 1.0) / heads;
        doubt += chance;
    }
    // With `left_out` = k, fewer than k heads were still within the doubt: the k-th value, at index k - 1, is the bound.
    left_out - 1
}

#[expect(clippy::cast_precision_loss, reason = "a handful of values")]
fn standard_error(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (count - 1.0) / count).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upto(count: u32) -> Vec<f64> {
        (1..=count).map(f64::from).collect()
    }

    #[test]
    fn one_value_tells_nothing_of_noise() {
        assert_eq!(median_with_spread(&[7.0]), (7.0, None));
        assert!(median_with_spread(&[]).0.is_nan());
        assert_eq!(median_with_spread(&[f64::NAN, 7.0]), (7.0, None));
    }

    #[test]
    fn few_values_go_by_student() {
        let (median, spread) = median_with_spread(&[9.0, 10.0, 11.0]);
        // s = 1, its error 1/√3, times 4.303 and 1.2533.
        assert!((median - 10.0).abs() < 1e-9 && (spread.unwrap() - 3.1137).abs() < 1e-3, "{spread:?}");
    }

    #[test]
    fn many_values_go_by_their_order_as_in_the_printed_tables() {
        // The ranks that tables of the sign test give for 95 %: count, and the rank of the lower bound.
        for (count, rank) in [(6, 1), (8, 1), (9, 2), (12, 3), (15, 4), (20, 6), (25, 8), (30, 10), (50, 18)] {
            assert_eq!(outside(count) + 1, rank, "{count} values");
        }
        assert_eq!((outside(51) + 1, outside(100) + 1), (19, 40));
        assert_eq!(median_with_spread(&upto(9)), (5.0, Some(3.0)));
    }

    #[test]
    fn one_wild_round_does_not_widen_the_interval() {
        let mut values = upto(15);
        values[14] = 1e6;
        assert_eq!(median_with_spread(&values), (8.0, Some(4.0)));
    }
}
