//! Engine.IO by long polling: one GET always waits, and what is said goes in POSTs.

use std::{collections::VecDeque, time::Duration};

use anyhow::{Context, Result, ensure};
use http::HeaderMap;
use reqwest::Client;
use tokio::{task::JoinHandle, time::timeout};

use super::packet::SEPARATOR;

/// A session's two requests.
pub(super) struct Polling {
    client: Client,
    headers: HeaderMap,
    url: String,
    /// The GET that waits; it outlives the patience of who asks, so that nothing is lost with it.
    waiting: Option<JoinHandle<reqwest::Result<(u16, String)>>>,
    ready: VecDeque<String>,
}

/// What a poll brought.
pub(super) enum Polled {
    Packet(String),
    /// A status that is not 200, or no answer: there is no session any more.
    Gone(String),
}

impl Polling {
    /// Without a session yet: the first packet brings it.
    pub(super) fn new(url: &str, headers: HeaderMap) -> Self {
        Self { client: Client::new(), headers, url: url.to_owned(), waiting: None, ready: VecDeque::new() }
    }

    pub(super) fn set_session(&mut self, id: &str) {
        self.url = format!("{}&sid={id}", self.url);
    }

    /// The next packet.
    pub(super) async fn next(&mut self, patience: Duration) -> Result<Polled> {
        if let Some(packet) = self.ready.pop_front() {
            return Ok(Polled::Packet(packet));
        }
        let came = timeout(patience, self.wait()).await.context("nothing came in time")??;
        Ok(match came {
            Ok((200, body)) => {
                self.ready.extend(body.split(SEPARATOR).map(str::to_owned));
                self.ready.pop_front().map_or_else(|| Polled::Gone("an empty poll".to_owned()), Polled::Packet)
            }
            Ok((status, body)) => Polled::Gone(format!("{status} {body}")),
            Err(error) => Polled::Gone(format!("{:#}", anyhow::Error::new(error))),
        })
    }

    /// What the last poll brought besides what was taken from it.
    pub(super) fn at_hand(&mut self) -> Option<Polled> {
        self.ready.pop_front().map(Polled::Packet)
    }

    /// The answer of the GET that waits, or of one that is sent now.
    async fn wait(&mut self) -> Result<reqwest::Result<(u16, String)>> {
        let waiting = self.waiting.get_or_insert_with(|| {
            let get = self.client.get(&self.url).headers(self.headers.clone());
            tokio::spawn(async move {
                let answer = get.send().await?;
                Ok((answer.status().as_u16(), answer.text().await?))
            })
        });
        let came = waiting.await;
        self.waiting = None;
        Ok(came?)
    }

    /// Sends packets.
    pub(super) async fn send(&self, packets: String) -> Result<()> {
        let post = self.client.post(&self.url).headers(self.headers.clone());
        let post = post.header("content-type", "text/plain;charset=UTF-8").body(packets);
        let answer = post.send().await.context("the poll's POST was not answered")?;
        let (status, body) = (answer.status(), answer.text().await?);
        ensure!(status == 200, "the hub refused a POST with status {status}: {body}");
        Ok(())
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        if let Some(waiting) = &self.waiting {
            waiting.abort();
        }
    }
}
