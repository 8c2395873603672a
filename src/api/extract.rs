//! What handlers take from a request: who asks, and a JSON object.

use std::{net::IpAddr, ops::Deref};

use actix_web::{FromRequest, HttpRequest, dev::Payload, error::PayloadError, http::StatusCode, web};
use futures_util::{FutureExt, future::LocalBoxFuture};
use serde_json::{Map, Value};

use super::{ApiError, ApiState};
use crate::auth::{Credentials, Principal, Purpose, client_address};

/// A larger body is refused with 413.
pub const MAX_BODY: usize = 256 * 1024;

/// Who asks. A handler that takes it answers nobody else.
#[derive(Debug, Clone)]
pub struct Caller(pub Principal);

impl Deref for Caller {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.0
    }
}

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        async move {
            let auth = &state(&request)?.auth;
            let purpose = if request.method().is_safe() { Purpose::Read } else { Purpose::Change };
            let principal = match Credentials::from_head(request.headers(), purpose, auth.origins()) {
                Ok(credentials) => auth.authenticate(credentials).await,
                Err(error) => Err(error),
            };
            principal.map(Self).map_err(|error| ApiError::from(error).shaped_for(&request))
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
        let body = web::Bytes::from_request(request, payload);
        let request = request.clone();
        async move {
            let read = match body.await {
                Ok(body) => object(&body),
                Err(error) => Err(unread(&error)),
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

fn unread(error: &actix_web::Error) -> ApiError {
    if let Some(PayloadError::Overflow) = error.as_error::<PayloadError>() {
        return ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "The body is too large.");
    }
    ApiError::bad_request(format!("The body could not be read: {error}."))
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
pub(super) fn address(request: &HttpRequest, trust_proxy: bool) -> Option<IpAddr> {
    client_address(request.headers(), request.peer_addr().map(|peer| peer.ip()), trust_proxy)
}
