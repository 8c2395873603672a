//! What a measurement found: a table for people, JSON for machines, and what is wrong.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};
use serde_json::{Map, Value, json};

use super::{cores, latency::Latencies};

/// The figures of one measurement, and its problems: with any, the run has failed.
pub struct Report {
    command: &'static str,
    seed: u64,
    figures: Vec<Figure>,
    problems: Vec<String>,
}

struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
}

impl Report {
    pub(super) const fn new(command: &'static str, seed: u64) -> Self {
        Self { command, seed, figures: Vec::new(), problems: Vec::new() }
    }

    pub(super) fn figure(&mut self, name: impl Into<String>, value: f64, unit: &'static str) {
        self.figures.push(Figure { name: name.into(), value, unit });
    }

    #[expect(clippy::cast_precision_loss, reason = "no count comes near 2^53")]
    pub(super) fn count(&mut self, name: impl Into<String>, count: u64) {
        self.figure(name, count as f64, "");
    }

    /// A count that must be zero.
    pub(super) fn must_be_zero(&mut self, name: &str, count: u64) {
        self.count(name, count);
        if count > 0 {
            self.problem(format!("{name}: {count}"));
        }
    }

    pub(super) fn latencies(&mut self, name: &str, latencies: &Latencies) {
        for (label, share) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)] {
            if let Some(millis) = latencies.quantile(share) {
                self.figure(format!("{name} {label}"), millis, "ms");
            }
        }
        if let Some(millis) = latencies.max() {
            self.figure(format!("{name} max"), millis, "ms");
        }
    }

    pub(super) fn problem(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.problems.is_empty()
    }

    /// Prints the table on stdout and the problems on stderr, and writes the JSON where asked to.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn publish(&self, json: Option<&Path>) -> Result<()> {
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED).set_header([self.command, "", ""]);
        for figure in &self.figures {
            table.add_row([figure.name.clone(), readable(figure.value), figure.unit.to_owned()]);
        }
        if let Some(values) = table.column_mut(1) {
            values.set_cell_alignment(CellAlignment::Right);
        }
        println!("{table}");
        for problem in &self.problems {
            eprintln!("PROBLEM: {problem}");
        }
        let Some(path) = json else { return Ok(()) };
        let text = serde_json::to_string_pretty(&self.to_json())?;
        fs::write(path, text).with_context(|| format!("can't write {}", path.display()))
    }

    fn to_json(&self) -> Value {
        let figures: Map<String, Value> = self
            .figures
            .iter()
            .map(|figure| (figure.name.clone(), json!({"value": figure.value, "unit": figure.unit})))
            .collect();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        json!({
            "command": self.command, "seed": self.seed, "cores": cores(), "kernel": kernel.trim(),
            "figures": figures, "problems": self.problems,
        })
    }
}

/// Counts as they are, others with three digits that say something.
fn readable(value: f64) -> String {
    if value.fract() == 0.0 {
        format!("{value:.0}")
    } else if value.abs() >= 100.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_must_be_zero_and_is_not_fails_the_run() {
        let mut report = Report::new("lead", 1);
        report.must_be_zero("lost", 0);
        assert!(report.is_good());
        report.must_be_zero("leaked", 2);
        assert!(!report.is_good());
        assert_eq!(report.to_json()["problems"], json!(["leaked: 2"]));
        assert_eq!(report.to_json()["figures"]["leaked"]["value"], 2.0);
    }

    #[test]
    fn figures_are_short() {
        assert_eq!([readable(12.0), readable(1234.56), readable(0.123_456)], ["12", "1234.6", "0.123"]);
    }
}
