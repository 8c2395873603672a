//! Clients without a login, where the settings name an account for them.

use reqwest::RequestBuilder;

use super::{
    raw::{PING, PONG, TEXT},
    socket_io::{Poller, WEBSOCKET, two_workers},
    *,
};

/// A hub whose one account clients without a login may read, that account, another, and a manager's key.
async fn open_to_anybody() -> (Hub, [String; 2], String) {
    let setup = two_workers(setup()).set("server.allowed_origins", json!([ALLOWED])).set("realtime.auth_timeout", "1s");
    let mut hub = Hub::prepare(setup).await.unwrap();
    let agency = hub.add_agency("Harbor").await.unwrap();
    let (open, closed) =
        (hub.add_account(&agency, "Bakery").await.unwrap(), hub.add_account(&agency, "Dentist").await.unwrap());
    let key = hub.add_key(&agency, None, "manager").await.unwrap();
    let settings = hub.data_dir().with_file_name("leadwire.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, format!("{text}\n[compat]\nanonymous_account = \"{open}\"\n")).unwrap();
    hub.start().await.unwrap();
    (hub, [open, closed], key)
}

const ALLOWED: &str = "https://dash.example";

#[tokio::test]
async fn another_sites_page_is_no_client_without_a_login_on_any_transport() {
    let (hub, _, _) = open_to_anybody().await;
    let own = format!("http://{}", hub.address());
    for (headers, is_let_in) in [
        (String::new(), true),
        (format!("Origin: {ALLOWED}\r\n"), true),
        (format!("Origin: {own}\r\n"), true),
        ("Origin: https://evil.example\r\nSec-Fetch-Site: cross-site\r\n".to_owned(), false),
        ("Origin: http://evil.example\r\n".to_owned(), false),
        ("Origin: null\r\n".to_owned(), false),
        ("Sec-Fetch-Site: cross-site\r\n".to_owned(), false),
    ] {
        let mut socket = Raw::open_with(&hub, WEBSOCKET, &headers, b"").await.0;
        socket.send(TEXT, b"40").await;
        let answer = socket.packet("4").await;
        assert_eq!(answer.starts_with("40"), is_let_in, "{headers}: {answer}");
        if !is_let_in {
            socket.send(TEXT, b"40").await;
            assert!(socket.packet("4").await.starts_with("44"), "nor when it asks again: {headers}");
        }
        let mut messages = Raw::open_with(&hub, "/ws/messages", &headers, b"").await.0;
        if is_let_in {
            hub_has_anonymous(&mut messages).await;
        } else {
            assert_eq!(messages.code().await, 4001, "{headers}");
        }
    }
    // A page that polls says its origin when it posts, and when it asks for a WebSocket.
    let foreign = |request: RequestBuilder| request.header("origin", "https://evil.example");
    let mut page = Poller::open(&hub).await;
    let posted = foreign(page.http.post(&page.base).body("40")).send().await.unwrap();
    assert_eq!(posted.status(), 200);
    assert!(page.packet("4").await.starts_with("44"));
    let page = Poller::open(&hub).await;
    let attach = page.base.replace("polling", "websocket");
    let attach = attach.strip_prefix(&hub.url("")).unwrap();
    let mut socket = Raw::open_with(&hub, attach, "Origin: https://evil.example\r\n", b"").await.0;
    socket.send(TEXT, b"2probe").await;
    assert_eq!(socket.packet("3").await, "3probe");
    socket.send(TEXT, b"5").await;
    socket.send(TEXT, b"40").await;
    assert!(socket.packet("4").await.starts_with("44"));
}

/// A client of plain envelopes is told nothing when it is let in; it is answered as long as it lives.
async fn hub_has_anonymous(messages: &mut Raw) {
    messages.send(PING, b"there?").await;
    assert_eq!(messages.control(PONG).await, b"there?");
}

#[tokio::test]
async fn who_has_no_login_gets_nothing_of_what_was_before() {
    let (hub, [open, _], key) = open_to_anybody().await;
    create(&hub, &key, &open, "Earlier").await;
    let (mut page, _) = Poller::connect(&hub, &json!({})).await;
    let since = format!(r#"421["subscribe",{{"room":"account:{open}","since":"1-0"}}]"#);
    assert_eq!(page.post(&since).await.0, 200);
    let resync = page.packet(r#"42["resync""#).await;
    assert!(resync.contains("not_signed_in"), "{resync}");
    create(&hub, &key, &open, "Later").await;
    let first = page.packet(r#"42["new_lead""#).await;
    assert!(first.contains("Later"), "{first}");
}

#[tokio::test]
async fn a_client_without_a_login_reads_the_one_account_that_the_settings_name_and_no_more() {
    let (hub, [open, closed], key) = open_to_anybody().await;
    let (mut page, answer) = Poller::connect(&hub, &json!({})).await;
    assert!(answer.starts_with("40"), "{answer}");
    let welcome = page.packet(r#"42["welcome""#).await;
    assert!(welcome.contains(r#""user":"anonymous""#) && welcome.contains(&open) && !welcome.contains(&closed));
    page.join().await;
    for (id, room) in [(1, format!("account:{closed}")), (2, format!("operators:{open}"))] {
        assert_eq!(page.post(&format!(r#"42{id}["subscribe",{{"room":"{room}"}}]"#)).await.0, 200);
        assert!(page.packet("43").await.contains("forbidden"), "{room}");
    }
    create(&hub, &key, &closed, "Secret").await;
    create(&hub, &key, &open, "Joe").await;
    let lead = page.packet(r#"42["new_lead""#).await;
    assert!(lead.contains("Joe") && !lead.contains("Secret"), "{lead}");
    let (_, refused) = Poller::connect(&hub, &json!({"token": "nonsense"})).await;
    assert!(refused.starts_with("44"), "who shows something must show something good: {refused}");
    assert_eq!(hub.http().get(hub.url("/api/leads")).send().await.unwrap().status(), 401);
    let mut native = Socket::connect_as(&hub.ws_url(), Login::Nothing).await.unwrap();
    native.send(&json!({"type": "subscribe", "room": "dashboard"})).await.unwrap();
    assert_eq!(code(&mut native).await, 4001);
}
