//! The report: measurements fill it in, and `publish` shows it.

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::{
    LedgerRow, Timeline, file, html,
    parts::{Curve, Figure, Machine, Target},
    spread, table,
};
use crate::measure::{
    Common,
    latency::{Latencies, Quantiles},
};

/// The figures of one measurement, and its problems: with any, the run has failed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// The version of the file; see `file`.
    pub(super) format: u32,
    /// The measurement's or the scenario's name.
    pub(super) command: String,
    pub(super) seed: u64,
    pub(super) machine: Machine,
    pub(super) problems: Vec<String>,
    pub(super) targets: Vec<Target>,
    pub(super) figures: Vec<Figure>,
    pub(super) ledger: Vec<LedgerRow>,
    pub(super) curves: Vec<Curve>,
    pub(super) timeline: Option<Timeline>,
}

impl Report {
    pub(in crate::measure) fn new(command: impl Into<String>, seed: u64) -> Self {
        Self {
            format: file::FORMAT,
            command: command.into(),
            seed,
            machine: Machine::here(),
            problems: Vec::new(),
            targets: Vec::new(),
            figures: Vec::new(),
            ledger: Vec::new(),
            curves: Vec::new(),
            timeline: None,
        }
    }

    pub(in crate::measure) fn figure(&mut self, name: impl Into<String>, value: f64, unit: &str) {
        self.add(name, value, unit);
    }

    fn add(&mut self, name: impl Into<String>, value: f64, unit: &str) -> &mut Figure {
        let (name, unit) = (name.into(), unit.to_owned());
        self.figures.push_mut(Figure { name, value, unit, spread: None, must_be_zero: false })
    }

    #[expect(clippy::cast_precision_loss, reason = "no count comes near 2^53")]
    pub(in crate::measure) fn count(&mut self, name: impl Into<String>, count: u64) {
        self.figure(name, count as f64, "");
    }

    /// A count that must be zero.
    #[expect(clippy::cast_precision_loss, reason = "no count comes near 2^53")]
    pub(in crate::measure) fn must_be_zero(&mut self, name: &str, count: u64) {
        self.add(name, count as f64, "").must_be_zero = true;
        if count > 0 {
            self.problem(format!("{name}: {count}"));
        }
    }

    /// Five figures of it; none when there are no latencies.
    pub(in crate::measure) fn latencies(&mut self, name: &str, latencies: Option<Quantiles>) {
        let Some(Quantiles { p50, p90, p99, p999, max }) = latencies else { return };
        for (label, millis) in [("p50", p50), ("p90", p90), ("p99", p99), ("p99.9", p999), ("max", max)] {
            self.figure(format!("{name} {label}"), millis, "ms");
        }
    }

    pub(in crate::measure) fn problem(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.problems.is_empty()
    }

    /// Prints the tables on stdout and the problems on stderr, and writes the JSON and the page where asked to.
    ///
    /// # Errors
    /// If a file can't be written.
    pub fn publish(&self, common: &Common) -> Result<()> {
        println!("{}", table::of(self));
        for problem in &self.problems {
            eprintln!("PROBLEM: {problem}");
        }
        let to = |path: &Path, text: String| file::write(path, &text);
        common.json.as_deref().map_or(Ok(()), |path| to(path, file::json(self)?))?;
        common.html.as_deref().map_or(Ok(()), |path| to(path, html::page(self)))
    }
}

#[derive(Clone, Copy)]
enum Bound {
    AtMost,
    AtLeast,
}

/// What scenarios add to figures and counts.
impl Report {
    /// The median of several rounds or windows, with how far it can be trusted (see `spread`).
    pub(in crate::measure) fn figure_of(&mut self, name: impl Into<String>, values: &[f64], unit: &str) -> f64 {
        let (value, spread) = spread::median_with_spread(values);
        self.add(name, value, unit).spread = spread;
        value
    }

    /// Something promised, where it is: this much at most. When it is not met, the run has failed.
    pub(in crate::measure) fn at_most(&mut self, name: &str, wanted: Option<f64>, measured: Option<f64>, unit: &str) {
        self.target(name, wanted, measured, unit, Bound::AtMost);
    }

    /// The same: this much at least.
    pub(in crate::measure) fn at_least(&mut self, name: &str, wanted: Option<f64>, measured: Option<f64>, unit: &str) {
        self.target(name, wanted, measured, unit, Bound::AtLeast);
    }

    fn target(&mut self, name: &str, wanted: Option<f64>, measured: Option<f64>, unit: &str, bound: Bound) {
        let Some(limit) = wanted else { return };
        let Some(measured) = measured else { return self.problem(format!("{name}: nothing was measured")) };
        let (sign, met) = match bound {
            Bound::AtMost => ('≤', measured <= limit),
            Bound::AtLeast => ('≥', measured >= limit),
        };
        let wanted = format!("{sign} {limit} {unit}");
        if !met {
            self.problem(format!("{name}: {}, but {wanted} is wanted", table::with_unit(measured, unit)));
        }
        self.targets.push(Target { name: name.to_owned(), wanted, measured, unit: unit.to_owned(), met });
    }

    /// One row an account. The rows fail nothing: counts that must be zero are to be given to `must_be_zero`.
    pub(in crate::measure) fn ledger(&mut self, rows: Vec<LedgerRow>) {
        self.ledger = rows;
    }

    /// How the run went over time.
    pub(in crate::measure) fn timeline(&mut self, timeline: Timeline) {
        self.timeline = Some(timeline);
    }

    /// Latencies for the plot by percentile, up to p99.99, twenty points for each further nine.
    pub(in crate::measure) fn percentiles(&mut self, name: impl Into<String>, latencies: &Latencies) {
        let share = |step: u32| 1.0 - 10_f64.powf(f64::from(step) / -20.0);
        let points = (0..=80).map(share).filter_map(|share| Some((share, latencies.quantile(share)?))).collect();
        self.curves.push(Curve { name: name.into(), points });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_count_that_must_be_zero_and_is_not_fails_the_run() {
        let mut report = Report::new("lead", 1);
        report.must_be_zero("lost", 0);
        assert!(report.is_good());
        report.must_be_zero("leaked", 2);
        assert_eq!(report.problems, ["leaked: 2"]);
        assert!(report.figures[1].must_be_zero);
    }

    #[test]
    fn a_missed_target_fails_the_run() {
        let mut report = Report::new("steady", 1);
        report.at_most("push p50", Some(5.0), Some(1.25), "ms");
        report.at_least("rate", Some(0.5), Some(0.5), "×");
        report.at_most("push max", None, Some(99.0), "ms");
        assert!(report.is_good() && report.targets.len() == 2);
        report.at_most("push p99", Some(25.0), Some(31.5), "ms");
        report.at_least("rate", Some(0.5), None, "×");
        assert_eq!(report.problems, ["push p99: 31.50 ms, but ≤ 25 ms is wanted", "rate: nothing was measured"]);
    }

    #[test]
    fn percentiles_reach_to_four_nines() {
        let mut latencies = Latencies::new().unwrap();
        (1..=20_000).for_each(|micros| latencies.record(Duration::from_micros(micros)));
        let mut report = Report::new("steady", 1);
        report.percentiles("push", &latencies);
        let points = &report.curves[0].points;
        let at = |wanted: f64| points.iter().find(|(share, _)| (share - wanted).abs() < 1e-9).unwrap().1;
        assert!((17.9..18.1).contains(&at(0.9)) && (19.9..20.1).contains(&at(0.9999)), "{points:?}");
        assert!(points.is_sorted_by(|a, b| a.1 <= b.1));
    }
}
