//! The one HTTP path in: verify, split, accept, answer.
//!
//! Which address is whose stand in [`doors`](super::doors).

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
    doors::{Door, Doors, UNIPILE_MESSAGES},
    providers::{Answer, Kept, Post, Proof, prospecting},
    receiving::Held,
};
use crate::{
    config,
    domain::{
        clock,
        directory::{Directory, Watch},
    },
    http::{Routes, routes},
    inbox::{Delivery, Inbox, Quarantined},
    telemetry::Metrics,
};

/// Platforms give up after five seconds; a refusal in time makes them try again.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);
/// What a platform that was refused for lack of room is told to wait.
const RETRY_AFTER: &str = "5";
/// What an announced length is believed before the bytes come.
const TRUSTED_LENGTH: usize = 64 * 1024;
/// As much of a refused body is kept.
const QUARANTINED_BODY: usize = 16 * 1024;
/// As much of a refused body is read past, and for so long, before the answer.
const PASSED_OVER: usize = 64 * 1024;
const LINGER: Duration = Duration::from_secs(1);
/// Headers that are kept with a webhook. Never one that carries a secret.
const KEPT_HEADERS: [&str; 8] = [
    "content-type",
    "user-agent",
    "x-hub-signature-256",
    "x-hub-signature",
    "x-forwarded-for",
    "content-length",
    "x-webhook-type",
    "x-alert-id",
];

/// What the path needs; one for all workers.
pub struct Receiver {
    directory: Watch,
    inbox: Inbox,
    receiving: Receiving,
    metrics: Arc<Metrics>,
    doors: Doors,
    max_body: usize,
    queue: usize,
    request_timeout: Duration,
    quarantine: u32,
    quarantine_rate: DefaultDirectRateLimiter,
    /// Bad signatures since the last that was kept, by source: at most as many as there are sources.
    refusals: Mutex<HashMap<String, i64>>,
}

/// Why a POST was not accepted.
enum Refused {
    NoSuchDoor,
    NotReady,
    TooLarge,
    Slow,
    Broken,
    Full,
    BadSignature(Answer),
    Incomplete(Answer),
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
            doors: Doors::new(settings),
            max_body: bytes(settings.inbox.max_body),
            queue: bytes(settings.inbox.queue),
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

    /// The whole body, while there is room for it and time.
    async fn body(
        &self,
        request: &HttpRequest,
        mut payload: web::Payload,
        largest: usize,
    ) -> Result<(Bytes, Held), Refused> {
        let read = self.read(request, &mut payload, largest).await;
        if matches!(read, Err(Refused::TooLarge)) {
            // A connection that is closed with bytes unread takes the answer with it: twice as much is passed over. Of a
            // body that announces its length nothing was read yet.
            let mut left = largest.saturating_mul(2);
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

    async fn read(
        &self,
        request: &HttpRequest,
        payload: &mut web::Payload,
        largest: usize,
    ) -> Result<(Bytes, Held), Refused> {
        let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        let announced = announced.and_then(|length| length.parse::<usize>().ok()).unwrap_or(0);
        if announced > largest {
            return Err(Refused::TooLarge);
        }
        let mut held = self.receiving.begin();
        let mut body = BytesMut::with_capacity(announced.min(TRUSTED_LENGTH));
        let reading = async {
            while let Some(chunk) = payload.next().await {
                let chunk = chunk.map_err(|_| Refused::Broken)?;
                if body.len() + chunk.len() > largest {
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
    ) -> Result<Answer, Refused> {
        let started = Instant::now();
        let directory = self.directory()?;
        let door = self.door(request, &directory)?;
        let header = |name: &str| request.headers().get(name).map(header::HeaderValue::as_bytes);
        let Some(proof) = door.provider.proof(&header) else {
            return Err(self.forged(request, &door, &self.beginning(payload).await));
        };
        // A secret in the head is looked up before anything of the body is held.
        let by_secret = match proof {
            Proof::Signature(_) => None,
            Proof::Secret(given) => match self.doors.by_secret(&door, given, &directory) {
                Some(opened) => Some(opened),
                None => return Err(self.forged(request, &door, &self.beginning(payload).await)),
            },
        };
        // Never more than there is room for: it would be told to come again for ever.
        let largest = door.provider.largest(request.path()).map_or(self.max_body, |largest| largest.min(self.queue));
        let (body, held) = self.body(request, payload, largest).await?;
        let opened = match proof {
            Proof::Secret(_) => by_secret,
            Proof::Signature(signature) => self.doors.by_signature(&door, &signature, &body),
        };
        let Some(opened) = opened else { return Err(self.forged(request, &door, &body)) };
        if let Some(answer) = door.provider.objection(Post { path: request.path(), header: &header, body: &body }) {
            return Err(Refused::Incomplete(answer));
        }
        let delivery = Delivery {
            received_at: clock::now(),
            provider: door.provider.kind().as_str(),
            path: opened.of.map_or_else(|| door.source(), |source| source.id.to_string()),
            remote: remote(request),
            headers: kept_headers(request),
            body: body.clone(),
            events: door.provider.split(&body, &directory, opened.scope, opened.of),
        };
        let (reply, answer) = oneshot::channel();
        if !ingester.accept(Accept { delivery, held, reply }) {
            return Err(Refused::Full);
        }
        match tokio::time::timeout(ANSWER_WITHIN, answer).await {
            Ok(Ok(Ok(()))) => {
                let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
                let post = Post { path: request.path(), header: &header, body: &body };
                Ok(door.provider.accepted(post, Kept { at: clock::now(), took_ms }))
            }
            // Not durable, or not known to be in time: the platform sends it again, and it is accepted once.
            _ => Err(Refused::Full),
        }
    }

    fn door<'a>(&self, request: &HttpRequest, directory: &'a Directory) -> Result<Door<'a>, Refused> {
        let path = request.match_info();
        let source = path.get("provider").zip(path.get("source"));
        self.doors.find(request.path(), source, directory).ok_or(Refused::NoSuchDoor)
    }

    fn handshake(&self, request: &HttpRequest) -> Result<(StatusCode, String), Refused> {
        let directory = self.directory()?;
        let door = self.door(request, &directory)?;
        let unset = SecretString::default();
        let token = self.doors.verify_token(&door).unwrap_or(&unset);
        Ok(match door.provider.handshake(request.query_string(), token) {
            Ok(challenge) => (StatusCode::OK, challenge),
            Err(error) => (StatusCode::from_u16(error.status()).unwrap_or(StatusCode::FORBIDDEN), error.to_string()),
        })
    }

    /// Somebody does not know the secret.
    fn forged(&self, request: &HttpRequest, door: &Door<'_>, body: &Bytes) -> Refused {
        self.keep_for_a_look(request, &door.source(), body);
        Refused::BadSignature(door.provider.bad_signature(request.path()))
    }

    /// What comes at once of a body that is refused: enough for a look, and for small bodies all of it, so that the
    /// connection is fit for the answer.
    async fn beginning(&self, mut payload: web::Payload) -> Bytes {
        let (mut kept, mut left) = (BytesMut::new(), PASSED_OVER);
        let passing = async {
            while let Some(Ok(chunk)) = payload.next().await {
                kept.extend_from_slice(&chunk[..chunk.len().min(QUARANTINED_BODY - kept.len())]);
                let Some(less) = left.checked_sub(chunk.len()) else { break };
                left = less;
            }
        };
        let _ = tokio::time::timeout(LINGER, passing).await;
        kept.freeze()
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
            Self::Incomplete(_) => "incomplete",
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
            Self::BadSignature(answer) | Self::Incomplete(answer) => return said(answer),
        };
        let mut answer = plain(status);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            answer.insert_header((header::RETRY_AFTER, RETRY_AFTER));
        }
        answer.body(text)
    }
}

/// Adds the webhook addresses. The app must hold `web::Data` of a [`Receiver`] and, a worker, of an [`Ingester`].
pub fn configure(app: &mut web::ServiceConfig) {
    let mut doors = Routes::new();
    for path in ["/webhook", "/webhook/{provider}/{source}", UNIPILE_MESSAGES] {
        doors = doors.route(path, routes::get().to(handshake)).route(path, routes::post().to(post));
    }
    for path in prospecting::DOORS {
        doors = doors.route(path, routes::post().to(post));
    }
    doors.register(app);
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
        Ok(answer) => {
            Metrics::count(&receiver.metrics.webhooks, "accepted");
            said(&answer)
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

fn said(answer: &Answer) -> HttpResponse {
    let mut response = plain(StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    if answer.is_json {
        response.insert_header((header::CONTENT_TYPE, "application/json"));
    }
    response.body(answer.body.clone().into_owned())
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
