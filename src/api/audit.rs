//! The audit log, for owners: an owner of all of the agency's accounts sees all of it, other owners what concerns theirs.

use actix_web::{HttpResponse, web::Data};
use serde_json::json;

use super::{
    ApiError, ApiState, Caller,
    campaigns::{Parameters, parameter},
    lead_query::moment,
};
use crate::{
    domain::Role,
    store::{AuditFilter, AuditScope},
};

/// Records on a page, unless asked otherwise, and at most.
const PAGE: u32 = 100;
const LONGEST_PAGE: u32 = 250;

/// `GET /api/audit?since=&until=&action=&actor=&limit=&cursor=`: the newest first.
pub async fn list(state: Data<ApiState>, caller: Caller, query: Parameters) -> Result<HttpResponse, ApiError> {
    let scope = scope(&state, &caller)?;
    let time = |name: &str| parameter::<String>(&query, name)?.map(|text| moment(name, &text)).transpose();
    let filter = AuditFilter {
        scope,
        since: time("since")?,
        until: time("until")?,
        action: parameter(&query, "action")?,
        actor: parameter(&query, "actor")?,
        limit: parameter(&query, "limit")?.unwrap_or(PAGE).clamp(1, LONGEST_PAGE),
        cursor: parameter(&query, "cursor")?,
    };
    let page = state.store.audit(&filter).await?;
    let next = page.next.map(|cursor| cursor.to_string());
    Ok(HttpResponse::Ok().json(json!({"items": page.entries, "next": next})))
}

fn scope(state: &ApiState, caller: &Caller) -> Result<AuditScope, ApiError> {
    let mut owned = caller.accounts();
    owned.retain(|account| caller.role_in(*account) == Some(Role::Owner));
    if owned.is_empty() {
        return Err(ApiError::forbidden("Only owners see who did what."));
    }
    let directory = state.directory.borrow().clone();
    let all = directory.is_some_and(|directory| {
        let mut theirs = directory.accounts.values().filter(|account| account.agency == caller.agency);
        theirs.all(|account| owned.contains(&account.id))
    });
    Ok(if all { AuditScope::Agency(caller.agency) } else { AuditScope::Accounts(caller.agency, owned) })
}
