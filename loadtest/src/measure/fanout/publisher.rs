//! Publishes envelopes of a length asked for: changes of one lead's notes, over and over.

use std::{ops::Range, time::Duration};

use anyhow::{Context, Result};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use super::super::sessions::marked;
use crate::{
    client::Socket,
    hub::{Hub, Tenant},
};

/// Changes under way in a burst.
const AT_ONCE: usize = 16;
/// How long the frame of a change may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Changes the notes of a lead: each change is an envelope.
pub(in super::super) struct Publisher<'a> {
    hub: &'a Hub,
    token: &'a str,
    lead: String,
    notes: usize,
    pub frame_bytes: u64,
}

impl<'a> Publisher<'a> {
    /// Makes the lead, and finds out how long the notes must be for a frame of the length asked for.
    pub(in super::super) async fn prepare(hub: &'a Hub, tenant: &'a Tenant, bytes: usize) -> Result<Self> {
        let fields = json!({"account": tenant.account, "name": "Fay Fanout", "email": "fay@example.com"});
        let request = hub.http().post(hub.url("/api/leads/create")).bearer_auth(&tenant.token).json(&fields);
        let created: Value = request.send().await?.error_for_status().context("no lead could be made")?.json().await?;
        let lead = created["data"]["id"].as_str().context("the new lead has no id")?.to_owned();
        let mut publisher = Self { hub, token: &tenant.token, lead, notes: 0, frame_bytes: 0 };

        let mut socket = Socket::connect(&hub.ws_url(), &tenant.token).await?;
        socket.subscribe(&tenant.room()).await?;
        let shortest = publisher.frame_of(&mut socket).await?;
        publisher.notes = marked(0, 0).len() + bytes.saturating_sub(shortest);
        publisher.frame_bytes = u64::try_from(publisher.frame_of(&mut socket).await?)?;
        socket.close().await?;
        Ok(publisher)
    }

    /// Publishes once and measures the frame that comes.
    async fn frame_of(&self, socket: &mut Socket) -> Result<usize> {
        self.publish(0).await?;
        socket.next_of("lead:updated", PATIENCE).await.context("a changed lead was not pushed")?;
        let payload = socket.last_length();
        Ok(payload + if payload < 126 { 2 } else { 4 })
    }

    pub(in super::super) async fn publish(&self, number: u32) -> Result<()> {
        let url = self.hub.url(&format!("/api/leads/{}", self.lead));
        let change = json!({"notes": marked(number.into(), self.notes)});
        let answer = self.hub.http().put(url).bearer_auth(self.token).json(&change).send().await?;
        answer.error_for_status().context("the lead could not be changed")?;
        Ok(())
    }

    /// Publishes back to back, as fast as the hub takes the changes.
    pub(super) async fn burst(&self, numbers: Range<u32>) -> Result<()> {
        let changes = stream::iter(numbers).map(|number| self.publish(number));
        changes.buffer_unordered(AT_ONCE).try_collect().await
    }
}
