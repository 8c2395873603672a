//! A report as a scenario makes it, for the tests: a minute of leads, in which the hub is killed.

use std::time::Duration;

use super::{LedgerRow, Mark, Report, Sample, Timeline};
use crate::measure::latency::Latencies;

/// The windows in which the hub is down.
const DOWN: std::ops::Range<u64> = 48..56;
const WINDOW_MS: u64 = 500;

pub(super) fn report() -> Report {
    let mut report = Report::new("burst <with> a kill", 7);
    let marks = [
        (0, Some(5_000), "warm-up"),
        (5_000, Some(50_000), "steady, 500/s"),
        (24_000, Some(28_000), "hub killed, started again"),
        (36_000, None, "platform answers 503"),
        (50_000, Some(60_000), "burst & drain, 1,500/s"),
    ];
    let mark = |(from_ms, to_ms, text): (u64, Option<u64>, &str)| Mark { from_ms, to_ms, text: text.to_owned() };
    let samples = (0..120).map(sample).collect();
    report.timeline(Timeline { samples, marks: marks.map(mark).to_vec() });
    report.percentiles("acknowledged", &latencies(0.6, 9.0));
    report.percentiles("pushed", &latencies(1.1, 60.0));
    report.at_most("acknowledged p99, steady", Some(10.0), Some(3.912), "ms");
    report.at_most("pushed p99, steady", Some(25.0), Some(31.27), "ms");
    report.at_most("back after the kill", Some(5.0), Some(4.1), "s");
    let row = |account: &str, due, lost| LedgerRow {
        account: account.into(),
        due,
        acknowledged: due,
        expected: due * 5,
        live: due * 5 - 40 - lost,
        after_reconnect: 40,
        stored: due,
        lost,
        ..LedgerRow::default()
    };
    report.ledger(vec![row("Dental <Berlin>", 12_250, 0), row("Solar Leipzig", 12_248, 2), row("Gym", 12_251, 0)]);
    report.figure_of("acknowledged", &[499.2, 500.1, 498.8, 500.4, 499.9, 500.0, 497.3], "/s");
    report.latencies("pushed after", latencies(1.1, 60.0).quantiles());
    report.figure_of("hub: CPU a lead", &[412.0, 398.5, 431.7, 405.2, 409.9, 402.3], "µs");
    report.count("webhooks due", 36_749);
    report.must_be_zero("lost", 2);
    report.must_be_zero("leaked to another account", 0);
    report
}

/// Many around one value, a few far above.
fn latencies(usual_ms: f64, slowest_ms: f64) -> Latencies {
    let mut latencies = Latencies::new().unwrap();
    for step in 0..20_000_u32 {
        let share = f64::from(step) / 20_000.0;
        let millis = usual_ms * (0.6 + 0.9 * share) + slowest_ms * share.powi(400) + 3.0 * usual_ms * share.powi(25);
        latencies.record(Duration::from_secs_f64(millis / 1000.0));
    }
    latencies
}

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an example")]
fn sample(window: u64) -> Sample {
    let (down, burst) = (DOWN.contains(&window), window >= 100);
    let wobble = 1.0 + 0.25 * (window as f64 * 1.7).sin() + 0.15 * (window as f64 * 0.61).cos();
    let load = if burst { 3.0 } else { 1.0 };
    let since = window as f64 - DOWN.end as f64;
    // What had to wait while the hub was down is sent after it.
    let catching_up = if (0.0..6.0).contains(&since) { 600.0 * (0.5_f64).powf(since) } else { 0.0 };
    let due = (250.0 * load) as u64;
    let late = 1.0 + catching_up * 4.0 + if burst { 6.0 } else { 0.0 };
    let some = |value: f64| (!down).then_some(value);
    let in_time = if down { 0 } else { (due as f64 * wobble.min(1.05)) as u64 + catching_up as u64 };
    let waiting = if down { 35 } else { (catching_up * 1.4 + wobble * load * 3.0) as u64 };
    Sample {
        at_ms: (window + 1) * WINDOW_MS,
        due,
        acknowledged: in_time,
        pushed: in_time.saturating_sub(u64::from(window.is_multiple_of(3)) * 6),
        acknowledge_p50_ms: some(0.6 * wobble * late),
        acknowledge_p99_ms: some(2.6 * wobble * late),
        push_p50_ms: some(1.1 * wobble * late),
        push_p99_ms: some(5.1 * wobble * wobble * late),
        waiting,
        oldest_ms: if down { (window - DOWN.start + 1) as f64 * 500.0 } else { 2.0 * wobble * late },
        rss_kib: (!down).then_some(33_000 + window * 18 + if burst { 9_000 } else { 0 }),
        socket_kib: Some(400 + window % 7 * 90),
        cpu_cores: some(0.31 * load * wobble + catching_up / 500.0),
    }
}
