//! A dashboard that reads server-sent events.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures_util::{StreamExt, stream::BoxStream};
use http::header::{ACCEPT, CONTENT_TYPE};
use russe::reqwest_0_13::ReqwestExt;
use serde_json::Value;

use super::{ConnectError, Login};

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `message` where the hub names none.
    pub kind: String,
    /// The id that it brought along.
    pub id: Option<String>,
    /// Its lines, joined.
    pub data: String,
}

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Streamed {
    /// An event.
    Event(Event),
    /// A line that says nothing, to keep the connection open.
    Comment(String),
    /// When to come back after an end.
    Retry(Duration),
    /// The hub ended the stream, or the connection broke.
    Closed,
}

/// A connected stream of events.
pub struct EventSource {
    stream: BoxStream<'static, Result<russe::Event, russe::Error>>,
    content_type: String,
    last_id: Option<String>,
    comments: u64,
}

impl EventSource {
    /// Connects with a token.
    ///
    /// # Errors
    /// If the hub refuses or is not there.
    pub async fn connect(url: &str, token: &str) -> Result<Self, ConnectError> {
        Self::connect_as(url, Login::Bearer(token), None).await
    }

    /// Connects, and goes on after the event of an id, if there is one.
    ///
    /// # Errors
    /// If the hub refuses or is not there, or the login can't be said in a header.
    pub async fn connect_as(url: &str, login: Login<'_>, last_id: Option<&str>) -> Result<Self, ConnectError> {
        if matches!(login, Login::Protocol(_) | Login::Frame(_)) {
            return Err(ConnectError::failed("an event source has neither sub-protocols nor frames of its own"));
        }
        let mut request = reqwest::Client::new().get(url).headers(login.headers()?).header(ACCEPT, "text/event-stream");
        if let Some(id) = last_id {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await.map_err(|error| ConnectError::failed(anyhow::Error::new(error)))?;
        if response.status() != 200 {
            return Err(ConnectError::Refused(response.status().as_u16()));
        }
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default().to_owned();
        let last_id = last_id.map(str::to_owned);
        Ok(Self { stream: response.sse_stream(), content_type, last_id, comments: 0 })
    }

    /// What the hub says that it sends.
    #[must_use]
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// The id to come back with.
    #[must_use]
    pub fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    /// Comments seen so far.
    #[must_use]
    pub const fn comments(&self) -> u64 {
        self.comments
    }

    /// Whatever comes next.
    ///
    /// # Errors
    /// If nothing comes in time, or something that is no event stream.
    pub async fn next(&mut self, patience: Duration) -> Result<Streamed> {
        let came = tokio::time::timeout(patience, self.stream.next()).await.context("nothing came in time")?;
        Ok(match came {
            Some(Ok(russe::Event::Message(message))) => {
                let id = message.id.map(|id| id.to_string());
                if id.is_some() {
                    self.last_id.clone_from(&id);
                }
                let kind = message.event.map_or_else(|| "message".to_owned(), |kind| kind.to_string());
                Streamed::Event(Event { kind, id, data: message.data.to_string() })
            }
            Some(Ok(russe::Event::Comment(text))) => {
                self.comments += 1;
                Streamed::Comment(text.to_string())
            }
            Some(Ok(russe::Event::Retry(after))) => Streamed::Retry(after),
            // A connection that breaks has an end like any other.
            Some(Err(russe::Error::Io { .. })) | None => Streamed::Closed,
            Some(Err(error)) => return Err(error).context("not an event stream"),
        })
    }

    /// The next event.
    ///
    /// # Errors
    /// If none comes in time, or the stream ends.
    pub async fn next_event(&mut self, patience: Duration) -> Result<Event> {
        let end = Instant::now() + patience;
        loop {
            match self.next(end.saturating_duration_since(Instant::now())).await? {
                Streamed::Event(event) => return Ok(event),
                Streamed::Comment(_) | Streamed::Retry(_) => {}
                Streamed::Closed => bail!("the stream ended while an event was waited for"),
            }
        }
    }

    /// The next envelope; events about the session itself are passed over.
    ///
    /// # Errors
    /// If none comes in time, or the stream ends.
    pub async fn next_envelope(&mut self, patience: Duration) -> Result<Value> {
        self.next_that(patience, |_, data| data.get("payload").is_some()).await
    }

    /// The data of the next event of one kind.
    ///
    /// # Errors
    /// If none comes in time, or the stream ends.
    pub async fn next_of(&mut self, kind: &str, patience: Duration) -> Result<Value> {
        self.next_that(patience, |of, _| of == kind).await
    }

    async fn next_that(&mut self, patience: Duration, wanted: impl Fn(&str, &Value) -> bool) -> Result<Value> {
        let end = Instant::now() + patience;
        loop {
            let event = self.next_event(end.saturating_duration_since(Instant::now())).await?;
            let data = serde_json::from_str(&event.data).with_context(|| format!("not JSON: {}", event.data))?;
            if wanted(&event.kind, &data) {
                return Ok(data);
            }
        }
    }

    /// Waits until the hub ends the stream.
    ///
    /// # Errors
    /// If it does not in time.
    pub async fn closed(&mut self, patience: Duration) -> Result<()> {
        let end = Instant::now() + patience;
        while self.next(end.saturating_duration_since(Instant::now())).await? != Streamed::Closed {}
        Ok(())
    }

    /// Goes away: for an event source there is nothing to say.
    pub fn close(self) {}
}

#[cfg(test)]
mod tests;
