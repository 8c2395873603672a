//! Websites that are away, slow, large, rude and hostile.

use std::{cell::Cell, time::Instant};

use super::*;
use crate::{
    config::Settings,
    platforms::one_site::{Site, answer, html_page},
};

fn websites(change: impl FnOnce(&mut Prospecting)) -> Websites {
    let mut settings = Settings::parse("").unwrap().prospecting;
    settings.allow_private = vec!["127.0.0.1/32".parse().unwrap()];
    settings.host_pause = Duration::ZERO;
    settings.fetch_timeout = Duration::from_secs(5);
    change(&mut settings);
    Websites::new(&settings).unwrap()
}

async fn page(websites: &Websites, url: &str) -> Result<Page, WebError> {
    websites.visit(&Cell::new(0)).page(&url.parse().unwrap()).await
}

/// Answers calls of this path, and has no robots.txt.
async fn site(path: &'static str, bytes: impl Fn() -> Vec<u8> + Send + Sync + 'static) -> Site {
    Site::open("127.0.0.1", move |call| {
        let called = call.split_once(' ').is_some_and(|(_, called)| called == path);
        Some(if called { bytes() } else { answer("404 Not Found", "", b"") })
    })
    .await
}

#[tokio::test]
async fn a_page_is_read_as_text_whatever_it_is_written_in() {
    for (kind, body, wanted) in [
        ("text/html", "<p>Caf\u{e9}".as_bytes(), "<p>Caf\u{e9}"),
        ("text/html", b"<p>Caf\xe9 bar", "<p>Caf\u{e9} bar"),
        ("text/html; charset=ISO-8859-1", b"<p>Caf\xe9", "<p>Caf\u{e9}"),
        ("TEXT/HTML;charset=\"utf-8\"", b"<p>Caf\xe9 bar", "<p>Caf\u{e9} bar"),
        ("text/html; charset=utf-16le", b"<\0p\0>\0", "<p>"),
        ("text/html; charset=klingon", b"<p>x", "<p>x"),
        ("application/xhtml+xml", b"\xef\xbb\xbf<p>x", "<p>x"),
    ] {
        let (head, body) = (format!("content-type: {kind}\r\n"), body.to_vec());
        let site = site("/", move || answer("200 OK", &head, &body)).await;
        assert_eq!(page(&websites(|_| {}), &site.url).await.map(|page| page.html).as_deref(), Ok(wanted), "{kind}");
    }
}

#[tokio::test]
async fn what_is_no_page_is_not_read() {
    for (status, head, wanted) in [
        ("200 OK", "content-type: application/pdf\r\n", WebError::NotHtml),
        ("200 OK", "", WebError::NotHtml),
        ("404 Not Found", "content-type: text/html\r\n", WebError::Status(404)),
        ("500 Oh", "content-type: text/html\r\n", WebError::Status(500)),
        ("302 Found", "location: http://[broken\r\n", WebError::BadRedirect),
        ("302 Found", "location: ftp://harbor.example/\r\n", WebError::Refused(Unusable::Scheme)),
        ("302 Found", "location: file:///etc/passwd\r\n", WebError::Refused(Unusable::Scheme)),
        ("302 Found", "location: http://joe:pw@harbor.example/\r\n", WebError::Refused(Unusable::Credentials)),
    ] {
        let site = site("/", move || answer(status, head, b"x")).await;
        assert_eq!(page(&websites(|_| {}), &site.url).await, Err(wanted), "{status} {head}");
    }
    assert_eq!(page(&websites(|_| {}), "http://127.0.0.1:9/").await, Err(WebError::Unreached));
}

#[tokio::test]
async fn redirects_are_followed_three_times_and_no_more() {
    let hops = |most: usize| {
        move |call: &str| {
            let at: usize = call.rsplit('/').next().and_then(|at| at.parse().ok()).unwrap_or(0);
            let next = format!("location: /{}\r\n", at + 1);
            Some(match call {
                "GET /robots.txt" => answer("404 Not Found", "", b""),
                _ if at < most => answer("301 Moved", &next, b""),
                _ => html_page(b"there"),
            })
        }
    };
    let (near, far) = (Site::open("127.0.0.1", hops(3)).await, Site::open("127.0.0.1", hops(4)).await);
    let found = page(&websites(|_| {}), &near.url).await.unwrap();
    assert_eq!((found.html.as_str(), found.url.path()), ("there", "/3"));
    assert_eq!(page(&websites(|_| {}), &far.url).await, Err(WebError::Redirects));
    let circle = site("/", || answer("302 Found", "location: /\r\n", b"")).await;
    assert_eq!(page(&websites(|_| {}), &circle.url).await, Err(WebError::Redirects));
    assert!(circle.calls().len() <= 5);
}

#[tokio::test]
async fn no_redirect_leads_to_an_address_that_is_not_public() {
    let inside = Site::open("127.0.0.2", |_| Some(html_page(b"secret"))).await;
    let port = inside.url.rsplit(':').next().unwrap().to_owned();
    for target in
        [inside.url.clone(), format!("http://2130706434:{port}/"), format!("http://[::ffff:127.0.0.2]:{port}/")]
    {
        let head = format!("location: {target}/latest\r\n");
        let site = site("/", move || answer("302 Found", &head, b"")).await;
        assert_eq!(page(&websites(|_| {}), &site.url).await, Err(WebError::Refused(Unusable::NotPublic)), "{target}");
    }
    let direct = websites(|settings| settings.allow_private = Vec::new());
    assert_eq!(page(&direct, &inside.url).await, Err(WebError::Refused(Unusable::NotPublic)));
    let named = format!("http://localhost:{port}/");
    assert_eq!(page(&direct, &named).await, Err(WebError::Refused(Unusable::NotPublic)));
    let status = direct.visit(&Cell::new(0)).status(&inside.url.parse().unwrap()).await;
    assert_eq!(status, Err(WebError::Refused(Unusable::NotPublic)));
    // The robots.txt of a site leads nowhere else either.
    let head = format!("location: {}/robots\r\n", inside.url);
    let sly = site("/robots.txt", move || answer("302 Found", &head, b"")).await;
    assert_eq!(page(&websites(|_| {}), &sly.url).await, Err(WebError::Refused(Unusable::NotPublic)));
    assert_eq!(inside.calls(), [""; 0], "something went inside");
}

#[tokio::test]
async fn robots_txt_is_obeyed_at_every_hop_and_asked_for_once() {
    let closed = Site::open("127.0.0.1", |call| {
        Some(match call {
            "GET /robots.txt" => {
                answer("200 OK", "", b"User-agent: *\nAllow: /\n\nUser-agent: leadwire\nDisallow: /private")
            }
            _ => html_page(b"x"),
        })
    })
    .await;
    let websites = websites(|_| {});
    let calls = Cell::new(0);
    let mut visit = websites.visit(&calls);
    let at = |path: &str| format!("{}{path}", closed.url).parse::<Url>().unwrap();
    assert!(visit.page(&at("/")).await.is_ok());
    assert_eq!(visit.page(&at("/private/contact")).await, Err(WebError::Forbidden));
    assert!(visit.page(&at("/contact")).await.is_ok());
    assert_eq!(closed.calls(), ["GET /robots.txt", "GET /", "GET /contact"]);
    assert_eq!(calls.get(), 3);
    let head = format!("location: {}/private\r\n", closed.url);
    let other = site("/", move || answer("302 Found", &head, b"")).await;
    assert_eq!(page(&websites, &other.url).await, Err(WebError::Forbidden));
}

#[tokio::test]
async fn a_robots_txt_that_can_not_be_had_forbids_and_one_that_is_not_there_does_not() {
    for (status, wanted) in [("503 Away", false), ("429 Slow", false), ("403 No", true), ("404 Not Found", true)] {
        let site = Site::open("127.0.0.1", move |call| {
            Some(if call == "GET /robots.txt" { answer(status, "", b"") } else { html_page(b"x") })
        })
        .await;
        assert_eq!(page(&websites(|_| {}), &site.url).await.is_ok(), wanted, "{status}");
    }
}

#[tokio::test]
async fn no_more_of_a_page_is_read_than_its_size_allows_packed_or_not() {
    // 16 MiB of blanks, packed a thousandfold by gzip.
    let bomb = include_bytes!("samples/blanks.gz");
    assert!(bomb.len() < 64 * 1024);
    let websites = websites(|settings| settings.page_size = bytesize::ByteSize::kib(64));
    let packed = site("/", || answer("200 OK", "content-type: text/html\r\ncontent-encoding: gzip\r\n", bomb)).await;
    assert_eq!(page(&websites, &packed.url).await.unwrap().html.len(), 64 * 1024);
    let endless = site("/", || {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 999999999999\r\n\r\n";
        [head.as_bytes(), &vec![b'x'; 4 << 20]].concat()
    })
    .await;
    assert_eq!(page(&websites, &endless.url).await.unwrap().html.len(), 64 * 1024);
}

#[tokio::test]
async fn a_site_that_takes_too_long_is_left() {
    let websites = websites(|settings| settings.fetch_timeout = Duration::from_millis(300));
    let silent =
        Site::open("127.0.0.1", |call| (call == "GET /robots.txt").then(|| answer("404 Not Found", "", b""))).await;
    let dripping =
        site("/", || b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 9\r\n\r\nx".to_vec()).await;
    let began = Instant::now();
    assert_eq!(page(&websites, &silent.url).await, Err(WebError::Slow));
    assert!(matches!(page(&websites, &dripping.url).await, Err(WebError::Slow | WebError::Cut)));
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_site_shows_that_it_is_there_by_its_head_or_else_by_itself() {
    let fond = site("/", || answer("301 Moved", "location: http://elsewhere.example/\r\n", b"")).await;
    let websites = websites(|_| {});
    let status = async |url: &str| websites.visit(&Cell::new(0)).status(&url.parse().unwrap()).await;
    assert_eq!(status(&fond.url).await, Ok(301));
    assert_eq!(fond.calls(), ["HEAD /"]);
    let headless = Site::open("127.0.0.1", |call| {
        Some(if call.starts_with("HEAD") { answer("405 No", "", b"") } else { html_page(b"x") })
    })
    .await;
    assert_eq!(status(&headless.url).await, Ok(200));
    let gone = site("/elsewhere", || html_page(b"x")).await;
    assert_eq!(status(&gone.url).await, Ok(404));
    assert_eq!(status("http://127.0.0.1:9/").await, Err(WebError::Unreached));
}
