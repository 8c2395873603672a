//! Which chats or messages a list is to show, from the query string.

use std::collections::HashMap;

use super::{ApiError, Caller};
use crate::{
    domain::AccountId,
    store::{ChatFilter, MessageFilter},
};

/// The parameters of a list; unknown ones are passed over.
pub(super) type Query = HashMap<String, String>;

/// Things on a page at most, and if nothing is said.
const MAX_LIMIT: u32 = 250;
const DEFAULT_LIMIT: u32 = 100;

/// The accounts and the filter that a query for chats asks for.
pub(super) fn chats(query: &Query, caller: &Caller) -> Result<(Vec<AccountId>, ChatFilter), ApiError> {
    let accounts = match text(query, "account_id") {
        None => caller.accounts(),
        Some(account) => match account.parse() {
            Ok(account) if caller.role_in(account).is_some() => vec![account],
            _ => return Err(ApiError::not_found("account")),
        },
    };
    let (limit, offset) = page(query)?;
    let filter = ChatFilter { is_read: flag(query, "is_read")?, is_ignored: flag(query, "is_ignored")?, limit, offset };
    Ok((accounts, filter))
}

/// The filter that a query for messages asks for.
pub(super) fn messages(query: &Query) -> Result<MessageFilter, ApiError> {
    let (limit, offset) = page(query)?;
    let before = text(query, "before").map(str::parse).transpose();
    let before = before.map_err(|_| ApiError::bad_request("`before` must be the `id` of a message of the chat."))?;
    Ok(MessageFilter { before, newest_first: flag(query, "order_desc")?.unwrap_or(true), limit, offset })
}

/// Whether all is to be read, and not only what is new.
pub(super) fn full_sync(query: &Query) -> Result<bool, ApiError> {
    Ok(flag(query, "full_sync")?.unwrap_or(false))
}

fn text<'a>(query: &'a Query, key: &str) -> Option<&'a str> {
    query.get(key).map(|text| text.trim()).filter(|text| !text.is_empty())
}

fn page(query: &Query) -> Result<(u32, u32), ApiError> {
    let limit = match text(query, "limit").map(str::parse) {
        None => DEFAULT_LIMIT,
        Some(Ok(limit)) if (1..=MAX_LIMIT).contains(&limit) => limit,
        Some(_) => return Err(ApiError::bad_request(format!("`limit` must be a number from 1 to {MAX_LIMIT}."))),
    };
    let offset = text(query, "offset").map_or(Ok(0), str::parse);
    Ok((limit, offset.map_err(|_| ApiError::bad_request("`offset` must be a number: how many to pass over."))?))
}

fn flag(query: &Query, key: &str) -> Result<Option<bool>, ApiError> {
    match text(query, key) {
        None => Ok(None),
        Some("true" | "1") => Ok(Some(true)),
        Some("false" | "0") => Ok(Some(false)),
        Some(_) => Err(ApiError::bad_request(format!("`{key}` must be true or false."))),
    }
}
