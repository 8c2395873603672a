//! The open loop: webhooks go out when they are due, however the hub does.

use std::{
    cell::{Cell, RefCell},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tokio::sync::Semaphore;

use super::{
    super::{
        http::Connection,
        progress,
        requests::{lead_body, post},
    },
    ledger::{Ledger, Plan},
};
use crate::hub::{Hub, Tenant};

/// Before the first webhook, so that all connections wait by then.
const LEAD_IN: Duration = Duration::from_millis(200);
/// A webhook that was refused with 503 is sent again after this long.
const AFTER_REFUSAL: Duration = Duration::from_millis(50);

/// Sends everything that is planned, and returns when all of it is acknowledged.
pub(super) async fn send(
    hub: &Hub,
    tenants: &[Tenant],
    plan: &Plan,
    connections: usize,
    ledger: &RefCell<Ledger>,
) -> Result<()> {
    let requests: Vec<Vec<u8>> = (0..plan.events)
        .map(|event| {
            post(hub.address(), &lead_body(tenants[plan.account_of(event)].page, plan.first_id + event as u64))
        })
        .collect();
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections.max(1) {
        open.push(Connection::open(hub.address()).await.context("can't connect")?);
    }
    let due = Arc::new(Semaphore::new(0));
    let start = Instant::now() + LEAD_IN;
    ledger.borrow_mut().start(start);
    let clock = {
        let (due, plan) = (Arc::clone(&due), plan.clone());
        thread::Builder::new().name("schedule".to_owned()).spawn(move || tick(&plan, start, &due))?
    };
    let bar = progress::bar("webhooks", plan.events as u64);
    let next = Cell::new(0);
    let drivers = open.into_iter().map(|connection| drive(connection, &due, &next, &requests, ledger, &bar));
    futures_util::future::try_join_all(drivers).await?;
    bar.finish_and_clear();
    if clock.join().is_err() {
        bail!("the schedule's thread panicked");
    }
    Ok(())
}

/// Releases each webhook when it is due. A thread of its own: its sleep is exact to some ten microseconds, a runtime's
/// timer to a millisecond only.
fn tick(plan: &Plan, start: Instant, due: &Semaphore) {
    for event in 0..plan.events {
        thread::sleep(plan.due(start, event).saturating_duration_since(Instant::now()));
        due.add_permits(1);
    }
    due.close();
}

/// One connection: takes whatever is due next.
async fn drive(
    mut connection: Connection,
    due: &Semaphore,
    next: &Cell<usize>,
    requests: &[Vec<u8>],
    ledger: &RefCell<Ledger>,
    bar: &indicatif::ProgressBar,
) -> Result<()> {
    loop {
        // A closed semaphore gives none, not even those that are left: what is left is taken below all the same.
        if let Ok(permit) = due.acquire().await {
            permit.forget();
        }
        let event = next.get();
        let Some(request) = requests.get(event) else { return Ok(()) };
        next.set(event + 1);
        loop {
            match connection.exchange(request).await.context("a connection broke")? {
                200 => break,
                503 => {
                    ledger.borrow_mut().refuse();
                    tokio::time::sleep(AFTER_REFUSAL).await;
                }
                status => bail!("a webhook was answered with status {status}"),
            }
        }
        ledger.borrow_mut().acknowledge(event, Instant::now());
        bar.inc(1);
    }
}
