//! Progress: bars on a terminal; when stderr is none, a plain line now and then.

use std::{
    borrow::Cow,
    cell::Cell,
    io::{IsTerminal, stderr},
    time::{Duration, Instant},
};

use indicatif::{HumanCount, ProgressBar, ProgressStyle};

/// Between two plain lines.
const NOW_AND_THEN: Duration = Duration::from_secs(10);

/// What is going on; gone from the terminal when it is dropped.
pub(super) struct Progress {
    bar: ProgressBar,
    what: Cow<'static, str>,
    /// When the last plain line was written; none on a terminal.
    told: Option<Cell<Instant>>,
}

/// Says what happens, without an end in sight.
pub(super) fn step(what: impl Into<Cow<'static, str>>) -> Progress {
    let what = what.into();
    let bar = ProgressBar::new_spinner().with_message(what.clone());
    bar.enable_steady_tick(Duration::from_millis(120));
    Progress::new(bar, what)
}

/// A bar up to `total`, with the rate and what [`Progress::say`] adds.
pub(super) fn bar(what: impl Into<Cow<'static, str>>, total: u64) -> Progress {
    let what = what.into();
    let bar = ProgressBar::new(total).with_prefix(what.clone());
    let template = "{prefix} {wide_bar} {human_pos}/{human_len} {per_sec:.0} {msg}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    Progress::new(bar, what)
}

impl Progress {
    fn new(bar: ProgressBar, what: Cow<'static, str>) -> Self {
        let told = (!stderr().is_terminal()).then(|| Cell::new(Instant::now()));
        Self { bar, what, told }
    }

    /// So many more.
    pub(super) fn inc(&self, more: u64) {
        self.bar.inc(more);
        self.tell();
    }

    /// So many by now.
    pub(super) fn set(&self, position: u64) {
        self.bar.set_position(position);
        self.tell();
    }

    /// What else is to be known at the moment: rates, latencies.
    pub(super) fn say(&self, text: String) {
        self.bar.set_message(text);
        self.tell();
    }

    fn tell(&self) {
        let Some(told) = self.told.as_ref().filter(|told| told.get().elapsed() >= NOW_AND_THEN) else { return };
        told.set(Instant::now());
        let (position, rate) = (HumanCount(self.bar.position()), self.bar.per_sec());
        let total = self.bar.length().map(|total| format!("/{}", HumanCount(total))).unwrap_or_default();
        eprintln!("{} {position}{total}, {rate:.0}/s {}", self.what, self.bar.message());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
