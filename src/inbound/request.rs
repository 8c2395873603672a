//! A webhook's head, and how answers are made.

use std::net::IpAddr;

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header},
};

use super::providers::Answer;
use crate::http::{Proxies, network_of};

/// Headers that are kept with a webhook. Never one that carries a secret.
const KEPT: [&str; 8] = [
    "content-type",
    "user-agent",
    "x-hub-signature-256",
    "x-hub-signature",
    "x-forwarded-for",
    "content-length",
    "x-webhook-type",
    "x-alert-id",
];

/// A webhook's head.
#[derive(Clone, Copy)]
pub(super) struct Head<'r> {
    request: &'r HttpRequest,
    client: Option<IpAddr>,
}

impl<'r> Head<'r> {
    pub fn new(request: &'r HttpRequest, proxies: &Proxies) -> Self {
        let peer = request.peer_addr().map(|peer| peer.ip());
        Self { request, client: proxies.client(request.headers(), peer) }
    }

    pub fn path(&self) -> &'r str {
        self.request.path()
    }

    /// The names of a provider and a source, where the path has them.
    pub fn source(&self) -> Option<(&'r str, &'r str)> {
        let path = self.request.match_info();
        path.get("provider").zip(path.get("source"))
    }

    /// By its name in lower case.
    pub fn header(&self, name: &str) -> Option<&'r [u8]> {
        self.request.headers().get(name).map(header::HeaderValue::as_bytes)
    }

    pub fn query(&self) -> &'r str {
        self.request.query_string()
    }

    /// The length that it says its body has; 0 if it says none.
    pub fn announced(&self) -> usize {
        let length = self.request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        length.and_then(|length| length.parse().ok()).unwrap_or(0)
    }

    /// What counts as one sender.
    pub fn network(&self) -> Option<IpAddr> {
        self.client.map(network_of)
    }

    /// The client's address, in text.
    pub fn remote(&self) -> String {
        self.client.map(|client| client.to_string()).unwrap_or_default()
    }

    /// A JSON object, written by hand: it is made for every webhook.
    pub fn kept(&self) -> String {
        let mut json = String::with_capacity(256);
        for name in KEPT {
            let Some(value) = self.request.headers().get(name) else { continue };
            json.push_str(if json.is_empty() { "{\"" } else { ",\"" });
            json.push_str(name);
            json.push_str("\":");
            match value.to_str() {
                Ok(plain) if !plain.contains(['"', '\\', '\t']) => {
                    json.push('"');
                    json.push_str(plain);
                    json.push('"');
                }
                _ => json.push_str(&serde_json::Value::from(String::from_utf8_lossy(value.as_bytes())).to_string()),
            }
        }
        json.push_str(if json.is_empty() { "{}" } else { "}" });
        json
    }
}

pub(super) fn said(answer: &Answer) -> HttpResponse {
    let mut response = plain(StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    if answer.is_json {
        response.insert_header((header::CONTENT_TYPE, "application/json"));
    }
    response.body(answer.body.clone().into_owned())
}

pub(super) fn plain(status: StatusCode) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    answer
        .insert_header((header::CONTENT_TYPE, "text/plain; charset=utf-8"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    answer
}
