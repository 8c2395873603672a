//! Clients that misbehave, beside the honest sessions: they read slowly or not at all, come and go, or attack. They belong
//! to the first account's user, and live on a thread of their own, so that what they do costs the honest ones nothing
//! but what the hub makes of it.

mod attack;
mod flapping;
mod lingering;
mod raw;
mod tally;

use std::{
    cell::RefCell,
    collections::BTreeMap,
    net::SocketAddr,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;
use tokio::{sync::oneshot, task::LocalSet};

use super::super::{
    Report,
    scenarios::{between, within},
};
use crate::hub::{Hub, Tenant};
use tally::Tally;

/// How many of each kind there are.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Clients {
    /// Read a few KiB a second.
    pub slow: usize,
    /// Read nothing once they have subscribed.
    pub stalled: usize,
    /// Come, subscribe and go away, again and again.
    pub flapping: usize,
    /// How often each of those does, a second.
    pub flaps_per_second: f64,
    /// Send what no client should, and ask for what is not theirs.
    pub malicious: usize,
}

impl Default for Clients {
    fn default() -> Self {
        Self { slow: 0, stalled: 0, flapping: 0, flaps_per_second: 5.0, malicious: 0 }
    }
}

impl Clients {
    pub(super) const fn count(&self) -> usize {
        self.slow + self.stalled + self.flapping + self.malicious
    }

    pub(super) fn check(&self) -> Result<()> {
        let counts = [
            ("slow", self.slow),
            ("stalled", self.stalled),
            ("flapping", self.flapping),
            ("malicious", self.malicious),
        ];
        for (key, count) in counts {
            within(&format!("clients.{key}"), count, 0, 1000)?;
        }
        between("clients.flaps_per_second", self.flaps_per_second, 0.1, 1000.0)
    }
}

/// What the honest side of a run tells them.
#[derive(Debug, Default)]
pub(super) struct Honest {
    /// Bytes of envelopes that the first session of the first account has read.
    pub passed: AtomicU64,
    /// How often the hub was started again.
    pub restarts: AtomicU64,
}

/// What they all know, and the book that they share.
struct Ring {
    address: SocketAddr,
    /// Of the first account's user.
    token: String,
    /// The first account.
    account: String,
    others: Vec<String>,
    honest: Arc<Honest>,
    /// A client that does not read is cut at the latest when so many bytes have passed it.
    enough: u64,
    tally: RefCell<Tally>,
}

impl Ring {
    fn passed(&self) -> u64 {
        self.honest.passed.load(Ordering::Relaxed)
    }

    fn restarts(&self) -> u64 {
        self.honest.restarts.load(Ordering::Relaxed)
    }

    fn room(&self) -> String {
        format!("account:{}", self.account)
    }

    /// Notes a text that a client got which may not be its own.
    fn judge(&self, text: &str, signed_in: bool) {
        if tally::is_hidden(text, &self.others)
            || (!signed_in && tally::is_hidden(text, std::slice::from_ref(&self.account)))
        {
            self.tally.borrow_mut().shown(text);
        }
    }
}

/// The thread on which they live.
pub(super) struct Companions {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Result<Tally>>,
}

impl Companions {
    /// Lets them in.
    pub(super) fn start(
        clients: Clients,
        hub: &Hub,
        tenants: &[Tenant],
        honest: &Arc<Honest>,
        settings: &BTreeMap<String, Value>,
    ) -> Result<Self> {
        let (first, others) = tenants.split_first().context("there are no accounts")?;
        let (address, token, account) = (hub.address(), first.token.clone(), first.account.clone());
        let others = others.iter().map(|tenant| tenant.account.clone()).collect();
        let (honest, enough) = (Arc::clone(honest), most_waiting(settings)? + lingering::in_the_kernel());
        let (stop, stopped) = oneshot::channel();
        let work = move || {
            let ring = Rc::new(Ring { address, token, account, others, honest, enough, tally: RefCell::default() });
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            LocalSet::new().block_on(&runtime, async {
                ring.spawn(clients);
                // The sender that is dropped says the same.
                let _ = stopped.await;
                let (passed, mut tally) = (ring.passed(), ring.tally.borrow_mut());
                tally.end(passed, ring.enough);
                Ok(std::mem::take(&mut *tally))
            })
        };
        Ok(Self { stop, thread: thread::Builder::new().name("clients".to_owned()).spawn(work)? })
    }

    /// Ends them, and tells how they fared.
    pub(super) fn stop(self, report: &mut Report) -> Result<()> {
        let _ = self.stop.send(());
        let Ok(tally) = self.thread.join() else { bail!("the thread of the clients that misbehave panicked") };
        tally?.report(report);
        Ok(())
    }
}

impl Ring {
    fn spawn(self: &Rc<Self>, clients: Clients) {
        for _ in 0..clients.slow {
            tokio::task::spawn_local(lingering::slow(Rc::clone(self)));
        }
        for number in 0..clients.stalled {
            tokio::task::spawn_local(lingering::stalled(Rc::clone(self), number));
        }
        for number in 0..clients.flapping {
            let every = Duration::from_secs_f64(1.0 / clients.flaps_per_second);
            tokio::task::spawn_local(flapping::flap(Rc::clone(self), number, every));
        }
        for number in 0..clients.malicious {
            tokio::task::spawn_local(attack::attack(Rc::clone(self), number));
        }
    }
}

/// The most bytes that may wait for a client, by the scenario's settings for the hub.
fn most_waiting(settings: &BTreeMap<String, Value>) -> Result<u64> {
    let Some(value) = settings.get("realtime.max_waiting") else { return Ok(1 << 20) };
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    size(&text).with_context(|| format!("hub.settings: realtime.max_waiting = {value}: write it like \"64KiB\""))
}

fn size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_the_hub_writes_them() {
        assert_eq!(["64KiB", "1MiB", "2 GiB", "700", "9B"].map(size), [1 << 16, 1 << 20, 2 << 30, 700, 9].map(Some));
        assert_eq!(["", "KiB", "1 potato", "-1"].map(size), [None; 4]);
        let settings = |value: Value| BTreeMap::from([("realtime.max_waiting".to_owned(), value)]);
        assert_eq!(most_waiting(&BTreeMap::new()).unwrap(), 1 << 20);
        assert_eq!(most_waiting(&settings(4096.into())).unwrap(), 4096);
        assert!(most_waiting(&settings("lots".into())).unwrap_err().to_string().contains("lots"));
    }
}
