//! The event source against a server that says what a hub says.

use tokio::{io::AsyncWriteExt, net::TcpListener, task::JoinHandle};

use super::*;
use crate::client::tests::read_request;

const SOON: Duration = Duration::from_secs(5);
const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n";

/// Answers one request with these pieces and ends the connection. Returns what it was asked.
async fn hub_that_says(pieces: Vec<String>) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/events?rooms=dashboard", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (head, _) = read_request(&mut stream).await;
        for piece in pieces {
            stream.write_all(piece.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            tokio::task::yield_now().await;
        }
        head
    });
    (url, served)
}

#[tokio::test]
async fn events_comments_and_retries_are_shown_and_the_id_is_kept() {
    let body = "retry: 3000\n\n: still here\n\nid: 3-7\nevent: new_lead\ndata: {\"type\":\"new_lead\",\ndata: \"payload\":{}}\n\n";
    let (url, served) =
        hub_that_says(vec![format!("{HEAD}connection: close\r\n\r\n{body}data: plain\n\ndata: cut")]).await;
    let mut events = EventSource::connect_as(&url, Login::Cookie("c", "http://x"), Some("3-6")).await.unwrap();
    assert_eq!((events.content_type(), events.last_id()), ("text/event-stream", Some("3-6")));
    assert_eq!(events.next(SOON).await.unwrap(), Streamed::Retry(Duration::from_secs(3)));
    assert_eq!(events.next(SOON).await.unwrap(), Streamed::Comment("still here".into()));
    assert_eq!(events.next_envelope(SOON).await.unwrap()["type"], "new_lead");
    assert_eq!(events.last_id(), Some("3-7"));
    let plain = Event { kind: "message".into(), id: None, data: "plain".into() };
    assert_eq!(events.next(SOON).await.unwrap(), Streamed::Event(plain));
    // An event that was not finished is none.
    events.closed(SOON).await.unwrap();
    let head = served.await.unwrap().to_lowercase();
    for header in ["accept: text/event-stream", "last-event-id: 3-6", "cookie: leadwire_session=c", "origin: http://x"]
    {
        assert!(head.contains(header), "{header} is not in {head}");
    }
}

#[tokio::test]
async fn chunks_may_cut_an_event_anywhere() {
    let mut pieces = vec![format!("{HEAD}transfer-encoding: chunked\r\n\r\n")];
    pieces.extend(
        "event: a\ndata: {\"n\":1}\n\n"
            .as_bytes()
            .chunks(5)
            .map(|chunk| format!("{:x}\r\n{}\r\n", chunk.len(), std::str::from_utf8(chunk).unwrap())),
    );
    pieces.push("0\r\n\r\n".to_owned());
    let (url, _served) = hub_that_says(pieces).await;
    let mut events = EventSource::connect(&url, "tok").await.unwrap();
    assert_eq!(events.next_of("a", SOON).await.unwrap()["n"], 1);
    events.closed(SOON).await.unwrap();
}

#[tokio::test]
async fn a_refusal_has_its_status() {
    let (url, _served) = hub_that_says(vec!["HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n".into()]).await;
    let refused = EventSource::connect_as(&url, Login::Nothing, None).await.err().unwrap();
    assert!(matches!(refused, ConnectError::Refused(401)), "{refused:?}");
}
