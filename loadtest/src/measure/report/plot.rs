//! A plot as SVG: axes, bands behind, lines in front. Colours and line styles are classes, for the page to decide.

use std::fmt::Write;

use super::{
    html::escape,
    scale::{Scale, label},
};

/// Everything in one plot.
pub(super) struct Plot {
    /// What it shows, for those who can't see it.
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    pub lines: Vec<Line>,
    pub bands: Vec<Band>,
}

pub(super) struct Axis {
    pub scale: Scale,
    /// Written ticks; without them the scale chooses.
    pub ticks: Option<Vec<(f64, String)>>,
    /// Written behind the values.
    pub unit: &'static str,
}

pub(super) struct Line {
    /// For the legend.
    pub name: String,
    /// Colour and style.
    pub class: &'static str,
    /// Where there is no value, the line is interrupted.
    pub points: Vec<(f64, Option<f64>)>,
    /// Whether the room below is tinted.
    pub filled: bool,
}

/// A phase or a fault: a band behind the lines, or one upright line where it has no end.
#[derive(Clone)]
pub(super) struct Band {
    pub from: f64,
    pub to: Option<f64>,
    pub text: String,
}

/// Width and height that the plot is drawn for.
#[derive(Clone, Copy)]
pub(super) struct Size {
    pub width: f64,
    pub height: f64,
    /// Whether bands have room for their text; otherwise they have their number only.
    pub labels: bool,
}

const LEFT: f64 = 50.0;
const RIGHT: f64 = 10.0;
const BOTTOM: f64 = 24.0;
/// Height of a line of labels above the plot.
const LANE: f64 = 18.0;
/// Width that a letter takes at most, near enough.
const LETTER: f64 = 6.3;
const LONGEST_LABEL: usize = 34;

/// The room between the axes.
struct Area {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Plot {
    /// The plot as an `<svg>` element.
    pub(super) fn svg(&self, size: Size, class: &str) -> String {
        let labels = place_labels(&self.bands, self.x.scale, size);
        let lanes = labels.iter().map(|label| label.lane + 1).max().unwrap_or(0);
        let top = 8.0 + f64::from(lanes) * LANE;
        let height = size.height + f64::from(lanes) * LANE;
        let area = Area { left: LEFT, right: size.width - RIGHT, top, bottom: height - BOTTOM };
        let mut svg = format!(
            r#"<svg class="{class}" viewBox="0 0 {} {height}" role="img" aria-label="{}">"#,
            size.width,
            escape(&self.title)
        );
        self.draw_bands(&mut svg, &area, &labels);
        self.draw_axes(&mut svg, &area);
        for line in &self.lines {
            self.draw_line(&mut svg, &area, line);
        }
        svg + "</svg>"
    }

    fn x(&self, area: &Area, value: f64) -> f64 {
        area.left + (area.right - area.left) * self.x.scale.place(value)
    }

    fn y(&self, area: &Area, value: f64) -> f64 {
        area.bottom - (area.bottom - area.top) * self.y.scale.place(value)
    }

    fn draw_bands(&self, svg: &mut String, area: &Area, labels: &[Label]) {
        let height = area.bottom - area.top;
        for (band, label) in self.bands.iter().zip(labels) {
            let from = self.x(area, band.from);
            let to = band.to.map_or(from, |to| self.x(area, to));
            // A phase that lasts must not grey out everything, nor hide a fault within it.
            let kind = if to - from > (area.right - area.left) / 4.0 { " long" } else { "" };
            let start = area.top - LANE * f64::from(label.lane);
            let _ = write!(
                svg,
                r#"<g class="band{kind}"><title>{}</title><rect x="{from:.1}" y="{:.1}" width="{:.1}" height="{height:.1}"/><path d="M{from:.1} {:.1}V{:.1}"/><text x="{:.1}" y="{:.1}">{}</text></g>"#,
                escape(&band.text),
                area.top,
                (to - from).max(0.0),
                start - LANE + 4.0,
                area.bottom,
                label.x + 4.0,
                start - 5.0,
                escape(&label.text),
            );
        }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a handful of ticks")]
    fn draw_axes(&self, svg: &mut String, area: &Area) {
        let wanted = ((area.bottom - area.top) / 30.0).max(2.0) as u32;
        for (value, text) in self.y.ticks(wanted) {
            let y = self.y(area, value);
            let _ = write!(
                svg,
                r#"<path class="grid" d="M{:.1} {y:.1}H{:.1}"/><text class="tick y" x="{:.1}" y="{:.1}">{text}</text>"#,
                area.left,
                area.right,
                area.left - 8.0,
                y + 4.0,
            );
        }
        let wanted = ((area.right - area.left) / 85.0).max(2.0) as u32;
        for (value, text) in self.x.ticks(wanted) {
            let x = self.x(area, value);
            // The last one would be cut off if it stood in the middle of its tick.
            let end = if x > area.right - 12.0 { " end" } else { "" };
            let _ = write!(
                svg,
                r#"<path class="grid" d="M{x:.1} {:.1}v5"/><text class="tick x{end}" x="{x:.1}" y="{:.1}">{text}</text>"#,
                area.bottom,
                area.bottom + 18.0,
            );
        }
        let _ = write!(svg, r#"<path class="axis" d="M{:.1} {:.1}H{:.1}"/>"#, area.left, area.bottom, area.right);
    }

    fn draw_line(&self, svg: &mut String, area: &Area, line: &Line) {
        let is_gap = |point: &(f64, Option<f64>)| !point.1.is_some_and(f64::is_finite);
        let mut path = String::new();
        let mut room = String::new();
        for piece in line.points.split(is_gap).filter(|piece| !piece.is_empty()) {
            let place = |(x, y): &(f64, Option<f64>)| (self.x(area, *x), self.y(area, y.unwrap_or_default()));
            let places: Vec<(f64, f64)> = piece.iter().map(place).collect();
            let mut command = 'M';
            for (x, y) in &places {
                let _ = write!(path, "{command}{x:.1} {y:.1}");
                command = 'L';
            }
            let (first, last) = (places[0].0, places[places.len() - 1].0);
            if places.len() == 1 {
                // Of no length, but with round ends: a dot.
                path.push_str("h0");
            } else if line.filled {
                let _ = write!(room, "M{first:.1} {:.1}", area.bottom);
                for (x, y) in &places {
                    let _ = write!(room, "L{x:.1} {y:.1}");
                }
                let _ = write!(room, "L{last:.1} {:.1}Z", area.bottom);
            }
        }
        if !room.is_empty() {
            let _ = write!(svg, r#"<path class="room {}" d="{room}"/>"#, line.class);
        }
        let _ = write!(svg, r#"<path class="line {}" d="{path}"/>"#, line.class);
    }
}

impl Axis {
    fn ticks(&self, wanted: u32) -> Vec<(f64, String)> {
        self.ticks.clone().unwrap_or_else(|| {
            let with_unit = |value| (value, format!("{}{}", label(value), self.unit));
            self.scale.ticks(wanted).into_iter().map(with_unit).collect()
        })
    }
}

/// A band's text: where it begins, and how many lines above the plot.
struct Label {
    x: f64,
    lane: u32,
    text: String,
}

/// Labels begin where their band does, moved to the left where they would be cut off, each in the lowest line that has room.
#[expect(clippy::cast_precision_loss, reason = "a few letters")]
fn place_labels(bands: &[Band], x: Scale, size: Size) -> Vec<Label> {
    let right = size.width - RIGHT;
    let mut ends: Vec<f64> = Vec::new();
    let place = |(index, band): (usize, &Band)| {
        let text =
            if size.labels { format!("{} {}", index + 1, shortened(&band.text)) } else { (index + 1).to_string() };
        let width = text.chars().count() as f64 * LETTER + 10.0;
        let at = (LEFT + (right - LEFT) * x.place(band.from)).min(right - width).max(LEFT);
        let lane = ends.iter().position(|end| *end <= at).unwrap_or(ends.len());
        if lane == ends.len() {
            ends.push(0.0);
        }
        ends[lane] = at + width;
        Label { x: at, lane: u32::try_from(lane).unwrap_or(0), text }
    };
    bands.iter().enumerate().map(place).collect()
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= LONGEST_LABEL {
        return text.to_owned();
    }
    text.chars().take(LONGEST_LABEL - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { width: 160.0, height: 132.0, labels: true };

    fn plot(points: Vec<(f64, Option<f64>)>, bands: Vec<Band>) -> String {
        let axis = || Axis { scale: Scale::Linear { low: 0.0, high: 10.0 }, ticks: None, unit: "" };
        let lines = vec![Line { name: "a".into(), class: "c0", points, filled: false }];
        Plot { title: "t".into(), x: axis(), y: axis(), lines, bands }.svg(SIZE, "wide")
    }

    #[test]
    fn a_line_is_interrupted_where_there_is_no_value() {
        let svg =
            plot(vec![(0.0, Some(0.0)), (2.0, Some(10.0)), (3.0, None), (4.0, Some(5.0)), (10.0, Some(0.0))], vec![]);
        assert!(svg.contains(r#"d="M50.0 108.0L70.0 8.0M90.0 58.0L150.0 108.0""#), "{svg}");
    }

    #[test]
    fn a_value_between_two_gaps_is_a_dot() {
        let svg = plot(vec![(0.0, None), (5.0, Some(5.0)), (6.0, Some(f64::NAN))], vec![]);
        assert!(svg.contains(r#"d="M100.0 58.0h0""#), "{svg}");
    }

    #[test]
    fn labels_that_would_overlap_lie_above_each_other_and_are_escaped() {
        let band = |from, text: &str| Band { from, to: Some(from + 1.0), text: text.into() };
        let bands = [band(1.0, "kill"), band(2.0, "<b>"), band(9.0, "3")];
        let placed = place_labels(&bands, Scale::Linear { low: 0.0, high: 10.0 }, SIZE);
        assert_eq!(placed.iter().map(|label| label.lane).collect::<Vec<_>>(), [0, 1, 0]);
        let svg = plot(vec![], bands.to_vec());
        assert!(svg.contains("2 &lt;b&gt;") && !svg.contains("<b>"), "{svg}");
    }
}
