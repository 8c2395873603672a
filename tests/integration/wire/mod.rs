//! The hub's sockets as clients meet them, well-behaved and hostile: authentication, rooms, limits, frames that break
//! the rules, clients that don't read, heartbeats, positions and the end.
//!
//! Every wait is for a condition and ends with [`PATIENCE`].

mod acks;
mod anonymous;
mod authentication;
mod drain;
mod events;
mod frames;
mod heartbeat;
mod limits;
mod many;
mod origins;
mod positions;
mod presence;
mod raw;
mod resume;
mod revocation;
mod rooms;
mod slow;
mod socket_io;
mod stock;
mod tokens;

use std::{
    fs,
    time::{Duration, Instant},
};

use loadtest::{
    client::{Frame, Login, Socket},
    hub::{Hub, Setup},
};
use serde_json::{Value, json};

use raw::Raw;

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

fn setup() -> Setup {
    Setup::new(env!("CARGO_BIN_EXE_leadwire"))
}

/// A hub with one agency, one account in it, and a manager's key for the agency.
struct House {
    hub: Hub,
    agency: String,
    account: String,
    key: String,
}

impl House {
    async fn open() -> Self {
        Self::open_with(|setup| setup).await
    }

    async fn open_with(change: impl FnOnce(Setup) -> Setup) -> Self {
        let mut hub = Hub::prepare(change(setup())).await.unwrap();
        let agency = hub.add_agency("Harbor").await.unwrap();
        let account = hub.add_account(&agency, "Bakery").await.unwrap();
        let key = hub.add_key(&agency, None, "manager").await.unwrap();
        hub.start().await.unwrap();
        Self { hub, agency, account, key }
    }

    fn room(&self) -> String {
        format!("account:{}", self.account)
    }

    /// A session that has been welcomed.
    async fn session(&self) -> Socket {
        self.session_as(&self.key).await
    }

    async fn session_as(&self, key: &str) -> Socket {
        let mut socket = Socket::connect(&self.hub.ws_url(), key).await.unwrap();
        socket.next_of("welcome", PATIENCE).await.unwrap();
        socket
    }

    /// A session in the account's room.
    async fn listener(&self) -> Socket {
        let mut socket = self.session().await;
        socket.subscribe(&self.room()).await.unwrap();
        socket
    }

    /// The position of the account's envelope of this number since the hub started; one has been pushed.
    async fn position(&self, count: u64) -> String {
        let mut socket = self.session().await;
        let subscribed = socket.subscribe(&self.room()).await.unwrap();
        socket.close().await.unwrap();
        let (epoch, _) = subscribed["position"].as_str().unwrap().split_once('-').unwrap();
        format!("{epoch}-{count}")
    }

    async fn raw(&self) -> Raw {
        let mut raw = Raw::open(&self.hub, &self.key).await;
        raw.json_of("welcome").await;
        raw
    }

    /// Publishes a `new_lead` of this name in the account.
    async fn lead(&self, name: &str) -> String {
        self.lead_in(&self.account, name).await
    }

    async fn lead_in(&self, account: &str, name: &str) -> String {
        create(&self.hub, &self.key, account, name).await
    }

    /// Publishes a `lead:updated` with notes of this text.
    async fn notes(&self, lead: &str, notes: &str) {
        let answer = self.hub.http().put(self.hub.url(&format!("/api/leads/{lead}"))).bearer_auth(&self.key);
        let answer = answer.json(&json!({"notes": notes})).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }

    /// A counter of sessions that were closed for this reason.
    async fn closed(&self, what: &str) -> u64 {
        labelled(&self.hub, "leadwire_closed_sessions_total", what).await
    }

    /// Waits until so many sessions are there.
    async fn until_sessions(&self, count: u32) {
        until(async || {
            let there = self.hub.metric("leadwire_sessions").await.unwrap();
            (there - f64::from(count)).abs() < 0.5
        })
        .await;
    }

    /// The hub's own memory that is resident, in bytes; pages of its program come as they are first used.
    fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.hub.pid().unwrap())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1024
    }
}

async fn create(hub: &Hub, key: &str, account: &str, name: &str) -> String {
    let request = hub.http().post(hub.url("/api/leads/create")).bearer_auth(key);
    let answer = request.json(&json!({"account": account, "name": name})).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    let answer: Value = answer.json().await.unwrap();
    answer["data"]["id"].as_str().unwrap().to_owned()
}

/// One sample of a counter that has the label `what`; 0 when there is none.
async fn labelled(hub: &Hub, name: &str, what: &str) -> u64 {
    let text = hub.http().get(hub.telemetry_url("/metrics")).send().await.unwrap().text().await.unwrap();
    let sample = format!("{name}{{what=\"{what}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&sample)).map_or(0, |count| count.trim().parse().unwrap())
}

/// Waits until the condition holds.
async fn until(mut condition: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < end, "it did not come about within {PATIENCE:?}");
        tokio::time::sleep(POLL).await;
    }
}

/// Asks something and returns the reply.
async fn ask(socket: &mut Socket, mut frame: Value) -> Value {
    frame["ref"] = "asked".into();
    socket.send(&frame).await.unwrap();
    loop {
        let reply = socket.next_of("reply", PATIENCE).await.unwrap();
        if reply["ref"] == "asked" {
            return reply;
        }
    }
}

/// The code that the hub closes with.
async fn code(socket: &mut Socket) -> u16 {
    socket.closed(PATIENCE).await.unwrap().expect("a close frame").0
}

/// The name of the lead in the next envelope.
async fn next_name(socket: &mut Socket) -> String {
    socket.next_envelope(PATIENCE).await.unwrap()["payload"]["lead"]["name"].as_str().unwrap().to_owned()
}
