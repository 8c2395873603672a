//! Which plots a report has, and what is drawn in each.

use super::{
    Mark, Report, Sample, Timeline,
    parts::Curve,
    plot::{Axis, Band, Line, Plot, Size},
    scale::Scale,
};

/// A plot with what stands around it.
pub(super) struct Chart {
    pub title: &'static str,
    /// The unit, and what else has to be known.
    pub note: &'static str,
    pub plot: Plot,
    height: f64,
}

impl Chart {
    /// The plot twice: for wide pages and for narrow ones, where one drawing made smaller could not be read.
    pub(super) fn svgs(&self) -> String {
        let wide = Size { width: 1040.0, height: self.height, labels: true };
        let narrow = Size { width: 380.0, height: self.height, labels: false };
        self.plot.svg(wide, "wide") + &self.plot.svg(narrow, "narrow")
    }
}

/// All plots that the report has values for.
pub(super) fn of(report: &Report) -> Vec<Chart> {
    let timeline = report.timeline.as_ref().filter(|timeline| !timeline.samples.is_empty());
    timeline.map(over_time).into_iter().flatten().chain(by_percentile(&report.curves)).collect()
}

/// Milliseconds to the unit of the time axis.
struct Clock {
    millis: f64,
    unit: &'static str,
}

impl Clock {
    /// Seconds for runs of up to five minutes, then minutes, then hours.
    const fn for_run_of(millis: u64) -> Self {
        match millis {
            0..=300_000 => Self { millis: 1000.0, unit: " s" },
            300_001..=18_000_000 => Self { millis: 60_000.0, unit: " min" },
            _ => Self { millis: 3_600_000.0, unit: " h" },
        }
    }

    fn at(&self, millis: u64) -> f64 {
        number(millis) / self.millis
    }
}

/// The plots over time, with one time axis below each other.
struct OverTime<'a> {
    samples: &'a [Sample],
    bands: Vec<Band>,
    clock: Clock,
    end: f64,
}

fn over_time(timeline: &Timeline) -> Vec<Chart> {
    let ends = timeline.samples.iter().map(|sample| sample.at_ms);
    let end =
        ends.chain(timeline.marks.iter().map(|mark| mark.to_ms.unwrap_or(mark.from_ms))).max().unwrap_or(1).max(1);
    let clock = Clock::for_run_of(end);
    let band = |mark: &Mark| Band {
        from: clock.at(mark.from_ms),
        to: mark.to_ms.map(|to| clock.at(to)),
        text: mark.text.clone(),
    };
    let bands = timeline.marks.iter().map(band).collect();
    let end = clock.at(end);
    let over_time = OverTime { samples: &timeline.samples, bands, clock, end };
    let mut charts = over_time.of_the_leads();
    charts.extend(over_time.of_the_hub());
    // A plot without one value, or of nothing that ever happened, would be empty axes.
    charts.retain(|chart| values(&chart.plot.lines).any(|value| value > 0.0));
    charts
}

impl OverTime<'_> {
    fn of_the_leads(&self) -> Vec<Chart> {
        let line = |name, class, of: fn(&Sample) -> Option<f64>| self.line(name, class, of);
        let latency = vec![
            line("acknowledged, p50", "ack half", |sample| sample.acknowledge_p50_ms),
            line("acknowledged, p99", "ack", |sample| sample.acknowledge_p99_ms),
            line("pushed, p50", "push half", |sample| sample.push_p50_ms),
            line("pushed, p99", "push", |sample| sample.push_p99_ms),
        ];
        let mut latency = self.chart("Latency", "ms after it was due, logarithmic", 280.0, latency);
        latency.plot.y.scale = Scale::around(values(&latency.plot.lines));
        let rates = vec![
            self.rate("due", "due", |sample| sample.due),
            self.rate("acknowledged", "ack broad", |sample| sample.acknowledged),
            self.rate("pushed", "push thin", |sample| sample.pushed),
        ];
        let waiting = line("waiting", "wait", |sample| Some(number(sample.waiting)));
        let age = line("age", "wait", |sample| Some(sample.oldest_ms / 1000.0));
        vec![
            latency,
            self.chart("Throughput", "per second", 200.0, rates),
            self.chart("Backlog", "acknowledged, not yet pushed to all", 152.0, vec![filled(waiting)]),
            self.chart("Age of the backlog", "seconds, of the oldest that waits", 152.0, vec![filled(age)]),
        ]
    }

    fn of_the_hub(&self) -> Vec<Chart> {
        let memory = self.line("memory", "hub", |sample| sample.rss_kib.map(|kib| number(kib) / 1024.0));
        let sockets = self.line("sockets", "hub", |sample| sample.socket_kib.map(|kib| number(kib) / 1024.0));
        let cpu = self.line("processor", "hub", |sample| sample.cpu_cores);
        vec![
            self.chart("Memory of the hub", "MiB resident", 152.0, vec![filled(memory)]),
            self.chart("Kernel memory of TCP sockets", "MiB, of all the machine", 152.0, vec![filled(sockets)]),
            self.chart("Processor time of the hub", "cores", 152.0, vec![filled(cpu)]),
        ]
    }

    fn line(&self, name: &str, class: &'static str, of: impl Fn(&Sample) -> Option<f64>) -> Line {
        let points = self.samples.iter().map(|sample| (self.clock.at(sample.at_ms), of(sample))).collect();
        Line { name: name.to_owned(), class, points, filled: false }
    }

    /// Counts within a window, by its length.
    fn rate(&self, name: &str, class: &'static str, of: fn(&Sample) -> u64) -> Line {
        let mut line = self.line(name, class, |_| None);
        let mut before = 0;
        for (point, sample) in line.points.iter_mut().zip(self.samples) {
            let millis = sample.at_ms.saturating_sub(before);
            before = sample.at_ms;
            point.1 = (millis > 0).then(|| number(of(sample)) * 1000.0 / number(millis));
        }
        line
    }

    fn chart(&self, title: &'static str, note: &'static str, height: f64, lines: Vec<Line>) -> Chart {
        let x = Axis { scale: Scale::Linear { low: 0.0, high: self.end }, ticks: None, unit: self.clock.unit };
        let y = Axis { scale: Scale::from_zero(values(&lines)), ticks: None, unit: "" };
        Chart { title, note, height, plot: Plot { title: title.to_owned(), x, y, lines, bands: self.bands.clone() } }
    }
}

/// All that is drawn in one plot.
fn values(lines: &[Line]) -> impl Iterator<Item = f64> + Clone {
    lines.iter().flat_map(|line| line.points.iter().filter_map(|point| point.1))
}

fn filled(line: Line) -> Line {
    Line { filled: true, ..line }
}

fn by_percentile(curves: &[Curve]) -> Option<Chart> {
    /// Further nines are as far apart as tenths and hundredths: the axis is 1 / (1 - share), logarithmic.
    const TICKS: [(f64, &str); 6] =
        [(1.0, "all"), (2.0, "p50"), (10.0, "p90"), (100.0, "p99"), (1000.0, "p99.9"), (10_000.0, "p99.99")];
    let mut classes = Classes::default();
    let line = |curve: &Curve| Line {
        name: curve.name.clone(),
        class: classes.of(&curve.name),
        points: curve.points.iter().map(|(share, millis)| (1.0 / (1.0 - share), Some(*millis))).collect(),
        filled: false,
    };
    let lines: Vec<Line> = curves.iter().filter(|curve| !curve.points.is_empty()).map(line).collect();
    let y = Axis { scale: Scale::around(values(&lines)), ticks: None, unit: "" };
    let ticks = TICKS.map(|(at, text)| (at, text.to_owned())).to_vec();
    let x = Axis { scale: Scale::Log { low: 1.0, high: 10_000.0 }, ticks: Some(ticks), unit: "" };
    let title = "Latency by percentile";
    let plot = Plot { title: title.to_owned(), x, y, lines, bands: Vec::new() };
    (!plot.lines.is_empty()).then_some(Chart {
        title,
        note: "ms after it was due, both logarithmic",
        height: 280.0,
        plot,
    })
}

/// Colours of the curves: what is acknowledged and what is pushed look as in the other plots.
#[derive(Default)]
struct Classes {
    taken: Vec<&'static str>,
}

impl Classes {
    fn of(&mut self, name: &str) -> &'static str {
        let name = name.to_lowercase();
        let usual = [("ack", "ack"), ("push", "push")].into_iter().filter(|(word, _)| name.contains(word));
        let mut choice = usual.map(|(_, class)| class).chain(["wait", "hub", "fifth", "sixth"]);
        let class = choice.find(|class| !self.taken.contains(class)).unwrap_or("due");
        self.taken.push(class);
        class
    }
}

#[expect(clippy::cast_precision_loss, reason = "no count comes near 2^53")]
const fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::report::example;

    #[test]
    fn rates_go_by_the_length_of_the_window() {
        let sample = |at_ms, due| Sample { at_ms, due, ..Sample::default() };
        let samples = vec![sample(1000, 500), sample(1500, 250), sample(1500, 9)];
        let charts = over_time(&Timeline { samples, marks: Vec::new() });
        let points = &charts.iter().find(|chart| chart.title == "Throughput").unwrap().plot.lines[0].points;
        assert_eq!(*points, [(1.0, Some(500.0)), (1.5, Some(500.0)), (1.5, None)]);
        assert!(charts.iter().all(|chart| chart.title != "Latency"), "there were no latencies");
    }

    #[test]
    fn a_hub_that_is_down_leaves_a_gap_in_its_lines_only() {
        let report = example::report();
        let charts = of(&report);
        let gaps = |title: &str| {
            let lines = &charts.iter().find(|chart| chart.title == title).unwrap().plot.lines;
            lines[0].points.iter().filter(|point| point.1.is_none()).count()
        };
        assert!(gaps("Memory of the hub") > 0 && gaps("Latency") > 0);
        assert_eq!(gaps("Backlog"), 0);
    }

    #[test]
    fn long_runs_are_told_in_minutes_and_hours() {
        assert_eq!([60_000, 3_600_000, 86_400_000].map(|run| Clock::for_run_of(run).unit), [" s", " min", " h"]);
    }

    #[test]
    fn curves_have_colours_of_their_own() {
        let mut classes = Classes::default();
        let names = ["Pushed", "acknowledged", "pushed again", "other"];
        assert_eq!(names.map(|name| classes.of(name)), ["push", "ack", "wait", "hub"]);
    }
}
