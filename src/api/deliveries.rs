//! What went to an endpoint, and making it go there again.

use std::{collections::HashMap, str::FromStr};

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{Data, Path, Query},
};
use serde_json::{Map, Value, json};

use super::{
    ApiError, ApiState, Caller,
    endpoint_access::{find, find_whole},
    endpoints::Answer,
    extract::{JsonObject, storable},
};
use crate::{
    domain::ReplayId,
    store::{DeliveryFilter, Whose},
};

/// Deliveries on a page, unless asked otherwise, and at most.
const PAGE: u32 = 50;
const LONGEST_PAGE: u32 = 200;
/// Deliveries that one replay may make again.
const LARGEST_REPLAY: u32 = 10_000;

/// `GET /api/endpoints/{id}/deliveries?state=&type=&id=&since=&until=&limit=&cursor=`: the newest first, each with its
/// attempts; of the accounts that the caller manages.
pub async fn list(
    state: Data<ApiState>,
    caller: Caller,
    id: Path<String>,
    query: Query<HashMap<String, String>>,
) -> Answer {
    let seen = find(&state, &caller, &id).await?;
    let (endpoint, whose) = (&seen.endpoint, Some(seen.whose(&caller)));
    let filter = filter(whose, |name| Ok(query.get(name).map(String::as_str)))?;
    let limit = parsed(query.get("limit").map(String::as_str), "limit")?.unwrap_or(PAGE).clamp(1, LONGEST_PAGE);
    let before: Option<i64> = parsed(query.get("cursor").map(String::as_str), "cursor")?;
    let mut items = state.store.deliveries(endpoint.id, &filter, before, limit + 1).await?;
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next = items.last().filter(|_| more).map(|last| last.row.to_string());
    Ok(HttpResponse::Ok().json(json!({"items": items, "next": next})))
}

/// `POST /api/endpoints/{id}/replay {"delivery"? , "since"?, "until"?, "state"?, "type"?, "dry_run"?}`: makes deliveries
/// again that are over, under the ids that they have: 202 with the replay, or 200 with the number that it would make.
pub async fn replay(state: Data<ApiState>, caller: Caller, id: Path<String>, body: JsonObject) -> Answer {
    let seen = find_whole(&state, &caller, &id).await?;
    let (endpoint, fields) = (&seen.endpoint, &body.0);
    let filter = filter(Some(seen.whose(&caller)), |name| text(fields, if name == "id" { "delivery" } else { name }))?;
    let named = ["delivery", "since", "until", "state", "type"].iter().any(|name| fields.contains_key(*name));
    if !named {
        let words = "Say what to replay: a `delivery`, `since` and `until`, a `state` or a `type`.";
        return Err(ApiError::bad_request(words));
    }
    let too_many = || {
        let words = format!("These are more than {LARGEST_REPLAY} deliveries: replay a shorter time.");
        ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, words)
    };
    if fields.get("dry_run").is_some_and(|dry| dry == true) {
        let count = state.store.count_replay(endpoint.id, &filter, LARGEST_REPLAY).await?;
        if count > LARGEST_REPLAY as usize {
            return Err(too_many());
        }
        return Ok(HttpResponse::Ok().json(json!({"dry_run": true, "total": count})));
    }
    if !endpoint.enabled {
        return Err(ApiError::new(StatusCode::CONFLICT, "This endpoint is disabled: enable it first."));
    }
    seen.refuse_left(&state)?;
    let replay =
        state.store.by(caller.author()).replay(endpoint.id, &filter, LARGEST_REPLAY).await?.ok_or_else(too_many)?;
    state.outbox.wake();
    Ok(HttpResponse::Accepted().json(json!({"replay": replay})))
}

/// `GET /api/endpoints/{id}/replays/{replay}`: how far it is.
pub async fn progress(state: Data<ApiState>, caller: Caller, path: Path<(String, String)>) -> Answer {
    let endpoint = find_whole(&state, &caller, &path.0).await?.endpoint;
    let replay = state.store.replay_progress(endpoint.id, replay_id(&path.1)?).await?;
    Ok(HttpResponse::Ok().json(json!({"replay": replay.ok_or_else(no_such_replay)?})))
}

/// `POST /api/endpoints/{id}/replays/{replay}/cancel`: what is not under way is not made again.
pub async fn cancel(state: Data<ApiState>, caller: Caller, path: Path<(String, String)>) -> Answer {
    let endpoint = find_whole(&state, &caller, &path.0).await?.endpoint;
    let replay = state.store.cancel_replay(endpoint.id, replay_id(&path.1)?).await?;
    Ok(HttpResponse::Ok().json(json!({"replay": replay.ok_or_else(no_such_replay)?})))
}

fn replay_id(text: &str) -> Result<ReplayId, ApiError> {
    text.parse().map_err(|_| no_such_replay())
}

fn no_such_replay() -> ApiError {
    ApiError::not_found("replay")
}

fn filter<'a>(
    whose: Option<Whose>,
    value: impl Fn(&str) -> Result<Option<&'a str>, ApiError>,
) -> Result<DeliveryFilter, ApiError> {
    Ok(DeliveryFilter {
        event: parsed(value("id")?, "id")?,
        state: parsed(value("state")?, "state")?,
        kind: value("type")?.map(storable),
        since: parsed(value("since")?, "since")?,
        until: parsed(value("until")?, "until")?,
        whose,
    })
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, ApiError> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(ApiError::bad_request(format!("`{name}` must be text."))),
    }
}

fn parsed<T: FromStr>(value: Option<&str>, name: &str) -> Result<Option<T>, ApiError> {
    let wrong = |_| ApiError::bad_request(format!("`{name}` can't be read."));
    value.map(|text| text.parse().map_err(wrong)).transpose()
}
