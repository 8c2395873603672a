//! The client against a server that says what a hub says.

use tokio::{io::AsyncReadExt, net::TcpListener, task::JoinHandle};
use tokio_websockets::{CloseCode, ServerBuilder};

use super::*;

const SOON: Duration = Duration::from_secs(5);

/// Reads one HTTP request: its head, and as much of a body as its length says.
pub(super) async fn read_request(stream: &mut TcpStream) -> (String, String) {
    let mut read = Vec::new();
    loop {
        assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "a request ends early");
        let text = String::from_utf8(read.clone()).unwrap();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            return (head.to_owned(), body.to_owned());
        }
    }
}

/// Accepts one socket, answers its first frame with `frames` and closes with 4001. Returns what the client sent, and its
/// `Authorization`.
async fn hub_that_says(frames: Vec<Value>) -> (String, JoinHandle<(Value, Option<String>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/ws", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (request, mut socket) = ServerBuilder::new().accept(stream).await.unwrap();
        let login = request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
        let said = socket.next().await.unwrap().unwrap();
        let said = serde_json::from_str(said.as_text().unwrap()).unwrap();
        for frame in frames {
            socket.send(Message::text(frame.to_string())).await.unwrap();
        }
        let code = CloseCode::try_from(4001).unwrap();
        socket.send(Message::close(Some(code), "token ran out")).await.unwrap();
        (said, login)
    });
    (url, served)
}

#[tokio::test]
async fn an_envelope_that_comes_before_the_subscription_is_confirmed_is_not_lost() {
    let envelope = json!({"type": "new_lead", "id": "evt_1", "position": "1-1", "payload": {}});
    let (url, served) = hub_that_says(vec![
        json!({"type": "welcome"}),
        envelope.clone(),
        json!({"type": "subscribed", "room": "account:acc_1", "position": "1-1"}),
        json!({"type": "heartbeat", "positions": {}}),
    ])
    .await;
    let mut socket = Socket::connect(&url, "tok").await.unwrap();
    assert_eq!(socket.subscribe("account:acc_1").await.unwrap()["position"], "1-1");
    assert_eq!(socket.next_envelope(SOON).await.unwrap(), envelope);
    assert_eq!(socket.closed(SOON).await.unwrap(), Some((4001, "token ran out".to_owned())));
    let (said, login) = served.await.unwrap();
    assert_eq!(said, json!({"type": "subscribe", "room": "account:acc_1", "ref": "subscribe-1"}));
    assert_eq!(login.as_deref(), Some("Bearer tok"));
}

#[tokio::test]
async fn a_refused_subscription_is_an_error_that_says_why() {
    let error = json!({"code": "forbidden", "message": "not yours"});
    let (url, _served) =
        hub_that_says(vec![json!({"type": "reply", "ref": "subscribe-1", "ok": false, "error": error})]).await;
    let mut socket = Socket::connect(&url, "tok").await.unwrap();
    let error = socket.subscribe("account:acc_2").await.unwrap_err();
    assert!(error.to_string().contains("not yours"), "{error}");
}

#[tokio::test]
async fn the_first_frame_can_carry_the_token() {
    let (url, served) = hub_that_says(vec![]).await;
    let mut socket = Socket::connect_as(&url, Login::Frame("tok")).await.unwrap();
    socket.closed(SOON).await.unwrap();
    let (said, login) = served.await.unwrap();
    assert_eq!((said, login), (json!({"type": "auth", "token": "tok"}), None));
}

#[tokio::test]
async fn a_refusal_has_its_status() {
    let server = crate::platform::Simulator::start(crate::platform::Settings::default()).unwrap();
    let url = server.url().replace("http", "ws");
    let refused = Socket::connect_as(&url, Login::Nothing).await.err().unwrap();
    assert!(matches!(refused, ConnectError::Refused(400)), "{refused:?}");
}

#[tokio::test]
async fn a_plain_client_offers_no_sub_protocol_but_its_token() {
    for (login, offered) in [(Login::Bearer("tok"), None), (Login::Protocol("tok"), Some("leadwire.token.tok"))] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/ws/messages", listener.local_addr().unwrap());
        let served = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let (request, mut socket) = ServerBuilder::new().accept(stream).await.unwrap();
            socket.send(Message::text(r#"{"type":"message:new","payload":{"is_sender":0}}"#)).await.unwrap();
            request.headers().get("sec-websocket-protocol").map(|value| value.to_str().unwrap().to_owned())
        });
        let mut socket = Socket::connect_plain(&url, login).await.unwrap();
        assert_eq!(socket.next_envelope(SOON).await.unwrap()["payload"]["is_sender"], 0);
        assert_eq!(served.await.unwrap().as_deref(), offered);
    }
}
