//! The one HTTP path in: verify, split, accept, answer.
//!
//! Which address is whose stands in [`doors`](super::doors), who may hold how much in [`intake`](super::intake).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use secrecy::SecretString;
use tokio::sync::oneshot;

use super::{
    Accept, Ingester, Intake,
    doors::{Door, Doors, Opened, UNIPILE_MESSAGES},
    intake::{Full, Held, Sender},
    providers::{Answer, Kept, Post, Proof, prospecting},
    refused::{Quarantine, Refused, Sample},
    request::{Head, plain, said},
    senders::Senders,
};
use crate::{
    config,
    domain::{
        clock,
        directory::{Directory, Watch},
    },
    http::{Body, Pace, Proxies, Routes, routes},
    inbox::{Delivery, Inbox, Quarantined},
    telemetry::Metrics,
};

/// Platforms give up after five seconds; a refusal in time makes them try again.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);
/// As much of a refused body is kept.
const QUARANTINED_BODY: usize = 16 * 1024;
/// As much of a refused body is read past, while it comes without such a pause, before the answer: a connection that is closed
/// with bytes unread takes the answer with it.
const PASSED_OVER: usize = 64 * 1024;
const LINGER: Duration = Duration::from_secs(1);
/// As much of a signed body is taken from a network that is unknown and fails too often: an authentic one makes it known.
const SUSPECT_BODY: usize = 16 * 1024;
/// As much of a path is logged.
const LOGGED_PATH: usize = 100;

/// What the path needs; one for all workers.
pub struct Receiver {
    directory: Watch,
    intake: Intake,
    senders: Senders,
    proxies: Proxies,
    pace: Pace,
    metrics: Arc<Metrics>,
    doors: Doors,
    max_body: usize,
    queue: usize,
    quarantine: Quarantine,
    inbox: Inbox,
    log: Sample,
}

impl Receiver {
    /// `directory`: who is who; `inbox`: for the quarantine, and for who is over their share.
    #[must_use]
    pub fn new(settings: &config::Settings, directory: Watch, inbox: Inbox, metrics: Arc<Metrics>) -> Self {
        let bytes = |size: bytesize::ByteSize| usize::try_from(size.as_u64()).unwrap_or(usize::MAX);
        let (queue, max_body) = (bytes(settings.inbox.queue), bytes(settings.inbox.max_body));
        Self {
            directory,
            intake: Intake::new(queue, max_body),
            senders: Senders::new(settings.inbox.failures_per_minute),
            proxies: Proxies::new(&settings.server.trusted_proxies),
            pace: Pace::configured(&settings.server),
            metrics,
            doors: Doors::new(settings),
            max_body,
            queue,
            quarantine: Quarantine::new(&settings.inbox, inbox.clone()),
            inbox,
            log: Sample::default(),
        }
    }

    /// Bytes being received or waiting for a commit.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.intake.bytes()
    }

    fn directory(&self) -> Result<Arc<Directory>, Refused> {
        self.directory.borrow().clone().ok_or(Refused::NotReady)
    }

    async fn receive(&self, head: Head<'_>, payload: web::Payload, ingester: &Ingester) -> Result<Answer, Refused> {
        let started = Instant::now();
        let directory = self.directory()?;
        let door = Doors::find(head.path(), head.source(), &directory).ok_or(Refused::NoSuchDoor)?;
        let mut body = Body::new(payload, self.pace);
        let header = |name: &str| head.header(name);
        let (opened, (bytes, room)) = match door.provider.proof(&header) {
            None => return Err(self.unproven(head, &door, &mut body).await),
            // Looked up before anything of the body is held.
            Some(Proof::Secret(given)) => match self.doors.by_secret(&door, given, &directory) {
                None => return Err(self.unproven(head, &door, &mut body).await),
                Some(opened) => (opened, self.whole(head, &door, &mut body, true).await?),
            },
            Some(Proof::Signature(signature)) => {
                let (bytes, room) = self.whole(head, &door, &mut body, false).await?;
                match self.doors.by_signature(&door, &signature, &bytes) {
                    None => return Err(self.forged(head, &door, &bytes)),
                    Some(opened) => (opened, (bytes, room)),
                }
            }
        };
        self.senders.proved(head.network(), started);
        let post = Post { path: head.path(), header: &header, body: &bytes };
        if let Some(answer) = door.provider.objection(post) {
            return Err(Refused::Incomplete(answer));
        }
        let delivery = delivery(head, &door, &opened, &bytes, &directory);
        if self.inbox.refuses(&delivery, &directory) {
            return Err(Refused::OverShare);
        }
        let (reply, answer) = oneshot::channel();
        if !ingester.accept(Accept { delivery, held: room, reply }) {
            return Err(Refused::Full);
        }
        match tokio::time::timeout(ANSWER_WITHIN, answer).await {
            Ok(Ok(Ok(()))) => {
                let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
                Ok(door.provider.accepted(post, Kept { at: clock::now(), took_ms }))
            }
            // Not durable, or not known to be in time: the platform sends it again, and it is accepted once.
            _ => Err(Refused::Full),
        }
    }

    /// Never more than there is room for: it would be told to come again for ever.
    fn largest(&self, head: Head<'_>, door: &Door<'_>) -> usize {
        door.provider.largest(head.path()).map_or(self.max_body, |largest| largest.min(self.queue))
    }

    /// The whole body, while there is room for it and it comes in time. `shown`: its sender has shown a secret.
    async fn whole(
        &self,
        head: Head<'_>,
        door: &Door<'_>,
        body: &mut Body,
        shown: bool,
    ) -> Result<(Bytes, Held), Refused> {
        let network = head.network();
        let sender = || Sender { network, known: shown || self.senders.has_proven(network, Instant::now()) };
        let largest = self.largest(head, door);
        let read = self.read(head.announced(), body, largest, &sender).await;
        if matches!(read, Err(Refused::TooLarge)) {
            let most = if sender().known { largest.saturating_mul(2) } else { PASSED_OVER };
            pass_over(body, most, 0).await;
        }
        read
    }

    async fn read(
        &self,
        announced: usize,
        body: &mut Body,
        largest: usize,
        sender: &impl Fn() -> Sender,
    ) -> Result<(Bytes, Held), Refused> {
        if announced > largest {
            return Err(Refused::TooLarge);
        }
        if announced > SUSPECT_BODY {
            self.trusted(sender())?;
        }
        let (mut held, mut whole) = (self.intake.begin(), BytesMut::new());
        loop {
            // Most bodies come with their heads, and cost no more than this.
            let chunk = if let Some(ready) = body.chunk().now_or_never() {
                ready
            } else {
                held.wait(sender())?;
                tokio::select! {
                    biased;
                    () = held.has_to_go() => return Err(Refused::MadeRoom),
                    chunk = body.chunk() => chunk,
                }
            };
            let Some(chunk) = chunk? else { break };
            let length = whole.len() + chunk.len();
            if length > largest {
                return Err(Refused::TooLarge);
            }
            if announced == 0 && whole.len() <= SUSPECT_BODY && length > SUSPECT_BODY {
                self.trusted(sender())?;
            }
            held.add(chunk.len(), sender)?;
            whole.extend_from_slice(&chunk);
        }
        held.settle(whole.len());
        Ok((whole.freeze(), held))
    }

    /// An error if a sender is unknown and fails too often.
    fn trusted(&self, sender: Sender) -> Result<(), Refused> {
        let wait = if sender.known { None } else { self.senders.has_to_wait(sender.network, Instant::now()) };
        wait.map_or(Ok(()), |wait| Err(Refused::TooOften(wait)))
    }

    /// The head proves nothing: no more of the body is read than is kept for a look, and what is needed for an answer.
    async fn unproven(&self, head: Head<'_>, door: &Door<'_>, body: &mut Body) -> Refused {
        if let Some(wait) = self.senders.failed(head.network(), 0, Instant::now()) {
            return Refused::TooOften(wait);
        }
        let source = door.source();
        let count = self.quarantine.count(&source);
        let kept = if count.is_some() { QUARANTINED_BODY } else { 0 };
        let (known, largest) = (self.senders.has_proven(head.network(), Instant::now()), self.largest(head, door));
        let most = if known { largest.saturating_mul(2) } else { PASSED_OVER };
        let (beginning, passed) = pass_over(body, most, kept).await;
        if let Some(count) = count {
            self.quarantine.keep(quarantined(head, source, beginning), count);
        }
        if passed > largest {
            return Refused::TooLarge;
        }
        Refused::BadSignature(door.provider.bad_signature(head.path()))
    }

    /// The signature is not that of the body.
    fn forged(&self, head: Head<'_>, door: &Door<'_>, whole: &Bytes) -> Refused {
        if let Some(wait) = self.senders.failed(head.network(), whole.len(), Instant::now()) {
            return Refused::TooOften(wait);
        }
        let source = door.source();
        if let Some(count) = self.quarantine.count(&source) {
            let beginning = Bytes::copy_from_slice(&whole[..whole.len().min(QUARANTINED_BODY)]);
            self.quarantine.keep(quarantined(head, source, beginning), count);
        }
        Refused::BadSignature(door.provider.bad_signature(head.path()))
    }

    fn handshake(&self, head: Head<'_>) -> Result<(StatusCode, String), Refused> {
        let directory = self.directory()?;
        let door = Doors::find(head.path(), head.source(), &directory).ok_or(Refused::NoSuchDoor)?;
        let unset = SecretString::default();
        let token = self.doors.verify_token(&door).unwrap_or(&unset);
        door.provider.handshake(head.query(), token).map(|challenge| (StatusCode::OK, challenge)).or_else(|error| {
            match self.senders.failed(head.network(), 0, Instant::now()) {
                Some(wait) => Err(Refused::TooOften(wait)),
                None => Ok((StatusCode::from_u16(error.status()).unwrap_or(StatusCode::FORBIDDEN), error.to_string())),
            }
        })
    }
}

impl From<Full> for Refused {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

/// Reads past the next bytes of a body, as long as they come; the first `kept` of them, and how many there were.
async fn pass_over(body: &mut Body, most: usize, kept: usize) -> (Bytes, usize) {
    let (mut beginning, mut passed) = (BytesMut::new(), 0);
    while passed <= most
        && let Ok(Ok(Some(chunk))) = tokio::time::timeout(LINGER, body.chunk()).await
    {
        beginning.extend_from_slice(&chunk[..chunk.len().min(kept - beginning.len())]);
        passed += chunk.len();
    }
    (beginning.freeze(), passed)
}

fn delivery(head: Head<'_>, door: &Door<'_>, opened: &Opened<'_>, body: &Bytes, directory: &Directory) -> Delivery {
    Delivery {
        received_at: clock::now(),
        provider: door.provider.kind().as_str(),
        path: opened.of.map_or_else(|| door.source(), |source| source.id.to_string()),
        remote: head.remote(),
        headers: head.kept(),
        body: body.clone(),
        events: door.provider.split(body, directory, opened.scope, opened.of),
    }
}

fn quarantined(head: Head<'_>, path: String, body: Bytes) -> Quarantined {
    Quarantined { received_at: clock::now(), path, remote: head.remote(), headers: head.kept(), body }
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
    let head = Head::new(&request, &receiver.proxies);
    let outcome = receiver.receive(head, payload, &ingester).await;
    receiver.metrics.acknowledge_seconds.observe(started.elapsed().as_secs_f64());
    match outcome {
        Ok(answer) => {
            Metrics::count(&receiver.metrics.webhooks, "accepted");
            said(&answer)
        }
        Err(refused) => receiver.refuse(head, &refused),
    }
}

async fn handshake(request: HttpRequest, receiver: web::Data<Receiver>) -> HttpResponse {
    let head = Head::new(&request, &receiver.proxies);
    match receiver.handshake(head) {
        Ok((status, text)) => plain(status).body(text),
        Err(refused) => receiver.refuse(head, &refused),
    }
}

impl Receiver {
    fn refuse(&self, head: Head<'_>, refused: &Refused) -> HttpResponse {
        let outcome = refused.outcome();
        Metrics::count(&self.metrics.webhooks, outcome);
        if let Some(left_out) = self.log.take(outcome, Instant::now()) {
            let path = &head.path()[..head.path().floor_char_boundary(LOGGED_PATH)];
            tracing::warn!(outcome, path, remote = head.remote(), left_out, "webhook refused");
        }
        refused.answer()
    }
}
