//! All messages of a span of time, within bounds: pages, and calls a second.

use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::SyncError;
use crate::{
    domain::Timestamp,
    platforms::unipile::{Of, Workspace},
};

/// Pages of 250 that are held at once. A span that has more is cut into smaller ones.
const PAGES: usize = 20;
/// At first; and the least, in which nobody gets so many messages.
const WIDEST: TimeDelta = TimeDelta::days(2);
const LEAST: TimeDelta = TimeDelta::minutes(1);
/// Unipile does not say whether its limits are within the span.
const EDGE: TimeDelta = TimeDelta::milliseconds(1);

/// No more calls than so many a second.
pub struct Pace(Interval);

impl Pace {
    pub fn new(calls_per_second: u32) -> Self {
        let mut interval = interval(Duration::from_secs(1) / calls_per_second.max(1));
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self(interval)
    }

    /// Waits for its turn.
    pub async fn turn(&mut self) {
        self.0.tick().await;
    }
}

/// The spans of time between two moments, the oldest first, each as wide as it may be.
pub struct Spans {
    at: Timestamp,
    until: Timestamp,
    width: TimeDelta,
}

impl Spans {
    pub fn between(from: Timestamp, until: Timestamp) -> Self {
        Self { at: from, until, width: WIDEST }
    }

    /// The messages of the next span, the newest first, and where it ends; `None` if that was all.
    pub async fn next(
        &mut self,
        workspace: &Workspace,
        of: Of<'_>,
        pace: &mut Pace,
    ) -> Result<Option<(Vec<String>, Timestamp)>, SyncError> {
        while self.at < self.until {
            let end = (self.at + self.width).min(self.until);
            if let Some(items) = read(workspace, of, [self.at - EDGE, end + EDGE], pace).await? {
                self.at = end;
                return Ok(Some((items, end)));
            }
            if self.width <= LEAST {
                return Err(SyncError::Endless);
            }
            self.width = (self.width / 8).max(LEAST);
        }
        Ok(None)
    }
}

/// `None` if it has too many pages.
async fn read(
    workspace: &Workspace,
    of: Of<'_>,
    between: [Timestamp; 2],
    pace: &mut Pace,
) -> Result<Option<Vec<String>>, SyncError> {
    let (mut items, mut cursor) = (Vec::new(), None::<String>);
    for _ in 0..PAGES {
        pace.turn().await;
        let listed = workspace.messages(of, between, cursor.as_deref()).await?;
        items.extend(listed.items);
        match listed.cursor {
            None => return Ok(Some(items)),
            Some(next) => cursor = Some(next),
        }
    }
    Ok(None)
}
