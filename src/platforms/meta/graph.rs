//! The client of the Graph API: one call, one answer, within a time and a size.
//!
//! The token goes into a header and the URL is never passed on, not even within errors.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use reqwest::{
    RequestBuilder, StatusCode,
    header::{AUTHORIZATION, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::Sha256;
use url::Url;

use super::{super::http, GraphError, Remedy, Usage};
use crate::config;

/// Longest lead id that is asked for; real ones have 15 to 17 digits.
const LONGEST_ID: usize = 40;

/// What the client is built from: the section `meta` of the settings.
#[derive(Debug, Clone)]
pub struct GraphSettings {
    /// Where the API is; a path in it stays in front.
    pub url: Url,
    /// `v26.0`
    pub version: String,
    /// The fields to ask for, with commas between them.
    pub lead_fields: String,
    /// From the call's beginning to its last byte.
    pub timeout: Duration,
    /// Bytes of the answer, uncompressed.
    pub max_response: usize,
}

impl From<&config::Meta> for GraphSettings {
    fn from(settings: &config::Meta) -> Self {
        Self {
            url: settings.graph_url.clone(),
            version: settings.graph_version.clone(),
            lead_fields: settings.lead_fields.clone(),
            timeout: settings.timeout,
            max_response: usize::try_from(settings.max_response.as_u64()).unwrap_or(usize::MAX),
        }
    }
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The URL can't have a path.
    #[error("the Graph API's URL must begin with http:// or https:// and a host")]
    Url,
    /// TLS could not be set up.
    #[error("the HTTP client could not be set up")]
    Client(#[source] reqwest::Error),
}

/// Calls the Graph API. Clones share their connections.
#[derive(Debug, Clone)]
pub struct GraphClient {
    pub(super) http: reqwest::Client,
    pub(super) settings: GraphSettings,
}

/// A lead as the platform has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Fetched {
    /// An object, of the shape that [`super::lead_from`] reads.
    pub object: Value,
    /// What the call cost.
    pub usage: Usage,
}

impl GraphClient {
    /// A client with connections of its own. It follows no redirect: the token goes nowhere else.
    ///
    /// # Errors
    /// If the URL isn't one of a host, or TLS can't be set up.
    pub fn new(settings: GraphSettings) -> Result<Self, BuildError> {
        if settings.url.cannot_be_a_base() || !matches!(settings.url.scheme(), "http" | "https") {
            return Err(BuildError::Url);
        }
        let http = http::client(settings.timeout).map_err(BuildError::Client)?;
        Ok(Self { http, settings })
    }

    /// Fetches a lead's answers. With the secret of the token's app a proof goes along that the token wasn't stolen,
    /// which apps may demand.
    ///
    /// # Errors
    /// Whatever kept the lead from coming, with what would help.
    pub async fn lead(
        &self,
        token: &SecretString,
        app_secret: Option<&SecretString>,
        leadgen_id: &str,
    ) -> Result<Fetched, GraphError> {
        let url = self.lead_url(token, app_secret, leadgen_id)?;
        let request = self.http.get(url).header(AUTHORIZATION, bearer(token)?);
        let fetched = self.call(request).await.map_err(|error| error.conceal(token.expose_secret()))?;
        is_about(&fetched.object, leadgen_id)?;
        Ok(fetched)
    }

    fn lead_url(
        &self,
        token: &SecretString,
        app_secret: Option<&SecretString>,
        leadgen_id: &str,
    ) -> Result<Url, GraphError> {
        // It becomes part of a path: `1/../me` must not.
        if !(1..=LONGEST_ID).contains(&leadgen_id.len()) || !leadgen_id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(GraphError::own(Remedy::Park, "the lead's id is not a number"));
        }
        let mut url = self.settings.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend([&self.settings.version, leadgen_id]);
        }
        url.query_pairs_mut().append_pair("fields", &self.settings.lead_fields);
        if let Some(proof) = app_secret.and_then(|secret| proof(secret.expose_secret(), token.expose_secret())) {
            url.query_pairs_mut().append_pair("appsecret_proof", &proof);
        }
        Ok(url)
    }

    async fn call(&self, request: RequestBuilder) -> Result<Fetched, GraphError> {
        let response = request.send().await.map_err(|error| GraphError::broken(error.into()))?;
        let (status, usage) = (response.status(), Usage::from_headers(response.headers()));
        let with_usage = |error: GraphError| GraphError { usage, ..error };
        let body = http::body(response, self.settings.max_response).await;
        let body = body.map_err(|broken| with_usage(GraphError::broken(broken)))?;
        let Ok(object) = serde_json::from_slice::<Value>(&body) else {
            return Err(with_usage(unexpected(status, "no JSON")));
        };
        if let Some(error) = GraphError::from_body(&object, usage) {
            return Err(error);
        }
        if !status.is_success() || !object.is_object() {
            return Err(with_usage(unexpected(status, "no lead")));
        }
        Ok(Fetched { object, usage })
    }
}

/// A header that no debug output shows.
pub(super) fn bearer(token: &SecretString) -> Result<HeaderValue, GraphError> {
    let token = token.expose_secret();
    let value = HeaderValue::try_from(format!("Bearer {token}")).ok().filter(|_| !token.trim().is_empty());
    let mut value = value.ok_or_else(|| {
        GraphError::own(Remedy::ReplaceToken, "the source's token is empty or has characters that no token has")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// `appsecret_proof`: HMAC-SHA256 of the token under the app's secret, as hex digits. None without a secret.
pub(super) fn proof(app_secret: &str, token: &str) -> Option<String> {
    if app_secret.is_empty() {
        return None;
    }
    let hmac = Hmac::<Sha256>::new_from_slice(app_secret.as_bytes()).ok()?;
    Some(hex::encode(hmac.chain_update(token).finalize().into_bytes()))
}

/// Whoever answers with another lead than the one that was asked for must not have it shown to somebody.
fn is_about(object: &Value, leadgen_id: &str) -> Result<(), GraphError> {
    let same = match object.get("id") {
        Some(Value::String(id)) => id == leadgen_id,
        Some(Value::Number(id)) => id.to_string() == leadgen_id,
        _ => true,
    };
    if same { Ok(()) } else { Err(GraphError::own(Remedy::Retry, "the platform answered with another lead")) }
}

fn unexpected(status: StatusCode, what: &str) -> GraphError {
    GraphError::own(Remedy::Retry, format!("the platform answered {} with {what}", status.as_u16()))
}
