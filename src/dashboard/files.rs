//! Serves the embedded files: revalidated by their hash, under a policy that lets nothing else run.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, EntityTag, Header, IfNoneMatch},
    web,
};
use bytes::Bytes;
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::http::{Routes, routes::get};

/// What the page may do: run and style itself from here, talk to here, and nothing else. No inline script or style, no
/// `eval`, and (where the browser knows trusted types) no markup made from text, which is what people's names are.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// Devices and interfaces that the page has no use for. It may write to the clipboard: phone numbers are copied.
const PERMISSIONS: &str = "accelerometer=(), camera=(), clipboard-write=(self), display-capture=(), geolocation=(), \
    gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), publickey-credentials-get=(), usb=()";

/// The page's own files.
#[derive(RustEmbed)]
#[folder = "src/dashboard/page/"]
struct Page;

/// The client library.
#[derive(RustEmbed)]
#[folder = "src/dashboard/client/"]
struct Client;

/// Adds the page at `/`, its files under `/assets/` and the client library under `/client/`.
pub fn configure(cfg: &mut web::ServiceConfig) {
    let routes = Routes::new().route("/", get().to(index)).route("/assets/{path:.+}", get().to(asset));
    routes.route("/client/{path:.+}", get().to(client)).register(cfg);
}

async fn index(request: HttpRequest) -> HttpResponse {
    serve(&request, Page::get("index.html"), "text/html; charset=utf-8", Audience::Own)
}

async fn asset(request: HttpRequest, path: web::Path<String>) -> HttpResponse {
    match content_type(&path) {
        Some(kind) => serve(&request, Page::get(&path), kind, Audience::Own),
        None => not_found(),
    }
}

async fn client(request: HttpRequest, path: web::Path<String>) -> HttpResponse {
    match content_type(&path) {
        Some(kind) => serve(&request, Client::get(&path), kind, Audience::Anyone),
        None => not_found(),
    }
}

/// Whose pages may load a file.
#[derive(Clone, Copy)]
enum Audience {
    /// The hub's own.
    Own,
    /// Any: a module from another origin loads only if it says so itself.
    Anyone,
}

/// The types that are served. Anything else in the folders, such as a note on how a file was made, is not there for the
/// outside; the page itself is at `/` only.
fn content_type(path: &str) -> Option<&'static str> {
    match path.rsplit_once('.')?.1 {
        "js" => Some("text/javascript; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        "ts" => Some("text/plain; charset=utf-8"),
        _ => None,
    }
}

fn serve(request: &HttpRequest, file: Option<EmbeddedFile>, kind: &str, audience: Audience) -> HttpResponse {
    let Some(file) = file else { return not_found() };
    let tag = EntityTag::new_strong(hex::encode(file.metadata.sha256_hash()));
    let mut response = if is_known(request, &tag) { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header(header::ETag(tag.clone()))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::CONTENT_SECURITY_POLICY, CONTENT_POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::PERMISSIONS_POLICY, PERMISSIONS));
    match audience {
        Audience::Own => response
            .insert_header((header::CROSS_ORIGIN_OPENER_POLICY, "same-origin"))
            .insert_header((header::CROSS_ORIGIN_RESOURCE_POLICY, "same-origin")),
        Audience::Anyone => response
            .insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
            .insert_header((header::CROSS_ORIGIN_RESOURCE_POLICY, "cross-origin")),
    };
    if is_known(request, &tag) {
        return response.finish();
    }
    let body = match file.data {
        std::borrow::Cow::Borrowed(data) => Bytes::from_static(data),
        std::borrow::Cow::Owned(data) => Bytes::from(data),
    };
    response.insert_header((header::CONTENT_TYPE, kind)).body(body)
}

/// Whether the browser already holds what this tag stands for.
fn is_known(request: &HttpRequest, tag: &EntityTag) -> bool {
    if !request.headers().contains_key(header::IF_NONE_MATCH) {
        return false;
    }
    match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(held)) => held.iter().any(|each| each.weak_eq(tag)),
        Err(_) => false,
    }
}

fn not_found() -> HttpResponse {
    HttpResponse::NotFound()
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .content_type("text/plain; charset=utf-8")
        .body("There is nothing here.\n")
}
