//! The ways in, and what is none.

use std::time::Instant;

use loadtest::hub::PASSWORD;

use super::*;

async fn welcomed_as(house: &House, login: Login<'_>) -> Value {
    let mut socket = Socket::connect_as(&house.hub.ws_url(), login).await.unwrap();
    assert_eq!(socket.protocol(), Some("leadwire.v1"));
    socket.next_of("welcome", PATIENCE).await.unwrap()
}

/// The session cookie of somebody who signs in with their password.
async fn signed_in(hub: &Hub, email: &str) -> String {
    let login = json!({"email": email, "password": PASSWORD});
    let answer = hub.http().post(hub.url("/api/login")).json(&login).send().await.unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    cookie.split_once('=').unwrap().1.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn cookie_bearer_sub_protocol_first_frame_and_key_each_let_somebody_in() {
    let house = House::open().await;
    let roles = [(house.account.as_str(), "agent")];
    let user = house.hub.add_user(&house.agency, "ada@harbor.example", "Ada", &roles).await.unwrap();
    let token = house.hub.issue_token(&user).await.unwrap();
    let cookie = signed_in_when_known(&house.hub, "ada@harbor.example").await;
    let origin = format!("http://{}", house.hub.address());
    for login in [Login::Cookie(&cookie, &origin), Login::Bearer(&token), Login::Protocol(&token), Login::Frame(&token)]
    {
        let welcome = welcomed_as(&house, login).await;
        assert_eq!(welcome["user"], user.as_str(), "{login:?}");
        assert_eq!(welcome["rooms"], json!(["dashboard", house.room()]), "{login:?}");
    }
    for login in [Login::Bearer(&house.key), Login::Protocol(&house.key), Login::Frame(&house.key)] {
        let welcome = welcomed_as(&house, login).await;
        assert!(welcome["user"].as_str().unwrap().starts_with("key_"), "{welcome}");
        let operators = format!("operators:{}", house.account);
        assert_eq!(welcome["rooms"], json!(["dashboard", "operators", house.room(), operators]));
    }
}

/// The hub notices a new user within `store.directory_interval`.
async fn signed_in_when_known(hub: &Hub, email: &str) -> String {
    let login = json!({"email": email, "password": PASSWORD});
    until(async || hub.http().post(hub.url("/api/login")).json(&login).send().await.unwrap().status() == 200).await;
    signed_in(hub, email).await
}

#[tokio::test]
async fn the_answer_confirms_the_sub_protocol_and_never_repeats_the_token() {
    let house = House::open().await;
    let offers = [
        (format!("Sec-WebSocket-Protocol: leadwire.v1, leadwire.token.{}\r\n", house.key), true),
        (
            format!("Sec-WebSocket-Protocol: leadwire.token.{}\r\nSec-WebSocket-Protocol: leadwire.v1\r\n", house.key),
            true,
        ),
        (format!("Sec-WebSocket-Protocol: leadwire.token.{}\r\n", house.key), false),
    ];
    for (headers, confirmed) in offers {
        let (mut raw, head) = Raw::open_with(&house.hub, "/ws", &headers, b"").await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(head.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
        assert_eq!(head.contains("Sec-WebSocket-Protocol: leadwire.v1\r\n"), confirmed, "{head}");
        assert!(!head.contains(&house.key) && !head.contains("leadwire.token"), "{head}");
        raw.json_of("welcome").await;
    }
}

#[tokio::test]
async fn whoever_does_not_say_who_they_are_in_time_is_closed_and_told_why() {
    let house = House::open_with(|setup| setup.set("realtime.auth_timeout", "1s")).await;
    let user =
        house.hub.add_user(&house.agency, "ada@harbor.example", "Ada", &[(&house.account, "agent")]).await.unwrap();
    let cookie = house.hub.issue_token(&user).await.unwrap();
    let url = house.hub.ws_url();
    let asked = format!("{url}?token={0}&access_token={0}", house.key);
    let start = Instant::now();
    let silent = [
        (Socket::connect_as(&url, Login::Nothing).await.unwrap(), (4001, "unauthenticated")),
        (Socket::connect_as(&asked, Login::Nothing).await.unwrap(), (4001, "unauthenticated")),
        (
            Socket::connect_as(&url, Login::Cookie(&cookie, "https://evil.example")).await.unwrap(),
            (4003, "origin_refused"),
        ),
        (Socket::connect_as(&url, Login::Cookie(&cookie, "null")).await.unwrap(), (4003, "origin_refused")),
    ];
    for (mut socket, (code, reason)) in silent {
        assert_eq!(socket.closed(PATIENCE).await.unwrap(), Some((code, reason.to_owned())));
    }
    assert!(start.elapsed().as_secs() >= 1, "a token may still come until then");
}

#[tokio::test]
async fn a_bad_token_is_closed_with_4001_at_once_and_so_is_a_question_before_it() {
    let house = House::open().await;
    let url = house.hub.ws_url();
    for bad in ["nonsense", "lw_nonsense", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1c3JfMSJ9."] {
        for login in [Login::Bearer(bad), Login::Protocol(bad), Login::Frame(bad)] {
            let mut socket = Socket::connect_as(&url, login).await.unwrap();
            assert_eq!(code(&mut socket).await, 4001, "{login:?}");
        }
    }
    let mut socket = Socket::connect_as(&url, Login::Nothing).await.unwrap();
    socket.send(&json!({"type": "subscribe", "room": house.room()})).await.unwrap();
    assert_eq!(code(&mut socket).await, 4001);
}

#[tokio::test]
async fn an_upgrade_elsewhere_gets_an_http_answer_and_the_connection_ends() {
    let house = House::open().await;
    let (mut raw, head) = Raw::open_with(&house.hub, "/elsewhere", "", b"").await;
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
    raw.ended().await;
}
