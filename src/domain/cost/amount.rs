//! Figures of costs and thresholds, exact.

use std::{fmt, iter::Sum, ops::Add, ops::Sub, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use serde_json::Value;

/// Money, a percentage or a multiple, in ten-thousandths: as fine as the databases keep it, and never a float.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Amount(pub i64);

impl Amount {
    /// Of one.
    pub const PARTS: i64 = 10_000;
    /// The largest that a threshold or a cost may be: a hundred million less a part.
    pub const MAX: Self = Self(100_000_000 * Self::PARTS - 1);
    /// The largest that is ever found; what would be more is this.
    const HIGHEST: i128 = 10_000_000_000_000 * Self::PARTS as i128;

    /// One number by another, rounded to the nearest; none by zero.
    #[must_use]
    pub fn ratio(number: i64, by: i64) -> Option<Self> {
        if by <= 0 {
            return None;
        }
        let (number, by) = (i128::from(number) * i128::from(Self::PARTS), i128::from(by));
        let rounded = (2 * number + by).div_euclid(2 * by).clamp(-Self::HIGHEST, Self::HIGHEST);
        i64::try_from(rounded).ok().map(Self)
    }

    /// The amount divided among so many.
    #[must_use]
    pub fn among(self, count: i64) -> Option<Self> {
        Self::ratio(self.0, count.checked_mul(Self::PARTS)?)
    }

    /// `None` for what is no number, or one beyond [`Self::MAX`].
    #[must_use]
    pub fn of(number: f64) -> Option<Self> {
        let amount = Self::from_f64(number);
        (number.is_finite() && (-Self::MAX.0..=Self::MAX.0).contains(&amount.0)).then_some(amount)
    }

    /// As JSON and the embedded database write it; exact up to two hundred million million.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "no amount is so large")]
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / 10_000.0
    }

    /// The nearest amount; what is no number is none.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float that is too large becomes the largest, and one that is none, 0"
    )]
    pub fn from_f64(number: f64) -> Self {
        Self((number * 10_000.0).round() as i64)
    }
}

impl Add for Amount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Amount {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Self::add)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_f64().fmt(f)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_f64(self.to_f64())
    }
}

/// The text is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a number below a hundred million is wanted")]
pub struct ParseAmountError;

impl FromStr for Amount {
    type Err = ParseAmountError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number: f64 = text.trim().parse().map_err(|_| ParseAmountError)?;
        Self::of(number).ok_or(ParseAmountError)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = match Value::deserialize(d)? {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            _ => return Err(D::Error::custom(ParseAmountError)),
        };
        text.parse().map_err(D::Error::custom)
    }
}
