//! The process with the sessions, as its parent sees it.

use std::{ops::Range, time::Duration};

use anyhow::Result;
use tokio::time::timeout;

use super::{
    super::{child::Child, progress},
    Connected, PLAN, Plan, Summary,
};

/// What sessions are wanted.
pub(in super::super) struct Wanted {
    /// Where to connect.
    pub address: String,
    pub plan: Plan,
    pub count: usize,
    /// How many envelopes will come at most.
    pub envelopes: u32,
    /// Handshakes under way.
    pub at_once: usize,
}

/// The process, and the lines `done` that came while all were connecting.
pub(in super::super) struct Remote(Child, Vec<String>);

impl Remote {
    /// Starts it; it connects when it is told to.
    pub(in super::super) fn start(wanted: &Wanted) -> Result<Self> {
        let arguments = [
            "sessions".to_owned(),
            format!("--address={}", wanted.address),
            format!("--count={}", wanted.count),
            format!("--envelopes={}", wanted.envelopes),
            format!("--at-once={}", wanted.at_once),
        ];
        let child = Child::start(&arguments, &[(PLAN, &serde_json::to_string(&wanted.plan)?)])?;
        Ok(Self(child, Vec::new()))
    }

    pub(in super::super) fn pid(&self) -> Result<u32> {
        self.0.pid()
    }

    /// Connects all and waits until all are subscribed.
    pub(in super::super) async fn connect(&mut self, count: usize) -> Result<Connected> {
        self.0.tell("connect").await?;
        let bar = progress::bar("connecting", count as u64);
        loop {
            let line = self.0.hear().await?;
            if let Some(connected) = line.strip_prefix("connected ") {
                bar.set(connected.parse()?);
            } else if let Some(how) = line.strip_prefix("ready ") {
                return Ok(serde_json::from_str(how)?);
            } else if let Some(done) = line.strip_prefix("done ") {
                self.1.push(done.to_owned());
            }
        }
    }

    /// Cuts all connections at once.
    pub(in super::super) async fn cut(&mut self) -> Result<()> {
        self.0.tell("cut").await?;
        self.0.hear_of("gone").await.map(drop)
    }

    /// Waits until all sessions have these envelopes: how many did not reach everybody in time, and the p99 of the last
    /// that did, in milliseconds.
    pub(in super::super) async fn reached(&mut self, numbers: Range<u32>, patience: Duration) -> Result<(u64, f64)> {
        let (mut missing, mut p99) = (numbers.len() as u64, 0.0);
        let all = async {
            while missing > 0 {
                let done = match self.1.pop() {
                    Some(done) => done,
                    None => self.0.hear_of("done").await?,
                };
                let (number, millis) = done.split_once(' ').unwrap_or((&done, "0"));
                if numbers.contains(&number.parse()?) {
                    missing -= 1;
                    p99 = millis.parse()?;
                }
            }
            anyhow::Ok(())
        };
        // Late is no error of the harness: it is counted.
        timeout(patience, all).await.unwrap_or(Ok(()))?;
        Ok((missing, p99))
    }

    /// Ends it; what it counted.
    pub(in super::super) async fn finish(mut self) -> Result<Summary> {
        self.0.tell("finish").await?;
        Ok(serde_json::from_str(&self.0.hear_of("tally").await?)?)
    }
}
