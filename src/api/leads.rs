//! Leads: list, read, change, delete, create. Everything that changes one also tells the account's dashboards.
//!
//! A lead of an account that the caller may not see does not exist for them; one that they see but may not touch is
//! refused by role.

use actix_web::{
    HttpResponse,
    web::{self, Data, Path},
};
use serde_json::{Map, Value, json};

use super::{
    ApiError, ApiState, Caller,
    extract::JsonObject,
    lead_body,
    lead_query::{self, Query},
};
use crate::{
    auth::Principal,
    domain::{
        AccountId, EventId, LeadId, Role, clock,
        envelope::{Body, Envelope, LeadUpdated, NewLead, Origin},
        lead::Lead,
    },
    store::{LeadChanges, LeadFilter},
};

type Answer = Result<HttpResponse, ApiError>;

/// What `DELETE` did, and what it did not.
const DELETED: &str = "Lead deleted, and taken out of everything that is shown or sent from now on. Redelivered raw webhooks \
                       and backups may still hold it until their retention ends.";

/// `GET /api/leads?account=&status=&q=&since=&until=&manual=&limit=&cursor=`: newest first.
pub async fn list(state: Data<ApiState>, caller: Caller, query: web::Query<Query>) -> Answer {
    Ok(HttpResponse::Ok().json(page(&state, &caller, &query).await?))
}

/// `GET /api/leads/manual`: those that were typed in.
pub async fn list_manual(state: Data<ApiState>, caller: Caller, query: web::Query<Query>) -> Answer {
    Ok(HttpResponse::Ok().json(page(&state, &caller, &alias(query, "true")).await?))
}

/// `GET /api/leads/from-facebook`: those that a platform sent.
pub async fn list_from_facebook(state: Data<ApiState>, caller: Caller, query: web::Query<Query>) -> Answer {
    let mut page = page(&state, &caller, &alias(query, "false")).await?;
    page["source"] = json!("facebook_leads_center");
    Ok(HttpResponse::Ok().json(page))
}

/// `GET /api/leads/{id}`.
pub async fn read(state: Data<ApiState>, caller: Caller, id: Path<String>) -> Answer {
    let lead = state.store.lead(&caller.accounts(), lead_id(&id)?).await.map_err(origin)?;
    Ok(found(&lead.ok_or_else(no_such_lead)?))
}

/// `PUT /api/leads/{id}`: any editable columns.
pub async fn update(state: Data<ApiState>, caller: Caller, id: Path<String>, body: JsonObject) -> Answer {
    let changes = lead_body::changes(&body.0).map_err(ApiError::as_origin)?;
    Ok(found(&change(&state, &caller, lead_id(&id)?, &changes).await?))
}

/// `POST /api/leads/{id}/signal {"signal":"green"|"red"}`.
pub async fn signal(state: Data<ApiState>, caller: Caller, id: Path<String>, body: JsonObject) -> Answer {
    let signal = body.text("signal").map_err(ApiError::as_origin)?;
    let changes = lead_body::signal(signal).map_err(ApiError::as_origin)?;
    change(&state, &caller, lead_id(&id)?, &changes).await?;
    Ok(HttpResponse::Ok().json(json!({"success": true, "message": format!("Signal updated to {signal}")})))
}

/// `DELETE /api/leads/{id}`: with the prospects that were made of it.
pub async fn remove(state: Data<ApiState>, caller: Caller, id: Path<String>) -> Answer {
    let id = lead_id(&id)?;
    let erased = state.store.by(caller.author()).erase_lead(&where_may(&caller, Role::may_operate), id, true).await;
    let Some((_, erased)) = erased.map_err(origin)? else {
        return Err(untouchable(&state, &caller, id, "delete").await);
    };
    state.erased(&erased).await.map_err(ApiError::as_origin)?;
    Ok(HttpResponse::Ok().json(json!({"success": true, "message": DELETED})))
}

/// `POST /api/leads/create {"account"?, "name", …}`: 201.
pub async fn create(state: Data<ApiState>, caller: Caller, body: JsonObject) -> Answer {
    let account = account_for(&caller, body.0.get("account")).map_err(ApiError::as_origin)?;
    let now = clock::now();
    let lead = lead_body::new_lead(&body.0, caller.agency, account, now).map_err(ApiError::as_origin)?;
    state.store.insert_leads(std::slice::from_ref(&lead)).await.map_err(origin)?;
    state.outbox.wake();
    let told = NewLead { lead: lead.clone(), timestamp: now, source: Origin::Manual };
    state.tell(envelope(&lead, Body::NewLead(Box::new(told)))).await;
    Ok(HttpResponse::Created().json(json!({"success": true, "data": lead})))
}

/// The origin's lists had no pages and up to 1,000 leads: here the first page is as long as pages get.
fn alias(query: web::Query<Query>, manual: &str) -> Query {
    let mut query = query.into_inner();
    query.insert("manual".to_owned(), manual.to_owned());
    query.entry("limit".to_owned()).or_insert_with(|| LeadFilter::MAX_LIMIT.to_string());
    query
}

async fn page(state: &ApiState, caller: &Caller, query: &Query) -> Result<Value, ApiError> {
    let (accounts, filter) = lead_query::read(query, caller).map_err(ApiError::as_origin)?;
    let page = state.store.list_leads(&accounts, &filter).await.map_err(origin)?;
    let next = page.next.map(|cursor| cursor.to_string());
    Ok(json!({"success": true, "count": page.leads.len(), "data": page.leads, "next": next}))
}

/// What `PUT` does with a lead's `status` and `notes`, for a caller who says it in another way.
///
/// # Errors
/// As the route.
pub async fn update_status(
    state: &ApiState,
    caller: &Principal,
    id: &str,
    fields: &Map<String, Value>,
) -> Result<Lead, ApiError> {
    change(state, caller, lead_id(id)?, &lead_body::changes(fields)?).await
}

async fn change(state: &ApiState, caller: &Principal, id: LeadId, changes: &LeadChanges) -> Result<Lead, ApiError> {
    let editable = where_may(caller, Role::may_edit);
    let Some(lead) = state.store.update_lead(&editable, id, changes).await.map_err(origin)? else {
        return Err(untouchable(state, caller, id, "change").await);
    };
    if !changes.is_empty() {
        let told = LeadUpdated { lead: changes.of(&lead), deleted: false };
        state.tell(envelope(&lead, Body::LeadUpdated(told))).await;
    }
    Ok(lead)
}

/// Why a lead was not among those that the caller may touch.
async fn untouchable(state: &ApiState, caller: &Principal, id: LeadId, verb: &str) -> ApiError {
    match state.store.lead(&caller.accounts(), id).await {
        Ok(Some(lead)) => {
            let role = caller.role_in(lead.account).map_or("", Role::as_str);
            ApiError::forbidden(format!("Your role in this account, {role}, may not {verb} leads.")).as_origin()
        }
        Ok(None) => no_such_lead(),
        Err(error) => origin(error),
    }
}

/// The account that a new lead goes to: the one that is named, or the only one that the caller may edit.
fn account_for(caller: &Caller, named: Option<&Value>) -> Result<AccountId, ApiError> {
    let Some(named) = named.filter(|named| !named.is_null()) else {
        return match where_may(caller, Role::may_edit)[..] {
            [] => Err(ApiError::forbidden("Your role may not create leads.")),
            [only] => Ok(only),
            _ => Err(ApiError::bad_request("`account` is missing: say which of your accounts the lead is for.")),
        };
    };
    let account = named.as_str().and_then(|id| id.parse().ok());
    match account.and_then(|account| Some((account, caller.role_in(account)?))) {
        Some((account, role)) if role.may_edit() => Ok(account),
        Some((_, role)) => {
            Err(ApiError::forbidden(format!("Your role in this account, {role}, may not create leads.")))
        }
        None => Err(ApiError::not_found("account")),
    }
}

pub(super) fn where_may(caller: &Principal, may: fn(Role) -> bool) -> Vec<AccountId> {
    let mut accounts = caller.accounts();
    accounts.retain(|account| caller.role_in(*account).is_some_and(may));
    accounts
}

fn envelope(lead: &Lead, body: Body) -> Envelope {
    Envelope { id: EventId::generate(), account: lead.account, timestamp: clock::now(), body }
}

fn found(lead: &Lead) -> HttpResponse {
    HttpResponse::Ok().json(json!({"success": true, "data": lead}))
}

fn lead_id(text: &str) -> Result<LeadId, ApiError> {
    text.parse().map_err(|_| no_such_lead())
}

fn no_such_lead() -> ApiError {
    ApiError::not_found("lead").as_origin()
}

fn origin(error: crate::store::StoreError) -> ApiError {
    ApiError::from(error).as_origin()
}
