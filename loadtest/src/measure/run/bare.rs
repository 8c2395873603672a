//! The baseline: the same POSTs at the same times, to an endpoint that keeps nothing.

use std::{
    cell::RefCell,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::{
    super::{cores, ingest::bare_endpoint, latency::Quantiles, process, progress},
    LEAD_IN,
    ledger::Ledger,
    plan::Plan,
    scenario::Webhooks,
    schedule::{self, Sender},
};
use crate::hub::Tenant;

/// Of a longer schedule, the beginning is enough.
const LONGEST: Duration = Duration::from_mins(1);

pub(super) struct Bare {
    pub acknowledged: Quantiles,
    /// Processor time a lead in microseconds.
    pub cpu_micros: f64,
}

pub(super) async fn measure(plan: &Rc<Plan>, tenants: &[Tenant], webhooks: &Webhooks) -> Result<Bare> {
    ensure!(
        plan.again.is_empty(),
        "--baseline: a bare endpoint acknowledges nothing that comes again in a retry-storm"
    );
    let _step = progress::step("measuring a bare endpoint with the same schedule");
    let (child, address) = bare_endpoint(cores()).await?;
    let posts = &plan.posts[..plan.posts.partition_point(|post| post.due <= LONGEST)];
    let requests = schedule::requests(address, tenants, plan, posts, webhooks);
    let start = Instant::now() + LEAD_IN;
    let ledger = RefCell::new(Ledger::new(Rc::clone(plan), start)?);
    let cpu = process::cpu(child.pid()?)?;
    Sender { address, posts, ledger: &ledger, connections: webhooks.connections, end: start + 2 * LONGEST }
        .send(&requests)
        .await?;
    let cpu = process::cpu(child.pid()?)?.saturating_sub(cpu);
    let acknowledged = ledger.borrow().latencies().0.quantiles().context("the bare endpoint acknowledged nothing")?;
    let count: u64 = ledger.borrow().sums().iter().map(|sums| sums.acknowledged).sum();
    Ok(Bare { acknowledged, cpu_micros: super::cost(cpu, count) })
}
