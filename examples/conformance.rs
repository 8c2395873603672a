//! The hub's WebSocket codec and Socket.IO transport behind echoes, for the public test suites.
//!
//! ```text
//! cargo run --release --example conformance [address]       127.0.0.1:3000 by default
//! ```
//!
//! | path | is | suite |
//! |---|---|---|
//! | `/ws/echo` | WebSocket, text and binary | Autobahn's fuzzing client |
//! | `/engine.io/` | Engine.IO 4 | <https://github.com/socketio/socket.io/tree/main/docs/engine.io-protocol/v4-test-suite> |
//! | `/socket.io/` | Socket.IO 5, namespaces `/` and `/custom` | <https://github.com/socketio/socket.io/tree/main/docs/socket.io-protocol/v5-test-suite> |
//!
//! Intervals and sizes are those that the suites ask for.

use std::{
    cell::Cell,
    env,
    net::{IpAddr, SocketAddr, TcpListener},
    rc::Rc,
    time::{Duration, Instant},
};

use actix_codec::Framed;
use actix_http::{HttpMessage, HttpService, Request, h1, ws};
use actix_rt::net::TcpStream;
use actix_server::Server;
use actix_service::{fn_service, map_config};
use actix_web::{App, dev::AppConfig, web::Data};
use bytes::Bytes;
use futures_util::StreamExt;
use leadwire::{
    auth::{Credentials, Origins},
    http::{Pace, Proxies},
    realtime::{
        close::Close,
        encode::{self, Encoding},
        session::{Frames, Inbound},
        transports::{
            socket_io::{
                self, Application, Lookup, Service, Sessions,
                client::{self, Client, Event, Wish},
                engine, packet,
            },
            websocket::accepted,
        },
        wire::{Sent, Wire},
    },
};
use tokio::io::AsyncWriteExt;

/// The largest message: Autobahn's has 16 MiB.
const LARGEST: usize = 16 << 20;

/// As the hub's defaults.
const PACE: Pace = Pace { grace: Duration::from_secs(5), least_rate: 16 * 1024, longest: Duration::from_secs(30) };

const ENGINE: engine::Settings = engine::Settings {
    ping_interval: Duration::from_millis(300),
    ping_timeout: Duration::from_millis(200),
    upgrade_timeout: Duration::from_secs(10),
    max_payload: 1_000_000,
};
const CLIENT: client::Settings = client::Settings {
    namespaces: &["/", "/custom"],
    connect_timeout: Duration::from_secs(1),
    max_attached: ENGINE.max_payload,
};

/// What every application here does with its wire.
struct Line(Rc<Wire>);

impl Line {
    fn send(&self, frame: &Bytes) {
        if self.0.send(frame) == Sent::Full {
            self.0.end(Close::Slow);
        }
    }
}

/// Engine.IO: every message comes back.
struct EngineEcho(Line);

impl Application for EngineEcho {
    type Shared = ();
    type Found = ();

    fn open((): &(), wire: &Rc<Wire>, _: Credentials, _: IpAddr) -> Result<Self, Close> {
        Ok(Self(Line(Rc::clone(wire))))
    }

    fn text(&mut self, text: &str, _: Instant) -> Result<Lookup<()>, Close> {
        self.0.send(&encode::text(format!("4{text}").as_bytes()));
        Ok(None)
    }

    fn binary(&mut self, bytes: &[u8], _: Instant) -> Result<Lookup<()>, Close> {
        self.0.send(&encode::binary(bytes));
        Ok(None)
    }

    fn close(&mut self, ending: Close) {
        self.0.0.end(ending);
    }
}

/// Socket.IO: `message` comes back as `message-back`, `message-with-ack` as its acknowledgement.
struct EventEcho {
    client: Client,
    line: Line,
}

impl EventEcho {
    fn grant(&mut self, wish: Wish) -> Result<Lookup<()>, Close> {
        match wish {
            Wish::Join { namespace, auth } => {
                self.client.admit(&namespace);
                self.send(&packet::connected(&namespace, &format!("{:032x}", fastrand::u128(..))));
                self.send(&packet::event(&namespace, &("auth", auth), 0).map_err(|_| Close::Protocol)?);
            }
            Wish::JoinUnknown { namespace } => self.send(&packet::refused(&namespace, "Invalid namespace")),
            Wish::Nothing | Wish::Leave { .. } => {}
            Wish::Event(event) => self.answer(event).map_err(|_| Close::Protocol)?,
        }
        Ok(None)
    }

    fn answer(&self, event: Event) -> serde_json::Result<()> {
        let Event { namespace, name, mut arguments, attachments, id } = event;
        match (&*name, id) {
            ("message", _) => {
                arguments.insert(0, "message-back".into());
                self.send(&packet::event(&namespace, &arguments, attachments.len())?);
            }
            ("message-with-ack", Some(id)) => self.send(&packet::ack(&namespace, id, &arguments, attachments.len())?),
            _ => return Ok(()),
        }
        for bytes in &attachments {
            self.line.send(&encode::binary(bytes));
        }
        Ok(())
    }

    fn send(&self, message: &str) {
        self.line.send(&encode::text(message.as_bytes()));
    }
}

impl Application for EventEcho {
    type Shared = ();
    type Found = ();

    fn open((): &(), wire: &Rc<Wire>, _: Credentials, _: IpAddr) -> Result<Self, Close> {
        Ok(Self { client: Client::new(CLIENT, Instant::now()), line: Line(Rc::clone(wire)) })
    }

    fn text(&mut self, text: &str, now: Instant) -> Result<Lookup<()>, Close> {
        let wish = self.client.text(text, now).map_err(|_| Close::Protocol)?;
        self.grant(wish)
    }

    fn binary(&mut self, bytes: &[u8], now: Instant) -> Result<Lookup<()>, Close> {
        let wish = self.client.binary(bytes, now).map_err(|_| Close::Protocol)?;
        self.grant(wish)
    }

    fn deadline(&self) -> Option<Instant> {
        self.client.connect_by()
    }

    fn close(&mut self, ending: Close) {
        self.line.0.end(ending);
    }
}

/// `/ws/echo`
async fn echo(request: Request, framed: Framed<TcpStream, h1::Codec>) -> Result<(), actix_web::Error> {
    ws::verify_handshake(request.head())?;
    let mut parts = framed.into_parts();
    parts.io.write_all(&accepted(request.headers())).await?;
    let wire = Wire::new(parts.io, Encoding::Native, 2 * LARGEST);
    actix_rt::spawn(async move {
        let line = Line(Rc::clone(&wire));
        let mut messages = Frames::new(Rc::clone(&wire), parts.read_buf, Rc::new(Cell::new(LARGEST)));
        while let Some(inbound) = messages.next().await {
            match inbound {
                Inbound::Close => return wire.end_answered(),
                _ if wire.is_over() => {}
                Inbound::Text(text) => line.send(&encode::text(text.as_bytes())),
                Inbound::Binary(bytes) => line.send(&encode::binary(&bytes)),
                Inbound::Ping(payload) => line.send(&encode::pong(&payload)),
                Inbound::Part | Inbound::Pong => {}
                Inbound::Broken(ending) => wire.end(ending),
            }
        }
    });
    Ok(())
}

fn service<A: Application<Shared = ()>>(sessions: Sessions<A>) -> Data<Service<A>> {
    Data::new(Service {
        shared: (),
        sessions,
        settings: ENGINE,
        max_waiting: 2 * ENGINE.max_payload,
        origins: Origins::default(),
        proxies: Proxies::default(),
        pace: PACE,
    })
}

#[actix_rt::main]
async fn main() -> anyhow::Result<()> {
    // The one provider of TLS in the tree, and of the sessions' random ids.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let address: SocketAddr = env::args().nth(1).as_deref().unwrap_or("127.0.0.1:3000").parse()?;
    let listener = TcpListener::bind(address)?;
    println!("Listening on http://{}: /ws/echo, /engine.io/ and /socket.io/", listener.local_addr()?);
    let (engines, events) = (Sessions::<EngineEcho>::default(), Sessions::<EventEcho>::default());
    // One thread, which takes things in the order in which they come: the suites' client counts on that when it sends on
    // two connections at once. That requests come on any thread is for the hub's own tests.
    let server = Server::build().workers(1).listen("conformance", listener, move || {
        let (engines, events) = (service(engines.clone()), service(events.clone()));
        let app = App::new()
            .app_data(Data::clone(&engines))
            .app_data(Data::clone(&events))
            .configure(socket_io::configure::<EngineEcho>("/engine.io/"))
            .configure(socket_io::configure::<EventEcho>(socket_io::PATH));
        let upgrade = fn_service(move |(request, framed): (Request, _)| {
            let (engines, events) = (Data::clone(&engines), Data::clone(&events));
            async move {
                match request.path() {
                    "/engine.io/" => socket_io::upgrade(request, framed, engines).await,
                    "/ws/echo" => echo(request, framed).await,
                    _ => socket_io::upgrade(request, framed, events).await,
                }
            }
        });
        HttpService::build().tcp_nodelay(true).upgrade(upgrade).finish(map_config(app, |()| AppConfig::default())).tcp()
    })?;
    server.run().await?;
    Ok(())
}
