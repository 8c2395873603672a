//! The dashboards: sessions that note what they get, and come back when their connection breaks.

use std::{
    borrow::Cow,
    cell::RefCell,
    hash::{DefaultHasher, Hash, Hasher},
    rc::Rc,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use futures_util::{Stream, StreamExt};
use serde::Deserialize;
use tokio::sync::watch;
use tokio_websockets::{Error, Message};

use super::{
    clients::Honest,
    ledger::{Got, Ledger},
    scenario::What,
};
use crate::{
    client::Socket,
    hub::{Hub, Tenant},
};

/// Between two attempts to come back.
const AGAIN: Duration = Duration::from_millis(50);

/// Of frames that can't be read so many are told of: they are all the same mistake.
const MOST_TOLD: usize = 20;

/// What is read of a frame.
#[derive(Deserialize)]
struct Pushed<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    account: Option<Cow<'a, str>>,
    #[serde(borrow)]
    position: Option<Cow<'a, str>>,
    #[serde(borrow)]
    payload: Option<Payload<'a>>,
}

#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(borrow)]
    lead: Option<Lead<'a>>,
    /// Of a message.
    #[serde(borrow)]
    platform_id: Option<Cow<'a, str>>,
}

impl Payload<'_> {
    /// The number by which the platform knows it.
    fn number(&self) -> Option<u64> {
        match (&self.lead, &self.platform_id) {
            (Some(lead), _) => lead.meta_lead_id.as_ref()?.parse().ok(),
            (None, Some(id)) => id.strip_prefix("m_")?.parse().ok(),
            (None, None) => None,
        }
    }
}

#[derive(Deserialize)]
struct Lead<'a> {
    #[serde(borrow)]
    meta_lead_id: Option<Cow<'a, str>>,
}

/// Sessions that ended and had no reason to, and why.
pub(super) type Ended = Rc<RefCell<Vec<String>>>;

/// What all sessions share.
#[derive(Clone)]
pub(super) struct Watch {
    /// What the envelopes are that count.
    pub what: What,
    pub ledger: Rc<RefCell<Ledger>>,
    /// Changes when every connection is to break.
    pub cut: watch::Receiver<u64>,
    /// Whether sessions may end, because the scenario breaks what they hang on.
    pub may_end: bool,
    pub ended: Ended,
    /// What the clients that misbehave are told.
    pub honest: Arc<Honest>,
}

impl Watch {
    /// Opens the sessions of every account; each notes what it gets for as long as this thread's tasks run.
    pub(super) async fn open(&self, hub: &Hub, tenants: &[Tenant], sessions: usize) -> Result<()> {
        for (account, tenant) in tenants.iter().enumerate() {
            for session in 0..sessions {
                let mut watcher = Watcher {
                    all: self.clone(),
                    url: hub.ws_url(),
                    tenant: tenant.clone(),
                    account,
                    session,
                    position: None,
                    connections: 0,
                    away: None,
                };
                let socket = watcher.connect().await.context("a session could not be opened")?;
                tokio::task::spawn_local(watcher.stay(socket));
            }
        }
        Ok(())
    }
}

struct Watcher {
    all: Watch,
    url: String,
    tenant: Tenant,
    account: usize,
    /// Counts within the account.
    session: usize,
    /// Of the newest envelope.
    position: Option<Position>,
    connections: u8,
    /// Since when it has no connection.
    away: Option<Instant>,
}

/// Boot epoch and count.
type Position = (u64, u64);

impl Watcher {
    async fn connect(&mut self) -> Result<Socket> {
        let mut socket = Socket::connect(&self.url, &self.tenant.token).await?;
        let Some((epoch, count)) = self.position else {
            let subscribed = socket.subscribe(&self.tenant.room()).await?;
            self.position = subscribed["position"].as_str().and_then(position);
            return Ok(socket);
        };
        let subscribed = socket.subscribe_since(&self.tenant.room(), &format!("{epoch}-{count}")).await?;
        if subscribed["recovered"] != "complete" {
            self.position = subscribed["position"].as_str().and_then(position);
            let now = Instant::now();
            self.all.ledger.borrow_mut().was_away(self.account, self.session, self.away.unwrap_or(now), now);
        }
        Ok(socket)
    }

    async fn stay(mut self, mut socket: Socket) {
        loop {
            self.connections = self.connections.saturating_add(1);
            let why = self.watch(socket.into_stream()).await;
            self.away = Some(Instant::now());
            if !self.all.may_end {
                let why = format!("session {} of account {} ended: {why}", self.session, self.account);
                self.all.ended.borrow_mut().push(why);
                return;
            }
            socket = loop {
                match self.connect().await {
                    Ok(socket) => break socket,
                    Err(_) => tokio::time::sleep(AGAIN).await,
                }
            };
        }
    }

    /// Notes what comes until the socket ends; why it did.
    async fn watch(&mut self, mut frames: impl Stream<Item = Result<Message, Error>> + Unpin) -> String {
        self.all.cut.mark_unchanged();
        loop {
            let message = tokio::select! {
                message = frames.next() => message,
                Ok(()) = self.all.cut.changed() => return "cut".to_owned(),
            };
            let message = match message {
                Some(Ok(message)) => message,
                Some(Err(error)) => return error.to_string(),
                None => return "the connection broke".to_owned(),
            };
            if let Some((code, reason)) = message.as_close() {
                return format!("closed by the hub: {} {reason}", u16::from(code));
            }
            if let Some(text) = message.as_text()
                && let Err(error) = self.note(text, Instant::now())
            {
                let mut ended = self.all.ended.borrow_mut();
                if ended.len() < MOST_TOLD {
                    ended.push(format!("a frame is not as documented: {error}: {text}"));
                }
            }
        }
    }

    fn note(&mut self, text: &str, now: Instant) -> serde_json::Result<()> {
        let frame: Pushed<'_> = serde_json::from_str(text)?;
        let mut ledger = self.all.ledger.borrow_mut();
        if frame.account.as_ref().is_some_and(|account| *account != self.tenant.account) {
            ledger.leak(self.account);
            return Ok(());
        }
        if (self.account, self.session) == (0, 0) && frame.payload.is_some() {
            self.all.honest.passed.fetch_add(text.len() as u64, Ordering::Relaxed);
        }
        if frame.kind != self.all.what.envelope() {
            return Ok(());
        }
        let at = frame.position.as_deref().and_then(position);
        if at <= self.position {
            ledger.disorder(self.account);
        }
        self.position = at;
        let mut envelope = DefaultHasher::new();
        frame.id.hash(&mut envelope);
        // Without an id it counts as one that nobody asked for.
        let leadgen_id = frame.payload.and_then(|payload| payload.number()).unwrap_or_default();
        let (account, session) = (self.account, self.session);
        ledger.push(
            &Got { account, session, connection: self.connections, leadgen_id, envelope: envelope.finish() },
            now,
        );
        Ok(())
    }
}

/// `<boot epoch>-<count>`.
fn position(text: &str) -> Option<Position> {
    let (epoch, count) = text.split_once('-')?;
    Some((epoch.parse().ok()?, count.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            ledger::Sums,
            plan::Plan,
            scenario::{Accounts, Phase, Webhooks},
        },
        *,
    };

    /// What the book says of a session after these frames; lead 100 is the account's.
    fn after(frames: &[&str]) -> Sums {
        let accounts = Accounts { count: 2, sessions: 1, first_share: None };
        let phase = Phase { name: String::new(), seconds: 4.0, rate: 1.0, to: None, first_share: None };
        let plan = Rc::new(Plan::new(100, &accounts, &[phase], &Webhooks::default().deliveries(), Vec::new(), 1));
        let ledger = Rc::new(RefCell::new(Ledger::new(plan, Instant::now()).unwrap()));
        let text = || String::from("acc_1");
        let tenant = Tenant {
            agency: text(),
            account: text(),
            page: 1,
            source: text(),
            user: text(),
            email: text(),
            token: text(),
        };
        let (_sender, cut) = watch::channel(0);
        let all = Watch {
            what: What::Leads,
            ledger: Rc::clone(&ledger),
            cut,
            may_end: false,
            ended: Ended::default(),
            honest: Arc::default(),
        };
        let mut watcher = Watcher {
            all,
            url: text(),
            tenant,
            account: 0,
            session: 0,
            position: Some((1, 4)),
            connections: 1,
            away: None,
        };
        ledger.borrow_mut().acknowledge(0, Instant::now());
        for frame in frames {
            watcher.note(frame, Instant::now()).unwrap();
        }
        ledger.borrow().sums().swap_remove(0)
    }

    const GOOD: &str = r#"{"type":"new_lead","id":"e1","position":"1-5","account":"acc_1","payload":{"lead":{"id":"l","meta_lead_id":"100","name":"\"x\""},"source":"webhook"}}"#;

    #[test]
    fn the_documented_frames_are_understood() {
        let heartbeat = r#"{"type":"heartbeat","positions":{"account:acc_1":"1-2"}}"#;
        assert_eq!(after(&[heartbeat]).lost, 1);
        let sums = after(&[heartbeat, GOOD]);
        assert_eq!((sums.lost, sums.pushed, sums.out_of_order, sums.leaked), (0, 1, 0, 0));
    }

    #[test]
    fn another_accounts_envelope_is_a_leak_whatever_its_type() {
        let leak = r#"{"type":"source:health","account":"acc_2","payload":{}}"#;
        assert_eq!(after(&[GOOD, leak]).leaked, 1);
    }

    #[test]
    fn an_envelope_that_is_not_after_the_last_is_out_of_order() {
        assert_eq!(after(&[&GOOD.replace("1-5", "1-4")]).out_of_order, 1);
        assert_eq!(after(&[GOOD, &GOOD.replace("1-5", "2-1").replace("\"100\"", "\"102\"")]).out_of_order, 0);
    }
}
