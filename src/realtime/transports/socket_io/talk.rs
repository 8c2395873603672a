//! The hub's own Socket.IO application: what the lead dashboard's page expects, and the hub's protocol as events.

use std::{net::IpAddr, rc::Rc, time::Instant};

use futures_util::future::LocalBoxFuture;
use serde_json::{Map, Value, json};

use super::{
    super::super::{
        close::Close,
        encode,
        protocol::Asked,
        session::{Conversation, DASHBOARD, Introduction},
        shard::ShardState,
        wire::Wire,
    },
    application::{Application, Lookup},
    client::{self, Client, Event, Wish},
    packet::{self, MAIN},
};
use crate::{
    auth::{AuthError, Credentials, Principal},
    domain::SessionId,
    telemetry::Metrics,
};

/// Why a client is not let in; the page shows it.
const NOT_AUTHORIZED: &str = "Not authorized";

/// One client of the hub.
pub struct Talk {
    client: Client,
    conversation: Conversation,
    /// What its requests say about who sent them.
    head: Credentials,
}

/// Who somebody is.
pub struct Found {
    outcome: Result<Principal, AuthError>,
    why: Why,
}

/// Why it was looked up.
enum Why {
    /// They ask to be let in.
    Joins,
    /// They have a fresh token, and want this acknowledged.
    Renews(Option<Value>),
}

impl Application for Talk {
    type Shared = Rc<ShardState>;
    type Found = Found;

    fn open(shard: &Rc<ShardState>, wire: &Rc<Wire>, head: Credentials, address: IpAddr) -> Result<Self, Close> {
        if shard.is_draining() {
            return Err(Close::Restart);
        }
        let Some(seat) = shard.limits.admit_address(address) else {
            Metrics::count(&shard.metrics.refused_sessions, "address");
            return Err(Close::TooMany);
        };
        let settings = client::Settings {
            namespaces: &[MAIN],
            connect_timeout: shard.settings.auth_timeout,
            max_attached: usize::try_from(shard.settings.max_frame.as_u64()).unwrap_or(usize::MAX),
        };
        let conversation = Conversation::open(shard, Rc::clone(wire), seat);
        Ok(Self { client: Client::new(settings, Instant::now()), conversation, head })
    }

    /// What an earlier request showed still counts, but the page is that of the last: a browser says with these which it is,
    /// and not always with the first.
    fn met(&mut self, head: Credentials) {
        if head.is_empty() {
            self.head.page = head.page;
        } else {
            self.head = head;
        }
    }

    fn admit(&mut self) -> bool {
        self.conversation.heard();
        self.conversation.admit()
    }

    fn text(&mut self, text: &str, now: Instant) -> Result<Lookup<Found>, Close> {
        let wish = self.client.text(text, now).map_err(|_| Close::Protocol)?;
        self.grant(wish)
    }

    fn binary(&mut self, bytes: &[u8], now: Instant) -> Result<Lookup<Found>, Close> {
        let wish = self.client.binary(bytes, now).map_err(|_| Close::Protocol)?;
        self.grant(wish)
    }

    fn found(&mut self, Found { outcome, why }: Found, now: Instant) {
        match (why, outcome) {
            (Why::Renews(reference), outcome) => {
                self.conversation.authenticated(outcome, reference);
            }
            (Why::Joins, Ok(principal)) => {
                self.client.admit(MAIN);
                self.send(&packet::connected(MAIN, &SessionId::generate().to_string()));
                self.emit("connection_response", "Connected to real-time lead server");
                self.conversation.authenticated(Ok(principal), None);
            }
            // A page that is told so gives up for good: only its connection is broken, and it comes back.
            (Why::Joins, Err(error @ AuthError::Unavailable(_))) => self.close(Close::from_code(error.close_code())),
            (Why::Joins, Err(_)) => {
                Metrics::count(&self.conversation.shard().metrics.refused_sessions, "credentials");
                self.client.turn_away(MAIN, now);
                self.send(&packet::refused(MAIN, NOT_AUTHORIZED));
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.client.connect_by()
    }

    fn close(&mut self, ending: Close) {
        self.conversation.close(ending);
    }
}

impl Talk {
    fn grant(&mut self, wish: Wish) -> Result<Lookup<Found>, Close> {
        match wish {
            Wish::Nothing => Ok(None),
            Wish::Join { auth, .. } => Ok(Some(self.join(&auth))),
            Wish::JoinUnknown { namespace } => {
                self.send(&packet::refused(&namespace, "Invalid namespace"));
                Ok(None)
            }
            // There is no other namespace to be in.
            Wish::Leave { .. } => Err(Close::Normal),
            Wish::Event(event) => Ok(self.event(event)),
        }
    }

    /// A token in the handshake counts before what the requests' heads say. Nothing at all may be enough to read.
    fn join(&mut self, auth: &Map<String, Value>) -> LocalBoxFuture<'static, Found> {
        let credentials = match auth.get("token").and_then(Value::as_str) {
            Some(token) => Credentials::token(token),
            None => self.head.take(),
        };
        let auth = self.conversation.shard().auth.clone();
        Box::pin(async move { Found { outcome: auth.authenticate_on_compat(credentials).await, why: Why::Joins } })
    }

    /// An event that the hub's protocol knows is its frame: the argument's keys, and the number as `ref`.
    fn event(&mut self, event: Event) -> Lookup<Found> {
        let reference = event.id.map(Value::from);
        if event.name == "join_dashboard" {
            match self.conversation.subscribe(DASHBOARD.to_owned(), None, None, reference.clone()) {
                Ok(()) => self.emit("joined_dashboard", "You are now receiving live lead updates"),
                Err(refusal) => self.conversation.reply(reference, Err(refusal)),
            }
            return None;
        }
        let mut frame = match event.arguments.into_iter().next() {
            Some(Value::Object(argument)) => argument,
            _ => Map::new(),
        };
        frame.remove("ref");
        frame.extend(reference.map(|reference| ("ref".to_owned(), reference)));
        frame.insert("type".to_owned(), event.name.into());
        let Introduction { credentials, reference } = self.conversation.asked(Asked::of(frame))?;
        let auth = self.conversation.shard().auth.clone();
        Some(Box::pin(
            async move { Found { outcome: auth.authenticate(credentials).await, why: Why::Renews(reference) } },
        ))
    }

    fn emit(&self, name: &str, data: &str) {
        if let Ok(event) = packet::event(MAIN, &(name, json!({ "data": data })), 0) {
            self.send(&event);
        }
    }

    fn send(&self, message: &str) {
        self.conversation.shard().write(self.conversation.wire(), &encode::text(message.as_bytes()));
    }
}
