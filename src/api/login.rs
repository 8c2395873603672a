//! Signing in and out, and tokens for sockets.

use actix_web::{
    HttpRequest, HttpResponse,
    cookie::{Cookie, SameSite, time::Duration as CookieDuration},
    http::StatusCode,
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
    auth::{
        Attempt, AuthError, COOKIE, Credentials, DEVICE_COOKIE, DEVICE_LASTS, Login, Page, Purpose, SECURE_COOKIE,
        device_cookie,
    },
    domain::clock,
};

/// How long a token for sockets lasts, unless the sign-in it is made from ends before.
const SOCKET_TOKEN: chrono::Duration = chrono::Duration::minutes(15);

/// `POST /api/login {"email","password"}`: the user, the session cookie, and the cookie of the device.
pub async fn login(request: HttpRequest, state: Data<ApiState>, body: JsonObject) -> Result<HttpResponse, ApiError> {
    let (headers, peer, origins) = (request.headers(), peer(&request), state.auth.origins());
    // Another site's page must not sign a visitor in as somebody else.
    if origins.page(headers, peer) == Page::Foreign {
        origins.tell_refused(headers, peer);
        return Err(AuthError::CrossOrigin.into());
    }
    let (password, address) = (body.text("password")?.to_owned().into(), client_address(&request, &state));
    let attempt = Attempt { email: body.text("email")?, password, address, device: device_cookie(headers) };
    let login = state.auth.login(attempt).await?;
    // A browser has one session: the fresh one takes the place of that whose cookie it shows.
    state.auth.end_sessions(Credentials::from_head(headers, peer, Purpose::Read, origins)?, address).await;
    let user = me::describe(&login.principal, &state)?;
    let https = origins.is_https(headers, peer);
    let (session, device) = (session_cookie(&login, https), device_cookie_of(&login, https));
    Ok(HttpResponse::Ok().cookie(session).cookie(device).json(json!({"success": true, "user": user})))
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
    for https in [false, true] {
        let mut cookie = bare_session_cookie(String::new(), https);
        cookie.make_removal();
        response.add_cookie(&cookie).map_err(|_| AuthError::Unavailable("the cookie could not be cleared"))?;
    }
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
    let mut cookie = bare_session_cookie(login.token.expose_secret().to_owned(), https);
    cookie.set_max_age(CookieDuration::seconds(lasts));
    cookie
}

fn bare_session_cookie(token: String, https: bool) -> Cookie<'static> {
    let name = if https { SECURE_COOKIE } else { COOKIE };
    Cookie::build(name, token).path("/").http_only(true).same_site(SameSite::Lax).secure(https).finish()
}

/// Shown when somebody signs in, and nowhere else.
fn device_cookie_of(login: &Login, https: bool) -> Cookie<'static> {
    Cookie::build(DEVICE_COOKIE, login.device.expose_secret().to_owned())
        .path("/api/login")
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(https)
        .max_age(CookieDuration::seconds(DEVICE_LASTS.num_seconds()))
        .finish()
}
