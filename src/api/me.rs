//! Who the caller is.

use actix_web::{HttpResponse, web::Data};
use serde_json::{Value, json};

use super::{ApiError, ApiState, Caller};
use crate::auth::{AuthError, Principal, Subject};

/// `GET /api/me`.
pub async fn me(state: Data<ApiState>, caller: Caller) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(json!({"user": describe(&caller, &state)?})))
}

/// A caller as JSON: `{"id","email","name","agency":{"id","name"},"accounts":[{"id","name","role"}]}`, accounts by name.
/// A program has no e-mail address.
pub(super) fn describe(caller: &Principal, state: &ApiState) -> Result<Value, ApiError> {
    let directory = state.directory.borrow().clone();
    let directory = directory.ok_or(AuthError::Unavailable("the list of users has not been loaded yet"))?;
    let email = match caller.subject {
        Subject::User(id) => directory.users.get(&id).map(|user| user.email.clone()),
        Subject::ApiKey(_) | Subject::Anonymous(_) => None,
    };
    let mut accounts: Vec<_> =
        caller.grants.iter().filter_map(|(id, role)| Some((directory.accounts.get(id)?, role))).collect();
    accounts.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name).then(one.id.cmp(&other.id)));
    let accounts: Vec<_> = accounts
        .into_iter()
        .map(|(account, role)| json!({"id": account.id, "name": account.name, "role": role}))
        .collect();
    Ok(json!({
        "id": caller.subject.to_string(),
        "email": email,
        "name": caller.name,
        "agency": {
            "id": caller.agency,
            "name": directory.agencies.get(&caller.agency).map(|agency| agency.name.as_str()),
        },
        "accounts": accounts,
    }))
}
