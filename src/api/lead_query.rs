//! Which leads a list is to show, from the query string.

use std::{collections::HashMap, str::FromStr};

use chrono::NaiveDate;

use super::{ApiError, Caller, extract::storable};
use crate::{
    domain::{AccountId, Timestamp},
    store::LeadFilter,
};

/// The parameters of a list; unknown ones are passed over.
pub(super) type Query = HashMap<String, String>;

/// The accounts and the filter that a query asks for.
pub(super) fn read(query: &Query, caller: &Caller) -> Result<(Vec<AccountId>, LeadFilter), ApiError> {
    let text = |key: &str| query.get(key).map(|text| storable(text.trim())).filter(|t| !t.is_empty());
    let accounts = match text("account") {
        None => caller.accounts(),
        Some(account) => match account.parse() {
            Ok(account) if caller.role_in(account).is_some() => vec![account],
            _ => return Err(ApiError::not_found("account")),
        },
    };
    let filter = LeadFilter {
        status: text("status"),
        text: text("q"),
        since: text("since").map(|text| moment("since", &text)).transpose()?,
        until: text("until").map(|text| moment("until", &text)).transpose()?,
        is_manual: parsed(text("manual"), "`manual` must be true or false.")?,
        limit: parsed(text("limit"), "`limit` must be a number.")?.unwrap_or(LeadFilter::DEFAULT_LIMIT),
        cursor: parsed(text("cursor"), "`cursor` must be the `next` of an earlier page.")?,
    };
    Ok((accounts, filter))
}

fn parsed<T: FromStr>(text: Option<String>, otherwise: &str) -> Result<Option<T>, ApiError> {
    text.map(|text| text.parse()).transpose().map_err(|_| ApiError::bad_request(otherwise))
}

/// An RFC 3339 time, or a day: its first moment in UTC. A `+` that was not escaped arrives as a blank.
pub(super) fn moment(key: &str, text: &str) -> Result<Timestamp, ApiError> {
    let day = || text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0).map(|start| start.and_utc());
    Timestamp::from_str(&text.replace(' ', "+")).ok().or_else(day).ok_or_else(|| {
        ApiError::bad_request(format!("`{key}` must be a time like 2026-11-22T10:00:00Z or a day like 2026-11-22."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_with_any_offset_or_a_day() {
        let ten = "2026-11-22T09:00:00Z".parse::<Timestamp>().unwrap();
        assert_eq!(moment("since", "2026-11-22T10:00:00 01:00").unwrap(), ten);
        assert_eq!(moment("since", "2026-11-22").unwrap(), "2026-11-22T00:00:00Z".parse::<Timestamp>().unwrap());
        assert!(moment("since", "yesterday").unwrap_err().to_string().starts_with("`since` must be"));
    }
}
