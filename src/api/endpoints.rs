//! Endpoints: where webhooks of the hub go. For those who manage the account; an endpoint for every account of the agency
//! is for those who manage them all.
//!
//! Tokens go in and never out; a secret is shown once, when it is made.

use actix_web::{
    HttpResponse,
    web::{Data, Path},
};
use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use url::Url;

use super::{ApiError, ApiState, Caller, extract::JsonObject};
use crate::{
    domain::{
        AccountId, EndpointId, Role,
        audit::{Action, Event},
        clock,
        delivery::{EVENT_TYPES, Endpoint, Health},
    },
    outbox::new_secret,
    store::{EndpointChange, NewEndpoint, StoreError},
};

pub(super) type Answer = Result<HttpResponse, ApiError>;

/// `GET /api/endpoints`: those that the caller manages, and how each does.
pub async fn list(state: Data<ApiState>, caller: Caller) -> Answer {
    let mut endpoints = state.store.endpoints(caller.agency).await?;
    endpoints.retain(|endpoint| manages(&state, &caller, endpoint.account));
    let items = with_health(&state, endpoints).await?;
    Ok(HttpResponse::Ok().json(json!({"items": items, "types": EVENT_TYPES})))
}

/// `POST /api/endpoints {"url", "types", "account"?, "description"?, "ordered"?, "enabled"?, "token"?}`: 201 with the
/// secret, which is not shown again. `account` is missing or `null` for every account of the agency.
pub async fn add(state: Data<ApiState>, caller: Caller, body: JsonObject) -> Answer {
    let account = match body.0.get("account") {
        None | Some(Value::Null) => None,
        Some(account) => {
            let id: Option<AccountId> = account.as_str().and_then(|id| id.parse().ok());
            let id = id.filter(|id| caller.role_in(*id).is_some());
            Some(id.ok_or_else(|| ApiError::not_found("account"))?)
        }
    };
    if !manages(&state, &caller, account) {
        return Err(ApiError::forbidden(match account {
            Some(_) => "Only managers and owners of the account may add endpoints to it.",
            None => "Only who manages all accounts of the agency may add an endpoint for all: name an `account`.",
        }));
    }
    let change = fields(&state, &body.0)?;
    let secret = secret()?;
    let new = NewEndpoint {
        agency: caller.agency,
        account,
        url: change.url.ok_or_else(|| ApiError::bad_request("`url` is missing."))?,
        description: change.description.unwrap_or_default(),
        types: change.types.ok_or_else(|| ApiError::bad_request("`types` is missing."))?,
        ordered: change.ordered.unwrap_or(false),
        enabled: change.enabled.unwrap_or(true),
        token: change.token.flatten(),
        secret: secret.clone(),
    };
    let endpoint = state.store.by(caller.author()).add_endpoint(new).await.map_err(lost("account"))?;
    Ok(HttpResponse::Created().json(json!({"endpoint": endpoint, "secret": secret.expose_secret()})))
}

/// `GET /api/endpoints/{id}`: with how it does.
pub async fn read(state: Data<ApiState>, caller: Caller, id: Path<String>) -> Answer {
    let endpoint = find(&state, &caller, &id).await?;
    let endpoint = with_health(&state, vec![endpoint]).await?.pop();
    Ok(HttpResponse::Ok().json(json!({"endpoint": endpoint})))
}

/// `PUT /api/endpoints/{id}`: what is named is changed; a `token` of `null` is taken away. The hub's own may be enabled and
/// disabled.
pub async fn change(state: Data<ApiState>, caller: Caller, id: Path<String>, body: JsonObject) -> Answer {
    let endpoint = find(&state, &caller, &id).await?;
    if endpoint.own && body.0.keys().any(|key| key != "enabled") {
        return Err(ApiError::forbidden("This endpoint is the hub itself: nothing but `enabled` can be changed."));
    }
    if body.0.contains_key("account") {
        return Err(ApiError::bad_request("An endpoint keeps its `account`: add another, and remove this one."));
    }
    let change = fields(&state, &body.0)?;
    let store = state.store.by(caller.author());
    let endpoint = store.change_endpoint(caller.agency, endpoint.id, change).await.map_err(lost("endpoint"))?;
    state.outbox.wake();
    Ok(HttpResponse::Ok().json(json!({"endpoint": endpoint})))
}

/// `DELETE /api/endpoints/{id}`: with what waits for it, and the record of what went there.
pub async fn remove(state: Data<ApiState>, caller: Caller, id: Path<String>) -> Answer {
    let endpoint = find(&state, &caller, &id).await?;
    refuse_own(&endpoint)?;
    state.store.by(caller.author()).remove_endpoint(caller.agency, endpoint.id).await.map_err(lost("endpoint"))?;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /api/endpoints/{id}/rotate`: a new secret; the one before signs as well for a while.
pub async fn rotate(state: Data<ApiState>, caller: Caller, id: Path<String>) -> Answer {
    let endpoint = find(&state, &caller, &id).await?;
    refuse_own(&endpoint)?;
    let secret = secret()?;
    let overlap = TimeDelta::from_std(state.outbox.settings.secret_overlap).unwrap_or(TimeDelta::MAX);
    let until = clock::now() + overlap;
    let rotated =
        state.store.by(caller.author()).rotate_endpoint_secret(caller.agency, endpoint.id, &secret, until).await;
    let endpoint = rotated.map_err(lost("endpoint"))?;
    Ok(HttpResponse::Ok().json(json!({"endpoint": endpoint, "secret": secret.expose_secret()})))
}

/// `POST /api/endpoints/{id}/test`: one event of the type `test`, sent as others are; what the endpoint answers.
pub async fn test(state: Data<ApiState>, caller: Caller, id: Path<String>) -> Answer {
    let endpoint = find(&state, &caller, &id).await?;
    refuse_own(&endpoint)?;
    let event = Event::new(Action::EndpointTested, caller.agency).within(endpoint.account).on(endpoint.id);
    state.store.by(caller.author()).record(event).await?;
    let outcome = state.outbox.test(caller.agency, endpoint.id).await.map_err(lost("endpoint"))?;
    Ok(HttpResponse::Ok().json(outcome))
}

/// Endpoints as JSON with `health`: `{"state", "paused_until", "pending", "retrying", "parked", "last_attempt"}`. The breaker is
/// this hub's; another that delivers as well has its own.
async fn with_health(state: &ApiState, endpoints: Vec<Endpoint>) -> Result<Vec<Value>, ApiError> {
    let ids: Vec<EndpointId> = endpoints.iter().map(|endpoint| endpoint.id).collect();
    let (mut traffic, now) = (state.store.traffic(&ids).await?, clock::now());
    let item = |endpoint: Endpoint| {
        let traffic = traffic.remove(&endpoint.id).unwrap_or_default();
        let paused = state.outbox.pauses.until(endpoint.id, now);
        let mut item = json!(endpoint);
        item["health"] = json!(traffic);
        item["health"]["state"] = json!(Health::of(&endpoint, traffic.is_failing(), paused.is_some()));
        item["health"]["paused_until"] = json!(paused.map(clock::rfc3339));
        item
    };
    Ok(endpoints.into_iter().map(item).collect())
}

/// One that the caller manages; what they don't is not there.
pub(super) async fn find(state: &ApiState, caller: &Caller, id: &str) -> Result<Endpoint, ApiError> {
    let not_there = || ApiError::not_found("endpoint");
    let id: EndpointId = id.parse().map_err(|_| not_there())?;
    let endpoint = state.store.endpoint(caller.agency, id).await?.ok_or_else(not_there)?;
    if manages(state, caller, endpoint.account) { Ok(endpoint) } else { Err(not_there()) }
}

/// What makes no sense for the hub itself.
fn refuse_own(endpoint: &Endpoint) -> Result<(), ApiError> {
    let words =
        "This endpoint is the hub itself: it has no secret, takes no tests, and goes with its prospecting source.";
    if endpoint.own { Err(ApiError::forbidden(words)) } else { Ok(()) }
}

/// Whether the caller manages an account, or all of their agency.
fn manages(state: &ApiState, caller: &Caller, account: Option<AccountId>) -> bool {
    let managed = |account| caller.role_in(account).is_some_and(Role::may_operate);
    if let Some(account) = account {
        return managed(account);
    }
    let directory = state.directory.borrow().clone();
    let all = directory.iter().flat_map(|directory| directory.accounts.values());
    let mut own = all.filter(|account| account.agency == caller.agency).map(|account| account.id).peekable();
    own.peek().is_some() && own.all(managed)
}

fn fields(state: &ApiState, fields: &Map<String, Value>) -> Result<EndpointChange, ApiError> {
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
    Ok(EndpointChange {
        url: text("url")?.map(|url| admitted(state, &url)).transpose()?,
        description: text("description")?,
        types: fields.get("types").map(types).transpose()?,
        ordered: flag("ordered")?,
        enabled: flag("enabled")?,
        token,
    })
}

fn admitted(state: &ApiState, url: &str) -> Result<Url, ApiError> {
    let url: Url = url.parse().map_err(|_| ApiError::bad_request("`url` is not a URL."))?;
    let admitted = state.outbox.client.admit(&url);
    admitted.map_err(|why| ApiError::bad_request(format!("`url` can't be used: {why}.")))?;
    Ok(url)
}

fn types(value: &Value) -> Result<Vec<String>, ApiError> {
    let known = |kind: &Value| kind.as_str().filter(|kind| EVENT_TYPES.contains(kind)).map(str::to_owned);
    let types: Option<Vec<String>> = value.as_array().and_then(|types| types.iter().map(known).collect());
    let wanted = || format!("`types` must be a list of some of these: {}.", EVENT_TYPES.join(", "));
    types.filter(|types| !types.is_empty()).ok_or_else(|| ApiError::bad_request(wanted()))
}

fn secret() -> Result<SecretString, ApiError> {
    new_secret().map_err(|error| {
        tracing::error!(%error, "the system has no random numbers");
        ApiError::from(StoreError::Unavailable(error.to_string()))
    })
}

/// What was there a moment ago.
fn lost(what: &'static str) -> impl Fn(StoreError) -> ApiError {
    move |error| match error {
        StoreError::NotFound(_) => ApiError::not_found(what),
        other => other.into(),
    }
}
