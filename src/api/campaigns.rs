//! Campaigns: made, listed, begun, completed and cancelled, each within its account.

use std::{collections::HashMap, str::FromStr};

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
    domain::{
        AccountId, Role,
        campaign::{Campaign, Step},
        cost::Amount,
    },
    store::{CampaignFilter, NewCampaign, Stepped, StoreError},
};

type Answer = Result<HttpResponse, ApiError>;
pub(super) type Parameters = Query<HashMap<String, String>>;

/// Campaigns on a page, unless asked otherwise, and at most.
const PAGE: u32 = 50;
const LONGEST_PAGE: u32 = 200;
/// Characters of a campaign's name, and of its other texts.
const LONGEST_NAME: usize = 200;
const LONGEST_TEXT: usize = 500;
/// Leads that a campaign may want.
const HIGHEST_TARGET: i64 = 1_000_000;

/// `GET /api/campaigns?account_id=&status=&limit=&cursor=`: newest first.
pub async fn list(state: Data<ApiState>, caller: Caller, query: Parameters) -> Answer {
    let accounts = accounts(&caller, &query)?;
    let filter = CampaignFilter {
        status: text(&query, "status"),
        limit: parameter(&query, "limit")?.unwrap_or(PAGE).clamp(1, LONGEST_PAGE),
        cursor: parameter(&query, "cursor")?,
    };
    let page = state.store.campaigns(caller.agency, &accounts, &filter).await?;
    let next = page.next.map(|cursor| cursor.to_string());
    Ok(HttpResponse::Ok().json(json!({"items": page.campaigns, "next": next})))
}

/// `GET /api/campaigns/summary?account_id=&campaign_id=`: what the caller's campaigns come to.
pub async fn summary(state: Data<ApiState>, caller: Caller, query: Parameters) -> Answer {
    let (accounts, campaign) = (accounts(&caller, &query)?, text(&query, "campaign_id"));
    let summary = state.store.processing_summary(caller.agency, &accounts, campaign.as_deref()).await?;
    Ok(HttpResponse::Ok().json(summary.to_json()))
}

/// `GET /api/campaigns/{id}`: with how far it is, and its files.
pub async fn read(state: Data<ApiState>, caller: Caller, id: Path<String>) -> Answer {
    let campaign = find(&state, &caller, &id).await?;
    let files = state.store.campaign_files(caller.agency, &[campaign.account], &campaign.id).await?;
    Ok(HttpResponse::Ok().json(json!({"campaign": campaign, "files": files})))
}

/// `POST /api/campaigns {"account_id"?, "name", "search_query"?, "location"?, "business_type"?, "target_count"?,
/// "budget_limit"?}`, for those who work on the account: 201. It is pending until somebody starts it.
pub async fn create(state: Data<ApiState>, caller: Caller, body: JsonObject) -> Answer {
    let account = account_for(&caller, body.0.get("account_id"))?;
    let new = new(&body.0, &caller, account)?;
    let gone = |error| match error {
        StoreError::NotFound(what) => ApiError::not_found(what),
        other => other.into(),
    };
    // Before there is anything to be told of.
    state.store.watch_own_tables(account).await.map_err(gone)?;
    let campaign = state.store.add_campaign(new).await.map_err(gone)?;
    state.outbox.wake();
    Ok(HttpResponse::Created().json(json!({"campaign": campaign})))
}

/// `POST /api/campaigns/{id}/start`: its leads are enriched from now on.
pub async fn start(state: Data<ApiState>, caller: Caller, id: Path<String>) -> Answer {
    step(&state, &caller, &id, Step::Start).await
}

/// `POST /api/campaigns/{id}/complete`: it has all that it is to have.
pub async fn complete(state: Data<ApiState>, caller: Caller, id: Path<String>) -> Answer {
    step(&state, &caller, &id, Step::Complete).await
}

/// `POST /api/campaigns/{id}/cancel`: it is ended; nothing more of it is begun.
pub async fn cancel(state: Data<ApiState>, caller: Caller, id: Path<String>) -> Answer {
    step(&state, &caller, &id, Step::Cancel).await
}

/// `DELETE /api/campaigns/{id}`: with its prospects, costs and files.
pub async fn remove(state: Data<ApiState>, caller: Caller, id: Path<String>) -> Answer {
    let id = storable(&id);
    let Some(erased) =
        state.store.by(caller.author()).erase_campaign(&where_may(&caller, Role::may_operate), &id, true).await?
    else {
        find(&state, &caller, &id).await?;
        return Err(ApiError::forbidden("Your role in this account may not delete campaigns."));
    };
    state.erased(&[erased]).await?;
    Ok(HttpResponse::Ok().json(json!({"deleted": true, "id": id})))
}

async fn step(state: &ApiState, caller: &Caller, id: &str, step: Step) -> Answer {
    let id = storable(id);
    let mut editable = caller.accounts();
    editable.retain(|account| caller.role_in(*account).is_some_and(Role::may_edit));
    let conflict = |why: String| Err(ApiError::new(StatusCode::CONFLICT, why));
    match state.store.step_campaign(caller.agency, &editable, &id, step).await? {
        Some(Stepped::Taken(campaign)) => {
            state.outbox.wake();
            state.prospecting.wake();
            state.exports.wake();
            Ok(HttpResponse::Ok().json(json!({"campaign": campaign})))
        }
        Some(Stepped::NotNow(status)) => {
            conflict(format!("This campaign is `{status}`: it can't become `{}`.", step.to()))
        }
        Some(Stepped::OfAnother) => {
            conflict("This campaign is another database's: change it there, and the hub is told.".to_owned())
        }
        None => {
            find(state, caller, &id).await?;
            Err(ApiError::forbidden("Your role in this account may not change campaigns."))
        }
    }
}

/// A campaign that the caller may see.
pub(super) async fn find(state: &ApiState, caller: &Caller, id: &str) -> Result<Campaign, ApiError> {
    let id = storable(id);
    let campaign = state.store.campaign(caller.agency, &caller.accounts(), &id).await?;
    campaign.ok_or_else(|| ApiError::not_found("campaign"))
}

/// A campaign as it is typed in. What is wrong with it is said of all fields at once.
fn new(fields: &Map<String, Value>, caller: &Caller, account: AccountId) -> Result<NewCampaign, ApiError> {
    let mut wrong = Map::new();
    let mut text = |field: &str, longest: usize| match fields.get(field) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.trim().chars().count() <= longest => {
            Some(text.trim().to_owned()).filter(|text| !text.is_empty())
        }
        Some(_) => {
            wrong.insert(field.to_owned(), format!("must be text of at most {longest} characters").into());
            None
        }
    };
    let name = text("name", LONGEST_NAME);
    let [search_query, location, business_type] =
        ["search_query", "location", "business_type"].map(|field| text(field, LONGEST_TEXT));
    if name.is_none() && !wrong.contains_key("name") {
        wrong.insert("name".to_owned(), "is missing".into());
    }
    let target = fields.get("target_count").filter(|given| !given.is_null());
    let target_count = target.and_then(Value::as_i64).filter(|count| (1..=HIGHEST_TARGET).contains(count));
    if target.is_some() && target_count.is_none() {
        let what = format!("must be a whole number from 1 to {HIGHEST_TARGET}");
        wrong.insert("target_count".to_owned(), what.into());
    }
    let budget = fields.get("budget_limit").filter(|given| !given.is_null());
    let budget_limit = budget.and_then(Value::as_f64).and_then(Amount::of).and_then(hundredths);
    if budget.is_some() && budget_limit.is_none() {
        wrong.insert("budget_limit".to_owned(), "must be an amount from 0.01 to below a hundred million".into());
    }
    match name {
        Some(name) if wrong.is_empty() => Ok(NewCampaign {
            agency: caller.agency,
            account,
            name,
            user_id: caller.subject.to_string(),
            search_query,
            location,
            business_type,
            target_count,
            budget_limit,
        }),
        _ => {
            let first =
                wrong.iter().next().map(|(field, why)| format!("`{field}` {}.", why.as_str().unwrap_or("is wrong")));
            Err(ApiError::bad_request(first.unwrap_or_default()).with("fields", wrong))
        }
    }
}

/// To the hundredth, as it is kept.
fn hundredths(amount: Amount) -> Option<Amount> {
    let hundredth = Amount::PARTS / 100;
    Some(Amount((amount.0 + hundredth / 2) / hundredth * hundredth)).filter(|amount| amount.0 > 0)
}

/// The account that a campaign is made for: the one that is named, or the only one that the caller may edit.
fn account_for(caller: &Caller, named: Option<&Value>) -> Result<AccountId, ApiError> {
    let may = |account: AccountId| caller.role_in(account).is_some_and(Role::may_edit);
    let Some(named) = named.filter(|named| !named.is_null()) else {
        let mut own = caller.accounts();
        own.retain(|account| may(*account));
        return match own[..] {
            [only] => Ok(only),
            [] => Err(ApiError::forbidden("Your role may not make campaigns.")),
            _ => Err(ApiError::bad_request("`account_id` is missing: say which of your accounts the campaign is for.")),
        };
    };
    let account = seen(caller, named.as_str().unwrap_or_default())?;
    if may(account) {
        Ok(account)
    } else {
        Err(ApiError::forbidden("Your role in this account may not make campaigns."))
    }
}

/// The caller's accounts, or the one of them that is named.
fn accounts(caller: &Caller, query: &Parameters) -> Result<Vec<AccountId>, ApiError> {
    match text(query, "account_id") {
        None => Ok(caller.accounts()),
        Some(named) => Ok(vec![seen(caller, &named)?]),
    }
}

fn seen(caller: &Caller, account: &str) -> Result<AccountId, ApiError> {
    let account = account.parse().ok().filter(|account| caller.role_in(*account).is_some());
    account.ok_or_else(|| ApiError::not_found("account"))
}

fn text(query: &Parameters, name: &str) -> Option<String> {
    query.get(name).map(|text| storable(text.trim())).filter(|text| !text.is_empty())
}

/// A parameter that is given and not empty.
pub(super) fn parameter<T: FromStr>(query: &Parameters, name: &str) -> Result<Option<T>, ApiError> {
    let wrong = |_| ApiError::bad_request(format!("`{name}` can't be read."));
    text(query, name).map(|text| text.parse().map_err(wrong)).transpose()
}
