//! The report as a JSON file.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::Report;

/// The version of the file. A new field that may be missing leaves it; anything else makes it one more.
pub(super) const FORMAT: u32 = 1;

pub(super) fn json(report: &Report) -> Result<String> {
    Ok(serde_json::to_string_pretty(report)? + "\n")
}

pub(super) fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("can't write {}", path.display()))
}

/// # Errors
/// If the file can't be read, is no report, or is one of another version.
pub(super) fn read(path: &Path) -> Result<Report> {
    let text = fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
    parse(&text).with_context(|| format!("{} is no report that this program can read", path.display()))
}

fn parse(text: &str) -> Result<Report> {
    #[derive(Deserialize)]
    struct Version {
        format: Option<u32>,
    }
    // The version first: of another one nothing else can be told.
    match serde_json::from_str::<Version>(text)?.format {
        Some(FORMAT) => Ok(serde_json::from_str(text)?),
        Some(other) => bail!("it has format {other}, and this program knows {FORMAT} only"),
        None => bail!("it has no format"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::report::{Sample, example};

    fn error_of(name: &str, text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        format!("{:#}", read(&path).unwrap_err())
    }

    #[test]
    fn a_report_comes_back_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        let report = example::report();
        write(&path, &json(&report).unwrap()).unwrap();
        let back = read(&path).unwrap();
        assert_eq!((&back.command, back.seed, &back.machine), (&report.command, report.seed, &report.machine));
        assert_eq!((&back.problems, &back.targets, &back.ledger), (&report.problems, &report.targets, &report.ledger));
        // The last of sixteen digits may come back as another one.
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-12 * a.abs();
        for (a, b) in report.figures.iter().zip(&back.figures) {
            assert!(near(a.value, b.value) && a.spread.is_some() == b.spread.is_some(), "{a:?} {b:?}");
        }
        assert_eq!(back.figures.len(), report.figures.len());
        assert_eq!(back.curves[1].points.len(), report.curves[1].points.len());
        let (before, after) = (report.timeline.unwrap(), back.timeline.unwrap());
        assert_eq!((before.samples.len(), before.marks.len()), (after.samples.len(), after.marks.len()));
        let gaps = |samples: &[Sample]| samples.iter().map(|sample| sample.rss_kib).collect::<Vec<_>>();
        assert_eq!(gaps(&before.samples), gaps(&after.samples));
    }

    #[test]
    fn what_is_not_a_number_comes_back_as_such() {
        let mut report = Report::new("ingest", 1);
        report.figure("ratio of nothing", f64::NAN, "×");
        assert!(parse(&json(&report).unwrap()).unwrap().figures[0].value.is_nan());
    }

    #[test]
    fn what_can_not_be_read_is_named() {
        assert!(
            error_of("old.json", r#"{"figures": {}}"#).contains("old.json is no report that this program can read")
        );
        assert!(error_of("new.json", r#"{"format": 2}"#).contains("it has format 2"));
        assert!(error_of("cut.json", r#"{"format": 1, "comm"#).contains("cut.json"));
        let missing = read(Path::new("/nowhere/report.json")).unwrap_err();
        assert!(format!("{missing:#}").contains("can't read /nowhere/report.json"));
    }
}
