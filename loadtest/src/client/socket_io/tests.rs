//! The client against a small server that goes through the protocol.

use std::net::SocketAddr;

use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};
use tokio_websockets::ServerBuilder;

use super::*;
use crate::client::tests::read_request;

const SOON: Duration = Duration::from_secs(5);
const OPEN: &str = r#"0{"sid":"engine","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000}"#;

/// One session by polling, which can be upgraded. What the test puts into `polls` answers one GET each; what the client
/// says is in `said`.
struct Server {
    url: String,
    polls: UnboundedSender<String>,
    said: UnboundedReceiver<String>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let (polls, answers) = unbounded_channel();
        let (tell, said) = unbounded_channel();
        let answers = std::sync::Arc::new(tokio::sync::Mutex::new(answers));
        let noop = polls.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answers, tell, noop) = (answers.clone(), tell.clone(), noop.clone());
                tokio::spawn(async move {
                    let mut head = [0; 256];
                    let length = stream.peek(&mut head).await.unwrap();
                    if String::from_utf8_lossy(&head[..length]).contains("transport=websocket") {
                        serve_socket(stream, &tell, &noop).await;
                    } else {
                        serve_polls(stream, &tell, &mut *answers.lock().await).await;
                    }
                });
            }
        });
        Self { url: format!("http://{address}/socket.io/"), polls, said }
    }

    fn answer(&self, body: &str) {
        self.polls.send(body.to_owned()).unwrap();
    }
}

async fn serve_polls(mut stream: TcpStream, tell: &UnboundedSender<String>, answers: &mut UnboundedReceiver<String>) {
    let (head, body) = read_request(&mut stream).await;
    let answer = if head.starts_with("POST") {
        assert!(head.contains("&sid=engine "), "{head}");
        tell.send(body).unwrap();
        "ok".to_owned()
    } else {
        answers.recv().await.unwrap()
    };
    let length = answer.len();
    let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    // The client may have gone away.
    let _ = stream.write_all((head + &answer).as_bytes()).await;
}

async fn serve_socket(stream: TcpStream, tell: &UnboundedSender<String>, noop: &UnboundedSender<String>) {
    let (request, mut socket) = ServerBuilder::new().accept(stream).await.unwrap();
    if !request.uri().query().unwrap().contains("sid=") {
        socket.send(Message::text(OPEN)).await.unwrap();
    }
    while let Some(Ok(message)) = socket.next().await {
        let Some(text) = message.as_text() else { break };
        let answer = match text {
            "2probe" => {
                noop.send("42[\"late\",1]\x1e6".to_owned()).unwrap();
                socket.send(Message::text("3probe")).await.unwrap();
                continue;
            }
            "40" => r#"40{"sid":"io"}"#,
            _ if text.starts_with(r#"420["ask""#) => r#"430["yes"]"#,
            _ => {
                tell.send(text.to_owned()).unwrap();
                continue;
            }
        };
        socket.send(Message::text("2")).await.unwrap();
        socket.send(Message::text(r#"42["new_lead",{"lead":{}}]"#)).await.unwrap();
        socket.send(Message::text(answer)).await.unwrap();
    }
}

#[tokio::test]
async fn by_polling_events_before_the_admission_are_kept_and_pings_answered() {
    let mut server = Server::start().await;
    server.answer(OPEN);
    server.answer("42[\"connection_response\",{\"data\":\"hi\"}]\x1e40{\"sid\":\"io\"}");
    server.answer("2");
    server.answer(r#"42["new_lead",{"lead":{"name":"J\u00f6"}}]"#);
    let mut socket = SocketIo::connect_as(&server.url, Login::Frame("tok"), Transport::Polling).await.unwrap();
    assert_eq!(socket.session()["sid"], "engine");
    assert_eq!(socket.next_of("connection_response", SOON).await.unwrap()["data"], "hi");
    let envelope = socket.next_envelope(SOON).await.unwrap();
    assert_eq!(envelope, json!({"type": "new_lead", "payload": {"lead": {"name": "Jö"}}}));
    assert_eq!(socket.pings(), 1);
    socket.emit("join_dashboard", &[]).await.unwrap();
    socket.close().await.unwrap();
    for said in [r#"40{"token":"tok"}"#, "3", r#"42["join_dashboard"]"#, "41\x1e1"] {
        assert_eq!(server.said.recv().await.unwrap(), said);
    }
}

#[tokio::test]
async fn a_poll_that_outlives_the_patience_loses_nothing() {
    let server = Server::start().await;
    server.answer(OPEN);
    server.answer(r#"40{"sid":"io"}"#);
    let mut socket = SocketIo::connect_as(&server.url, Login::Nothing, Transport::Polling).await.unwrap();
    assert!(socket.next(Duration::from_millis(10)).await.is_err());
    server.answer(r#"42["a"]"#);
    assert_eq!(socket.next_event(SOON).await.unwrap(), ("a".to_owned(), vec![]));
}

#[tokio::test]
async fn by_websocket_alone_the_first_frame_is_the_session() {
    let server = Server::start().await;
    let mut socket = SocketIo::connect_as(&server.url, Login::Nothing, Transport::WebSocket).await.unwrap();
    assert_eq!((socket.is_websocket(), &socket.session()["sid"]), (true, &json!("engine")));
    assert_eq!(socket.ask("ask", &[]).await.unwrap(), [json!("yes")]);
    assert_eq!(socket.next_envelope(SOON).await.unwrap()["type"], "new_lead");
    assert_eq!(socket.pings(), 2);
}

#[tokio::test]
async fn an_upgrade_ends_the_poll_and_keeps_what_it_brought() {
    let mut server = Server::start().await;
    server.answer(OPEN);
    server.answer(r#"40{"sid":"io"}"#);
    let mut socket = SocketIo::connect_as(&server.url, Login::Nothing, Transport::Upgrade).await.unwrap();
    assert!(socket.is_websocket());
    assert_eq!(socket.next_event(SOON).await.unwrap(), ("late".to_owned(), vec![json!(1)]));
    assert_eq!(socket.ask("ask", &[]).await.unwrap(), [json!("yes")]);
    for said in ["40", "5"] {
        assert_eq!(server.said.recv().await.unwrap(), said);
    }
}

#[tokio::test]
async fn a_refusal_has_its_status() {
    let simulator = crate::platform::Simulator::start(crate::platform::Settings::default()).unwrap();
    let url = format!("{}/socket.io/", simulator.url());
    for transport in [Transport::Polling, Transport::WebSocket] {
        let refused = SocketIo::open(&url, Login::Nothing, transport).await.err().unwrap();
        assert!(matches!(refused, ConnectError::Refused(400)), "{refused:?}");
    }
}
