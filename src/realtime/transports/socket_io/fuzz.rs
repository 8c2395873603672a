//! What Socket.IO and Engine.IO clients may send, for [fuzzing](crate::fuzzing).

use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    client::{Client, Settings, Wish},
    engine::{self, Engine, Outcome},
    handshake::{Ask, Transport},
    packet::{self, Body, Packet},
    payload,
};

const SETTINGS: Settings =
    Settings { namespaces: &["/", "/custom"], connect_timeout: Duration::from_secs(45), max_attached: 1024 };

/// The body of a polling request: each packet on its own, and each is written as it was read.
pub fn packets(data: &[u8]) {
    let Ok(body) = str::from_utf8(data) else { return };
    let now = Instant::now();
    let mut client = Client::new(SETTINGS, now);
    for (text, read) in body.split(payload::SEPARATOR).zip(payload::read(body)) {
        let wish = match read {
            Ok(payload::Packet::Text(inner)) => {
                assert_eq!(text, format!("4{inner}"));
                again(inner);
                client.text(inner, now)
            }
            Ok(payload::Packet::Binary(bytes)) => {
                assert_eq!(text, format!("b{}", STANDARD.encode(&bytes)));
                client.binary(&bytes, now)
            }
            _ => continue,
        };
        match wish {
            Ok(Wish::Join { namespace, .. }) => {
                assert!(SETTINGS.namespaces.contains(&&*namespace));
                client.admit(&namespace);
            }
            Ok(Wish::Event(event)) => {
                assert!(client.is_in(&event.namespace), "it is heard where it never was let in");
                let attached: usize = event.attachments.iter().map(bytes::Bytes::len).sum();
                assert!(attached <= SETTINGS.max_attached);
            }
            Ok(Wish::Leave { namespace }) => assert!(!client.is_in(&namespace)),
            Ok(Wish::JoinUnknown { namespace }) => assert!(!SETTINGS.namespaces.contains(&&*namespace)),
            Ok(Wish::Nothing) => {}
            Err(_) => return, // The session is closed.
        }
    }
}

/// A packet that is read, written and read again is the same.
fn again(text: &str) {
    let Ok(read) = Packet::read(text) else { return };
    let Packet { namespace, body, attachments } = &read;
    // A comma ends a namespace's name; without one it goes on to the end.
    if namespace.contains(',') {
        return;
    }
    let written = match body {
        Body::Event { name, arguments, id: None } => {
            let data: Vec<_> = std::iter::once(&name.as_str().into()).chain(arguments).cloned().collect();
            packet::event(namespace, &data, *attachments)
        }
        Body::Ack { id, arguments } => packet::ack(namespace, *id, arguments, *attachments),
        Body::Disconnect => Ok(packet::disconnected(namespace)),
        Body::Event { .. } | Body::Connect(_) => return,
    };
    let written = written.expect("it was JSON");
    assert_eq!(Packet::read(&written[1..]).as_ref(), Ok(&read), "{text:?} became {written:?}");
}

/// The query of an Engine.IO request, and then, a byte each, what its session goes through.
pub fn requests(data: &[u8]) {
    let (query, script) = data.split_at(data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len()));
    let query = String::from_utf8_lossy(query);
    for (method, upgrade) in [("GET", false), ("GET", true), ("POST", false), ("PUT", true)] {
        match Ask::read(method, &query, upgrade) {
            Ok(Ask::Open(transport)) => assert_eq!(transport == Transport::WebSocket, upgrade),
            Ok(Ask::Attach(_)) => assert!(upgrade && method == "GET"),
            Ok(Ask::Poll(_)) => assert!(!upgrade && method == "GET"),
            Ok(Ask::Post(_)) => assert!(!upgrade && method == "POST"),
            Err(refusal) => assert!((400..500).contains(&refusal.status())),
        }
    }
    session(script);
}

/// A session never goes back to polling, and once it is over it stays so and hears nothing.
fn session(script: &[u8]) {
    let beat = Duration::from_secs(25);
    let settings = engine::Settings {
        ping_interval: beat,
        ping_timeout: beat,
        upgrade_timeout: Duration::from_secs(10),
        max_payload: 1024,
    };
    let mut now = Instant::now();
    let mut engine = Engine::new(Transport::Polling, settings, now);
    for byte in script {
        let (before, over) = (engine.transport(), engine.ending());
        let from = if byte & 0x80 == 0 { Transport::Polling } else { Transport::WebSocket };
        let text = ["1", "2probe", "3", "5", "6", "4x", "bogus"][usize::from(byte >> 4 & 7).min(6)];
        match byte & 0x0f {
            0 => drop(engine.poll(now)),
            1 => engine.polled(),
            2 => drop(engine.post(now)),
            3 => engine.posted(),
            4 => {
                let attached = engine.attach(now);
                assert!(!attached || (over.is_none() && before == Transport::Polling));
            }
            5 => engine.detached(),
            6 => drop(engine.tick(now)),
            7 => now += Duration::from_secs(u64::from(byte >> 4) * 4),
            _ => {
                let outcome = engine.hear(from, payload::Packet::from_text(text), now);
                assert!(over.is_none() || outcome == Outcome::Nothing, "a session that is over hears");
            }
        }
        assert!(over.is_none() || engine.ending() == over, "how it ended has changed");
        assert!(before == Transport::Polling || engine.transport() == before, "it polls again");
    }
}
