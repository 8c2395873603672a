//! What is told of a run of leads.

use std::time::Duration;

use super::{
    super::{
        Report, gauge,
        latency::Latencies,
        report::{LedgerRow, Sample, Timeline},
    },
    Book,
    bare::Bare,
    cost,
    faults::Broken,
    ledger::{Ledger, Sums},
    scenario::{Scenario, Targets},
    stored::{Seen, Stored},
};
use crate::hub::Tenant;

/// With fewer sessions, what a hub keeps anyway would be taken for theirs.
const SESSIONS_TO_TELL: usize = 100;

/// Fills in the report. `sessions_kib` is by how much the hub grew when the sessions came.
pub(super) fn report(
    report: &mut Report,
    book: Book,
    scenario: &Scenario,
    tenants: &[Tenant],
    stored: &[Stored],
    sessions_kib: u64,
    bare: Option<&Bare>,
) {
    let ledger = book.ledger.borrow();
    let sums = ledger.sums();
    counts(report, scenario, &ledger, &sums, stored);
    latencies(report, &ledger, &book.looker.seen.borrow());
    if scenario.phases.iter().any(|phase| phase.first_share.is_some()) {
        others_by_phase(report, scenario, &ledger);
    }
    let samples = book.samples.into_inner();
    let cores: Vec<f64> = samples.iter().filter_map(|sample| sample.cpu_cores).collect();
    report.figure_of("hub: CPU, half-second windows", &cores, "cores");
    let rss_mib = gauge::memory(report, &samples);
    let sessions = book.plan.sessions * book.plan.accounts;
    if sessions >= SESSIONS_TO_TELL {
        #[expect(clippy::cast_precision_loss, reason = "no process has 2^53 KiB")]
        report.figure("hub: RSS a session", sessions_kib as f64 / sessions as f64, "KiB");
    }
    let all = |of: fn(&Sums) -> u64| sums.iter().map(of).sum::<u64>();
    let cpu = cpu(&samples, book.pushed.get());
    let a_lead = cost(cpu, all(|sums| sums.acknowledged));
    report.figure("hub: CPU a lead", a_lead, "µs");
    report.figure("hub: CPU a delivery", cost(cpu, all(|sums| sums.pushed)), "µs");
    if let Some(bare) = bare {
        report.latencies("bare HTTP: acknowledged after", Some(bare.acknowledged));
        report.figure("bare HTTP: CPU a lead", bare.cpu_micros, "µs");
        if let Some(acks) = ledger.latencies().0.quantiles() {
            report.figure("hub / bare HTTP, acknowledged after p50", acks.p50 / bare.acknowledged.p50, "×");
            report.figure("hub / bare HTTP, acknowledged after p99", acks.p99 / bare.acknowledged.p99, "×");
        }
        report.figure("hub / bare HTTP, CPU a lead", a_lead / bare.cpu_micros, "×");
    }
    targets(report, &scenario.targets, &ledger, rss_mib);
    report.ledger(
        tenants.iter().zip(&sums).zip(stored).map(|((tenant, sums), stored)| row(tenant, sums, stored)).collect(),
    );
    report.timeline(Timeline { samples, marks: book.marks.into_inner() });
}

fn counts(report: &mut Report, scenario: &Scenario, ledger: &Ledger, sums: &[Sums], stored: &[Stored]) {
    let (repeated, unexpected, refused, broken) = ledger.oddities();
    let all = |of: fn(&Sums) -> u64| sums.iter().map(of).sum::<u64>();
    let of_store = |of: fn(&Stored) -> u64| stored.iter().map(of).sum::<u64>();
    report.count("leads due", all(|sums| sums.due));
    report.count("acknowledged", all(|sums| sums.acknowledged));
    report.must_be_zero("never acknowledged", all(|sums| sums.due - sums.acknowledged));
    report.count("refused with 503 and sent again", refused);
    if refused == 0 && scenario.has(Broken::DiskFull) {
        report.problem("disk-full: the hub refused nothing meanwhile");
    }
    report.count("broken off and sent again", broken);
    report.count("deliveries", all(|sums| sums.pushed));
    report.count("read in the list after being away", all(|sums| sums.in_list));
    report.count("repeated after a crash, dropped by id", repeated);
    report.must_be_zero("lost", all(|sums| sums.lost));
    report.must_be_zero("duplicated", all(|sums| sums.duplicated));
    report.must_be_zero("out of order", all(|sums| sums.out_of_order));
    report.must_be_zero("leaked to another account", all(|sums| sums.leaked));
    report.must_be_zero("never asked for", unexpected);
    report.must_be_zero("acknowledged, but not stored", of_store(|stored| stored.missing));
    report.must_be_zero("stored twice", of_store(|stored| stored.duplicated));
    report.must_be_zero("stored in another account", of_store(|stored| stored.foreign));
}

fn latencies(report: &mut Report, ledger: &Ledger, seen: &Seen) {
    let (acks, pushes, _) = ledger.latencies();
    let mut tell = |name: &str, latencies: &Latencies| {
        report.latencies(&format!("{name} after"), latencies.quantiles());
        report.percentiles(name, latencies);
    };
    tell("acknowledged", acks);
    tell("pushed", pushes);
    if let Some(apart) = seen.apart.quantiles() {
        tell("stored", &seen.after);
        report.figure("stored after: looks were apart, p50", apart.p50, "ms");
        report.figure("stored after: looks were apart, p99", apart.p99, "ms");
    }
}

/// How the accounts but the first fare while the first has more or less than its share. Phases of the first one's name are
/// the measure of those that follow.
fn others_by_phase(report: &mut Report, scenario: &Scenario, ledger: &Ledger) {
    let (mut usual, mut times) = (None, Vec::new());
    for (phase, others) in scenario.phases.iter().zip(ledger.others_in_phases()) {
        let Some(p99) = others.quantile(0.99) else { continue };
        report.figure(format!("accounts but the first, {}: pushed after p99", phase.name), p99, "ms");
        if phase.name == scenario.phases[0].name {
            usual = Some(p99);
        } else if let Some(usual) = usual {
            times.push(p99 / usual);
        }
    }
    let ratio = report.figure_of("accounts but the first: p99 against the phase before, median", &times, "×");
    let wanted = scenario.targets.others_push_p99_of_first_phase;
    report.at_most("accounts but the first: p99 against the phase before", wanted, Some(ratio), "×");
}

/// What the hub took within so long after the start, over all its processes.
fn cpu(samples: &[Sample], until: Duration) -> Duration {
    let mut before = 0;
    let windows = samples.iter().map(|sample| {
        let length = Duration::from_millis(sample.at_ms - std::mem::replace(&mut before, sample.at_ms));
        (sample.at_ms, length.mul_f64(sample.cpu_cores.unwrap_or_default()))
    });
    // The window in which it came to its end counts.
    let last = until.as_millis() + 500;
    windows.take_while(|(at_ms, _)| u128::from(*at_ms) <= last).map(|(_, cpu)| cpu).sum()
}

fn targets(report: &mut Report, targets: &Targets, ledger: &Ledger, rss_mib: f64) {
    let (acks, pushes, others) = ledger.latencies();
    let rows = [
        ("acknowledged after p50", targets.acknowledge_p50_ms, acks.quantile(0.5)),
        ("acknowledged after p99", targets.acknowledge_p99_ms, acks.quantile(0.99)),
        ("pushed after p50", targets.push_p50_ms, pushes.quantile(0.5)),
        ("pushed after p99", targets.push_p99_ms, pushes.quantile(0.99)),
        ("accounts but the first: pushed after p99", targets.others_push_p99_ms, others.quantile(0.99)),
    ];
    for (name, wanted, measured) in rows {
        report.at_most(name, wanted, measured, "ms");
    }
    report.at_most("most resident memory", targets.rss_mib, Some(rss_mib), "MiB");
}

fn row(tenant: &Tenant, sums: &Sums, stored: &Stored) -> LedgerRow {
    LedgerRow {
        account: tenant.account.clone(),
        due: sums.due,
        acknowledged: sums.acknowledged,
        expected: sums.expected,
        live: sums.pushed,
        after_reconnect: sums.in_list,
        stored: stored.found,
        lost: sums.lost,
        duplicated: sums.duplicated + stored.duplicated,
        out_of_order: sums.out_of_order,
        leaked: sums.leaked + stored.foreign,
    }
}
