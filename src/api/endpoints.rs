//! Endpoints: where webhooks of the hub go, and which accounts each covers. Accounts that an agency gets later are not covered
//! until somebody adds them.
//!
//! Tokens go in and never out; a secret is shown once, when it is made. What was given for one scheme, host and port is gone when
//! an endpoint is sent to another.

use actix_web::{
    HttpResponse,
    web::{Data, Path},
};
use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{
    ApiError, ApiState, Caller,
    endpoint_access::{self, Seen, find, find_whole, shown},
    endpoint_body::{accounts, fields, new_accounts},
    extract::JsonObject,
};
use crate::{
    domain::{
        audit::{Action, Event},
        clock,
        delivery::EVENT_TYPES,
    },
    outbox::new_secret,
    store::{NewEndpoint, StoreError},
};

pub(super) type Answer = Result<HttpResponse, ApiError>;

/// `GET /api/endpoints`: those that cover an account that the caller manages, and how each does.
pub async fn list(state: Data<ApiState>, caller: Caller) -> Answer {
    let seen = endpoint_access::all(&state, &caller).await?;
    let items = shown(&state, &caller, seen).await?;
    Ok(HttpResponse::Ok().json(json!({"items": items, "types": EVENT_TYPES})))
}

/// `POST /api/endpoints {"url", "types", "account"?, "accounts"?, "description"?, "ordered"?, "enabled"?, "token"?}`: 201 with the
/// secret, which is not shown again. Without `account` and `accounts` it covers every account that the agency has now. Whoever adds
/// it answers for it.
pub async fn add(state: Data<ApiState>, caller: Caller, body: JsonObject) -> Answer {
    let accounts = new_accounts(&state, &caller, &body.0)?;
    let change = fields(&state, &body.0, None)?;
    let secret = secret()?;
    let new = NewEndpoint {
        agency: caller.agency,
        accounts,
        by: Some(caller.subject.to_string()),
        url: change.url.ok_or_else(|| ApiError::bad_request("`url` is missing."))?,
        description: change.description.unwrap_or_default(),
        types: change.types.ok_or_else(|| ApiError::bad_request("`types` is missing."))?,
        ordered: change.ordered.unwrap_or(false),
        enabled: change.enabled.unwrap_or(true),
        token: change.token.flatten(),
        secret: secret.clone(),
    };
    let endpoint = state.store.by(caller.author()).add_endpoint(new).await.map_err(lost("account"))?;
    let endpoint = one(&state, &caller, &endpoint.id.to_string()).await?;
    Ok(HttpResponse::Created().json(json!({"endpoint": endpoint, "secret": secret.expose_secret()})))
}

/// `GET /api/endpoints/{id}`: with how it does.
pub async fn read(state: Data<ApiState>, caller: Caller, id: Path<String>) -> Answer {
    let endpoint = one(&state, &caller, &id).await?;
    Ok(HttpResponse::Ok().json(json!({"endpoint": endpoint})))
}

/// `PUT /api/endpoints/{id}`: what is named is changed; a `token` of `null` is taken away. `accounts` may be added that the caller
/// manages. A `url` with another scheme, host or port drops the token unless one is given in the same request, parks what waits,
/// and makes a new `secret`, which is answered. The hub's own may be enabled and disabled.
pub async fn change(state: Data<ApiState>, caller: Caller, id: Path<String>, body: JsonObject) -> Answer {
    let seen = find_whole(&state, &caller, &id).await?;
    if seen.endpoint.own && body.0.keys().any(|key| key != "enabled") {
        return Err(ApiError::forbidden("This endpoint is the hub itself: nothing but `enabled` can be changed."));
    }
    if body.0.contains_key("account") {
        return Err(ApiError::bad_request("Name the accounts that an endpoint covers in `accounts`."));
    }
    let mut change = fields(&state, &body.0, Some(&seen.endpoint.url))?;
    change.accounts = accounts(&caller, &body.0, &seen.accounts())?;
    change.by = Some(caller.subject.to_string());
    let secret = secret()?;
    change.secret = Some(secret.clone());
    let changed = state.store.by(caller.author()).change_endpoint(caller.agency, seen.endpoint.id, change).await;
    let changed = changed.map_err(lost("endpoint"))?;
    state.outbox.wake();
    let mut answer = json!({"endpoint": one(&state, &caller, &id).await?});
    if changed.moved {
        answer["secret"] = json!(secret.expose_secret());
    }
    Ok(HttpResponse::Ok().json(answer))
}

/// `DELETE /api/endpoints/{id}`: with what waits for it, and the record of what went there.
pub async fn remove(state: Data<ApiState>, caller: Caller, id: Path<String>) -> Answer {
    let seen = find_whole(&state, &caller, &id).await?;
    seen.refuse_own()?;
    state.store.by(caller.author()).remove_endpoint(caller.agency, seen.endpoint.id).await.map_err(lost("endpoint"))?;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /api/endpoints/{id}/rotate`: a new secret; the one before signs as well for a while.
pub async fn rotate(state: Data<ApiState>, caller: Caller, id: Path<String>) -> Answer {
    let seen = find_whole(&state, &caller, &id).await?;
    seen.refuse_own()?;
    let secret = secret()?;
    let overlap = TimeDelta::from_std(state.outbox.settings.secret_overlap).unwrap_or(TimeDelta::MAX);
    let until = clock::now() + overlap;
    let store = state.store.by(caller.author());
    let rotated = store
        .rotate_endpoint_secret(caller.agency, seen.endpoint.id, &secret, until, Some(caller.subject.to_string()))
        .await;
    rotated.map_err(lost("endpoint"))?;
    let endpoint = one(&state, &caller, &id).await?;
    Ok(HttpResponse::Ok().json(json!({"endpoint": endpoint, "secret": secret.expose_secret()})))
}

/// `POST /api/endpoints/{id}/test`: one event of the type `test`, sent as others are; what the endpoint answers. 409 while nobody
/// answers for the endpoint.
pub async fn test(state: Data<ApiState>, caller: Caller, id: Path<String>) -> Answer {
    let seen = find_whole(&state, &caller, &id).await?;
    seen.refuse_own()?;
    seen.refuse_left(&state)?;
    let tested = Event::new(Action::EndpointTested, caller.agency).within(seen.endpoint.account).on(seen.endpoint.id);
    state.store.by(caller.author()).record(tested).await?;
    let outcome = state.outbox.test(caller.agency, seen.endpoint.id).await.map_err(lost("endpoint"))?;
    Ok(HttpResponse::Ok().json(outcome))
}

/// `POST /api/endpoints/{id}/stop {"account"}`: nothing of the account goes there from now on, and what waits is cancelled. For those
/// who manage the account, whoever else it covers.
pub async fn stop(state: Data<ApiState>, caller: Caller, id: Path<String>, body: JsonObject) -> Answer {
    stop_or_resume(&state, &caller, &id, &body, Some(caller.subject.to_string())).await
}

/// `POST /api/endpoints/{id}/resume {"account"}`: what happens in the account from now on goes there again.
pub async fn resume(state: Data<ApiState>, caller: Caller, id: Path<String>, body: JsonObject) -> Answer {
    stop_or_resume(&state, &caller, &id, &body, None).await
}

async fn stop_or_resume(
    state: &ApiState,
    caller: &Caller,
    id: &str,
    body: &JsonObject,
    stopped_by: Option<String>,
) -> Answer {
    let seen = find(state, caller, id).await?;
    seen.refuse_own()?;
    let account = seen.account(body.text("account")?)?;
    let stopped =
        state.store.by(caller.author()).stop_endpoint(caller.agency, seen.endpoint.id, account, stopped_by).await;
    stopped.map_err(lost("endpoint"))?;
    state.outbox.wake();
    Ok(HttpResponse::Ok().json(json!({"endpoint": one(state, caller, id).await?})))
}

/// `POST /api/endpoints/{id}/take-over {"accounts"?}`: the caller answers for these accounts of it, or for all of it that they
/// manage; what was parked because nobody did goes out.
pub async fn take_over(state: Data<ApiState>, caller: Caller, id: Path<String>, body: JsonObject) -> Answer {
    let seen = find(&state, &caller, &id).await?;
    seen.refuse_own()?;
    let accounts = match body.0.get("accounts") {
        None | Some(Value::Null) => seen.accounts(),
        Some(Value::Array(list)) => {
            let account = |account: &Value| seen.account(account.as_str().unwrap_or_default());
            list.iter().map(account).collect::<Result<_, _>>()?
        }
        Some(_) => return Err(ApiError::bad_request("`accounts` must be a list of accounts' ids.")),
    };
    let who = caller.subject.to_string();
    let taken =
        state.store.by(caller.author()).take_over_endpoint(caller.agency, seen.endpoint.id, &accounts, &who).await;
    taken.map_err(lost("account"))?;
    state.outbox.wake();
    Ok(HttpResponse::Ok().json(json!({"endpoint": one(&state, &caller, &id).await?})))
}

/// As it is now.
async fn one(state: &ApiState, caller: &Caller, id: &str) -> Result<Value, ApiError> {
    let seen: Seen = find(state, caller, id).await?;
    Ok(shown(state, caller, vec![seen]).await?.pop().unwrap_or_default())
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
