//! What holds for every request, whoever sends it: what bodies cost and how long they may take, connections of one address,
//! answers that nobody reads, methods and addresses that are not known, and what only the operator may ask.

use std::{
    fs,
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use reqwest::{Method, StatusCode, header};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{House, PATIENCE, until};

/// Reads until the other side is done, or the patience is over.
async fn rest(connection: &mut TcpStream) -> Result<String> {
    let mut text = Vec::new();
    // A reset is an end as well.
    let _ = tokio::time::timeout(PATIENCE, connection.read_to_end(&mut text)).await.context("it stays open")?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test]
async fn a_packed_body_is_refused_and_costs_no_more_than_its_bytes() -> Result<()> {
    let house = House::open().await?;
    for coding in ["gzip", "deflate", "br", "identity, gzip", "GZIP"] {
        for path in ["/api/login", "/webhook", "/api/webhooks/unipile/messages", "/socket.io/?EIO=4&transport=polling"]
        {
            let request = house.hub.http().post(house.hub.url(path)).header(header::CONTENT_ENCODING, coding);
            let answer = request.body(vec![7; 100_000]).send().await?;
            ensure!(answer.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE, "{path} {coding}: {}", answer.status());
            ensure!(answer.headers()[header::ACCEPT_ENCODING] == "identity");
            ensure!(answer.headers()[header::CONTENT_TYPE] == "application/problem+json");
        }
    }
    let plain = house.hub.http().post(house.hub.url("/api/login")).header(header::CONTENT_ENCODING, "identity");
    let answer = plain.body(r#"{"email": "a@b.example", "password": "wrong"}"#).send().await?;
    ensure!(answer.status() == StatusCode::UNAUTHORIZED, "{}", answer.status());
    Ok(())
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_given_up() -> Result<()> {
    let quick = |setup: loadtest::hub::Setup| setup.set("server.request_timeout", "1s");
    let house = House::open_with(quick).await?;
    let signature = format!("X-Hub-Signature-256: sha256={}\r\n", "0".repeat(64));
    for (path, header, status) in [
        ("/api/login", "", "HTTP/1.1 408"),
        ("/webhook", &signature, "HTTP/1.1 408"),
        ("/socket.io/?EIO=4&transport=polling", "", "HTTP/1.1 4"),
    ] {
        let mut slow = TcpStream::connect(house.hub.address()).await?;
        slow.write_all(
            format!("POST {path} HTTP/1.1\r\nHost: hub\r\n{header}Content-Length: 1000\r\n\r\n{{").as_bytes(),
        )
        .await?;
        let answer = rest(&mut slow).await?;
        ensure!(answer.starts_with(status), "{path}: {answer}");
    }
    Ok(())
}

#[tokio::test]
async fn one_address_has_so_many_connections_and_no_more() -> Result<()> {
    let few = |setup: loadtest::hub::Setup| setup.set("server.connections_per_address", 8);
    let house = House::open_with(few).await?;
    let connect = || TcpStream::connect(house.hub.address());
    // Workers count side by side, so it need not be the last that is closed.
    let mut open = Vec::new();
    for _ in 0..12 {
        open.push(connect().await?);
    }
    until("a refusal", PATIENCE, || async {
        let refused = house.hub.metric("leadwire_refused_connections_total").await?;
        Ok(if refused >= 4.0 { Ok(()) } else { Err(format!("{refused} refused")) })
    })
    .await?;
    drop(open);
    let end = Instant::now() + PATIENCE;
    loop {
        let mut again = connect().await?;
        let _ = again.write_all(b"GET /health HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n").await;
        if rest(&mut again).await?.starts_with("HTTP/1.1 200") {
            return Ok(());
        }
        ensure!(Instant::now() < end, "the address is still full");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Whether the hub's end of a connection is still established.
fn is_established(hub: SocketAddr, client: SocketAddr) -> bool {
    let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let ends = format!(":{:04X} 0100007F:{:04X} 01", hub.port(), client.port());
    table.lines().any(|line| line.contains(&ends))
}

#[tokio::test]
async fn a_client_that_reads_no_answer_is_cut() -> Result<()> {
    let impatient = |setup: loadtest::hub::Setup| setup.set("server.write_timeout", "2s");
    let house = House::open_with(impatient).await?;
    let mut client = TcpStream::connect(house.hub.address()).await?;
    let (hub, own) = (house.hub.address(), client.local_addr()?);
    let request = b"GET /client/leadwire.js HTTP/1.1\r\nHost: hub\r\n\r\n";
    let end = Instant::now() + PATIENCE;
    // It asks again and again until the hub takes no more of it.
    while tokio::time::timeout(Duration::from_millis(500), client.write_all(request))
        .await
        .is_ok_and(|sent| sent.is_ok())
    {
        ensure!(Instant::now() < end, "the hub answers what nobody reads");
    }
    while is_established(hub, own) {
        ensure!(Instant::now() < end, "the connection is still there");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    ensure!(house.hub.http().get(house.hub.url("/health")).send().await?.status() == StatusCode::OK);
    Ok(())
}

#[tokio::test]
async fn unknown_addresses_and_methods_are_told_so_as_problem_details() -> Result<()> {
    let house = House::open().await?;
    for (method, path, status, allow) in [
        (Method::GET, "/nothing/here", 404, None),
        (Method::GET, "/api/nothing", 404, None),
        (Method::DELETE, "/api/login", 405, Some("POST")),
        (Method::PUT, "/api/leads", 405, Some("GET, HEAD")),
        (Method::POST, "/api/endpoints/x", 405, None),
        (Method::DELETE, "/webhook", 405, Some("GET, HEAD, POST")),
        (Method::POST, "/health", 405, Some("GET, HEAD")),
        (Method::POST, "/events", 405, Some("GET, HEAD")),
        (Method::POST, "/", 405, None),
    ] {
        let answer = house.hub.http().request(method.clone(), house.hub.url(path)).send().await?;
        ensure!(answer.status() == status, "{method} {path}: {}", answer.status());
        ensure!(answer.headers()[header::X_CONTENT_TYPE_OPTIONS] == "nosniff", "{method} {path}");
        ensure!(status == 404 || answer.headers().contains_key(header::ALLOW), "{method} {path} names no method");
        if let Some(allow) = allow {
            ensure!(answer.headers()[header::ALLOW] == allow, "{method} {path}: {:?}", answer.headers()[header::ALLOW]);
        }
        ensure!(answer.headers()[header::CONTENT_TYPE] == "application/problem+json", "{method} {path}");
        let problem: Value = answer.json().await?;
        ensure!(problem["status"] == status && problem["detail"].is_string(), "{problem}");
    }
    Ok(())
}

#[tokio::test]
async fn head_is_answered_as_get_without_its_body() -> Result<()> {
    let house = House::open().await?;
    for path in ["/", "/health", "/ready", "/client/leadwire.js", "/api/leads", "/api/me", "/nothing"] {
        let ask = |method: Method| {
            let request = house.hub.http().request(method, house.hub.url(path));
            request.bearer_auth(&house.tenants[0].token).send()
        };
        let (get, head) = (ask(Method::GET).await?, ask(Method::HEAD).await?);
        ensure!(get.status() == head.status(), "{path}: {} {}", get.status(), head.status());
        let length = head.headers().get(header::CONTENT_LENGTH).cloned();
        ensure!(head.bytes().await?.is_empty(), "{path}");
        let whole = get.bytes().await?.len();
        ensure!(length.is_none_or(|length| length == whole.to_string().as_str()), "{path}: of {whole} bytes");
    }
    Ok(())
}

#[tokio::test]
async fn browsers_are_told_to_come_by_https_where_the_hub_is_reached_so() -> Result<()> {
    let plain = House::open().await?;
    let answer = plain.hub.http().get(plain.hub.url("/health")).header("x-forwarded-proto", "https").send().await?;
    ensure!(!answer.headers().contains_key(header::STRICT_TRANSPORT_SECURITY), "nobody vouches for the header");
    let behind = House::open_with(|setup| setup.set("server.trusted_proxies", vec!["127.0.0.1/32"])).await?;
    let answer = behind.hub.http().get(behind.hub.url("/health")).header("x-forwarded-proto", "https").send().await?;
    ensure!(answer.headers()[header::STRICT_TRANSPORT_SECURITY].to_str()?.starts_with("max-age="));
    Ok(())
}

#[tokio::test]
async fn what_is_for_the_operator_is_not_on_the_public_port() -> Result<()> {
    let house = House::open().await?;
    for path in ["/metrics", "/api/webhooks/cost-alert/health", "/api/webhooks/campaign-lifecycle/health"] {
        let public = house.hub.http().get(house.hub.url(path)).bearer_auth(&house.tenants[0].token).send().await?;
        ensure!(public.status() == StatusCode::NOT_FOUND, "{path}: {}", public.status());
        let telemetry = house.hub.http().get(house.hub.telemetry_url(path)).send().await?;
        ensure!(telemetry.status() == StatusCode::OK, "{path}: {}", telemetry.status());
    }
    let bare: Value = house.hub.http().get(house.hub.url("/ready")).send().await?.json().await?;
    ensure!(bare == serde_json::json!({"ready": true}), "{bare}");
    let detail: Value = house.hub.http().get(house.hub.telemetry_url("/ready")).send().await?.json().await?;
    ensure!(detail["ready"] == true && detail["store"] == "ok", "{detail}");
    Ok(())
}

#[tokio::test]
async fn a_refused_request_whose_body_is_there_keeps_its_connection() -> Result<()> {
    let house = House::open().await?;
    for (line, header, status) in [
        ("PUT /api/leads/lead_0", "", "401"),
        ("POST /api/webhooks/unipile/messages", "unipile-auth: guess\r\n", "401"),
        ("POST /nowhere", "", "404"),
    ] {
        let mut connection = TcpStream::connect(house.hub.address()).await?;
        let request = format!(
            "{line} HTTP/1.1\r\nHost: hub\r\n{header}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
        );
        connection.write_all(request.as_bytes()).await?;
        connection.write_all(request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").as_bytes()).await?;
        let answers = rest(&mut connection).await?;
        ensure!(answers.matches(&format!("HTTP/1.1 {status}")).count() == 2, "{line}: {answers}");
    }
    Ok(())
}
