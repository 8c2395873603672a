//! Progress on the terminal; nothing at all when stderr is not one.

use std::borrow::Cow;

use indicatif::{ProgressBar, ProgressStyle};

/// A line that says what happens, without an end in sight.
pub(super) fn step(what: impl Into<Cow<'static, str>>) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(what);
    bar.enable_steady_tick(std::time::Duration::from_millis(120));
    bar
}

/// A bar up to `total`.
pub(super) fn bar(what: impl Into<Cow<'static, str>>, total: u64) -> ProgressBar {
    let bar = ProgressBar::new(total).with_message(what);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {per_sec}") {
        bar.set_style(style);
    }
    bar
}
