//! The report as one page: no other file, no network, no script.

use std::fmt::Write;

use super::{
    Mark, Report,
    charts::{self, Chart},
    parts::Figure,
    table::{LEDGER, counts, readable, total, with_spread, with_unit},
};

const STYLE: &str = include_str!("style.css");

/// The whole page.
pub(super) fn page(report: &Report) -> String {
    let name = escape(&report.command);
    let sections = [verdict(report), targets(report), plots(report), ledger(report), figures(&report.figures)].concat();
    let machine = escape(&report.machine.to_string());
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{name}: load test of Leadwire</title>
<style>
{STYLE}</style>
</head>
<body>
<main>
<header>
<p class="kicker">Leadwire load test</p>
<h1>{name}</h1>
<p class="meta"><span>{machine}</span><span>seed {}</span>{}</p>
</header>
{sections}</main>
</body>
</html>
"#,
        report.seed,
        length(report),
    )
}

/// Text from outside, made harmless between tags and in quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ => safe.push(letter),
        }
    }
    safe
}

/// A value and its unit on one line, where they are short enough for a phone.
fn unbroken(text: &str) -> String {
    if text.chars().count() <= 14 { text.replace(' ', "\u{a0}") } else { text.to_owned() }
}

fn length(report: &Report) -> String {
    let last = report.timeline.as_ref().and_then(|timeline| timeline.samples.last());
    last.map(|sample| format!("<span>{}</span>", duration(sample.at_ms))).unwrap_or_default()
}

/// Seconds up to two minutes, then minutes and seconds.
fn duration(millis: u64) -> String {
    let (minutes, seconds) = (millis / 60_000, millis % 60_000 / 1000);
    match (minutes, millis % 1000) {
        (0..2, 0) => format!("{} s", millis / 1000),
        (0..2, rest) => format!("{}.{} s", millis / 1000, rest / 100),
        _ => format!("{minutes} min {seconds:02} s"),
    }
}

fn verdict(report: &Report) -> String {
    if report.is_good() {
        return r#"<section class="verdict good"><h2>✓ Passed</h2><p>Nothing is wrong.</p></section>
"#
        .to_owned();
    }
    let item = |problem: &String| format!("<li>{}</li>", escape(problem));
    let items: String = report.problems.iter().map(item).collect();
    format!(
        r#"<section class="verdict bad"><h2>✗ Failed</h2><ul>{items}</ul></section>
"#
    )
}

fn targets(report: &Report) -> String {
    if report.targets.is_empty() {
        return String::new();
    }
    let mut rows = String::new();
    for target in &report.targets {
        let (class, verdict) = if target.met { ("good", "✓ met") } else { ("bad", "✗ missed") };
        let measured = with_unit(target.measured, &target.unit);
        let _ = writeln!(
            rows,
            r#"<tr><th scope="row">{}</th><td>{}</td><td class="number">{}</td><td class="{class}">{verdict}</td></tr>"#,
            escape(&target.name),
            unbroken(&escape(&target.wanted)),
            escape(&measured),
        );
    }
    let head = r#"<tr><th>Target</th><th>Wanted</th><th class="number">Measured</th><th>Verdict</th></tr>"#;
    section("Targets", &scrolling("", head, &rows, ""))
}

fn plots(report: &Report) -> String {
    let charts: String = charts::of(report).iter().map(chart).collect();
    let marks = report.timeline.as_ref().map(|timeline| marks(&timeline.marks)).unwrap_or_default();
    if charts.is_empty() { String::new() } else { section("How it went", &(marks + &charts)) }
}

/// The numbers that stand above the bands in the plots, and what they mean.
fn marks(marks: &[Mark]) -> String {
    let item = |mark: &Mark| {
        let until = mark.to_ms.map(|to| format!(" to {}", duration(to))).unwrap_or_default();
        format!("<li>{} <span>{}{until}</span></li>", escape(&mark.text), duration(mark.from_ms))
    };
    let items: String = marks.iter().map(item).collect();
    if items.is_empty() { items } else { format!("<ol class=\"marks\">{items}</ol>\n") }
}

fn chart(chart: &Chart) -> String {
    let lines = &chart.plot.lines;
    let key = |line: &super::plot::Line| {
        let swatch = format!(r#"<svg viewBox="0 0 26 10"><path class="line {}" d="M3 5H23"/></svg>"#, line.class);
        format!(r#"<span class="key">{swatch}{}</span>"#, escape(&line.name))
    };
    // A line with its room tinted is alone in its plot, and named by the title.
    let is_told_by_title = lines.iter().all(|line| line.filled);
    let legend: String = if is_told_by_title { String::new() } else { lines.iter().map(key).collect() };
    format!(
        "<figure><figcaption><strong>{}</strong> <span class=\"note\">{}</span><span class=\"legend\">{legend}</span></figcaption>{}</figure>\n",
        chart.title,
        chart.note,
        chart.svgs(),
    )
}

fn ledger(report: &Report) -> String {
    if report.ledger.is_empty() {
        return String::new();
    }
    let cell = |(column, count): (usize, u64)| {
        let class = if column >= 6 && count > 0 { "number bad" } else { "number" };
        #[expect(clippy::cast_precision_loss, reason = "no count comes near 2^53")]
        let text = readable(count as f64);
        format!(r#"<td class="{class}">{text}</td>"#)
    };
    let cells = |counts: [u64; 10]| -> String { counts.into_iter().enumerate().map(cell).collect() };
    let mut rows = String::new();
    for row in &report.ledger {
        let _ = writeln!(rows, r#"<tr><th scope="row">{}</th>{}</tr>"#, escape(&row.account), cells(counts(row)));
    }
    let column = |name: &&str| format!(r#"<th class="number">{name}</th>"#);
    let head: String = LEDGER[1..].iter().map(column).collect();
    let head = format!("<tr><th>{}</th>{head}</tr>", LEDGER[0]);
    let name = format!("all {}", report.ledger.len());
    let foot = format!(r#"<tr><th scope="row">{name}</th>{}</tr>"#, cells(total(&report.ledger)));
    let note = "<p class=\"note\">What became of each account's leads. Lost, duplicated, out of order and leaked should be 0.</p>\n";
    section("Ledger", &(note.to_owned() + &scrolling("ledger", &head, &rows, &foot)))
}

fn figures(figures: &[Figure]) -> String {
    let mut rows = String::new();
    for figure in figures {
        let class = if figure.must_be_zero && figure.value > 0.0 { "number bad" } else { "number" };
        let _ = writeln!(
            rows,
            r#"<tr><th scope="row">{}</th><td class="{class}">{}</td><td>{}</td></tr>"#,
            escape(&figure.name),
            with_spread(figure.value, figure.spread),
            escape(&figure.unit),
        );
    }
    let is_any_spread = figures.iter().any(|figure| figure.spread.is_some());
    let note = "<p class=\"note\">± is half of the 95 % interval around the median of several rounds or windows.</p>\n";
    let head = r#"<tr><th>Figure</th><th class="number">Value</th><th>Unit</th></tr>"#;
    section("Figures", &(if is_any_spread { note } else { "" }.to_owned() + &scrolling("figures", head, &rows, "")))
}

fn section(title: &str, content: &str) -> String {
    format!("<section><h2>{title}</h2>\n{content}</section>\n")
}

/// A table that scrolls by itself where the page is too narrow for it.
fn scrolling(class: &str, head: &str, rows: &str, foot: &str) -> String {
    let foot = if foot.is_empty() { String::new() } else { format!("<tfoot>{foot}</tfoot>") };
    format!(
        "<div class=\"scroll\" tabindex=\"0\"><table class=\"{class}\"><thead>{head}</thead><tbody>\n{rows}</tbody>{foot}</table></div>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::report::example;

    #[test]
    fn nothing_from_outside_becomes_markup() {
        let mut report = example::report();
        let hostile = r#""><script>alert('x')</script>&"#;
        report.command = hostile.to_owned();
        report.machine.kernel = hostile.to_owned();
        report.problem(hostile);
        report.at_most(hostile, Some(1.0), Some(1.0), hostile);
        report.figure(hostile, 1.0, hostile);
        report.ledger[0].account = hostile.to_owned();
        report.curves[0].name = hostile.to_owned();
        report.timeline.as_mut().unwrap().marks[0].text = hostile.to_owned();
        let page = page(&report);
        assert!(!page.contains("<script") && !page.contains("alert('x"), "{page}");
        assert!(page.contains("<h1>&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;</h1>"));
    }

    #[test]
    fn the_page_asks_for_nothing_from_elsewhere() {
        let page = page(&example::report());
        for word in ["http:", "https:", "src=", "<link", "url(", "@import"] {
            assert!(!page.contains(word), "{word}");
        }
    }

    #[test]
    fn the_verdict_is_told_with_its_reasons() {
        let bad = page(&example::report());
        assert!(bad.contains("✗ Failed") && bad.contains("<li>lost: 2</li>") && bad.contains("✗ missed"));
        let good = page(&Report::new("ingest", 1));
        assert!(good.contains("✓ Passed") && !good.contains("<figure>"));
    }

    #[test]
    fn times_are_short() {
        assert_eq!([500, 24_000, 119_250, 3_600_000].map(duration), ["0.5 s", "24 s", "119.2 s", "60 min 00 s"]);
    }

    /// For looking at it: `REPORT_HTML=report.html cargo test -p loadtest --lib the_example`.
    #[test]
    fn the_example_can_be_looked_at() {
        if let Some(path) = std::env::var_os("REPORT_HTML") {
            std::fs::write(path, page(&example::report())).unwrap();
        }
    }
}
