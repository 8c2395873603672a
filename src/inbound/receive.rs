//! The one HTTP path in: verify, split, accept, answer.
//!
//! `/webhook` is for the hub's own app, `/webhook/{provider}/{source}` for a source; one whose agency has an app of its
//! own is verified with that app's secrets, and its events reach that agency's sources only. [`UNIPILE_MESSAGES`] is for
//! all of Unipile's sources: whose it is tells the secret.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web,
};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use secrecy::SecretString;
use tokio::sync::oneshot;

use super::{
    Accept, Ingester, Receiving,
    providers::{self, Answers, Provider},
    receiving::Held,
};
use crate::{
    config,
    domain::{
        clock,
        directory::{Directory, Watch},
        event::{Scope, SourceKind},
    },
    inbox::{Delivery, Inbox, Quarantined},
    telemetry::Metrics,
};

/// Platforms give up after five seconds; a refusal in time makes them try again.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);
/// What a platform that was refused for lack of room is told to wait.
const RETRY_AFTER: &str = "5";
/// The address that users of the origin's inbox have registered.
const UNIPILE_MESSAGES: &str = "/api/webhooks/unipile/messages";
/// What an announced length is believed before the bytes come.
const TRUSTED_LENGTH: usize = 64 * 1024;
/// As much of a refused body is kept.
const QUARANTINED_BODY: usize = 16 * 1024;
/// Headers that are kept with a webhook. Never one that carries a secret.
const KEPT_HEADERS: [&str; 6] =
    ["content-type", "user-agent", "x-hub-signature-256", "x-hub-signature", "x-forwarded-for", "content-length"];

/// What the path needs; one for all workers.
pub struct Receiver {
    directory: Watch,
    inbox: Inbox,
    receiving: Receiving,
    metrics: Arc<Metrics>,
    hub_secrets: Vec<SecretString>,
    hub_verify_token: SecretString,
    max_body: usize,
    request_timeout: Duration,
    quarantine: u32,
    quarantine_rate: DefaultDirectRateLimiter,
    /// Bad signatures since the last that was kept, by source: at most as many as there are sources.
    refusals: Mutex<HashMap<String, i64>>,
}

/// Who a webhook's address belongs to.
struct Door<'a> {
    provider: &'static dyn Provider,
    secrets: &'a [SecretString],
    verify_token: Option<&'a SecretString>,
    scope: Scope,
    source: String,
}

/// Why a POST was not accepted.
enum Refused {
    NoSuchDoor,
    NotReady,
    TooLarge,
    Slow,
    Broken,
    Full,
    BadSignature(Answers),
}

impl Receiver {
    /// `directory`: who is who; `inbox`: for the quarantine.
    #[must_use]
    pub fn new(settings: &config::Settings, directory: Watch, inbox: Inbox, metrics: Arc<Metrics>) -> Self {
        let bytes = |size: bytesize::ByteSize| usize::try_from(size.as_u64()).unwrap_or(usize::MAX);
        Self {
            directory,
            inbox,
            receiving: Receiving::new(bytes(settings.inbox.queue)),
            metrics,
            hub_secrets: settings.meta.app_secrets.clone(),
            hub_verify_token: settings.meta.verify_token.clone(),
            max_body: bytes(settings.inbox.max_body),
            request_timeout: settings.server.request_timeout,
            quarantine: settings.inbox.quarantine,
            quarantine_rate: RateLimiter::direct(Quota::per_second(std::num::NonZeroU32::MIN.saturating_add(19))),
            refusals: Mutex::default(),
        }
    }

    /// Bytes being received or waiting for a commit.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.receiving.bytes()
    }

    fn directory(&self) -> Result<Arc<Directory>, Refused> {
        self.directory.borrow().clone().ok_or(Refused::NotReady)
    }

    fn door<'a>(&'a self, request: &HttpRequest, directory: &'a Directory) -> Result<Door<'a>, Refused> {
        let hub = |provider, source| Door {
            provider,
            secrets: &self.hub_secrets,
            verify_token: Some(&self.hub_verify_token),
            scope: Scope::Hub,
            source,
        };
        if request.path() == UNIPILE_MESSAGES {
            return shared_door(SourceKind::Unipile, request, directory);
        }
        let path = request.match_info();
        let (Some(provider), Some(id)) = (path.get("provider"), path.get("source")) else {
            let provider = providers::named(SourceKind::Meta.as_str()).ok_or(Refused::NoSuchDoor)?;
            return Ok(hub(provider, String::new()));
        };
        let provider = providers::named(provider).ok_or(Refused::NoSuchDoor)?;
        let source = id.parse().ok().and_then(|id| directory.sources.get(&id)).ok_or(Refused::NoSuchDoor)?;
        if source.kind != provider.kind() {
            return Err(Refused::NoSuchDoor);
        }
        // The hub's own app is Meta's.
        if source.app_secrets.is_empty() && source.kind == SourceKind::Meta {
            return Ok(hub(provider, source.id.to_string()));
        }
        Ok(Door {
            provider,
            secrets: &source.app_secrets,
            verify_token: source.verify_token.as_ref(),
            scope: Scope::Agency(source.agency),
            source: source.id.to_string(),
        })
    }

    /// The whole body, while there is room for it and time.
    async fn body(&self, request: &HttpRequest, mut payload: web::Payload) -> Result<(Bytes, Held), Refused> {
        let read = self.read(request, &mut payload).await;
        if matches!(read, Err(Refused::TooLarge)) {
            // A connection that is closed with bytes unread takes the answer with it: as much again is passed over.
            let mut left = self.max_body;
            let passing = async {
                while let Some(Ok(chunk)) = payload.next().await {
                    let Some(less) = left.checked_sub(chunk.len()) else { break };
                    left = less;
                }
            };
            let _ = tokio::time::timeout(self.request_timeout, passing).await;
        }
        read
    }

    async fn read(&self, request: &HttpRequest, payload: &mut web::Payload) -> Result<(Bytes, Held), Refused> {
        let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        let announced = announced.and_then(|length| length.parse::<usize>().ok()).unwrap_or(0);
        if announced > self.max_body {
            return Err(Refused::TooLarge);
        }
        let mut held = self.receiving.begin();
        let mut body = BytesMut::with_capacity(announced.min(TRUSTED_LENGTH));
        let reading = async {
            while let Some(chunk) = payload.next().await {
                let chunk = chunk.map_err(|_| Refused::Broken)?;
                if body.len() + chunk.len() > self.max_body {
                    return Err(Refused::TooLarge);
                }
                held.add(chunk.len()).map_err(|_| Refused::Full)?;
                body.extend_from_slice(&chunk);
            }
            Ok(())
        };
        tokio::time::timeout(self.request_timeout, reading).await.map_err(|_| Refused::Slow)??;
        Ok((body.freeze(), held))
    }

    async fn receive(
        &self,
        request: &HttpRequest,
        payload: web::Payload,
        ingester: &Ingester,
    ) -> Result<&'static str, Refused> {
        let directory = self.directory()?;
        let door = self.door(request, &directory)?;
        let (body, held) = self.body(request, payload).await?;
        let header = |name: &str| request.headers().get(name).map(header::HeaderValue::as_bytes);
        if !door.provider.verify(door.secrets, &header, &body) {
            self.keep_for_a_look(request, &door.source, &body);
            return Err(Refused::BadSignature(door.provider.answers()));
        }
        let events = door.provider.split(&body, &directory, door.scope);
        let delivery = Delivery {
            received_at: clock::now(),
            provider: door.provider.kind().as_str(),
            path: door.source,
            remote: remote(request),
            headers: kept_headers(request),
            body,
            events,
        };
        let (reply, answer) = oneshot::channel();
        if !ingester.accept(Accept { delivery, held, reply }) {
            return Err(Refused::Full);
        }
        match tokio::time::timeout(ANSWER_WITHIN, answer).await {
            Ok(Ok(Ok(()))) => Ok(door.provider.answers().accepted),
            // Not durable, or not known to be in time: the platform sends it again, and it is accepted once.
            _ => Err(Refused::Full),
        }
    }

    fn handshake(&self, request: &HttpRequest) -> Result<(StatusCode, String), Refused> {
        let directory = self.directory()?;
        let door = self.door(request, &directory)?;
        let unset = SecretString::default();
        Ok(match door.provider.handshake(request.query_string(), door.verify_token.unwrap_or(&unset)) {
            Ok(challenge) => (StatusCode::OK, challenge),
            Err(error) => (StatusCode::from_u16(error.status()).unwrap_or(StatusCode::FORBIDDEN), error.to_string()),
        })
    }

    /// Never waited for, and at most twenty a second: whoever sends garbage must not keep the inbox busy. All are
    /// counted, by the source whose address was used.
    fn keep_for_a_look(&self, request: &HttpRequest, source: &str, body: &Bytes) {
        let count = {
            let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
            let count = refusals.entry(source.to_owned()).or_insert(0);
            *count += 1;
            if self.quarantine_rate.check().is_err() {
                return;
            }
            std::mem::take(count)
        };
        let refused = Quarantined {
            received_at: clock::now(),
            path: source.to_owned(),
            remote: remote(request),
            headers: kept_headers(request),
            body: Bytes::copy_from_slice(&body[..body.len().min(QUARANTINED_BODY)]),
        };
        let (inbox, limit) = (self.inbox.clone(), self.quarantine);
        actix_rt::spawn(async move {
            if let Err(error) = inbox.quarantine(refused, count, limit).await {
                tracing::warn!(%error, "a refused webhook could not be kept for a look");
            }
        });
    }
}

/// The address of all sources of a kind: it belongs to the one whose secret came. To nobody, and with no secret that could
/// be right, if there is none.
fn shared_door<'a>(kind: SourceKind, request: &HttpRequest, directory: &'a Directory) -> Result<Door<'a>, Refused> {
    let provider = providers::named(kind.as_str()).ok_or(Refused::NoSuchDoor)?;
    let header = |name: &str| request.headers().get(name).map(header::HeaderValue::as_bytes);
    let mut sources = directory.sources.values().filter(|source| source.kind == kind);
    let source = sources.find(|source| provider.verify(&source.app_secrets, &header, &[]));
    Ok(Door {
        provider,
        secrets: source.map_or(&[], |source| &source.app_secrets),
        verify_token: None,
        scope: source.map_or(Scope::Hub, |source| Scope::Agency(source.agency)),
        source: source.map_or_else(String::new, |source| source.id.to_string()),
    })
}

impl Refused {
    const fn outcome(&self) -> &'static str {
        match self {
            Self::NoSuchDoor => "unknown_address",
            Self::NotReady => "not_ready",
            Self::TooLarge => "too_large",
            Self::Slow => "too_slow",
            Self::Broken => "broken_off",
            Self::Full => "unavailable",
            Self::BadSignature(_) => "bad_signature",
        }
    }

    fn answer(&self) -> HttpResponse {
        let (status, text) = match self {
            Self::NoSuchDoor => (StatusCode::NOT_FOUND, "No source has this address"),
            Self::NotReady => (StatusCode::SERVICE_UNAVAILABLE, "Starting, try again"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "Too large"),
            Self::Slow => (StatusCode::REQUEST_TIMEOUT, "Too slow"),
            Self::Broken => (StatusCode::BAD_REQUEST, "The body broke off"),
            Self::Full => (StatusCode::SERVICE_UNAVAILABLE, "Not kept, try again"),
            Self::BadSignature(answers) => (
                StatusCode::from_u16(answers.bad_signature_status).unwrap_or(StatusCode::FORBIDDEN),
                answers.bad_signature,
            ),
        };
        let mut answer = plain(status);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            answer.insert_header((header::RETRY_AFTER, RETRY_AFTER));
        }
        answer.body(text)
    }
}

/// Adds the webhook addresses. The app must hold `web::Data` of a [`Receiver`] and, a worker, of an [`Ingester`].
pub fn configure(routes: &mut web::ServiceConfig) {
    for path in ["/webhook", "/webhook/{provider}/{source}", UNIPILE_MESSAGES] {
        routes.service(web::resource(path).route(web::get().to(handshake)).route(web::post().to(post)));
    }
}

async fn post(
    request: HttpRequest,
    payload: web::Payload,
    receiver: web::Data<Receiver>,
    ingester: web::Data<Ingester>,
) -> HttpResponse {
    let started = Instant::now();
    let outcome = receiver.receive(&request, payload, &ingester).await;
    receiver.metrics.acknowledge_seconds.observe(started.elapsed().as_secs_f64());
    match outcome {
        Ok(text) => {
            Metrics::count(&receiver.metrics.webhooks, "accepted");
            plain(StatusCode::OK).body(text)
        }
        Err(refused) => {
            Metrics::count(&receiver.metrics.webhooks, refused.outcome());
            tracing::warn!(outcome = refused.outcome(), path = request.path(), "webhook refused");
            refused.answer()
        }
    }
}

async fn handshake(request: HttpRequest, receiver: web::Data<Receiver>) -> HttpResponse {
    match receiver.handshake(&request) {
        Ok((status, text)) => plain(status).body(text),
        Err(refused) => refused.answer(),
    }
}

fn plain(status: StatusCode) -> actix_web::HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    answer
        .insert_header((header::CONTENT_TYPE, "text/plain; charset=utf-8"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    answer
}

fn remote(request: &HttpRequest) -> String {
    request.peer_addr().map(|peer| peer.ip().to_string()).unwrap_or_default()
}

/// A JSON object, written by hand: it is made for every webhook.
fn kept_headers(request: &HttpRequest) -> String {
    let mut json = String::with_capacity(256);
    for name in KEPT_HEADERS {
        let Some(value) = request.headers().get(name) else { continue };
        json.push_str(if json.is_empty() { "{\"" } else { ",\"" });
        json.push_str(name);
        json.push_str("\":");
        match value.to_str() {
            Ok(plain) if !plain.contains(['"', '\\']) => {
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
