//! Input that nobody should send: signed, it is answered 200 and recorded; unsigned, 403. The hub goes on either way.

use anyhow::{Context, Result, ensure};
use loadtest::{
    client::Socket,
    hub::{APP_SECRET, VERIFY_TOKEN},
    platform::meta::{Webhook, sign},
};
use reqwest::{Response, StatusCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{House, PATIENCE, next_lead};

const MIB: usize = 1024 * 1024;

async fn post_bytes(house: &House, body: Vec<u8>, signature: Option<String>) -> Result<Response> {
    let mut request = house.hub.http().post(house.hub.url("/webhook")).header("content-type", "application/json");
    if let Some(signature) = signature {
        request = request.header("x-hub-signature-256", signature);
    }
    Ok(request.body(body).send().await?)
}

async fn signed(house: &House, body: Vec<u8>) -> Result<Response> {
    let signature = sign(&body, loadtest::hub::APP_SECRET);
    post_bytes(house, body, Some(signature)).await
}

/// A good webhook is accepted and pushed as if nothing had been.
async fn is_well(house: &House, session: &mut Socket, after: &str) -> Result<()> {
    let id = house.lead(0, "Still here").await.with_context(|| format!("after {after}"))?;
    let seen = next_lead(session).await.with_context(|| format!("after {after}"))?;
    ensure!(seen == id, "after {after} another lead was pushed");
    Ok(())
}

fn bad_bodies() -> Vec<(&'static str, Vec<u8>)> {
    let text = |text: &str| text.as_bytes().to_vec();
    let deep = |open: &str, close: &str| {
        let (open, close) = (open.repeat(10_000), close.repeat(10_000));
        format!(
            r#"{{"object":"page","entry":[{{"id":"101","changes":[{{"field":"leadgen","value":{open}1{close}}}]}}]}}"#
        )
        .into_bytes()
    };
    let change = |value: &str| {
        format!(
            r#"{{"object":"page","entry":[{{"id":"101","time":1,"changes":[{{"field":"leadgen","value":{value}}}]}}]}}"#
        )
        .into_bytes()
    };
    vec![
        ("nothing at all", Vec::new()),
        ("no JSON", text("this is not JSON")),
        ("half a JSON", text(r#"{"object":"page","entry":[{"id":"101","#)),
        ("a text", text("\"page\"")),
        ("a list", text("[1,2,3]")),
        ("null", text("null")),
        ("an empty object", text("{}")),
        ("no entries", text(r#"{"object":"page","entry":[]}"#)),
        ("entries that are none", text(r#"{"object":"page","entry":{"id":"101"}}"#)),
        ("entries of every kind", text(r#"{"object":"page","entry":[null,1,"x",[],{},{"id":"101"}]}"#)),
        ("no changes", text(r#"{"object":"page","entry":[{"id":"101","time":1,"changes":[]}]}"#)),
        ("changes that are none", text(r#"{"object":"page","entry":[{"id":"101","changes":"leadgen"}]}"#)),
        ("changes of every kind", text(r#"{"object":"page","entry":[{"id":"101","changes":[null,1,"x",[],{}]}]}"#)),
        (
            "another object",
            text(
                r#"{"object":"user","entry":[{"id":"101","changes":[{"field":"leadgen","value":{"leadgen_id":"1"}}]}]}"#,
            ),
        ),
        ("a lead without an id", change(r#"{"page_id":"101"}"#)),
        ("an id that is a list", change(r#"{"leadgen_id":["1"],"page_id":"101"}"#)),
        ("an id that climbs", change(r#"{"leadgen_id":"../../me","page_id":"101"}"#)),
        ("an id that is too large", change(&format!(r#"{{"leadgen_id":"{}","page_id":"101"}}"#, "9".repeat(5000)))),
        ("an id with a fraction", change(r#"{"leadgen_id":1.5,"page_id":"101"}"#)),
        ("an id in powers of ten", change(r#"{"leadgen_id":1e400,"page_id":"101"}"#)),
        ("keys that come twice", change(r#"{"leadgen_id":"x","leadgen_id":{},"page_id":"101","page_id":[]}"#)),
        ("lists 10,000 deep", deep("[", "]")),
        ("objects 10,000 deep", deep(r#"{"a":"#, "}")),
        ("only brackets", "[".repeat(100_000).into_bytes()),
        (
            "bytes that are no UTF-8",
            b"{\"object\":\"page\",\"entry\":[{\"id\":\"101\",\"x\":\"\xff\xfe\xc3\x28\"}]}".to_vec(),
        ),
        ("half a surrogate", change(r#""\ud800""#)),
        ("zero bytes", vec![0; 1000]),
    ]
}

#[tokio::test]
async fn whatever_is_signed_is_accepted_and_recorded_and_the_next_webhook_works() -> Result<()> {
    let house = House::open().await?;
    let mut session = house.session(0).await?;
    for (what, body) in bad_bodies() {
        let before = house.hub.metric("leadwire_inbox_accepted_events_total").await?;
        let answer = signed(&house, body).await?;
        ensure!(answer.status() == StatusCode::OK, "{what} got {}", answer.status());
        let after = house.hub.metric("leadwire_inbox_accepted_events_total").await?;
        ensure!(after > before, "{what} was not recorded");
        is_well(&house, &mut session, what).await?;
    }
    ensure!(house.platform.calls() == bad_bodies().len() as u64, "something was asked for that is no lead");
    ensure!(house.hub.metric("leadwire_supervisor_restarts_total").await? < 0.5);
    Ok(())
}

#[tokio::test]
async fn whatever_is_not_signed_by_the_app_is_refused_and_the_next_webhook_works() -> Result<()> {
    let house = House::open().await?;
    let mut session = house.session(0).await?;
    let good =
        Webhook::lead(house.change(0, house.pages[0].add_lead(loadtest::platform::Lead::generated(1, 1)))?).body();
    let right = sign(&good, loadtest::hub::APP_SECRET);
    let signatures = [
        None,
        Some(String::new()),
        Some("sha256=".to_owned()),
        Some(right.replace("sha256=", "")),
        Some(right.replace("sha256=", "sha1=")),
        Some(right[..right.len() - 1].to_owned()),
        Some(format!("{right}0")),
        Some(sign(&good, "another secret")),
        Some(sign(&good, "")),
        Some(sign(format!("{good} "), loadtest::hub::APP_SECRET)),
        Some(format!("sha256={}", "z".repeat(64))),
    ];
    for signature in signatures {
        let answer = post_bytes(&house, good.clone().into_bytes(), signature.clone()).await?;
        let (status, body) = (answer.status(), answer.text().await?);
        ensure!(status == StatusCode::FORBIDDEN && body == "Invalid signature", "{signature:?}: {status} {body}");
    }
    for (what, body) in bad_bodies() {
        let answer = post_bytes(&house, body, None).await?;
        ensure!(answer.status() == StatusCode::FORBIDDEN, "{what} got {}", answer.status());
    }
    is_well(&house, &mut session, "forged webhooks").await?;
    ensure!(house.platform.calls() == 1, "a forged webhook was worked on");
    Ok(())
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_accepted_and_one_byte_more_is_refused() -> Result<()> {
    let house = House::open().await?;
    let mut session = house.session(0).await?;
    let body = |length: usize| {
        let mut body = br#"{"object":"page","entry":[],"padding":""#.to_vec();
        body.resize(length - 2, b'x');
        body.extend_from_slice(b"\"}");
        body
    };
    let too_large = StatusCode::PAYLOAD_TOO_LARGE;
    for (length, wanted) in [(4 * MIB, StatusCode::OK), (4 * MIB + 1, too_large), (7 * MIB, too_large)] {
        let answer = signed(&house, body(length)).await?;
        ensure!(answer.status() == wanted, "{length} bytes got {}", answer.status());
        is_well(&house, &mut session, "a large body").await?;
    }
    let answer = tokio::time::timeout(PATIENCE, in_pieces(&house)).await?;
    ensure!(answer.starts_with("HTTP/1.1 413"), "a stream got {answer}");
    is_well(&house, &mut session, "a large stream").await
}

/// Five MiB without a length ahead; the answer's beginning.
async fn in_pieces(house: &House) -> String {
    let mut stream = TcpStream::connect(house.hub.address()).await.unwrap();
    let head = "POST /webhook HTTP/1.1\r\nhost: hub\r\ntransfer-encoding: chunked\r\n\r\n";
    let piece = format!("{:x}\r\n{}\r\n", MIB, " ".repeat(MIB));
    let mut sent = stream.write_all(head.as_bytes()).await;
    for _ in 0..5 {
        if sent.is_ok() {
            sent = stream.write_all(piece.as_bytes()).await;
        }
    }
    let mut answer = vec![0; 64];
    let length = stream.read(&mut answer).await.unwrap_or(0);
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

#[tokio::test]
async fn the_handshake_is_answered_for_who_knows_the_token_only() -> Result<()> {
    let house = House::open().await?;
    let ask = |query: String| house.hub.http().get(house.hub.url(&format!("/webhook?{query}"))).send();
    let good = ask(format!("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={VERIFY_TOKEN}")).await?;
    ensure!(good.status() == StatusCode::OK && good.text().await? == "1158201444");
    for token in ["", "wrong", "verify_token_12", "verify_token_1234"] {
        let bad = ask(format!("hub.mode=subscribe&hub.challenge=1&hub.verify_token={token}")).await?;
        let (status, text) = (bad.status(), bad.text().await?);
        ensure!(status == StatusCode::FORBIDDEN && text == "Invalid verify token", "{token}: {status} {text}");
    }
    let own = house.hub.add_own_app_source(&house.tenants[0].account, 303, "t", APP_SECRET, "own token").await?;
    crate::support::until("the new source's address", PATIENCE, || async {
        let url = house.hub.url(&format!("/webhook/meta/{own}?hub.challenge=7&hub.verify_token=own%20token"));
        let answer = house.hub.http().get(url).send().await?;
        let status = answer.status();
        Ok(if status == StatusCode::OK && answer.text().await? == "7" { Ok(()) } else { Err(status.to_string()) })
    })
    .await
}
