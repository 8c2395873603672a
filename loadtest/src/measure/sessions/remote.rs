//! The process with the sessions at another hub, as its parent sees it.

use std::{net::SocketAddr, ops::Range, time::Duration};

use anyhow::Result;
use tokio::time::timeout;

use super::{
    super::{child::Child, progress},
    PLAN, Plan, Summary,
};

/// The process.
pub(in super::super) struct Remote(Child);

impl Remote {
    /// Starts it with a plan.
    pub(in super::super) fn start_plan(address: SocketAddr, plan: &Plan, count: usize, envelopes: u32) -> Result<Self> {
        let arguments = ["sessions".to_owned(), format!("--address={address}"), format!("--count={count}")];
        let arguments = [arguments.as_slice(), &[format!("--envelopes={envelopes}")]].concat();
        Child::start(&arguments, &[(PLAN, &serde_json::to_string(plan)?)]).map(Self)
    }

    pub(in super::super) fn pid(&self) -> Result<u32> {
        self.0.pid()
    }

    /// Waits until all are subscribed.
    pub(in super::super) async fn connect(&mut self, count: usize) -> Result<()> {
        let bar = progress::bar("connecting", count as u64);
        loop {
            let line = self.0.hear().await?;
            if let Some(connected) = line.strip_prefix("connected ") {
                bar.set_position(connected.parse()?);
            } else if line == "ready" {
                return Ok(bar.finish_and_clear());
            }
        }
    }

    /// Waits until all sessions have these envelopes; how many did not reach everybody in time.
    pub(in super::super) async fn reached(&mut self, numbers: Range<u32>, patience: Duration) -> Result<(u64, f64)> {
        let mut missing = numbers.len() as u64;
        let all = async {
            while missing > 0 {
                missing -= u64::from(numbers.contains(&self.0.hear_of("done").await?.parse()?));
            }
            anyhow::Ok(())
        };
        // Late is no error of the harness: it is counted.
        timeout(patience, all).await.unwrap_or(Ok(()))?;
        Ok((missing, 0.0))
    }

    /// Ends it; what it counted.
    pub(in super::super) async fn finish(mut self) -> Result<Summary> {
        self.0.tell("finish").await?;
        Ok(serde_json::from_str(&self.0.hear_of("tally").await?)?)
    }
}
