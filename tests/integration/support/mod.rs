//! What several of these tests need: a house to test in, ways to ask it, and bounded waits.

pub mod browser;
pub mod postgres;
pub mod site;

use std::{
    collections::BTreeSet,
    env,
    future::Future,
    io::Write,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use leadwire::domain::clock;
use loadtest::{
    client::Socket,
    hub::{APP_SECRET, Hub, Setup, Tenant},
    platform::{
        Lead, Page, Settings, Simulator,
        meta::{Change, Webhook, post},
    },
};
use reqwest::{Response, StatusCode};
use serde_json::Value;

/// Longer than anything takes on a busy machine; every wait is for a condition and ends with it.
pub const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

/// Says, past the test harness, that a test was left out; with `LEADWIRE_TEST_FULL` set that is a failure.
pub fn left_out(why: &str) {
    assert!(env::var_os("LEADWIRE_TEST_FULL").is_none(), "every test is to be run, but {why}");
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // One write: other threads print as well.
    std::io::stderr().write_all(format!("SKIPPED: {test}: {why}\n").as_bytes()).unwrap();
}

/// The hub's program as Cargo has just built it.
pub fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_leadwire"))
}

/// A hub that fetches from this platform.
pub fn setup(platform: &Simulator) -> Setup {
    Setup::new(binary()).graph_url(&platform.url())
}

/// Waits until `condition` gives something; what it lacked last is in the error.
pub async fn until<T, F>(what: &str, patience: Duration, mut condition: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<Result<T, String>>>,
{
    let end = Instant::now() + patience;
    loop {
        match condition().await? {
            Ok(found) => return Ok(found),
            Err(lacking) if Instant::now() > end => bail!("{what}: not within {patience:?}: {lacking}"),
            Err(_) => tokio::time::sleep(POLL).await,
        }
    }
}

/// A hub with two agencies, an account and a page each, and their platform.
pub struct House {
    pub hub: Hub,
    pub platform: Simulator,
    pub tenants: [Tenant; 2],
    pub pages: [Page; 2],
}

impl House {
    /// With the embedded database and plain settings.
    pub async fn open() -> Result<Self> {
        Self::open_with(|setup| setup).await
    }

    /// With other settings.
    pub async fn open_with(change: impl FnOnce(Setup) -> Setup) -> Result<Self> {
        let platform = Simulator::start(Settings::default())?;
        let mut hub = Hub::prepare(change(setup(&platform))).await?;
        let pages = [platform.add_page(101, "token_101"), platform.add_page(202, "token_202")];
        let tenants = [
            hub.add_tenant("Harbor Insurance", 101, "token_101").await?,
            hub.add_tenant("Maple Dental", 202, "token_202").await?,
        ];
        hub.start().await?;
        Ok(Self { hub, platform, tenants, pages })
    }

    /// A session of the tenant's manager in every room of theirs.
    pub async fn session(&self, tenant: usize) -> Result<Socket> {
        session(&self.hub, &self.tenants[tenant]).await
    }

    /// Signs and posts to the hub's own app.
    pub async fn post(&self, body: impl Into<String>) -> Result<Response> {
        Ok(post(self.hub.http(), &self.hub.url("/webhook"), body, APP_SECRET).await?)
    }

    /// Posts what must be accepted.
    pub async fn accepted(&self, body: impl Into<String>) -> Result<()> {
        let answer = self.post(body).await?;
        ensure!(answer.status() == StatusCode::OK, "a webhook got {}: {}", answer.status(), answer.text().await?);
        Ok(())
    }

    /// Somebody of this name fills in a form of the tenant's page, and the platform says so; the lead's id.
    pub async fn lead(&self, tenant: usize, name: &str) -> Result<u64> {
        let lead = Lead::person(clock::now().timestamp(), name, "joe@example.com", "+16195550101");
        let id = self.pages[tenant].add_lead(lead);
        self.accepted(Webhook::lead(self.change(tenant, id)?).body()).await?;
        Ok(id)
    }

    /// The webhook's word of a lead that is there.
    pub fn change(&self, tenant: usize, id: u64) -> Result<Change> {
        self.pages[tenant].change_for(id).context("the lead is not there")
    }

    /// Asks as the tenant's manager.
    pub async fn get(&self, tenant: usize, path: &str) -> Result<Response> {
        Ok(self.hub.http().get(self.hub.url(path)).bearer_auth(&self.tenants[tenant].token).send().await?)
    }

    /// The platform's ids of what the tenant has in the store, each as often as it is there.
    pub async fn stored(&self, tenant: usize) -> Result<Vec<String>> {
        stored(&self.hub, &self.tenants[tenant].token).await
    }

    /// Waits until the tenant has exactly these leads in the store, each once.
    pub async fn has_stored(&self, tenant: usize, ids: &[u64]) -> Result<()> {
        let wanted: BTreeSet<String> = ids.iter().map(u64::to_string).collect();
        until("the store", PATIENCE, || async {
            let stored = self.stored(tenant).await?;
            let distinct: BTreeSet<String> = stored.iter().cloned().collect();
            ensure!(distinct.len() == stored.len(), "a lead is stored twice: {stored:?}");
            let surplus: Vec<&String> = distinct.difference(&wanted).collect();
            ensure!(surplus.is_empty(), "leads are stored that should not be: {surplus:?}");
            let lacking = wanted.len() - distinct.len();
            Ok(if lacking == 0 { Ok(()) } else { Err(format!("{lacking} of {} are not there", wanted.len())) })
        })
        .await
    }

    /// What needs the attention of the tenant's manager.
    pub async fn attention(&self, tenant: usize) -> Result<Vec<Value>> {
        let answer: Value = self.get(tenant, "/api/attention").await?.error_for_status()?.json().await?;
        Ok(answer["items"].as_array().context("no list")?.clone())
    }

    /// Waits until the tenant's attention list has so many of this kind.
    pub async fn wants_attention(&self, tenant: usize, kind: &str, count: u64) -> Result<Value> {
        until("the attention list", PATIENCE, || async {
            let items = self.attention(tenant).await?;
            let found = items.iter().find(|item| item["kind"] == kind && item["count"] == count);
            Ok(found.cloned().ok_or_else(|| format!("no {count} of {kind} in {items:?}")))
        })
        .await
    }
}

impl Drop for House {
    /// Shown with a test that has failed, whether by an error or in a panic.
    fn drop(&mut self) {
        println!("the hub's last words:\n{}", self.hub.log_tail(40));
    }
}

/// A session of the tenant's manager in every room of theirs.
pub async fn session(hub: &Hub, tenant: &Tenant) -> Result<Socket> {
    let mut socket = Socket::connect(&hub.ws_url(), &tenant.token).await?;
    socket.next_of("welcome", PATIENCE).await?;
    socket.subscribe("dashboard").await?;
    socket.subscribe(&format!("operators:{}", tenant.account)).await?;
    Ok(socket)
}

/// The next lead that a session hears of: the platform's id. Other envelopes are passed over.
pub async fn next_lead(socket: &mut Socket) -> Result<u64> {
    let envelope = socket.next_of("new_lead", PATIENCE).await?;
    lead_id(&envelope)
}

/// The platform's id in a `new_lead`.
pub fn lead_id(envelope: &Value) -> Result<u64> {
    let id = envelope["payload"]["lead"]["meta_lead_id"].as_str().context("no meta_lead_id")?;
    Ok(id.parse()?)
}

/// Reads the whole list, page by page: the platform's ids.
pub async fn stored(hub: &Hub, token: &str) -> Result<Vec<String>> {
    let (mut ids, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut request = hub.http().get(hub.url("/api/leads")).query(&[("limit", "250")]).bearer_auth(token);
        if let Some(cursor) = &cursor {
            request = request.query(&[("cursor", cursor)]);
        }
        let page: Value = request.send().await?.error_for_status()?.json().await?;
        for lead in page["data"].as_array().context("no list")? {
            ids.push(lead["meta_lead_id"].as_str().context("no meta_lead_id")?.to_owned());
        }
        match page["next"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return Ok(ids),
        }
    }
}
