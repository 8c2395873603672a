//! The words of thresholds and alerts, as SQL and JSON have them.

use std::{fmt, str::FromStr};

use serde::Serialize;

use super::Amount;

/// The text is none of the words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is none of {words}")]
pub struct ParseWordError {
    text: String,
    words: String,
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$what:meta])* $word:ident = $text:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
        pub enum $name {
            $($(#[$what])* #[serde(rename = $text)] $word,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$word),*];

            /// The word used in SQL and JSON.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$word => $text,)*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = ParseWordError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let found = Self::ALL.iter().find(|word| word.as_str() == text).copied();
                found.ok_or_else(|| ParseWordError { text: text.chars().take(64).collect(), words: [$($text),*].join(", ") })
            }
        }
    )*};
}

words! {
    /// What a threshold looks at.
    ThresholdKind {
        /// What was spent since midnight, UTC.
        DailySpend = "daily_spend",
        /// What was paid for leads in the last hour, by the number of these leads.
        CostPerLead = "cost_per_lead",
        /// Calls of a service in the last hour, in percent of those that it allows: of the service that is nearest.
        RateLimit = "rate_limit",
        /// What was spent in the last hour, as a multiple of an hour of the seven days before in which anything was.
        Anomaly = "anomaly",
    }

    /// How what is found must stand to a threshold for an alert.
    Comparison {
        /// More.
        Above = ">",
        /// As much or more.
        AtLeast = ">=",
        /// Less.
        Below = "<",
        /// As much or less.
        AtMost = "<=",
        /// Exactly as much.
        Equal = "=",
    }

    /// How grave an alert is.
    Severity {
        /// The threshold is passed.
        Warning = "warning",
        /// By more than half.
        Critical = "critical",
    }
}

impl Comparison {
    /// Whether what was found stands so to the threshold.
    #[must_use]
    pub fn holds(self, found: Amount, threshold: Amount) -> bool {
        match self {
            Self::Above => found > threshold,
            Self::AtLeast => found >= threshold,
            Self::Below => found < threshold,
            Self::AtMost => found <= threshold,
            Self::Equal => found == threshold,
        }
    }
}
