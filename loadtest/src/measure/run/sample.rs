//! The run as it goes, twice a second: counts, latencies, what waits, and what the hub takes.

use std::{
    cell::{Cell, RefCell},
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{
    super::{process, report::Sample},
    ledger::Ledger,
    plan::Plan,
};

const EVERY: Duration = Duration::from_millis(500);

/// Takes samples for as long as it is polled.
pub(super) async fn take(
    ledger: &RefCell<Ledger>,
    plan: &Plan,
    pid: &Cell<Option<u32>>,
    samples: &RefCell<Vec<Sample>>,
) -> Result<()> {
    let start = ledger.borrow().start();
    tokio::time::sleep_until(start.into()).await;
    let mut before = Used::now(pid.get());
    let mut due = 0;
    for number in 1_u32.. {
        tokio::time::sleep_until((start + EVERY * number).into()).await;
        let used = Used::now(pid.get());
        let due_now = plan.due_within(start.elapsed());
        let sample = sample(&mut ledger.borrow_mut(), start.elapsed(), (due_now - due) as u64)?;
        samples.borrow_mut().push(Sample {
            rss_kib: used.as_ref().map(|used| used.rss_kib),
            cpu_cores: used.as_ref().zip(before).and_then(|(used, before)| used.cores_since(&before)),
            ..sample
        });
        (before, due) = (used, due_now);
    }
    Ok(())
}

fn sample(ledger: &mut Ledger, at: Duration, due: u64) -> Result<Sample> {
    let window = ledger.window()?;
    let (waiting, oldest) = ledger.waiting();
    Ok(Sample {
        at_ms: u64::try_from(at.as_millis()).unwrap_or(u64::MAX),
        due,
        acknowledged: window.acknowledged,
        pushed: window.pushed,
        acknowledge_p50_ms: window.acks.quantile(0.5),
        acknowledge_p99_ms: window.acks.quantile(0.99),
        push_p50_ms: window.pushes.quantile(0.5),
        push_p99_ms: window.pushes.quantile(0.99),
        waiting,
        oldest_ms: oldest.map_or(0.0, |oldest| oldest.elapsed().as_secs_f64() * 1e3),
        rss_kib: None,
        cpu_cores: None,
    })
}

/// What the hub has taken until now.
struct Used {
    pid: u32,
    at: Instant,
    cpu: Duration,
    rss_kib: u64,
}

impl Used {
    /// None while there is no hub.
    fn now(pid: Option<u32>) -> Option<Self> {
        let pid = pid?;
        let (cpu, rss_kib) = process::cpu(pid).ok().zip(process::resident_kib(pid).ok())?;
        Some(Self { pid, at: Instant::now(), cpu, rss_kib })
    }

    /// None across a restart.
    fn cores_since(&self, before: &Self) -> Option<f64> {
        let elapsed = self.at.duration_since(before.at).as_secs_f64();
        (self.pid == before.pid && elapsed > 0.0).then(|| self.cpu.saturating_sub(before.cpu).as_secs_f64() / elapsed)
    }
}
