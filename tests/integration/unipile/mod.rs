//! Unipile's own API: the hub registers its webhooks there and reads what they missed.

mod registration;
mod sync;

use anyhow::{Context, Result, ensure};
use loadtest::{
    hub::Setup,
    platform::unipile::{Connected, Workspace},
};
use serde_json::Value;

use crate::support::{House, PATIENCE, until};

const KEY: &str = "the-workspaces-key";

/// A house whose tenants each have an account in one workspace of Unipile's.
struct Agencies {
    house: House,
    workspace: Workspace,
    connected: [Connected; 2],
    sources: [String; 2],
}

impl Agencies {
    /// The hub runs, its webhooks are registered, and it has read all there was.
    async fn open() -> Result<Self> {
        let agencies = Self::open_with(Workspace::start(KEY)?, |setup| setup).await?;
        agencies.has_webhooks(6).await?;
        agencies.has_synced(2.0).await?;
        Ok(agencies)
    }

    async fn open_with(workspace: Workspace, change: impl FnOnce(Setup) -> Setup) -> Result<Self> {
        let fast = |setup: Setup| change(setup.set("unipile.calls_per_second", 1000).set("unipile.timeout", "5s"));
        let house = House::open_with(fast).await?;
        let connected = ["unipile-harbor", "unipile-maple"].map(Connected::linked_in);
        let mut sources = Vec::new();
        for (tenant, connected) in house.tenants.iter().zip(&connected) {
            sources.push(house.hub.add_unipile_at(&tenant.account, &connected.id, &workspace.dsn(), KEY).await?);
        }
        let sources = sources.try_into().ok().context("two sources")?;
        Ok(Self { house, workspace, connected, sources })
    }

    /// Waits until exactly so many webhooks are registered, none of them twice.
    async fn has_webhooks(&self, count: usize) -> Result<Vec<Value>> {
        until("the webhooks", PATIENCE, || async {
            let hooks = self.workspace.webhooks();
            Ok(if hooks.len() == count { Ok(hooks) } else { Err(format!("{hooks:?}")) })
        })
        .await
    }

    /// Waits until the hub has read sources so often.
    async fn has_synced(&self, times: f64) -> Result<()> {
        until("the reading", PATIENCE, || async {
            let done = self.house.hub.metric("leadwire_syncs_total").await?;
            Ok(if done >= times { Ok(()) } else { Err(format!("{done} of {times}")) })
        })
        .await
    }

    /// The tenant's messages in the store, the oldest first, of all chats: their texts and how they came.
    async fn messages(&self, tenant: usize) -> Result<Vec<Value>> {
        let chats: Value = self.house.get(tenant, "/api/chats?limit=250").await?.error_for_status()?.json().await?;
        let mut all = Vec::new();
        for chat in chats["items"].as_array().context("no items")? {
            let path =
                format!("/api/chats/{}/messages?order_desc=false&limit=250", chat["id"].as_str().context("no id")?);
            let list: Value = self.house.get(tenant, &path).await?.error_for_status()?.json().await?;
            all.extend(list["items"].as_array().context("no items")?.clone());
        }
        Ok(all)
    }

    /// Waits until the tenant has exactly these messages in the store, each once; all of them, the oldest first.
    async fn has_stored(&self, tenant: usize, texts: &[String]) -> Result<Vec<Value>> {
        let stored = until("the store", PATIENCE, || async {
            let messages = self.messages(tenant).await?;
            Ok(if messages.len() >= texts.len() {
                Ok(messages)
            } else {
                Err(format!("{} of {} are there", messages.len(), texts.len()))
            })
        })
        .await?;
        let mut found: Vec<&str> = stored.iter().filter_map(|message| message["text"].as_str()).collect();
        let mut wanted: Vec<&str> = texts.iter().map(String::as_str).collect();
        found.sort_unstable();
        wanted.sort_unstable();
        ensure!(found == wanted, "{found:?} instead of {wanted:?}");
        Ok(stored)
    }
}
