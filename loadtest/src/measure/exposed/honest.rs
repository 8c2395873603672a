//! The agency that goes on as ever: signed webhooks on a schedule, and dashboards that must see each lead.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use tokio::task::JoinHandle;

use super::{
    super::{
        http::Connection,
        latency::Latencies,
        requests::{Requests, What},
    },
    PAGES,
};
use crate::{
    client::{Frame, Socket},
    hub::{Hub, Tenant},
};

/// Webhooks that may be under way; those beyond wait, and that counts.
const CONNECTIONS: usize = 8;
/// For what is on its way in the end.
const PATIENCE: Duration = Duration::from_secs(30);

/// How much a dashboard has heard, and its task.
type Dashboard = (Rc<Cell<u64>>, JoinHandle<Result<()>>);

pub(super) struct Honest {
    requests: Requests,
    connections: Vec<Connection>,
    dashboards: Vec<Dashboard>,
    acknowledged: u64,
    address: std::net::SocketAddr,
}

/// What became of the webhooks of a while.
pub(super) struct Half {
    /// From when each was due.
    pub latencies: Latencies,
    pub refused: u64,
}

impl Honest {
    pub(super) async fn open(hub: &Hub, tenant: &Tenant, sessions: usize, first_id: u64) -> Result<Self> {
        let mut dashboards = Vec::new();
        for _ in 0..sessions {
            let mut socket = Socket::connect(&hub.ws_url(), &tenant.token).await?;
            socket.next_of("welcome", PATIENCE).await?;
            socket.subscribe("dashboard").await?;
            let seen = Rc::new(Cell::new(0));
            let counter = Rc::clone(&seen);
            let watch = async move {
                loop {
                    match socket.next(Duration::from_hours(1)).await? {
                        Frame::Text(frame) if frame["type"] == "new_lead" => counter.set(counter.get() + 1),
                        Frame::Text(_) => {}
                        Frame::Closed(why) => anyhow::bail!("an honest dashboard was closed: {why:?}"),
                    }
                }
            };
            dashboards.push((seen, tokio::task::spawn_local(watch)));
        }
        let address = hub.address();
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(Connection::open(address).await?);
        }
        let requests = Requests::new(What::Leads, PAGES[0], address, first_id);
        Ok(Self { requests, connections, dashboards, acknowledged: 0, address })
    }

    /// Posts at this rate for this long; each webhook's latency counts from when it was due.
    pub(super) async fn post(&mut self, rate: f64, length: Duration) -> Result<Half> {
        let (start, mut half) = (Instant::now(), Half { latencies: Latencies::new()?, refused: 0 });
        let connections = std::mem::take(&mut self.connections);
        let lanes = connections.len();
        let every = Duration::from_secs_f64(1.0 / rate);
        let count = u32::try_from(length.as_micros() / every.as_micros().max(1))?;
        let mut work: Vec<Vec<(Instant, Vec<u8>)>> = vec![Vec::new(); lanes];
        for number in 0..count {
            work[number as usize % lanes].push((start + every * number, self.requests.make()));
        }
        let address = self.address;
        let drivers = connections.into_iter().zip(work).map(|(connection, work)| drive(connection, work, address));
        for (connection, latencies, refused) in futures_util::future::try_join_all(drivers).await? {
            self.connections.push(connection);
            half.latencies.add(&latencies)?;
            half.refused += refused;
        }
        self.acknowledged += u64::from(count) - half.refused;
        Ok(half)
    }

    /// How many webhooks were acknowledged, and how many envelopes are missing on the dashboards in the end.
    pub(super) async fn end(self) -> Result<(u64, u64)> {
        let missing =
            || self.dashboards.iter().map(|(seen, _)| self.acknowledged.saturating_sub(seen.get())).sum::<u64>();
        let end = Instant::now() + PATIENCE;
        while missing() > 0 && Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let lost = missing();
        for (_, watch) in &self.dashboards {
            watch.abort();
        }
        Ok((self.acknowledged, lost))
    }
}

/// Sends what is due on one connection, one after the other.
async fn drive(
    mut connection: Connection,
    work: Vec<(Instant, Vec<u8>)>,
    address: std::net::SocketAddr,
) -> Result<(Connection, Latencies, u64)> {
    let (mut latencies, mut refused) = (Latencies::new()?, 0);
    for (due, request) in work {
        tokio::time::sleep_until(due.into()).await;
        match connection.exchange(&request).await {
            Ok(200) => latencies.record(due.elapsed()),
            Ok(_) => refused += 1,
            Err(_) => {
                refused += 1;
                connection = Connection::open(address).await.context("the hub takes no honest connection")?;
            }
        }
    }
    Ok((connection, latencies, refused))
}
