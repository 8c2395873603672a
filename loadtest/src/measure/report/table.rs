//! The report on a terminal.

use comfy_table::{Cell, CellAlignment, Row, Table, presets::UTF8_FULL_CONDENSED};

use super::{LedgerRow, Report};

/// More accounts than this would push everything else off the screen.
const LEDGER_ROWS: usize = 20;

/// The columns of the ledger, the last four of which must be zero.
pub(super) const LEDGER: [&str; 11] = [
    "account",
    "due",
    "acknowledged",
    "expected",
    "live",
    "after reconnect",
    "stored",
    "lost",
    "duplicated",
    "out of order",
    "leaked",
];

/// The counts of a row in the order of the columns.
pub(super) const fn counts(row: &LedgerRow) -> [u64; 10] {
    [
        row.due,
        row.acknowledged,
        row.expected,
        row.live,
        row.after_reconnect,
        row.stored,
        row.lost,
        row.duplicated,
        row.out_of_order,
        row.leaked,
    ]
}

/// Whether one of the counts is of leads that went wrong.
fn is_faulty(row: &LedgerRow) -> bool {
    counts(row)[6..].iter().any(|count| *count > 0)
}

/// The sum over all accounts.
pub(super) fn total(rows: &[LedgerRow]) -> [u64; 10] {
    rows.iter().map(counts).fold([0; 10], |sum, row| std::array::from_fn(|column| sum[column] + row[column]))
}

/// All tables of the report, below each other.
pub(super) fn of(report: &Report) -> String {
    let mut tables = vec![figures(report)];
    if !report.targets.is_empty() {
        tables.push(targets(report));
    }
    if !report.ledger.is_empty() {
        tables.push(ledger(&report.ledger));
    }
    tables.join("\n")
}

/// A table without rows.
pub(super) fn with_header(header: impl Into<Row>) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header);
    table
}

/// A cell for a number, so that digits stand below each other.
pub(super) fn right(text: impl ToString) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

fn figures(report: &Report) -> String {
    let mut table = with_header([report.command.as_str(), "", ""]);
    for figure in &report.figures {
        let value = with_spread(figure.value, figure.spread);
        table.add_row([Cell::new(&figure.name), right(value), Cell::new(&figure.unit)]);
    }
    table.to_string()
}

fn targets(report: &Report) -> String {
    let mut table = with_header(["target", "wanted", "measured", ""]);
    for target in &report.targets {
        let measured = with_unit(target.measured, &target.unit);
        let verdict = if target.met { "met" } else { "MISSED" };
        table.add_row([Cell::new(&target.name), Cell::new(&target.wanted), right(measured), Cell::new(verdict)]);
    }
    table.to_string()
}

fn ledger(rows: &[LedgerRow]) -> String {
    let mut table = with_header(LEDGER);
    let mut add = |name: &str, counts: [u64; 10]| {
        let cells = counts.map(|count| right(grouped(&count.to_string())));
        table.add_row([Cell::new(name)].into_iter().chain(cells));
    };
    // What went wrong must be among the rows that are shown.
    let (faulty, fine): (Vec<_>, Vec<_>) = rows.iter().partition(|row| is_faulty(row));
    let shown = faulty.iter().chain(&fine).take(LEDGER_ROWS);
    shown.for_each(|row| add(&row.account, counts(row)));
    let hidden = rows.len().saturating_sub(LEDGER_ROWS);
    let others = if hidden > 0 { format!(" ({hidden} not shown)") } else { String::new() };
    add(&format!("all {}{others}", rows.len()), total(rows));
    table.to_string()
}

/// Counts as they are, others with four digits or so, thousands apart.
pub(super) fn readable(value: f64) -> String {
    if !value.is_finite() {
        "–".to_owned()
    } else if value.fract() == 0.0 {
        grouped(&format!("{value:.0}"))
    } else if value.abs() >= 100.0 {
        grouped(&format!("{value:.1}"))
    } else if value.abs() >= 10.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.3}")
    }
}

pub(super) fn with_unit(value: f64, unit: &str) -> String {
    format!("{} {unit}", readable(value)).trim_end().to_owned()
}

pub(super) fn with_spread(value: f64, spread: Option<f64>) -> String {
    spread.map_or_else(|| readable(value), |spread| format!("{} ± {}", readable(value), readable(spread)))
}

/// Commas between thousands, from five digits on.
fn grouped(number: &str) -> String {
    let digits = number.trim_start_matches('-');
    let whole = digits.find('.').unwrap_or(digits.len());
    let mut text = number[..number.len() - digits.len()].to_owned();
    for (index, digit) in digits.chars().enumerate() {
        if whole > 4 && index > 0 && index < whole && (whole - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::report::example;

    #[test]
    fn figures_are_short() {
        let values = [12.0, 1234.56, 0.123_456, -36_749.0, 1_234_567.8, f64::NAN];
        assert_eq!(values.map(readable), ["12", "1234.6", "0.123", "-36,749", "1,234,567.8", "–"]);
        assert_eq!(with_spread(30_400.0, Some(12.5)), "30,400 ± 12.50");
        assert_eq!([with_unit(2.0, ""), with_unit(2.0, "ms")], ["2", "2 ms"]);
    }

    #[test]
    fn a_missed_target_and_the_ledgers_sum_are_there() {
        let text = of(&example::report());
        assert!(text.contains("MISSED"), "{text}");
        assert!(text.contains("all 3") && text.contains("36,749"), "{text}");
    }

    #[test]
    fn of_many_accounts_the_faulty_ones_are_shown() {
        let row = |nth: u64| LedgerRow {
            account: format!("account {nth}"),
            lost: u64::from(nth == 77),
            ..LedgerRow::default()
        };
        let text = ledger(&(0..100).map(row).collect::<Vec<_>>());
        assert!(text.contains("account 77") && text.contains("all 100 (80 not shown)"), "{text}");
        assert!(!text.contains("account 19"), "{text}");
    }
}
