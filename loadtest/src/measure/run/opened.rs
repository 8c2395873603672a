//! How soon a chat opens, as the REST interface answers when all is stored.

use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::Value;

use super::super::{Report, latency::Latencies};
use crate::hub::{Hub, Tenant};

/// So often the page is asked for.
const TIMES: usize = 200;

/// The first page of a chat, newest messages first.
pub(super) struct Opened {
    /// In the whole chat.
    messages: u64,
    after: Latencies,
}

/// Opens the longest chat of an account again and again; none if it has no chats.
pub(super) async fn longest_chat(hub: &Hub, tenant: &Tenant) -> Result<Option<Opened>> {
    let get = async |path: &str| -> Result<Value> {
        let request = hub.http().get(hub.url(path)).bearer_auth(&tenant.token);
        request.send().await?.error_for_status()?.json().await.with_context(|| format!("{path} is not as expected"))
    };
    let mut longest: Option<(u64, String)> = None;
    let chats = get("/api/chats?limit=250").await?;
    for chat in chats["items"].as_array().into_iter().flatten() {
        let path = format!("/api/chats/{}/messages", chat["id"].as_str().unwrap_or_default());
        let messages = get(&format!("{path}?limit=1")).await?["total"].as_u64().unwrap_or_default();
        longest = longest.max(Some((messages, path)));
    }
    let Some((messages, path)) = longest else { return Ok(None) };
    let mut after = Latencies::new()?;
    for _ in 0..TIMES {
        let asked = Instant::now();
        get(&path).await?;
        after.record(asked.elapsed());
    }
    Ok(Some(Opened { messages, after }))
}

impl Opened {
    pub(super) fn tell(&self, report: &mut Report, wanted_ms: Option<f64>) {
        report.count("messages in the longest chat of the first account", self.messages);
        report.latencies("its first page after", self.after.quantiles());
        report.at_most("first page of the longest chat after p99", wanted_ms, self.after.quantile(0.99), "ms");
    }
}
