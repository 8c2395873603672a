//! Prospects: businesses that campaigns found or people add, and what enrichment makes of them.

use std::collections::HashMap;

use actix_web::{
    HttpResponse,
    http::StatusCode,
    web::{Data, Path, Query},
};
use serde_json::{Map, Value, json};

use super::{
    ApiError, ApiState, Caller,
    extract::{JsonObject, storable},
    leads::where_may,
};
use crate::{
    domain::{AccountId, LeadId, Role, Timestamp, clock, prospect::Prospect},
    store::{Again, KnownProspect, ProspectFilter, Store, StoreError},
};

type Answer = Result<HttpResponse, ApiError>;

/// Prospects that one request may add, and the largest body of one.
const MOST: usize = 1_000;
pub(super) const MAX_BODY: usize = 2 * 1024 * 1024;
/// Prospects on a page, unless asked otherwise, and at most.
const PAGE: u32 = 100;
const LONGEST_PAGE: u32 = 250;

/// `GET /api/prospects?account_id=&campaign_id=&status=&limit=&cursor=`: newest first.
pub async fn list(state: Data<ApiState>, caller: Caller, query: Query<HashMap<String, String>>) -> Answer {
    let text = |name: &str| query.get(name).map(|text| storable(text.trim())).filter(|text| !text.is_empty());
    let accounts = match text("account_id") {
        None => caller.accounts(),
        Some(account) => vec![seen(&caller, &account)?],
    };
    let limit = text("limit").map(|limit| limit.parse::<u32>()).transpose();
    let limit = limit.map_err(|_| ApiError::bad_request("`limit` must be a number."))?;
    let cursor = text("cursor").map(|cursor| cursor.parse()).transpose();
    let cursor = cursor.map_err(|_| ApiError::bad_request("`cursor` must be the `next` of an earlier page."))?;
    let filter = ProspectFilter {
        campaign: text("campaign_id"),
        status: text("status"),
        limit: limit.unwrap_or(PAGE).clamp(1, LONGEST_PAGE),
        cursor,
    };
    let page = state.store.prospects(caller.agency, &accounts, &filter).await?;
    let next = page.next.map(|cursor| cursor.to_string());
    Ok(HttpResponse::Ok().json(json!({"items": page.prospects, "next": next})))
}

/// `GET /api/prospects/{id}`: with what each stage found.
pub async fn read(state: Data<ApiState>, caller: Caller, id: Path<String>) -> Answer {
    let known = state.store.prospect(caller.agency, &caller.accounts(), &name(&id)).await?;
    let KnownProspect { prospect, enrichment, enrichment_data } = known.ok_or_else(no_such_prospect)?;
    let enrichment = enrichment.map(|enrichment| {
        json!({
            "run": enrichment.run,
            "next_stage": enrichment.finished_at.is_none().then_some(enrichment.stage),
            "stages": enrichment.findings,
            "cost": enrichment.cost,
            "finished_at": enrichment.finished_at.map(clock::rfc3339),
            "reason": enrichment.reason,
        })
    });
    let body = json!({"prospect": prospect, "enrichment": enrichment, "enrichment_data": enrichment_data});
    Ok(HttpResponse::Ok().json(body))
}

/// `POST /api/prospects/{id}/enrich`: from the first stage; 202, or 409 while it is under way.
pub async fn enrich(state: Data<ApiState>, caller: Caller, id: Path<String>) -> Answer {
    let id = name(&id);
    let mut editable = caller.accounts();
    editable.retain(|account| caller.role_in(*account).is_some_and(Role::may_edit));
    match state.store.enrich_again(caller.agency, &editable, &id).await? {
        Some(Again::Begun(prospect)) => {
            state.prospecting.wake();
            Ok(HttpResponse::Accepted().json(json!({"prospect": prospect})))
        }
        Some(Again::UnderWay) => {
            Err(ApiError::new(StatusCode::CONFLICT, "This prospect is being enriched: wait until that is over."))
        }
        None => match state.store.prospect(caller.agency, &caller.accounts(), &id).await? {
            Some(_) => Err(ApiError::forbidden("Your role in this account may not enrich prospects.")),
            None => Err(no_such_prospect()),
        },
    }
}

/// `DELETE /api/prospects/{id}`: files of its campaign are made anew without it.
pub async fn remove(state: Data<ApiState>, caller: Caller, id: Path<String>) -> Answer {
    let id = name(&id);
    match state.store.by(caller.author()).erase_prospect(&where_may(&caller, Role::may_operate), &id, true).await? {
        Some(erased) => {
            state.erased(&[erased]).await?;
            state.exports.wake();
            Ok(HttpResponse::Ok().json(json!({"deleted": true, "id": id})))
        }
        None => match state.store.prospect(caller.agency, &caller.accounts(), &id).await? {
            Some(_) => Err(ApiError::forbidden("Your role in this account may not delete prospects.")),
            None => Err(no_such_prospect()),
        },
    }
}

/// `POST /api/prospects {"account_id"?, "campaign_id"?, "prospects": [{"name", …}]}`: each on its own. 201 if any was added,
/// with an `id` or an `error` for each, in their order.
pub async fn add(state: Data<ApiState>, caller: Caller, body: JsonObject) -> Answer {
    let account = account_for(&caller, body.0.get("account_id"))?;
    let campaign = match body.0.get("campaign_id") {
        None | Some(Value::Null) => None,
        Some(Value::String(campaign)) => Some(campaign.clone()),
        Some(_) => return Err(ApiError::bad_request("`campaign_id` must be text.")),
    };
    let given = body.0.get("prospects").and_then(Value::as_array);
    let given = given.filter(|given| !given.is_empty() && given.len() <= MOST);
    let given =
        given.ok_or_else(|| ApiError::bad_request(format!("`prospects` must be a list of 1 to {MOST} prospects.")))?;
    let now = clock::now();
    let new = |item: &Value| {
        let prospect = prospect(item, &caller, account, now)?;
        let prospect = Prospect { campaign: campaign.clone(), ..prospect };
        Store::check_prospect(&prospect).map_err(|error| error.to_string())?;
        Ok(prospect)
    };
    let read: Vec<Result<Prospect, String>> = given.iter().map(new).collect();
    let items: Vec<Value> = read
        .iter()
        .map(|item| match item {
            Ok(prospect) => json!({"id": prospect.id}),
            Err(why) => json!({"error": why}),
        })
        .collect();
    let added: Vec<Prospect> = read.into_iter().filter_map(Result::ok).collect();
    if added.is_empty() {
        return Err(ApiError::bad_request("None of these prospects can be added.").with("items", items));
    }
    state.store.add_prospects(&added).await.map_err(|error| match error {
        StoreError::NotFound(what) => ApiError::not_found(what),
        other => other.into(),
    })?;
    state.prospecting.wake();
    state.outbox.wake();
    let refused = items.len() - added.len();
    Ok(HttpResponse::Created().json(json!({"items": items, "added": added.len(), "refused": refused})))
}

/// A prospect as it is typed in; what is wrong with it, in words.
fn prospect(item: &Value, caller: &Caller, account: AccountId, now: Timestamp) -> Result<Prospect, String> {
    let fields = item.as_object().ok_or("a prospect is an object with a `name`")?;
    let name = text(fields, "name")?.ok_or("`name` is missing or empty")?;
    let id = LeadId::generate().to_string();
    let rating = number(fields, "rating")?;
    if rating.is_some_and(|rating| !(0.0..=5.0).contains(&rating)) {
        return Err("`rating` must be from 0 to 5".to_owned());
    }
    let review_count = match fields.get("review_count") {
        None | Some(Value::Null) => None,
        Some(count) => Some(count.as_i64().filter(|count| *count >= 0).ok_or("`review_count` must be a whole number")?),
    };
    Ok(Prospect {
        address: text(fields, "address")?,
        city: text(fields, "city")?,
        state: text(fields, "state")?,
        postal_code: text(fields, "postal_code")?,
        country: text(fields, "country")?,
        source: Some(text(fields, "source")?.unwrap_or_else(|| "manual".to_owned())),
        phone: text(fields, "phone")?,
        website: text(fields, "website")?,
        category: text(fields, "category")?,
        email: text(fields, "email")?,
        owner_name: text(fields, "owner_name")?,
        owner_title: text(fields, "owner_title")?,
        google_place_id: text(fields, "google_place_id")?,
        rating,
        review_count,
        ..Prospect::new(id, caller.agency, account, name, now)
    })
}

fn text(fields: &Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
        Some(_) => Err(format!("`{name}` must be text")),
    }
}

fn number(fields: &Map<String, Value>, name: &str) -> Result<Option<f64>, String> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or_else(|| format!("`{name}` must be a number")),
    }
}

/// The account that prospects are added to: the one that is named, or the only one that the caller may edit.
fn account_for(caller: &Caller, named: Option<&Value>) -> Result<AccountId, ApiError> {
    let may = |account: AccountId| caller.role_in(account).is_some_and(Role::may_edit);
    let Some(named) = named.filter(|named| !named.is_null()) else {
        let mut own = caller.accounts();
        own.retain(|account| may(*account));
        return match own[..] {
            [only] => Ok(only),
            [] => Err(ApiError::forbidden("Your role may not add prospects.")),
            _ => Err(ApiError::bad_request("`account_id` is missing: say which of your accounts they are for.")),
        };
    };
    let account = seen(caller, named.as_str().unwrap_or_default())?;
    if may(account) {
        Ok(account)
    } else {
        Err(ApiError::forbidden("Your role in this account may not add prospects."))
    }
}

/// An account that the caller may see.
fn seen(caller: &Caller, account: &str) -> Result<AccountId, ApiError> {
    let account = account.parse().ok().filter(|account| caller.role_in(*account).is_some());
    account.ok_or_else(|| ApiError::not_found("account"))
}

/// Without NUL, which no database has.
fn name(id: &str) -> String {
    storable(id)
}

fn no_such_prospect() -> ApiError {
    ApiError::not_found("prospect")
}
