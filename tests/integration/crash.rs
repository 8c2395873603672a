//! Killed under load, again and again: what was acknowledged is pushed and stored, and nothing twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query, sql_types::Binary};
use loadtest::{
    client::{Frame, Socket},
    hub::{APP_SECRET, Hub, Tenant},
    platform::{
        Lead, Settings, Simulator,
        meta::{Change, Webhook, post},
    },
};
use serde_json::Value;
use tokio::{sync::watch, task::JoinSet};

use crate::support::{PATIENCE, lead_id, postgres, setup, stored, until};

const KILLS: u32 = 50;
const SEED: u64 = 20_261_122;
const CONNECTIONS: u64 = 4;
const PAGE: u64 = 101;
const FIRST_LEAD: u64 = 9_300_000_000_000_000;
/// Between two posts of a connection.
const PACE: Duration = Duration::from_millis(12);
/// How long the hub runs under load before it is killed, in milliseconds.
const ALIVE: std::ops::Range<u64> = 20..450;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_kills_lose_nothing_and_double_nothing_with_the_embedded_database() -> Result<()> {
    fifty_kills(None).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_kills_lose_nothing_and_double_nothing_with_postgresql() -> Result<()> {
    postgres::with_database(|database| fifty_kills(Some(database.url().to_owned()))).await
}

async fn fifty_kills(store: Option<String>) -> Result<()> {
    let platform = Simulator::start(Settings::default())?;
    let page = platform.add_page(PAGE, "token_101");
    page.generate_leads(FIRST_LEAD..=u64::MAX / 2, |id| Lead::generated(id, 1_795_000_000));
    let mut setup = setup(&platform);
    if let Some(url) = &store {
        setup = setup.store_url(url);
    }
    let mut hub = Hub::prepare(setup).await?;
    let tenant = hub.add_tenant("Harbor Insurance", PAGE, "token_101").await?;
    hub.start().await?;

    let (stop, stopped) = watch::channel(false);
    let mut senders = JoinSet::new();
    for number in 0..CONNECTIONS {
        senders.spawn(send(number, hub.url("/webhook"), stopped.clone()));
    }
    let (quit, quitted) = watch::channel(false);
    let ledger = Arc::new(Mutex::new(Pushed::default()));
    let listener = tokio::spawn(listen(hub.ws_url(), tenant.clone(), Arc::clone(&ledger), quitted));

    let mut random = fastrand::Rng::with_seed(SEED);
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(random.u64(ALIVE))).await;
        hub.kill().await?;
        hub.start().await?;
    }
    stop.send_replace(true);
    let mut acknowledged = BTreeSet::new();
    while let Some(sent) = senders.join_next().await {
        acknowledged.extend(sent??);
    }
    println!("{KILLS} kills, {} leads", acknowledged.len());
    ensure!(acknowledged.len() > 500, "hardly a load");

    is_stored(&hub, &tenant.token, &acknowledged).await?;
    hub.stop().await?;
    quit.send_replace(true);
    listener.await??;

    let pushed = ledger.lock().unwrap();
    let logged = logged(&hub)?;
    ensure!(
        logged.keys().copied().collect::<BTreeSet<_>>() == acknowledged,
        "the log does not hold exactly what was acknowledged"
    );
    for (lead, ids) in &pushed.ids {
        ensure!(ids.len() == 1, "lead {lead} was pushed under several ids: {ids:?}");
        ensure!(ids.first() == logged.get(lead), "lead {lead} was pushed under another id than it is logged under");
    }
    ensure!(pushed.ids.len() * 10 > acknowledged.len(), "the session saw only {} leads", pushed.ids.len());
    Ok(())
}

/// Waits until the store has exactly these leads, each once; as long as more of them come, and no longer.
async fn is_stored(hub: &Hub, token: &str, wanted: &BTreeSet<u64>) -> Result<()> {
    let mut before = 0;
    while before < wanted.len() {
        before = until("more in the store", PATIENCE, || async {
            let stored = stored(hub, token).await?;
            let distinct: BTreeSet<u64> = stored.iter().map(|id| Ok(id.parse()?)).collect::<Result<_>>()?;
            ensure!(distinct.len() == stored.len(), "{} leads are stored twice", stored.len() - distinct.len());
            ensure!(distinct.is_subset(wanted), "leads are stored that nobody sent");
            let (is, all) = (distinct.len(), wanted.len());
            Ok(if is > before { Ok(is) } else { Err(format!("{is} of {all} are there")) })
        })
        .await?;
    }
    Ok(())
}

/// Posts leads one after the other, as a platform does: what is not answered with 200 is sent again until it is. Some
/// of what was answered is sent again as well. Returns what was acknowledged, which in the end is all.
async fn send(number: u64, url: String, stop: watch::Receiver<bool>) -> Result<BTreeSet<u64>> {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;
    let mut random = fastrand::Rng::with_seed(SEED + number);
    let (mut acknowledged, mut next, mut owed) = (BTreeSet::new(), FIRST_LEAD + number, Vec::new());
    while !*stop.borrow() || !owed.is_empty() {
        let mut leads = std::mem::take(&mut owed);
        for _ in 0..if *stop.borrow() { 0 } else { random.usize(1..4) } {
            leads.push(next);
            next += CONNECTIONS;
        }
        if let Some(lead) = acknowledged.last().filter(|_| random.u8(..) < 32) {
            leads.push(*lead);
        }
        let changes = leads.iter().map(|lead| Change::new(PAGE, *lead, 1_795_000_000));
        let answer = post(&client, &url, Webhook::batch(1_795_000_001, changes).body(), APP_SECRET).await;
        if answer.is_ok_and(|answer| answer.status() == 200) {
            acknowledged.extend(leads);
        } else {
            owed = leads;
        }
        tokio::time::sleep(PACE).await;
    }
    Ok(acknowledged)
}

/// What a dashboard received over all its sessions.
#[derive(Default)]
struct Pushed {
    /// The envelope ids that each lead came under.
    ids: BTreeMap<u64, BTreeSet<String>>,
    /// The newest position: epoch and count.
    position: (u64, u64),
}

impl Pushed {
    fn take(&mut self, envelope: &Value) -> Result<()> {
        let position = envelope["position"].as_str().and_then(|text| text.split_once('-')).context("no position")?;
        let position = (position.0.parse()?, position.1.parse()?);
        ensure!(position > self.position, "position {position:?} came after {:?}", self.position);
        self.position = position;
        let id = envelope["id"].as_str().context("no id")?.to_owned();
        self.ids.entry(lead_id(envelope)?).or_default().insert(id);
        Ok(())
    }
}

/// Comes back whenever the hub does, until it is told to quit and the connection is gone.
async fn listen(url: String, tenant: Tenant, pushed: Arc<Mutex<Pushed>>, quit: watch::Receiver<bool>) -> Result<()> {
    while !*quit.borrow() {
        let Ok(mut socket) = Socket::connect(&url, &tenant.token).await else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        if socket.subscribe(&tenant.room()).await.is_err() {
            continue;
        }
        loop {
            match socket.next(PATIENCE * 4).await {
                Ok(Frame::Text(frame)) if frame["type"] == "new_lead" => pushed.lock().unwrap().take(&frame)?,
                Ok(Frame::Text(_)) => {}
                Ok(Frame::Closed(_)) | Err(_) => break,
            }
        }
    }
    Ok(())
}

#[derive(QueryableByName)]
struct Logged {
    #[diesel(sql_type = Binary)]
    envelope: Vec<u8>,
}

/// The envelope log of a hub that has stopped: each lead with its envelope's id. A lead that is in it twice is an error.
fn logged(hub: &Hub) -> Result<BTreeMap<u64, String>> {
    let file = hub.data_dir().join("inbox.sqlite3");
    let mut connection = SqliteConnection::establish(&file.to_string_lossy())?;
    let mut found = BTreeMap::new();
    for row in sql_query("SELECT envelope FROM log ORDER BY seq").load::<Logged>(&mut connection)? {
        let envelope: Value = serde_json::from_slice(&row.envelope)?;
        let (lead, id) = (lead_id(&envelope)?, envelope["id"].as_str().context("no id")?);
        ensure!(found.insert(lead, id.to_owned()).is_none(), "lead {lead} is in the log twice");
    }
    Ok(found)
}
