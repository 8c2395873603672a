//! How much of the allowance is used, as the Graph API tells in headers of every answer.
//!
//! Three headers, JSON in each: `x-app-usage`, `x-business-use-case-usage` (per business a list, one item per kind of
//! call) and `x-ad-account-usage`. Whatever is missing or malformed says nothing.

use std::time::Duration;

use reqwest::header::HeaderMap;
use serde_json::Value;

const HEADERS: [&str; 3] = ["x-app-usage", "x-business-use-case-usage", "x-ad-account-usage"];

/// Shares of an allowance, in percent; calls are refused at 100.
const SHARES: [&str; 4] = ["call_count", "total_time", "total_cputime", "acc_id_util_pct"];

/// No wait is believed to be longer: the allowances are counted over a day at most.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// How near the next calls are to being refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// The fullest of all allowances, in percent, rounded up.
    pub percent: u16,
    /// How long calls will be refused, while they are.
    pub regain: Option<Duration>,
}

impl Usage {
    /// From an answer's headers.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let mut usage = Self::default();
        for name in HEADERS {
            for value in headers.get_all(name) {
                if let Ok(report) = serde_json::from_slice(value.as_bytes()) {
                    usage.add(&report);
                }
            }
        }
        usage
    }

    /// Recurses no deeper than the JSON parser lets a value be nested.
    fn add(&mut self, report: &Value) {
        match report {
            Value::Array(items) => items.iter().for_each(|item| self.add(item)),
            Value::Object(members) => {
                for (name, member) in members {
                    match (name.as_str(), number(member)) {
                        (name, Some(share)) if SHARES.contains(&name) => self.percent = self.percent.max(whole(share)),
                        ("estimated_time_to_regain_access", Some(minutes)) => self.wait(minutes * 60.0),
                        _ => self.add(member),
                    }
                }
                // Always counting down; it is a wait only once nothing is left.
                if members.get("acc_id_util_pct").and_then(number).is_some_and(|share| share >= 100.0) {
                    self.wait(members.get("reset_time_duration").and_then(number).unwrap_or(0.0));
                }
            }
            _ => {}
        }
    }

    fn wait(&mut self, seconds: f64) {
        let wait = Duration::try_from_secs_f64(seconds.min(LONGEST_WAIT.as_secs_f64())).unwrap_or_default();
        if wait > Duration::ZERO {
            self.regain = self.regain.max(Some(wait));
        }
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        _ => None,
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what a u16 holds first")]
fn whole(share: f64) -> u16 {
    share.ceil().clamp(0.0, f64::from(u16::MAX)) as u16
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn usage(headers: &[(&'static str, &str)]) -> Usage {
        let headers = headers.iter().map(|(name, value)| {
            (reqwest::header::HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())
        });
        Usage::from_headers(&headers.collect())
    }

    #[test]
    fn the_fullest_allowance_counts() {
        let app = ("x-app-usage", r#"{"call_count":28,"total_time":25,"total_cputime":31}"#);
        assert_eq!(usage(&[app]), Usage { percent: 31, regain: None });
        let business = (
            "x-business-use-case-usage",
            r#"{"123456789012345":[{"type":"leadgen","call_count":95,"total_cputime":20,"total_time":20,"estimated_time_to_regain_access":0,"ads_api_access_tier":"standard_access"}]}"#,
        );
        assert_eq!(usage(&[app, business]), Usage { percent: 95, regain: None });
        let ads = ("x-ad-account-usage", r#"{"acc_id_util_pct":9.67,"reset_time_duration":600}"#);
        assert_eq!(usage(&[ads]), Usage { percent: 10, regain: None });
    }

    #[test]
    fn the_longest_wait_counts_and_is_in_minutes_or_seconds_as_documented() {
        let business = |minutes: &str| {
            let report = format!(
                r#"{{"1":[{{"call_count":100,"estimated_time_to_regain_access":3}},{{"estimated_time_to_regain_access":{minutes}}}]}}"#
            );
            usage(&[("x-business-use-case-usage", &report)])
        };
        assert_eq!(business("17"), Usage { percent: 100, regain: Some(Duration::from_mins(17)) });
        assert_eq!(business("\"2\"").regain, Some(Duration::from_mins(3)));
        assert_eq!(business("1e300").regain, Some(LONGEST_WAIT));
        let ads = usage(&[("x-ad-account-usage", r#"{"acc_id_util_pct":100,"reset_time_duration":600}"#)]);
        assert_eq!(ads, Usage { percent: 100, regain: Some(Duration::from_mins(10)) });
    }

    #[test]
    fn nonsense_says_nothing() {
        for value in ["", "x", "null", "[]", "7", r#"{"call_count":"NaN"}"#, r#"{"call_count":-5}"#, "\u{ff}"] {
            assert_eq!(usage(&[("x-app-usage", value)]), Usage::default(), "{value}");
        }
        assert_eq!(usage(&[]), Usage::default());
        let waits = r#"{"estimated_time_to_regain_access":-1,"call_count":1e300}"#;
        assert_eq!(usage(&[("x-app-usage", waits)]), Usage { percent: u16::MAX, regain: None });
    }
}
