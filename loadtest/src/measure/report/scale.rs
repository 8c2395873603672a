//! Where a value lies on an axis, and the round values that are written beside it.

/// An axis from one value to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scale {
    Linear { low: f64, high: f64 },
    Log { low: f64, high: f64 },
}

impl Scale {
    /// From zero to a little more than the largest value.
    pub(super) fn from_zero(values: impl Iterator<Item = f64>) -> Self {
        let most = values.filter(|value| value.is_finite()).fold(0.0, f64::max);
        Self::Linear { low: 0.0, high: if most > 0.0 { most * 1.05 } else { 1.0 } }
    }

    /// Around all positive values, from 1, 2 or 5 times a power of ten to another, and at least from one such power to the
    /// next. A zero has no place on it and is drawn at the lower end.
    pub(super) fn around(values: impl Iterator<Item = f64> + Clone) -> Self {
        let positive = values.filter(|value| value.is_finite() && *value > 0.0);
        let least = positive.clone().fold(f64::INFINITY, f64::min);
        let most = positive.fold(0.0, f64::max);
        if most <= 0.0 {
            return Self::Log { low: 0.1, high: 10.0 };
        }
        let low = round_values(least / 10.0, least).last().copied().unwrap_or(least);
        let high = round_values(most, most * 10.0).first().copied().unwrap_or(most);
        Self::Log { low, high: high.max(low * 10.0) }
    }

    /// Where on the axis, from 0 to 1; what lies beyond an end is put there.
    pub(super) fn place(self, value: f64) -> f64 {
        let share = match self {
            Self::Linear { low, high } => (value - low) / (high - low),
            Self::Log { low, high } => (value.max(low) / low).log10() / (high / low).log10(),
        };
        share.clamp(0.0, 1.0)
    }

    /// Round values along the axis, about as many as wanted.
    pub(super) fn ticks(self, wanted: u32) -> Vec<f64> {
        match self {
            Self::Linear { low, high } => even_values(low, high, wanted),
            Self::Log { low, high } => {
                let all = round_values(low, high);
                let tens: Vec<f64> = all.iter().copied().filter(|value| is_power_of_ten(*value)).collect();
                if all.len() <= wanted as usize || tens.len() < 2 { all } else { tens }
            }
        }
    }
}

/// Multiples of 1, 2 or 5 times a power of ten.
fn even_values(low: f64, high: f64, wanted: u32) -> Vec<f64> {
    let rough = (high - low) / f64::from(wanted.max(1));
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|times| times * power).into_iter().find(|step| *step >= rough * 0.999);
    let step = step.unwrap_or(power * 10.0);
    let first = (low / step).ceil();
    // By multiplication, for adding up steps would make 0.30000000000000004 of 0.1.
    (0..=2 * wanted).map(|nth| (first + f64::from(nth)) * step).take_while(|value| *value <= high * 1.000_001).collect()
}

/// All of 1, 2 and 5 times a power of ten between two positive values, these included.
#[expect(clippy::cast_possible_truncation, reason = "exponents of a handful of digits")]
fn round_values(low: f64, high: f64) -> Vec<f64> {
    let exponents = low.log10().floor() as i32..=high.log10().ceil() as i32;
    let values = exponents.flat_map(|exponent| [1.0, 2.0, 5.0].map(|times| times * 10_f64.powi(exponent)));
    values.filter(|value| (low * 0.999_999..=high * 1.000_001).contains(value)).collect()
}

fn is_power_of_ten(value: f64) -> bool {
    let exponent = value.log10();
    (exponent - exponent.round()).abs() < 1e-6
}

/// A value beside an axis, short: `0.5`, `250`, `30k`.
pub(super) fn label(value: f64) -> String {
    let (value, suffix) = match value.abs() {
        size if size >= 1e6 => (value / 1e6, "M"),
        size if size >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    // Rounded, because 3 × 0.1 is a little more than 0.3.
    format!("{}{suffix}", (value * 1e6).round() / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: Scale, wanted: u32) -> String {
        scale.ticks(wanted).into_iter().map(label).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn ticks_of_a_linear_axis_are_round() {
        assert_eq!(labels(Scale::Linear { low: 0.0, high: 0.42 }, 5), "0 0.1 0.2 0.3 0.4");
        assert_eq!(labels(Scale::Linear { low: 0.0, high: 1.0 }, 5), "0 0.2 0.4 0.6 0.8 1");
        assert_eq!(labels(Scale::Linear { low: 0.0, high: 31_900.0 }, 4), "0 10k 20k 30k");
        assert_eq!(labels(Scale::Linear { low: 0.0, high: 2.2e6 }, 4), "0 1M 2M");
    }

    #[test]
    fn ticks_of_a_logarithmic_axis_are_powers_or_ones_twos_and_fives() {
        let of = |values: &[f64]| labels(Scale::around(values.iter().copied()), 8);
        assert_eq!(of(&[0.7, 38.0]), "0.5 1 2 5 10 20 50");
        assert_eq!(of(&[0.7, 9000.0]), "1 10 100 1000 10k");
        assert_eq!(of(&[3.0]), "2 5 10 20");
        assert_eq!(of(&[f64::NAN, 0.0]), "0.1 0.2 0.5 1 2 5 10");
    }

    #[test]
    fn values_lie_where_they_belong_and_never_outside() {
        let log = Scale::Log { low: 1.0, high: 100.0 };
        let places = |scale: Scale, values: [f64; 4]| values.map(|value| label(scale.place(value))).join(" ");
        assert_eq!(places(log, [0.0, 1.0, 10.0, 1e6]), "0 0 0.5 1");
        let linear = Scale::from_zero([0.0].into_iter());
        assert_eq!(places(linear, [-1.0, 0.0, 0.5, 7.0]), "0 0 0.5 1");
    }
}
