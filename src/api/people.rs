//! Colleagues: who else works on the caller's accounts, by name. A chat is given to one of them.

use actix_web::{HttpResponse, web::Data};
use serde_json::json;

use super::{ApiError, ApiState, Caller};
use crate::auth::{AuthError, Subject, grants_of};

/// `GET /api/people`: `{"items":[{"id","name","accounts":[{"id","role"}]}]}`, by name; of each person the accounts that the
/// caller sees as well. Who is disabled is not among them.
pub async fn list(state: Data<ApiState>, caller: Caller) -> Result<HttpResponse, ApiError> {
    let directory = state.directory.borrow().clone();
    let directory = directory.ok_or(AuthError::Unavailable("the list of users has not been loaded yet"))?;
    let mut people = Vec::new();
    for user in directory.users.values().filter(|user| user.agency == caller.agency) {
        let Some(grants) = grants_of(Subject::User(user.id), &directory) else { continue };
        let mut shared: Vec<_> = grants.iter().filter(|(account, _)| caller.role_in(**account).is_some()).collect();
        if shared.is_empty() {
            continue;
        }
        shared.sort_by_key(|(account, _)| **account);
        let accounts: Vec<_> = shared.into_iter().map(|(id, role)| json!({"id": id, "role": role})).collect();
        people.push((&user.name, json!({"id": user.id, "name": user.name, "accounts": accounts})));
    }
    people.sort_by_key(|(name, _)| *name);
    let items: Vec<_> = people.into_iter().map(|(_, person)| person).collect();
    Ok(HttpResponse::Ok().json(json!({"items": items})))
}
