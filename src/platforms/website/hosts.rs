//! One request to a host at a time, and not too soon after the one before.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::OwnedMutexGuard, time::Instant};
use url::Url;

/// Hosts that are remembered; beyond it those are forgotten that nobody is at and whose pause is over.
const REMEMBERED: usize = 1024;
/// After this long the one before does not matter any more.
const LONG_AGO: Duration = Duration::from_mins(1);

/// When its last request was made.
type Line = Arc<tokio::sync::Mutex<Option<Instant>>>;

/// Who was asked when. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Hosts(Arc<Mutex<HashMap<String, Line>>>);

/// The turn at a host; the next one's begins when it is dropped.
pub(super) struct Turn(OwnedMutexGuard<Option<Instant>>);

impl Drop for Turn {
    fn drop(&mut self) {
        *self.0 = Some(Instant::now());
    }
}

impl Hosts {
    /// Waits for its turn at the URL's host.
    pub async fn turn(&self, url: &Url, pause: Duration) -> Turn {
        let line = self.line(url.host_str().unwrap_or_default());
        let turn = Turn(line.lock_owned().await);
        if let Some(before) = *turn.0 {
            tokio::time::sleep_until(before + pause).await;
        }
        turn
    }

    fn line(&self, host: &str) -> Line {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() >= REMEMBERED {
            let is_recent = |line: &Line| {
                line.try_lock().is_ok_and(|before| before.is_some_and(|before| before.elapsed() < LONG_AGO))
            };
            lines.retain(|_, line| Arc::strong_count(line) > 1 || is_recent(line));
        }
        Arc::clone(lines.entry(host.to_owned()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_to_a_host_come_one_by_one_with_a_pause_and_others_do_not_wait() {
        let (hosts, began) = (Hosts::default(), Instant::now());
        let url = |text: &str| text.parse::<Url>().unwrap();
        let pause = Duration::from_millis(200);
        drop(hosts.turn(&url("http://a.example/1"), pause).await);
        let held = hosts.turn(&url("http://b.example/"), pause).await;
        assert!(began.elapsed() < pause);
        drop(hosts.turn(&url("http://a.example/2"), pause).await);
        assert!(began.elapsed() >= pause);
        let waits = tokio::time::timeout(pause, hosts.turn(&url("https://b.example/"), Duration::ZERO)).await;
        assert!(waits.is_err(), "two were at it at once");
        drop(held);
    }
}
