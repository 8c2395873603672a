//! What handlers take from a request: who asks, and a JSON object.

use std::{net::IpAddr, ops::Deref};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::StatusCode, web};
use futures_util::{FutureExt, future::LocalBoxFuture};
use serde_json::{Map, Value};

use super::{ApiError, ApiState};
use crate::{
    auth::{Credentials, Principal, Purpose},
    domain::audit::Author,
    http::{Body, BodyError},
};

/// A larger body is refused with 413, unless its route holds another [`BodyLimit`].
const MAX_BODY: usize = 256 * 1024;

/// Bytes that a route takes at most; `app_data` of its resource.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyLimit(pub usize);

/// Who asks. A handler that takes it answers nobody else.
#[derive(Debug, Clone)]
pub struct Caller {
    principal: Principal,
    /// From where, as far as trusted proxies tell it.
    pub(super) address: Option<IpAddr>,
}

impl Caller {
    /// As what they do is recorded.
    pub(super) fn author(&self) -> Author {
        Author::client(self.subject.into(), self.address)
    }
}

impl Deref for Caller {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.principal
    }
}

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        async move {
            let state = state(&request)?;
            let (auth, address) = (&state.auth, client_address(&request, state));
            let purpose = if request.method().is_safe() { Purpose::Read } else { Purpose::Change };
            let head = Credentials::from_head(request.headers(), peer(&request), purpose, auth.origins());
            let principal = match head {
                Ok(credentials) => auth.authenticate(credentials).await,
                Err(error) => Err(error),
            };
            let caller = principal.map(|principal| Self { principal, address });
            caller.map_err(|error| ApiError::from(error).shaped_for(&request))
        }
        .boxed_local()
    }
}

/// The body as a JSON object, its texts free of NUL characters, which PostgreSQL can't store.
#[derive(Debug)]
pub struct JsonObject(pub Map<String, Value>);

impl FromRequest for JsonObject {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (payload, request) = (web::Payload::from_request(request, payload), request.clone());
        async move {
            let read = match payload.await {
                Ok(payload) => read(&request, payload).await,
                Err(error) => Err(ApiError::bad_request(format!("The body could not be read: {error}."))),
            };
            read.map_err(|error| error.shaped_for(&request))
        }
        .boxed_local()
    }
}

impl JsonObject {
    /// A text that must be there.
    ///
    /// # Errors
    /// 400, naming the field.
    pub fn text(&self, key: &str) -> Result<&str, ApiError> {
        match self.0.get(key) {
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(ApiError::bad_request(format!("`{key}` must be text."))),
            None => Err(ApiError::bad_request(format!("`{key}` is missing."))),
        }
    }
}

async fn read(request: &HttpRequest, payload: web::Payload) -> Result<JsonObject, ApiError> {
    let BodyLimit(most) = request.app_data().copied().unwrap_or(BodyLimit(MAX_BODY));
    let body = Body::new(payload, state(request)?.pace).whole(most).await.map_err(|error| match error {
        BodyError::TooLarge => {
            ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, format!("The body is larger than {most} bytes: send less."))
        }
        BodyError::Slow => ApiError::new(StatusCode::REQUEST_TIMEOUT, "The body came too slowly: send it again."),
        BodyError::Broken => ApiError::bad_request("The body broke off: send it again."),
    })?;
    object(&body)
}

fn object(body: &[u8]) -> Result<JsonObject, ApiError> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(mut fields)) => {
            fields.values_mut().for_each(clean);
            Ok(JsonObject(fields))
        }
        Ok(_) => Err(ApiError::bad_request("The body must be a JSON object: {\"field\": value, …}.")),
        Err(error) => Err(ApiError::bad_request(format!("The body is not JSON: {error}."))),
    }
}

/// Text as both databases take it: PostgreSQL has no NUL.
pub(super) fn storable(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}

/// The depth is bounded by the parser.
fn clean(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('\0') => *text = storable(text),
        Value::Array(items) => items.iter_mut().for_each(clean),
        Value::Object(fields) => fields.values_mut().for_each(clean),
        _ => {}
    }
}

/// The shared state.
pub(super) fn state(request: &HttpRequest) -> Result<&ApiState, ApiError> {
    let missing = || ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "The hub was put together without its API.");
    request.app_data::<web::Data<ApiState>>().map(|state| &***state).ok_or_else(missing)
}

/// Where the request came from.
pub(super) fn client_address(request: &HttpRequest, state: &ApiState) -> Option<IpAddr> {
    state.proxies.client(request.headers(), peer(request))
}

/// The address at the other end of the connection.
pub(super) fn peer(request: &HttpRequest) -> Option<IpAddr> {
    request.peer_addr().map(|peer| peer.ip())
}
