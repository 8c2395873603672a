//! Signing in and out, and tokens for sockets.

use actix_web::{
    HttpRequest, HttpResponse,
    cookie::{Cookie, SameSite, time::Duration as CookieDuration},
    http::{StatusCode, header},
    web::Data,
};
use secrecy::ExposeSecret;
use serde_json::json;

use super::{
    ApiError, ApiState, Caller,
    extract::{JsonObject, client_address, peer},
    me,
};
use crate::{
    auth::{AuthError, COOKIE, Login},
    domain::clock,
};

/// How long a token for sockets lasts, unless the sign-in it is made from ends before.
const SOCKET_TOKEN: chrono::Duration = chrono::Duration::minutes(15);

/// `POST /api/login {"email","password"}`: the user, and the session cookie.
pub async fn login(request: HttpRequest, state: Data<ApiState>, body: JsonObject) -> Result<HttpResponse, ApiError> {
    // Another site's page must not sign a visitor in as somebody else. Programs send neither header.
    let from_a_page =
        request.headers().contains_key(header::ORIGIN) || request.headers().contains_key("sec-fetch-site");
    if from_a_page && !state.auth.origins().admit(request.headers()) {
        return Err(AuthError::CrossOrigin.into());
    }
    let password = body.text("password")?.to_owned().into();
    let login = state.auth.login(body.text("email")?, password, client_address(&request, &state)).await?;
    let user = me::describe(&login.principal, &state)?;
    let cookie = session_cookie(&login, state.proxies.spoke_https(request.headers(), peer(&request)));
    Ok(HttpResponse::Ok().cookie(cookie).json(json!({"success": true, "user": user})))
}

/// `POST /api/logout`: 204; the cookie is cleared and its token refused from now on.
pub async fn logout(state: Data<ApiState>, caller: Result<Caller, ApiError>) -> Result<HttpResponse, ApiError> {
    use actix_web::ResponseError;
    let done = match caller {
        Ok(caller) => state.auth.logout(&caller, caller.address).await.map_err(ApiError::from),
        // Nothing to end: run out, or signed out before.
        Err(error) if error.status_code() == StatusCode::UNAUTHORIZED => Ok(()),
        Err(error) => return Err(error),
    };
    let mut response = done.map_or_else(|error| error.error_response(), |()| HttpResponse::NoContent().finish());
    let mut cookie = Cookie::build(COOKIE, "").path("/").http_only(true).same_site(SameSite::Lax).finish();
    cookie.make_removal();
    response.add_cookie(&cookie).map_err(|_| AuthError::Unavailable("the cookie could not be cleared"))?;
    Ok(response)
}

/// `POST /api/token`: a short-lived token for a socket; it ends with the sign-in that it is made from.
pub async fn token(state: Data<ApiState>, caller: Caller) -> Result<HttpResponse, ApiError> {
    let soon = clock::now() + SOCKET_TOKEN;
    let until = caller.expires_at.map_or(soon, |end| end.min(soon));
    let (token, expires_at) = state.auth.derive(&caller, until)?;
    Ok(HttpResponse::Ok().json(json!({"token": token.expose_secret(), "expires_at": clock::rfc3339(expires_at)})))
}

fn session_cookie(login: &Login, https: bool) -> Cookie<'static> {
    let lasts = (login.expires_at - clock::now()).num_seconds().max(0);
    Cookie::build(COOKIE, login.token.expose_secret().to_owned())
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(https)
        .max_age(CookieDuration::seconds(lasts))
        .finish()
}
