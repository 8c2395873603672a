//! Access to endpoints. Managers of every account that an endpoint covers may change it; managers of some of them may see it,
//! and stop it or take it over for theirs.

use actix_web::http::StatusCode;
use serde_json::{Value, json};

use super::{ApiError, ApiState, Caller};
use crate::{
    auth::{AuthError, Subject, name_of},
    domain::{
        AccountId, EndpointId, Role, clock,
        delivery::{Cover, Endpoint, Health},
        directory::Directory,
    },
    store::Whose,
};

/// An endpoint as the caller may see it.
pub(super) struct Seen {
    pub endpoint: Endpoint,
    /// The accounts that it covers and the caller manages; at least one.
    pub cover: Vec<Cover>,
    /// The caller manages all that it covers.
    pub whole: bool,
}

impl Seen {
    /// `None` if the caller manages nothing that it covers.
    fn of(caller: &Caller, endpoint: Endpoint, mut cover: Vec<Cover>) -> Option<Self> {
        let all = cover.len();
        cover.retain(|cover| manages(caller, cover.account));
        if cover.is_empty() { None } else { Some(Self { whole: cover.len() == all, endpoint, cover }) }
    }

    pub fn accounts(&self) -> Vec<AccountId> {
        self.cover.iter().map(|cover| cover.account).collect()
    }

    /// Those of its deliveries that the caller may see: also of what it covered before.
    pub fn whose(&self, caller: &Caller) -> Whose {
        Whose { accounts: managed(caller), tests: self.whole }
    }

    /// One of the accounts, by its id in a body.
    pub fn account(&self, id: &str) -> Result<AccountId, ApiError> {
        let found = self.cover.iter().map(|cover| cover.account).find(|account| account.to_string() == id);
        found.ok_or_else(|| ApiError::not_found("account"))
    }

    /// What makes no sense for the hub itself.
    pub fn refuse_own(&self) -> Result<(), ApiError> {
        let words =
            "This endpoint is the hub itself: it has no secret, takes no tests, and goes with its prospecting source.";
        if self.endpoint.own { Err(ApiError::forbidden(words)) } else { Ok(()) }
    }

    /// Nothing is sent while nobody answers for it, not even a test.
    pub fn refuse_left(&self, state: &ApiState) -> Result<(), ApiError> {
        let directory = directory(state)?;
        let is_left = self.cover.iter().all(|cover| directory.is_left(cover));
        let words = "Nobody answers for this endpoint any more: take it over first.";
        if is_left { Err(ApiError::new(StatusCode::CONFLICT, words)) } else { Ok(()) }
    }
}

/// Endpoints of the caller's agency of which they manage an account.
pub(super) async fn all(state: &ApiState, caller: &Caller) -> Result<Vec<Seen>, ApiError> {
    let endpoints = state.store.endpoints(caller.agency).await?;
    let mut covers = state.store.endpoint_covers(caller.agency).await?;
    let seen = |endpoint: Endpoint| {
        let cover = covers.remove(&endpoint.id).unwrap_or_default();
        Seen::of(caller, endpoint, cover)
    };
    Ok(endpoints.into_iter().filter_map(seen).collect())
}

/// One of which the caller manages an account; any other is not there.
pub(super) async fn find(state: &ApiState, caller: &Caller, id: &str) -> Result<Seen, ApiError> {
    let not_there = || ApiError::not_found("endpoint");
    let id: EndpointId = id.parse().map_err(|_| not_there())?;
    let endpoint = state.store.endpoint(caller.agency, id).await?.ok_or_else(not_there)?;
    let cover = state.store.endpoint_cover(caller.agency, id).await?;
    Seen::of(caller, endpoint, cover).ok_or_else(not_there)
}

/// One that the caller may change.
pub(super) async fn find_whole(state: &ApiState, caller: &Caller, id: &str) -> Result<Seen, ApiError> {
    let seen = find(state, caller, id).await?;
    let words =
        "This endpoint covers accounts that you don't manage: you may stop it for yours, and take it over there.";
    if seen.whole { Ok(seen) } else { Err(ApiError::forbidden(words)) }
}

/// Endpoints as JSON: `accounts` and `cover` name what the caller manages of them, `whole` says whether that is all. With `health`:
/// `{"state", "paused_until", "pending", "retrying", "parked", "last_attempt"}` of those accounts. The breaker is this hub's;
/// another that delivers as well has its own.
pub(super) async fn shown(state: &ApiState, caller: &Caller, seen: Vec<Seen>) -> Result<Vec<Value>, ApiError> {
    let (now, directory) = (clock::now(), directory(state)?);
    let mut traffic = std::collections::HashMap::new();
    // Tests of an endpoint for several accounts are for those who see it whole.
    for tests in [true, false] {
        let ids: Vec<EndpointId> = seen.iter().filter(|one| one.whole == tests).map(|one| one.endpoint.id).collect();
        if !ids.is_empty() {
            traffic.extend(state.store.traffic(&ids, &Whose { accounts: managed(caller), tests }).await?);
        }
    }
    let item = |one: Seen| {
        let traffic = traffic.remove(&one.endpoint.id).unwrap_or_default();
        let paused = state.outbox.pauses.until(one.endpoint.id, now);
        let is_left = one.cover.iter().any(|cover| directory.is_left(cover));
        let health = Health::of(&one.endpoint, is_left, traffic.is_failing(), paused.is_some());
        let mut item = json!(one.endpoint);
        item["created_by_name"] = json!(name(&directory, one.endpoint.created_by.as_deref()));
        item["changed_by_name"] = json!(name(&directory, one.endpoint.changed_by.as_deref()));
        item["accounts"] = json!(one.accounts());
        item["cover"] = one.cover.iter().map(|cover| covered(&directory, cover)).collect();
        item["whole"] = json!(one.whole);
        item["health"] = json!(traffic);
        item["health"]["state"] = json!(health);
        item["health"]["paused_until"] = json!(paused.map(clock::rfc3339));
        item
    };
    Ok(seen.into_iter().map(item).collect())
}

fn covered(directory: &Directory, cover: &Cover) -> Value {
    let mut item = json!(cover);
    item["responsible_name"] = json!(name(directory, cover.responsible.as_deref()));
    item["stopped_by_name"] = json!(name(directory, cover.stopped_by.as_deref()));
    item["paused_reason"] = json!(directory.is_left(cover).then_some(crate::store::LEFT_BEHIND));
    item
}

/// What people call a user or a key.
fn name(directory: &Directory, subject: Option<&str>) -> Option<String> {
    name_of(subject?.parse::<Subject>().ok()?, directory)
}

/// Whether the caller manages an account.
pub(super) fn manages(caller: &Caller, account: AccountId) -> bool {
    caller.role_in(account).is_some_and(Role::may_operate)
}

fn managed(caller: &Caller) -> Vec<AccountId> {
    let mut accounts = caller.accounts();
    accounts.retain(|account| manages(caller, *account));
    accounts
}

pub(super) fn directory(state: &ApiState) -> Result<std::sync::Arc<Directory>, ApiError> {
    let directory = state.directory.borrow().clone();
    Ok(directory.ok_or(AuthError::Unavailable("the list of users has not been loaded yet"))?)
}
