//! `GET /events?rooms=…`: the same envelopes as server-sent events, for places where WebSocket can't go.
//!
//! The `id:` of an event is where the client is in all of its rooms, so that `Last-Event-ID` resumes each of them:
//! `account:acc_…=3-1042,account:acc_…=3-7`. In more rooms than fit into a header it is `*`: who comes back with that is
//! told to read its lists again.

use std::{
    collections::BTreeMap,
    mem::MaybeUninit,
    pin::Pin,
    rc::Rc,
    str,
    task::{Context, Poll},
};

use actix_rt::net::TcpStream;
use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::{self, Data},
};
use bytes::Bytes;
use futures_util::Stream;
use serde::Deserialize;
use tokio::io::ReadBuf;

use super::{
    super::{
        encode::Encoding,
        protocol::{Refusal, Since},
        session::{Conversation, DASHBOARD},
        shard::ShardState,
        wire::Wire,
    },
    client_address,
    line::Line,
};
use crate::{
    auth::{AuthError, Credentials, Purpose},
    http::{Proxies, Routes, problem, routes::get},
    telemetry::Metrics,
};

/// Milliseconds after which a browser comes back.
const RETRY: &[u8] = b"retry: 1000\n\n";
/// As a browser sends it on coming back.
const LAST_EVENT_ID: &str = "last-event-id";

/// Adds the route. The app must hold `Data<Rc<ShardState>>` and `Data<Proxies>`.
pub fn configure(app: &mut web::ServiceConfig) {
    Routes::new().route("/events", get().to(open)).register(app);
}

#[derive(Deserialize)]
struct Asked {
    /// Names, with commas between them; `dashboard` by default.
    rooms: Option<String>,
    /// Only these types, with commas between them.
    types: Option<String>,
}

async fn open(
    request: HttpRequest,
    asked: web::Query<Asked>,
    shard: Data<Rc<ShardState>>,
    proxies: Data<Proxies>,
) -> HttpResponse {
    if shard.is_draining() {
        return later(StatusCode::SERVICE_UNAVAILABLE, "the hub restarts: come back in a moment");
    }
    let Some(seat) = shard.limits.admit_address(client_address(&proxies, request.headers(), request.peer_addr()))
    else {
        Metrics::count(&shard.metrics.refused_sessions, "address");
        return later(StatusCode::TOO_MANY_REQUESTS, "this address has too many sessions: close one first");
    };
    let peer = request.peer_addr().map(|peer| peer.ip());
    let credentials = Credentials::from_head(request.headers(), peer, Purpose::Stream, shard.auth.origins());
    let principal = match credentials {
        Ok(credentials) => shard.auth.authenticate(credentials).await,
        Err(error) => Err(error),
    };
    let principal = match principal {
        Ok(principal) => principal,
        Err(error) => {
            Metrics::count(&shard.metrics.refused_sessions, "credentials");
            return refused(&error);
        }
    };
    let limit = usize::try_from(shard.settings.max_waiting.as_u64()).unwrap_or(usize::MAX);
    let line = request.conn_data::<Line>().and_then(|line| line.handle(shard.settings.heartbeat * 2).ok());
    let Some(line) = line.map(Rc::new) else {
        return later(StatusCode::SERVICE_UNAVAILABLE, "the hub has too many open files: come back in a moment");
    };
    let conversation = Conversation::open(&shard, Wire::pulled(Encoding::Sse, limit, Some(Rc::clone(&line))), seat);
    if !conversation.authenticated(Ok(principal), None) {
        return later(StatusCode::TOO_MANY_REQUESTS, "this user has too many sessions: close one first");
    }
    let seen = positions(&request);
    let types: Option<Vec<_>> = asked.types.as_ref().map(|types| types.split(',').map(str::to_owned).collect());
    for room in asked.rooms.as_deref().unwrap_or(DASHBOARD).split(',') {
        let since = seen.clone().map(Since::Each);
        if let Err(refusal) = conversation.subscribe(room.to_owned(), since, types.as_deref(), None) {
            return not_subscribed(refusal);
        }
    }
    let events = Events { conversation, line, seen: seen.unwrap_or_default(), tops: BTreeMap::new(), begun: false };
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // Read by cookie: no other origin's page may load it as what it is not.
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header(("cross-origin-resource-policy", "same-origin"))
        // A proxy that buffers would make live events late.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(events)
}

/// Rooms whose places fit into an `id:`, which comes back as a header.
const MOST: usize = 80;

/// Rooms and where a client is in them.
type Positions = BTreeMap<String, Option<String>>;

/// Where the client was in each room; `None` if it does not come back.
fn positions(request: &HttpRequest) -> Option<Positions> {
    let last = request.headers().get(LAST_EVENT_ID)?.to_str().ok()?;
    let pairs = last.split(',').filter_map(|pair| pair.split_once('='));
    Some(pairs.map(|(room, at)| (room.to_owned(), (!at.is_empty()).then(|| at.to_owned()))).collect())
}

/// The body: what the shard writes, each envelope with the `id:` that resumes after it. The session ends with it.
struct Events {
    conversation: Conversation,
    /// The server's side of HTTP notices that a client has left only when it writes.
    line: Rc<TcpStream>,
    seen: Positions,
    /// How far the rooms were when they were subscribed.
    tops: Positions,
    begun: bool,
}

/// What is read of an event's JSON.
#[derive(Deserialize)]
struct Head {
    r#type: String,
    room: Option<String>,
    position: Option<String>,
    rooms: Option<Positions>,
    payload: Option<serde::de::IgnoredAny>,
}

impl Events {
    /// The event with its `id:` line, if the client is somewhere else after it.
    fn identified(&mut self, event: Bytes) -> Bytes {
        if !self.advance(&event) {
            return event;
        }
        if self.seen.len() > MOST {
            return [b"id: *\n", &event[..]].concat().into();
        }
        let mut id = String::from("id: ");
        for (place, (room, at)) in self.seen.iter().enumerate() {
            id.push_str(if place == 0 { "" } else { "," });
            id.push_str(room);
            id.push('=');
            id.push_str(at.as_deref().unwrap_or_default());
        }
        id.push('\n');
        [id.as_bytes(), &event].concat().into()
    }

    /// Follows where the client is; whether that changed.
    fn advance(&mut self, event: &[u8]) -> bool {
        let data = str::from_utf8(event).ok().and_then(|event| event.split_once("\ndata: ")).map(|(_, data)| data);
        let Some(head) = data.and_then(|data| serde_json::from_str::<Head>(data.trim_end()).ok()) else { return false };
        match (head.r#type.as_str(), head.room) {
            ("subscribed", Some(room)) => {
                let tops = head.rooms.unwrap_or_else(|| BTreeMap::from([(room, head.position)]));
                // Where it comes back to, what it missed is still to come.
                for (room, top) in &tops {
                    self.seen.entry(room.clone()).or_insert_with(|| top.clone());
                }
                self.tops.extend(tops);
                true
            }
            ("resync", Some(room)) => match self.tops.get(&room) {
                Some(top) => {
                    self.seen.insert(room, top.clone());
                    true
                }
                None => false,
            },
            (_, Some(room)) if head.payload.is_some() && head.position.is_some() => {
                self.seen.insert(room, head.position);
                true
            }
            _ => false,
        }
    }
}

impl Stream for Events {
    type Item = Result<Bytes, actix_web::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if !std::mem::replace(&mut self.begun, true) {
            return Poll::Ready(Some(Ok(Bytes::from_static(RETRY))));
        }
        let mut byte = [MaybeUninit::uninit()];
        if let Poll::Ready(Ok(0) | Err(_)) = self.line.poll_peek(cx, &mut ReadBuf::uninit(&mut byte)) {
            self.conversation.wire().cut();
        }
        let event = std::task::ready!(self.conversation.wire().poll_pull(cx));
        Poll::Ready(event.map(|event| Ok(self.identified(event))))
    }
}

fn refused(error: &AuthError) -> HttpResponse {
    later(error.status(), &error.to_string())
}

fn not_subscribed(Refusal { code, message }: Refusal) -> HttpResponse {
    let status = match code {
        "forbidden" => StatusCode::FORBIDDEN,
        "no_such_room" => StatusCode::NOT_FOUND,
        "too_many_rooms" | "account_full" | "busy" => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::BAD_REQUEST,
    };
    later(status, &message)
}

/// A problem that says when to come back, where that helps.
fn later(status: StatusCode, detail: &str) -> HttpResponse {
    let mut answer = problem(status, detail);
    if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
        answer.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("5"));
    }
    answer
}
