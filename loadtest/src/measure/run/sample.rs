//! The run as it goes, twice a second: counts, latencies, what waits, and what the hub takes.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    time::Duration,
};

use anyhow::Result;

use super::{
    super::{gauge, latency::Latencies, process::Used, progress, report::Sample},
    ledger::{Ledger, Window},
    plan::Plan,
};

const EVERY: Duration = Duration::from_millis(500);
/// What is shown meanwhile is of so many windows.
const SHOWN: usize = 10;

/// Takes samples for as long as it is polled, and shows how it goes.
pub(super) async fn take(
    ledger: &RefCell<Ledger>,
    plan: &Plan,
    pid: &Cell<Option<u32>>,
    samples: &RefCell<Vec<Sample>>,
) -> Result<()> {
    let start = ledger.borrow().start();
    let bar = progress::bar("leads", plan.events() as u64);
    tokio::time::sleep_until(start.into()).await;
    let (mut before, mut recent) = (Used::now(pid.get()), VecDeque::new());
    let mut due = 0;
    for number in 1_u32.. {
        tokio::time::sleep_until((start + EVERY * number).into()).await;
        let used = Used::now(pid.get());
        let due_now = plan.due_within(start.elapsed());
        let window = ledger.borrow_mut().window()?;
        let (waiting, oldest) = ledger.borrow_mut().waiting();
        bar.inc(window.acknowledged);
        samples.borrow_mut().push(Sample {
            at_ms: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
            due: (due_now - due) as u64,
            acknowledged: window.acknowledged,
            pushed: window.pushed,
            acknowledge_p50_ms: window.acks.quantile(0.5),
            acknowledge_p99_ms: window.acks.quantile(0.99),
            push_p50_ms: window.pushes.quantile(0.5),
            push_p99_ms: window.pushes.quantile(0.99),
            waiting,
            oldest_ms: oldest.map_or(0.0, |oldest| oldest.elapsed().as_secs_f64() * 1e3),
            ..gauge::sample(used.as_ref(), before.as_ref())
        });
        recent.push_back(window);
        if recent.len() > SHOWN {
            recent.pop_front();
        }
        bar.say(of(&recent, waiting)?);
        (before, due) = (used, due_now);
    }
    Ok(())
}

/// Rates and latencies of the last windows, in a line.
fn of(recent: &VecDeque<Window>, waiting: u64) -> Result<String> {
    let (mut acks, mut pushes, mut count) = (Latencies::new()?, Latencies::new()?, 0);
    for window in recent {
        acks.add(&window.acks)?;
        pushes.add(&window.pushes)?;
        count += window.pushed;
    }
    let [acks, pushes] = [acks, pushes].map(|of| of.quantile(0.99).unwrap_or_default());
    let millis = u128::from(recent.len().max(1) as u64) * EVERY.as_millis();
    let rate = u128::from(count) * 1000 / millis;
    Ok(format!("pushed {rate}/s, p99 acknowledged {acks:.1} ms, pushed {pushes:.1} ms, {waiting} waiting"))
}
