//! The dashboards: sessions that note what they get.

use std::{borrow::Cow, cell::RefCell, rc::Rc, time::Instant};

use anyhow::{Context, Result};
use futures_util::{Stream, StreamExt};
use serde::Deserialize;
use tokio_websockets::{Error, Message};

use super::ledger::{Ledger, Plan};
use crate::{
    client::Socket,
    hub::{Hub, Tenant},
};

/// What is read of a frame.
#[derive(Deserialize)]
struct Pushed<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    account: Option<Cow<'a, str>>,
    #[serde(borrow)]
    payload: Option<Payload<'a>>,
}

#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(borrow)]
    lead: Option<Lead<'a>>,
}

#[derive(Deserialize)]
struct Lead<'a> {
    #[serde(borrow)]
    meta_lead_id: Option<Cow<'a, str>>,
}

/// Sessions that ended before their time, and why.
pub(super) type Ended = Rc<RefCell<Vec<String>>>;

/// Opens the sessions of every account; each notes what it gets for as long as this thread's tasks run.
pub(super) async fn open(hub: &Hub, tenants: &[Tenant], plan: &Plan, ledger: &Rc<RefCell<Ledger>>) -> Result<Ended> {
    let ended = Ended::default();
    for (account, tenant) in tenants.iter().enumerate() {
        for session in 0..plan.sessions {
            let mut socket = Socket::connect(&hub.ws_url(), &tenant.token).await?;
            socket.subscribe(&tenant.room()).await.context("a session could not be opened")?;
            let watcher = Watcher { account, session, tenant: tenant.clone(), ledger: Rc::clone(ledger) };
            let ended = Rc::clone(&ended);
            tokio::task::spawn_local(async move {
                let why = watcher.watch(socket.into_stream()).await;
                ended.borrow_mut().push(format!("session {session} of account {account} ended: {why}"));
            });
        }
    }
    Ok(ended)
}

struct Watcher {
    account: usize,
    session: usize,
    tenant: Tenant,
    ledger: Rc<RefCell<Ledger>>,
}

impl Watcher {
    /// Notes what comes until the socket ends; why it did.
    async fn watch(self, mut frames: impl Stream<Item = Result<Message, Error>> + Unpin) -> String {
        while let Some(message) = frames.next().await {
            let message = match message {
                Ok(message) => message,
                Err(error) => return error.to_string(),
            };
            if let Some((code, reason)) = message.as_close() {
                return format!("closed by the hub: {} {reason}", u16::from(code));
            }
            if let Some(text) = message.as_text()
                && let Err(error) = self.note(text, Instant::now())
            {
                return format!("a frame that is not as documented: {error}");
            }
        }
        "the connection broke".to_owned()
    }

    fn note(&self, text: &str, now: Instant) -> serde_json::Result<()> {
        let frame: Pushed<'_> = serde_json::from_str(text)?;
        let mut ledger = self.ledger.borrow_mut();
        if frame.account.as_ref().is_some_and(|account| *account != self.tenant.account) {
            ledger.leak();
        } else if frame.kind == "new_lead" {
            let id = frame.payload.and_then(|payload| payload.lead?.meta_lead_id?.parse().ok());
            // Without an id it counts as one that nobody asked for.
            ledger.push(self.account, self.session, id.unwrap_or_default(), now);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn watcher() -> Watcher {
        let plan = Plan { first_id: 100, events: 4, accounts: 2, sessions: 1, interval: Duration::ZERO };
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
        Watcher { account: 0, session: 0, tenant, ledger: Rc::new(RefCell::new(Ledger::new(plan).unwrap())) }
    }

    fn problems(frames: &[&str]) -> bool {
        let watcher = watcher();
        watcher.ledger.borrow_mut().acknowledge(0, Instant::now());
        (1..4).for_each(|event| {
            let mut ledger = watcher.ledger.borrow_mut();
            ledger.acknowledge(event, Instant::now());
            ledger.push(event % 2, 0, 100 + event as u64, Instant::now());
        });
        for frame in frames {
            watcher.note(frame, Instant::now()).unwrap();
        }
        let mut report = super::super::Report::new("lead", 1);
        watcher.ledger.borrow().report(&mut report);
        !report.is_good()
    }

    const GOOD: &str = r#"{"type":"new_lead","account":"acc_1","payload":{"lead":{"id":"l","meta_lead_id":"100","name":"\"x\""},"source":"webhook"}}"#;

    #[test]
    fn the_documented_frames_are_understood() {
        let heartbeat = r#"{"type":"heartbeat","positions":{"account:acc_1":"1-2"}}"#;
        assert!(!problems(&[heartbeat, GOOD]));
        assert!(problems(&[heartbeat]), "nothing came");
    }

    #[test]
    fn another_accounts_envelope_is_a_leak_whatever_its_type() {
        assert!(problems(&[GOOD, r#"{"type":"source:health","account":"acc_2","payload":{}}"#]));
    }
}
