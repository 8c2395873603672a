//! Two reports beside each other: what became better, what worse, and what is noise.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use anyhow::Result;
use clap::Args;
use comfy_table::Cell;

use super::{
    Report, file,
    parts::Figure,
    table::{right, with_header, with_spread, with_unit},
};

/// Compare two reports written with `--json`: what became better or worse from the first to the second.
///
/// A change is noise while the two values' intervals overlap. Where a value has no interval, being of one round, --noise
/// is taken instead. The exit status is 0, 1 when anything became worse, and 2 when a file can't be read.
#[derive(Debug, Args)]
pub struct Compare {
    /// The report to compare with.
    a: PathBuf,
    /// The report to judge.
    b: PathBuf,
    /// What values without an interval may differ by and still count as equal, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 10.0)]
    noise: f64,
}

/// Prints the comparison on stdout; whether nothing became worse.
///
/// # Errors
/// If a file can't be read or is no report.
pub fn run(options: &Compare) -> Result<bool> {
    let (a, b) = (file::read(&options.a)?, file::read(&options.b)?);
    let changes = changes(&a, &b, options.noise);
    let mut out = io::stdout().lock();
    writeln!(out, "{}", table(&changes))?;
    for remark in remarks(&a, &b, &changes) {
        writeln!(out, "{remark}")?;
    }
    Ok(changes.iter().all(|change| change.verdict != Verdict::Worse))
}

/// A figure that both reports have.
struct Change<'a> {
    a: &'a Figure,
    b: &'a Figure,
    verdict: Verdict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    WithinNoise,
    Better,
    Worse,
    /// Of this figure neither more nor less is better.
    NotJudged,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Less,
    More,
}

fn changes<'a>(a: &'a Report, b: &'a Report, noise: f64) -> Vec<Change<'a>> {
    let both =
        a.figures.iter().filter_map(|figure| Some((figure, b.figures.iter().find(|other| same(figure, other))?)));
    both.map(|(a, b)| Change { a, b, verdict: judge(a, b, noise) }).collect()
}

fn same(a: &Figure, b: &Figure) -> bool {
    a.name == b.name && a.unit == b.unit
}

fn judge(a: &Figure, b: &Figure, noise: f64) -> Verdict {
    let (Some(wanted), true) = (wanted(b), a.value.is_finite() && b.value.is_finite()) else {
        return Verdict::NotJudged;
    };
    let change = b.value - a.value;
    if change.abs() <= bound(a, b, noise) {
        Verdict::WithinNoise
    } else if (change < 0.0) == (wanted == Wanted::Less) {
        Verdict::Better
    } else {
        Verdict::Worse
    }
}

/// How far the values may be from each other and count as equal.
///
/// With both intervals it is the sum of their halves: beyond it they don't overlap. That is stricter than the test of one
/// difference at 95 %, on purpose, for a comparison has dozens of figures and one in twenty would be found "worse" by chance.
fn bound(a: &Figure, b: &Figure, noise: f64) -> f64 {
    if b.must_be_zero {
        return 0.0;
    }
    match (a.spread, b.spread) {
        (Some(a), Some(b)) => a + b,
        (a_spread, b_spread) => (a.value.abs() * noise / 100.0).max(a_spread.or(b_spread).unwrap_or(0.0)),
    }
}

/// What is better; none where that can't be told: counts of what was done, and the longest of many latencies, which is one
/// value of one event.
fn wanted(figure: &Figure) -> Option<Wanted> {
    let mut words = figure.name.split(|letter: char| !letter.is_alphanumeric());
    match figure.unit.as_str() {
        _ if figure.must_be_zero => Some(Wanted::Less),
        "ns" | "µs" | "ms" | "s" if words.clone().next_back() == Some("max") => None,
        "ns" | "µs" | "ms" | "s" | "cores" | "B" | "KiB" | "MiB" | "GiB" => Some(Wanted::Less),
        "×" => Some(if words.any(|word| word.eq_ignore_ascii_case("rate")) { Wanted::More } else { Wanted::Less }),
        unit if unit.ends_with("/s") => Some(Wanted::More),
        _ => None,
    }
}

fn table(changes: &[Change]) -> String {
    let header = ["figure", "a", "b", "", "change", "verdict"];
    let mut table = with_header(header);
    for Change { a, b, verdict } in changes {
        table.add_row([
            Cell::new(&a.name),
            right(with_spread(a.value, a.spread)),
            right(with_spread(b.value, b.spread)),
            Cell::new(&a.unit),
            right(percent(a.value, b.value)),
            Cell::new(verdict.text()),
        ]);
    }
    table.to_string()
}

impl Verdict {
    const fn text(self) -> &'static str {
        match self {
            Self::WithinNoise => "within noise",
            Self::Better => "better",
            Self::Worse => "WORSE",
            Self::NotJudged => "",
        }
    }
}

/// The change in percent; of nothing there is none.
fn percent(a: f64, b: f64) -> String {
    let change = (b - a) / a.abs() * 100.0;
    match change {
        _ if a.total_cmp(&b).is_eq() => "0 %".to_owned(),
        change if !change.is_finite() => "–".to_owned(),
        change => format!("{change:+.1} %"),
    }
}

/// What to bear in mind when reading the table, a line each.
fn remarks(a: &Report, b: &Report, changes: &[Change]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut differs = |what: &str, a: String, b: String| {
        if a != b {
            lines.push(format!("not the same {what}: {a} and {b}"));
        }
    };
    differs("scenario", a.command.clone(), b.command.clone());
    differs("seed", a.seed.to_string(), b.seed.to_string());
    differs("machine", a.machine.to_string(), b.machine.to_string());
    for (name, one, other) in [("a", a, b), ("b", b, a)] {
        let only = one.figures.iter().filter(|figure| !other.figures.iter().any(|other| same(figure, other)));
        let only: Vec<String> = only.map(with_name).collect();
        if !only.is_empty() {
            lines.push(format!("only in {name}: {}", only.join(", ")));
        }
        if !one.is_good() {
            lines.push(format!("{name} failed: {}", one.problems.join("; ")));
        }
    }
    let count = |verdict| changes.iter().filter(|change| change.verdict == verdict).count();
    let (better, worse) = (count(Verdict::Better), count(Verdict::Worse));
    lines.push(format!("{better} better, {worse} worse, {} within noise", count(Verdict::WithinNoise)));
    lines
}

fn with_name(figure: &Figure) -> String {
    format!("{} ({})", figure.name, with_unit(figure.value, &figure.unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(name: &str, value: f64, spread: Option<f64>, unit: &str) -> Figure {
        Figure { name: name.into(), value, unit: unit.into(), spread, must_be_zero: false }
    }

    fn verdict(name: &str, unit: &str, a: (f64, Option<f64>), b: (f64, Option<f64>)) -> Verdict {
        judge(&figure(name, a.0, a.1, unit), &figure(name, b.0, b.1, unit), 10.0)
    }

    #[test]
    fn intervals_that_overlap_are_noise() {
        let of = |b| verdict("pushed p99", "ms", (10.0, Some(1.0)), (b, Some(2.0)));
        assert_eq!([of(12.9), of(7.1)], [Verdict::WithinNoise; 2]);
        assert_eq!([of(13.1), of(6.9)], [Verdict::Worse, Verdict::Better]);
    }

    #[test]
    fn without_both_intervals_the_noise_in_percent_counts_or_the_one_interval_if_larger() {
        let of = |b| verdict("pushed p99", "ms", (10.0, None), (b, None));
        assert_eq!([of(10.9), of(11.1), of(8.9)], [Verdict::WithinNoise, Verdict::Worse, Verdict::Better]);
        let one = |spread| verdict("pushed p99", "ms", (10.0, Some(spread)), (12.0, None));
        assert_eq!([one(0.1), one(3.0)], [Verdict::Worse, Verdict::WithinNoise]);
    }

    #[test]
    fn name_and_unit_tell_what_is_better() {
        let more = |name, unit| verdict(name, unit, (10.0, None), (20.0, None));
        for (name, unit) in [("p50", "ms"), ("CPU", "µs"), ("CPU", "cores"), ("RSS", "KiB"), ("hub / bare, CPU", "×")]
        {
            assert_eq!(more(name, unit), Verdict::Worse, "{name}");
        }
        for (name, unit) in [("acknowledged", "/s"), ("hub / bare, rate, median of rounds", "×"), ("written", "MiB/s")]
        {
            assert_eq!(more(name, unit), Verdict::Better, "{name}");
        }
        assert_eq!(more("deliveries", ""), Verdict::NotJudged);
        assert_eq!(more("pushed after max", "ms"), Verdict::NotJudged);
        assert_eq!(verdict("p50", "ms", (f64::NAN, None), (1.0, None)), Verdict::NotJudged);
    }

    #[test]
    fn a_count_that_must_be_zero_has_no_noise() {
        let (mut a, mut b) = (Report::new("lead", 1), Report::new("lead", 1));
        a.must_be_zero("lost", 100);
        b.must_be_zero("lost", 101);
        assert_eq!(changes(&a, &b, 10.0)[0].verdict, Verdict::Worse);
        assert_eq!(changes(&b, &a, 10.0)[0].verdict, Verdict::Better);
    }

    #[test]
    fn what_can_not_be_compared_is_said() {
        let (mut a, mut b) = (Report::new("lead", 1), Report::new("burst", 2));
        b.machine.kernel = "6.1".into();
        a.machine.kernel = "6.8".into();
        a.figure("p50", 1.0, "ms");
        b.figure("p50", 1.0, "s");
        b.problem("lost: 1");
        let lines = remarks(&a, &b, &changes(&a, &b, 10.0)).join("\n");
        for part in
            ["scenario: lead and burst", "seed: 1 and 2", "Linux 6.8 and", "only in a: p50 (1 ms)", "b failed: lost: 1"]
        {
            assert!(lines.contains(part), "{lines}");
        }
        assert!(lines.ends_with("0 better, 0 worse, 0 within noise"));
    }

    #[test]
    fn changes_are_told_in_percent() {
        assert_eq!([percent(10.0, 12.5), percent(0.0, 0.0), percent(0.0, 3.0)], ["+25.0 %", "0 %", "–"]);
    }
}
