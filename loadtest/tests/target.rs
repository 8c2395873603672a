//! `kind = "target"` against small servers that speak as other hubs do.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{net::SocketAddr, path::Path, process::Output, sync::Arc, time::Duration};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    process::Command,
    sync::{broadcast, watch},
    time::timeout,
};
use tokio_websockets::{Message, ServerBuilder, WebSocketStream};

/// What the server speaks.
#[derive(Clone, Copy, PartialEq)]
enum Tongue {
    Raw,
    /// Publishes everything twice, and the first to nobody.
    RawWithFaults,
    Centrifugo,
    SocketIo,
    Sse,
    SseInChunks,
}

const SESSIONS: usize = 20;
const ENVELOPES: usize = 5;

struct Server {
    tongue: Tongue,
    published: broadcast::Sender<Value>,
    subscribed: watch::Sender<usize>,
}

async fn serve(tongue: Tongue) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server { tongue, published: broadcast::channel(64).0, subscribed: watch::channel(0).0 };
    let server = Arc::new(server);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let server = Arc::clone(&server);
            tokio::spawn(async move { server.answer(stream).await });
        }
    });
    address
}

impl Server {
    /// Nothing in it is an error: connections that only look whether somebody is there just end.
    async fn answer(&self, mut stream: TcpStream) -> Option<()> {
        let mut head = [0; 512];
        let length = stream.peek(&mut head).await.ok()?;
        let head = String::from_utf8_lossy(&head[..length]).to_ascii_lowercase();
        if head.starts_with("post ") {
            self.publish(stream).await
        } else if head.contains("upgrade: websocket") {
            let (_, socket) = ServerBuilder::new().accept(stream).await.ok()?;
            self.push(socket).await
        } else if head.starts_with("get /events?channel=loadtest ") {
            assert!(head.contains("accept: text/event-stream"), "{head}");
            self.stream_events(stream).await
        } else {
            stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await.ok()
        }
    }

    /// Takes what is published, when all sessions are there to get it.
    async fn publish(&self, mut stream: TcpStream) -> Option<()> {
        let mut read = Vec::new();
        let body = loop {
            stream.read_buf(&mut read).await.ok()?;
            let text = String::from_utf8_lossy(&read).into_owned();
            let body = text.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str::<Value>(body).ok());
            if let Some(body) = body {
                assert!(
                    self.tongue != Tongue::Centrifugo || text.to_lowercase().contains("x-api-key: k\r\n"),
                    "{text}"
                );
                break body;
            }
        };
        self.subscribed.subscribe().wait_for(|&count| count >= SESSIONS).await.ok()?;
        assert_eq!(body["channel"], "loadtest");
        let is_first = body.to_string().contains("mark_00000000_");
        let times = match self.tongue {
            Tongue::RawWithFaults if is_first => 0,
            Tongue::RawWithFaults => 2,
            _ => 1,
        };
        for _ in 0..times {
            self.published.send(body.clone()).unwrap();
        }
        let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
        stream.write_all(answer.as_bytes()).await.ok()
    }

    async fn push(&self, mut socket: WebSocketStream<TcpStream>) -> Option<()> {
        match self.tongue {
            Tongue::Centrifugo => {
                assert_eq!(hear(&mut socket).await?, r#"{"id":1,"connect":{"token":"t"}}"#);
                say(&mut socket, r#"{"id":1,"connect":{"client":"c","version":"6.0.0","ping":25,"pong":true}}"#)
                    .await?;
                assert_eq!(hear(&mut socket).await?, r#"{"id":2,"subscribe":{"channel":"loadtest"}}"#);
                say(&mut socket, "{\"id\":2,\"subscribe\":{}}\n{}").await?;
                assert_eq!(hear(&mut socket).await?, "{}");
            }
            Tongue::SocketIo => {
                say(&mut socket, r#"0{"sid":"e","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#).await?;
                assert_eq!(hear(&mut socket).await?, r#"40{"token":"t"}"#);
                say(&mut socket, r#"40{"sid":"s"}"#).await?;
                assert_eq!(hear(&mut socket).await?, r#"420["subscribe","loadtest"]"#);
                say(&mut socket, "430[]").await?;
                say(&mut socket, "2").await?;
                assert_eq!(hear(&mut socket).await?, "3");
            }
            _ => assert_eq!(hear(&mut socket).await?, r#"{"type":"subscribe","channel":"loadtest"}"#),
        }
        let mut published = self.join();
        while let Ok(body) = published.recv().await {
            let text = match self.tongue {
                Tongue::Centrifugo => {
                    let push =
                        |data: &Value| json!({"push": {"channel": "loadtest", "pub": {"data": data}}}).to_string();
                    push(&json!("before")) + "\n" + &push(&body["data"])
                }
                Tongue::SocketIo => format!("42{}", json!(["message", body])),
                _ => body.to_string(),
            };
            say(&mut socket, &text).await?;
        }
        None
    }

    async fn stream_events(&self, mut stream: TcpStream) -> Option<()> {
        let chunked = self.tongue == Tongue::SseInChunks;
        let coding = if chunked { "transfer-encoding: chunked\r\n" } else { "" };
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{coding}\r\n");
        stream.write_all(head.as_bytes()).await.ok()?;
        let mut published = self.join();
        while let Ok(body) = published.recv().await {
            let event = format!("event: a\nid: {}\ndata: {body}\n\n", body["id"]);
            let (front, back) = event.split_at(event.len() / 2);
            for piece in [front, back] {
                let piece = if chunked { format!("{:x}\r\n{piece}\r\n", piece.len()) } else { piece.to_owned() };
                stream.write_all(piece.as_bytes()).await.ok()?;
            }
        }
        None
    }

    fn join(&self) -> broadcast::Receiver<Value> {
        let published = self.published.subscribe();
        self.subscribed.send_modify(|count| *count += 1);
        published
    }
}

async fn hear(socket: &mut WebSocketStream<TcpStream>) -> Option<String> {
    Some(socket.next().await?.ok()?.as_text()?.to_owned())
}

async fn say(socket: &mut WebSocketStream<TcpStream>, text: &str) -> Option<()> {
    socket.send(Message::text(text.to_owned())).await.ok()
}

async fn loadtest(scenario: &str, url: &str, json: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadtest"));
    command.args(["run", scenario, "--set", &format!("url={url}"), "--json"]).arg(json);
    let pids = format!("pids=[{}]", std::process::id());
    let (sessions, envelopes) = (format!("sessions={SESSIONS}"), format!("envelopes={ENVELOPES}"));
    for change in
        [&pids, &sessions, &envelopes, "gap_ms=0", "payload_bytes=200", "patience_seconds=3.0"].iter().chain(more)
    {
        command.args(["--set", change]);
    }
    command.env("LOADTEST_TOKEN", "t").env("LOADTEST_KEY", "k").kill_on_drop(true);
    timeout(Duration::from_mins(1), command.output()).await.unwrap().unwrap()
}

fn figure(report: &Path, name: &str) -> Option<f64> {
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    let all = report["figures"].as_array().unwrap();
    all.iter().find(|figure| figure["name"] == name).unwrap_or_else(|| panic!("no {name}"))["value"].as_f64()
}

#[tokio::test]
async fn every_preset_finds_all_that_is_published_once() {
    let folder = tempfile::tempdir().unwrap();
    for (scenario, tongue) in [
        ("target-raw", Tongue::Raw),
        ("target-centrifugo", Tongue::Centrifugo),
        ("target-socketio", Tongue::SocketIo),
        ("target-sse", Tongue::Sse),
        ("target-sse", Tongue::SseInChunks),
    ] {
        let json = folder.path().join("report.json");
        let url = format!("http://{}", serve(tongue).await);
        let output = loadtest(scenario, &url, &json, &[]).await;
        assert!(output.status.success(), "{scenario}: {output:?}");
        #[expect(clippy::cast_precision_loss, reason = "a hundred")]
        let expected = (SESSIONS * ENVELOPES) as f64;
        assert_eq!(figure(&json, "deliveries"), Some(expected), "{scenario}");
        assert!(figure(&json, "publish → received p99.9") >= figure(&json, "publish → received p50"), "{scenario}");
        // What they are is this test's own doing.
        for name in ["hub: CPU a delivery, median round", "RSS an idle session"] {
            assert!(figure(&json, name).is_some(), "{scenario}: {name}");
        }
    }
}

#[tokio::test]
async fn what_is_lost_or_comes_twice_is_counted_and_fails_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("report.json");
    let url = format!("http://{}", serve(Tongue::RawWithFaults).await);
    let output = loadtest("target-raw", &url, &json, &["patience_seconds=0.5"]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    #[expect(clippy::cast_precision_loss, reason = "a hundred")]
    let [lost, duplicated] = [SESSIONS as f64, (SESSIONS * (ENVELOPES - 1)) as f64];
    assert_eq!((figure(&json, "lost"), figure(&json, "duplicated")), (Some(lost), Some(duplicated)));
}

#[tokio::test]
async fn a_hub_that_is_not_there_or_refuses_ends_the_run_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("report.json");
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let here = format!("http://{}", serve(Tongue::Sse).await);
    let elsewhere = format!("publish.url={gone}/publish");
    for (url, more, sentence) in [
        (&gone, vec![], "nobody is at"),
        (&"https://127.0.0.1".to_owned(), vec![], "sessions use no TLS"),
        (&here, vec!["subscribe.url={url}/nothing"], "the hub refused the connection: HTTP/1.1 404"),
        (&here, vec![elsewhere.as_str()], "can't publish at"),
        (&here, vec!["publish.method=GET"], "does not publish: 404"),
        (&here, vec!["publish.body=nothing"], "{id} is nowhere"),
    ] {
        let output = loadtest("target-sse", url, &json, &more).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(sentence), "`{sentence}` is not in: {said}");
    }
}
