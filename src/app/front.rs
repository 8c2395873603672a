//! What holds for every request, before its route sees it and after its answer is made.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use actix_web::{
    Error, HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{self, HeaderMap, HeaderValue},
    },
    middleware::Next,
    web::{Data, Payload},
};
use bytes::Bytes;

use crate::{
    config,
    http::{Body, Pace, Proxies, problem},
};

/// As many bytes of a refused body are passed over: a connection that is closed with bytes unread takes the answer with it.
const PASSED_OVER: u64 = 1024 * 1024;
/// A longer body does not come in one piece with its head.
const SMALL: u64 = 32 * 1024;
/// How long browsers remember to come by HTTPS alone.
const STRICT: &str = "max-age=31536000";

/// What the middleware goes by.
#[derive(Clone)]
pub(super) struct Front {
    proxies: Proxies,
    pace: Pace,
    is_https: bool,
}

impl Front {
    pub(super) fn new(server: &config::Server) -> Self {
        Self {
            proxies: Proxies::new(&server.trusted_proxies),
            pace: Pace::configured(server),
            is_https: server.public_url.as_ref().is_some_and(|url| url.scheme() == "https"),
        }
    }
}

/// A middleware: refuses packed bodies, answers HEAD as GET without its body, and adds the headers that every answer has.
///
/// A body that says it is packed is refused unread, so that none can cost more than its bytes on the wire.
pub(super) async fn guarded(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let front = request.app_data::<Data<Front>>().cloned();
    let is_https = front.as_ref().is_some_and(|front| {
        front.is_https || front.proxies.spoke_https(request.headers(), request.peer_addr().map(|peer| peer.ip()))
    });
    let only_head = request.method() == Method::HEAD;
    if only_head {
        request.head_mut().method = Method::GET;
    }
    if has_small_body(request.headers()) {
        // While this waits, what has come of the body with the head is taken out of the connection's buffer. A connection
        // with a body that is not taken has to be closed after the answer, and a new one is dearer than the refusal.
        tokio::task::yield_now().await;
    }
    let response = if is_packed(request.headers()) {
        if let (Some(front), Ok(payload)) = (front, request.extract::<Payload>().await) {
            Body::new(payload, front.pace).pass_over(PASSED_OVER).await;
        }
        request.into_response(packed())
    } else {
        next.call(request).await?.map_into_boxed_body()
    };
    let mut response = if only_head { response.map_body(|_, body| Bodiless(body.size()).boxed()) } else { response };
    let headers = response.headers_mut();
    if !headers.contains_key(header::X_CONTENT_TYPE_OPTIONS) {
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    }
    if is_https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(STRICT));
    }
    Ok(response)
}

/// Whether a body is announced that may have come with the head.
fn has_small_body(headers: &HeaderMap) -> bool {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    length.is_some_and(|length| (1..=SMALL).contains(&length))
}

/// Whether a body has another coding than none.
fn is_packed(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::CONTENT_ENCODING).flat_map(|line| line.as_bytes().split(|b| *b == b','));
    codings.any(|coding| !matches!(coding.trim_ascii(), b"" | b"identity"))
}

fn packed() -> HttpResponse {
    let words = "Bodies are taken as they are: send this one again without Content-Encoding.";
    let mut answer = problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, words);
    answer.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    answer
}

/// Answers what no route takes.
pub(super) async fn not_found() -> HttpResponse {
    problem(StatusCode::NOT_FOUND, "There is nothing at this address.")
}

/// A body that is announced and not sent.
struct Bodiless(BodySize);

impl MessageBody for Bodiless {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        self.0
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Poll::Ready(None)
    }
}
