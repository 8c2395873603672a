//! A request body, chunk by chunk, from a client that has to send it in time.

use std::time::Duration;

use actix_web::web::Payload;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tokio::time::{Instant, timeout_at};

use crate::config::Server;

/// How fast a body has to come.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// A body may take this long whatever its size.
    pub grace: Duration,
    /// After that it must have come at this rate on average, in bytes a second.
    pub least_rate: u64,
    /// No body may take longer.
    pub longest: Duration,
}

/// Why a body did not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It came too slowly.
    #[error("the body came too slowly")]
    Slow,
    /// The connection ended, or the framing is wrong.
    #[error("the body broke off")]
    Broken,
    /// There is more of it than is taken.
    #[error("the body is too large")]
    TooLarge,
}

/// A body that is being received. Its bytes are as they came: nothing is unpacked.
pub struct Body {
    payload: Payload,
    pace: Pace,
    began: Instant,
    received: u64,
}

impl Body {
    /// Starts the clock.
    #[must_use]
    pub fn new(payload: Payload, pace: Pace) -> Self {
        Self { payload, pace, began: Instant::now(), received: 0 }
    }

    /// The next chunk; `None` at the end.
    ///
    /// # Errors
    /// [`BodyError::Slow`] or [`BodyError::Broken`]; the connection is of no more use then.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        let chunk = timeout_at(self.began + self.pace.allows(self.received), self.payload.next()).await;
        match chunk.map_err(|_| BodyError::Slow)? {
            None => Ok(None),
            Some(Err(_)) => Err(BodyError::Broken),
            Some(Ok(chunk)) => {
                self.received += chunk.len() as u64;
                Ok(Some(chunk))
            }
        }
    }

    /// Reads on and forgets, for no more than so many bytes.
    pub async fn pass_over(mut self, most: u64) {
        while self.received < most
            && let Ok(Some(_)) = self.chunk().await
        {}
    }

    /// All of it, if it is no more than `most` bytes. Memory grows with what came, not with what was announced.
    ///
    /// # Errors
    /// [`BodyError`]; the rest is not read.
    pub async fn whole(mut self, most: usize) -> Result<Bytes, BodyError> {
        let mut whole = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            if whole.len() + chunk.len() > most {
                return Err(BodyError::TooLarge);
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }
}

impl Pace {
    /// The pace that `[server]` asks of every body.
    #[must_use]
    pub fn configured(server: &Server) -> Self {
        Self { grace: server.request_timeout, least_rate: server.body_rate.as_u64(), longest: server.body_timeout }
    }

    /// How long a body of which so many bytes have come may go without the next.
    fn allows(&self, received: u64) -> Duration {
        let earned = Duration::from_millis(received.saturating_mul(1000) / self.least_rate.max(1));
        self.grace.max(earned).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_its_grace_then_what_its_bytes_earned_and_never_longer_than_the_longest() {
        let seconds = Duration::from_secs;
        let pace = Pace { grace: seconds(5), least_rate: 1000, longest: seconds(30) };
        assert_eq!(pace.allows(0), seconds(5));
        assert_eq!(pace.allows(4_000), seconds(5));
        assert_eq!(pace.allows(12_000), seconds(12), "at the least rate it is just in time");
        assert_eq!(pace.allows(1_000_000), seconds(30));
        assert_eq!(pace.allows(u64::MAX), seconds(30));
    }
}
