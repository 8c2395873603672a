//! The HTTP side: polling requests and upgrades, to the sessions that they are for.

use std::{
    net::{IpAddr, SocketAddr},
    rc::Rc,
    time::Instant,
};

use actix_codec::Framed;
use actix_http::{HttpMessage, Request as Head, StatusCode, h1, ws};
use actix_rt::net::TcpStream;
use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{
        Method,
        header::{self, HeaderMap},
    },
    web::{self, Data},
};
use bytes::BytesMut;
use secrecy::ExposeSecret;
use socket2::SockRef;
use tokio::{io::AsyncWriteExt, sync::oneshot};

use super::{
    super::{
        super::{
            close::Close,
            encode::{self, Encoding},
            wire::{Sent, Wire},
        },
        client_address,
        line::bound_kernel_buffer,
        websocket::{accepted, refuse},
    },
    application::Application,
    engine::{self, Engine},
    handshake::{Ask, Refusal, Transport},
    session::{Answer, Request, Session},
    table::Sessions,
};
use crate::{
    auth::{Credentials, Origins, Purpose, keys},
    http::{Body, BodyError, Pace, Proxies},
};

/// What a thread needs to serve an application.
pub struct Service<A: Application> {
    /// What the application's sessions of this thread share.
    pub shared: A::Shared,
    /// Those of all threads.
    pub sessions: Sessions<A>,
    /// What they are told and held to.
    pub settings: engine::Settings,
    /// The most bytes that may wait for one.
    pub max_waiting: usize,
    /// Whose pages may use the session cookie, and read answers.
    pub origins: Origins,
    /// The proxies that may name clients' addresses.
    pub proxies: Proxies,
    /// How fast bodies have to come.
    pub pace: Pace,
}

/// Adds the route. The app must hold `Data<Service<A>>`.
pub fn configure<A: Application>(path: &'static str) -> impl FnOnce(&mut web::ServiceConfig) {
    move |app| {
        app.service(web::resource([path, path.trim_end_matches('/')]).to(answer::<A>));
    }
}

/// Why there is no answer with packets.
enum Denied {
    Refused(Refusal),
    Closed(Close),
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

async fn answer<A: Application>(
    request: HttpRequest,
    payload: web::Payload,
    service: Data<Service<A>>,
) -> HttpResponse {
    let mut response = if request.method() == Method::OPTIONS {
        let mut response = HttpResponse::NoContent();
        response.insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"));
        response.insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type"));
        response.insert_header((header::ACCESS_CONTROL_MAX_AGE, "600"));
        allow(&service.origins, &request, &mut response).finish()
    } else {
        let denied = |denied| match denied {
            Denied::Refused(refusal) => (refusal.status(), "application/json", refusal.body().to_owned()),
            Denied::Closed(Close::TooMany) => (429, "text/plain; charset=UTF-8", "too many sessions\n".to_owned()),
            Denied::Closed(_) => (503, "text/plain; charset=UTF-8", "come back in a moment\n".to_owned()),
        };
        let polled = polled(&request, payload, &service).await;
        let (status, kind, body) = polled.map_or_else(denied, |body| (200, "text/plain; charset=UTF-8", body));
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut response = HttpResponse::build(status);
        response.content_type(kind);
        allow(&service.origins, &request, &mut response).body(body)
    };
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}

/// Lets the pages of an allowed origin read the answer.
fn allow<'a>(
    origins: &Origins,
    request: &HttpRequest,
    response: &'a mut HttpResponseBuilder,
) -> &'a mut HttpResponseBuilder {
    response.insert_header((header::VARY, "Origin"));
    if let Some(origin) = request.headers().get(header::ORIGIN)
        && origins.page(request.headers(), request.peer_addr().map(|peer| peer.ip())).is_own()
    {
        response.insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone()));
        response.insert_header((header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true"));
    }
    response
}

async fn polled<A: Application>(
    request: &HttpRequest,
    payload: web::Payload,
    service: &Service<A>,
) -> Result<String, Denied> {
    let head = || head(request.headers(), request.peer_addr(), &service.origins);
    let (answer, answered) = oneshot::channel();
    let answered = match Ask::read(request.method().as_str(), request.query_string(), false)? {
        Ask::Open(Transport::Polling) => {
            let wire = Wire::pulled(Encoding::SocketIo, service.max_waiting, None);
            let address = client_address(&service.proxies, request.headers(), request.peer_addr());
            return open(service, wire, BytesMut::new(), head(), address).map_err(Denied::Closed);
        }
        Ask::Poll(id) => {
            service.sessions.send(&id, Request::Poll(answer))?;
            answered.await
        }
        Ask::Post(id) => {
            let (body, read) = oneshot::channel();
            service.sessions.send(&id, Request::Post { head: head(), body: read, answer })?;
            let payload = Body::new(payload, service.pace);
            post(payload, service.settings.max_payload, body, answered).await?
        }
        Ask::Open(Transport::WebSocket) | Ask::Attach(_) => return Err(Refusal::BadRequest.into()),
    };
    match answered {
        Ok(Answer::Packets(packets)) => Ok(packets),
        Ok(Answer::Taken) => Ok("ok".to_owned()),
        Ok(Answer::Refused(refusal)) => Err(refusal.into()),
        // The session has ended meanwhile.
        Err(_) => Err(Refusal::UnknownSession.into()),
    }
}

/// Reads a body for its session, for as long as that wants it.
async fn post(
    payload: Body,
    limit: usize,
    body: oneshot::Sender<bytes::Bytes>,
    mut answered: oneshot::Receiver<Answer>,
) -> Result<Result<Answer, oneshot::error::RecvError>, Refusal> {
    let read = tokio::select! {
        read = payload.whole(limit) => read,
        early = &mut answered => return Ok(early),
    };
    match read {
        Ok(read) => {
            // The session may have ended; then there is no answer either.
            let _ = body.send(read);
            Ok(answered.await)
        }
        Err(BodyError::TooLarge) => Err(Refusal::TooLarge),
        Err(BodyError::Slow | BodyError::Broken) => Err(Refusal::BadRequest),
    }
}

/// Whoever shows nothing that counts may still do so when they ask to be let in.
fn head(headers: &HeaderMap, peer: Option<SocketAddr>, origins: &Origins) -> Credentials {
    let peer = peer.map(|peer| peer.ip());
    Credentials::from_head(headers, peer, Purpose::Socket, origins).unwrap_or_else(|_| Credentials::foreign())
}

/// Opens a session on its wire; returns its first packet.
fn open<A: Application>(
    service: &Service<A>,
    wire: Rc<Wire>,
    read: BytesMut,
    head: Credentials,
    address: IpAddr,
) -> Result<String, Close> {
    let id = keys::random().map_err(|error| {
        tracing::error!(%error, "a session can't be opened");
        Close::Restart
    })?;
    let transport = if wire.is_pulled() { Transport::Polling } else { Transport::WebSocket };
    let engine = Engine::new(transport, service.settings, Instant::now());
    let first = engine.open(id.expose_secret()).map_err(|_| Close::Restart)?;
    let application = A::open(&service.shared, &wire, head, address)?;
    let ticket = service.sessions.ticket(id.expose_secret().to_owned());
    if transport == Transport::WebSocket && wire.send(&encode::text(first.as_bytes())) != Sent::Kept {
        return Err(Close::Normal);
    }
    Session::start(engine, wire, application, read, ticket);
    Ok(first)
}

/// Answers an upgrade request: a WebSocket of a new session, or of one that polls so far; or an HTTP error.
///
/// # Errors
/// Only if the socket fails while the answer is written.
pub async fn upgrade<A: Application>(
    request: Head,
    framed: Framed<TcpStream, h1::Codec>,
    service: Data<Service<A>>,
) -> Result<(), actix_web::Error> {
    let parts = framed.into_parts();
    let mut io = parts.io;
    let ask = Ask::read(request.method().as_str(), request.uri().query().unwrap_or_default(), true);
    let ask = ask.and_then(|ask| match &ask {
        Ask::Attach(id) if !service.sessions.has(id) => Err(Refusal::UnknownSession),
        _ if ws::verify_handshake(request.head()).is_err() => Err(Refusal::BadRequest),
        _ => Ok(ask),
    });
    let ask = match ask {
        Ok(ask) => ask,
        Err(refusal) => {
            let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
            return refuse(&mut io, status, refusal.body()).await;
        }
    };
    io.write_all(&accepted(request.headers())).await?;
    let address = client_address(&service.proxies, request.headers(), request.peer_addr());
    let head = head(request.headers(), request.peer_addr(), &service.origins);
    drop(request);
    bound_kernel_buffer(&SockRef::from(&io));
    if let Ask::Attach(id) = ask {
        // A session that has ended in this moment drops the socket, which says enough.
        let _ = service.sessions.send(&id, Request::Attach { head, io: io.into_std()?, read: parts.read_buf });
        return Ok(());
    }
    let wire = Wire::new(io, Encoding::SocketIo, service.max_waiting);
    if let Err(ending) = open(&service, Rc::clone(&wire), parts.read_buf, head, address) {
        wire.end(ending);
    }
    Ok(())
}
