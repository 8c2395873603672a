//! What is said of an endpoint in a request's body.

use std::collections::BTreeSet;

use secrecy::SecretString;
use serde_json::{Map, Value};
use url::Url;

use super::{
    ApiError, ApiState, Caller,
    endpoint_access::{directory, manages},
};
use crate::{
    domain::{AccountId, delivery::EVENT_TYPES},
    store::EndpointChange,
};

/// The accounts that a new endpoint is to cover: `accounts`, or one `account`, or all that the agency has now.
pub(super) fn new_accounts(
    state: &ApiState,
    caller: &Caller,
    fields: &Map<String, Value>,
) -> Result<Vec<AccountId>, ApiError> {
    if let Some(accounts) = accounts(caller, fields, &[])? {
        return match fields.get("account") {
            None | Some(Value::Null) => Ok(accounts),
            Some(_) => Err(ApiError::bad_request("Name one `account` or several `accounts`, not both.")),
        };
    }
    match fields.get("account") {
        None | Some(Value::Null) => {
            let directory = directory(state)?;
            let all = directory.accounts.values().filter(|account| account.agency == caller.agency);
            let all: BTreeSet<AccountId> = all.map(|account| account.id).collect();
            if all.is_empty() || !all.iter().all(|account| manages(caller, *account)) {
                let words =
                    "Only who manages all accounts of the agency may add an endpoint for all: name an `account`.";
                return Err(ApiError::forbidden(words));
            }
            Ok(all.into_iter().collect())
        }
        Some(account) => Ok(vec![managed(caller, account)?]),
    }
}

/// `accounts`, if they are named: of which the caller manages each that is not covered already.
pub(super) fn accounts(
    caller: &Caller,
    fields: &Map<String, Value>,
    covered: &[AccountId],
) -> Result<Option<Vec<AccountId>>, ApiError> {
    let wanted = || ApiError::bad_request("`accounts` must be a list of at least one account's id.");
    let list = match fields.get("accounts") {
        None | Some(Value::Null) => return Ok(None),
        Some(list) => list.as_array().filter(|list| !list.is_empty()).ok_or_else(wanted)?,
    };
    let account = |account: &Value| match account.as_str().and_then(|id| id.parse().ok()) {
        Some(id) if covered.contains(&id) => Ok(id),
        _ => managed(caller, account),
    };
    let accounts: BTreeSet<AccountId> = list.iter().map(account).collect::<Result<_, _>>()?;
    Ok(Some(accounts.into_iter().collect()))
}

fn managed(caller: &Caller, account: &Value) -> Result<AccountId, ApiError> {
    let id: Option<AccountId> = account.as_str().and_then(|id| id.parse().ok());
    let id = id.filter(|id| caller.role_in(*id).is_some()).ok_or_else(|| ApiError::not_found("account"))?;
    if manages(caller, id) {
        return Ok(id);
    }
    Err(ApiError::forbidden("Only managers and owners of the account may add endpoints to it."))
}

/// All but the accounts. An endpoint may keep the URL that it has.
pub(super) fn fields(
    state: &ApiState,
    fields: &Map<String, Value>,
    known: Option<&str>,
) -> Result<EndpointChange, ApiError> {
    let flag = |name: &str| match fields.get(name) {
        None => Ok(None),
        Some(value) => match value.as_bool() {
            Some(flag) => Ok(Some(flag)),
            None => Err(ApiError::bad_request(format!("`{name}` must be true or false."))),
        },
    };
    let text = |name: &str| match fields.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.trim().to_owned())),
        Some(_) => Err(ApiError::bad_request(format!("`{name}` must be text."))),
    };
    let token = match fields.get("token") {
        Some(Value::Null) => Some(None),
        _ => text("token")?.map(|token| Some(token).filter(|token| !token.is_empty()).map(SecretString::from)),
    };
    let url = text("url")?.filter(|url| known != Some(url.as_str()));
    Ok(EndpointChange {
        url: url.map(|url| admitted(state, &url)).transpose()?,
        description: text("description")?,
        types: fields.get("types").map(types).transpose()?,
        ordered: flag("ordered")?,
        enabled: flag("enabled")?,
        token,
        ..EndpointChange::default()
    })
}

fn admitted(state: &ApiState, url: &str) -> Result<Url, ApiError> {
    let url: Url = url.parse().map_err(|_| ApiError::bad_request("`url` is not a URL."))?;
    let admitted = state.outbox.client.admit_new(&url, state.outbox.settings.allow_http);
    admitted.map_err(|why| ApiError::bad_request(format!("`url` can't be used: {why}.")))?;
    Ok(url)
}

fn types(value: &Value) -> Result<Vec<String>, ApiError> {
    let known = |kind: &Value| kind.as_str().filter(|kind| EVENT_TYPES.contains(kind)).map(str::to_owned);
    let types: Option<Vec<String>> = value.as_array().and_then(|types| types.iter().map(known).collect());
    let wanted = || format!("`types` must be a list of some of these: {}.", EVENT_TYPES.join(", "));
    types.filter(|types| !types.is_empty()).ok_or_else(|| ApiError::bad_request(wanted()))
}
