//! The bare loop, and sessions of its own.

use std::ops::Range;

use anyhow::{Result, ensure};
use tokio::time::sleep;

use super::{
    super::{
        child::Child,
        process,
        sessions::{Plan, Remote, Summary},
    },
    PATIENCE, Scenario, cost,
};

pub(super) struct Bare {
    sender: Child,
    sessions: Remote,
}

impl Bare {
    pub(super) async fn start(scenario: &Scenario, frame_bytes: u64) -> Result<Self> {
        let (count, bytes) = (format!("--sessions={}", scenario.sessions), format!("--bytes={frame_bytes}"));
        let mut sender = Child::start(&["bare-send".into(), count, bytes], &[])?;
        let mut sessions = Remote::start(&scenario.wanted(sender.hear_of("listening").await?, Plan::bare()))?;
        sessions.connect(scenario.sessions).await?;
        sender.hear_of("accepted").await?;
        Ok(Self { sender, sessions })
    }

    /// Sends these envelopes as the hub is to: CPU a send in microseconds.
    pub(super) async fn round(&mut self, scenario: &Scenario, numbers: Range<u32>) -> Result<f64> {
        let pid = self.sender.pid()?;
        let (cpu, count) = (process::cpu(pid)?, numbers.len());
        for numbers in scenario.steps(numbers) {
            for number in numbers.clone() {
                self.sender.tell(&number.to_string()).await?;
            }
            let (missing, _) = self.sessions.reached(numbers, PATIENCE).await?;
            ensure!(missing == 0, "an envelope of the bare loop did not reach all sockets");
            sleep(scenario.gap()).await;
        }
        Ok(cost(process::cpu(pid)?.saturating_sub(cpu), count * scenario.sessions))
    }

    pub(super) async fn finish(self) -> Result<Summary> {
        self.sessions.finish().await
    }
}
