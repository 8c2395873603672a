//! What a hub takes while something else is measured: twice a second, in a thread of its own.

use std::{
    sync::mpsc::{self, RecvTimeoutError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{
    Report,
    process::{self, Used},
    report::{Mark, Sample, Timeline},
};

const EVERY: Duration = Duration::from_millis(500);

/// Takes samples until it is finished.
pub(super) struct Gauge {
    start: Instant,
    stop: mpsc::Sender<()>,
    thread: JoinHandle<Vec<Sample>>,
    marks: Vec<Mark>,
}

impl Gauge {
    pub(super) fn start(pid: u32) -> Result<Self> {
        let (start, (stop, stopped)) = (Instant::now(), mpsc::channel());
        let thread = thread::Builder::new().name("gauge".to_owned()).spawn(move || take(pid, start, &stopped))?;
        Ok(Self { start, stop, thread, marks: Vec::new() })
    }

    /// What began at that time ends now.
    pub(super) fn mark(&mut self, from: Instant, text: &str) {
        let millis = |at: Instant| at.saturating_duration_since(self.start).as_millis().try_into().unwrap_or(u64::MAX);
        self.marks.push(Mark { from_ms: millis(from), to_ms: Some(millis(Instant::now())), text: text.to_owned() });
    }

    /// Ends it; what it saw goes into the report.
    pub(super) fn finish(self, report: &mut Report) {
        drop(self.stop);
        let samples = self.thread.join().unwrap_or_default();
        memory(report, &samples);
        report.timeline(Timeline { samples, marks: self.marks });
    }
}

fn take(pid: u32, start: Instant, stopped: &mpsc::Receiver<()>) -> Vec<Sample> {
    let (mut samples, mut before) = (Vec::new(), Used::now(Some(pid)));
    for number in 1.. {
        let wait = (start + EVERY * number).saturating_duration_since(Instant::now());
        if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
            break;
        }
        let used = Used::now(Some(pid));
        let at_ms = start.elapsed().as_millis().try_into().unwrap_or(u64::MAX);
        samples.push(Sample { at_ms, ..sample(used.as_ref(), before.as_ref()) });
        before = used;
    }
    samples
}

/// What there is to be known of a window without knowing what is measured.
pub(super) fn sample(used: Option<&Used>, before: Option<&Used>) -> Sample {
    Sample {
        rss_kib: used.map(|used| used.rss_kib),
        cpu_cores: used.zip(before).and_then(|(used, before)| used.cores_since(before)),
        socket_kib: process::socket_kib(),
        ..Sample::default()
    }
}

/// The most memory that the hub and all sockets had; the hub's in MiB.
#[expect(clippy::cast_precision_loss, reason = "no machine has 2^53 KiB")]
pub(super) fn memory(report: &mut Report, samples: &[Sample]) -> f64 {
    let most = |of: fn(&Sample) -> Option<u64>| samples.iter().filter_map(of).max().unwrap_or_default() as f64 / 1024.0;
    let rss_mib = most(|sample| sample.rss_kib);
    report.figure("hub: most resident memory", rss_mib, "MiB");
    report.figure("machine: most kernel memory of TCP sockets", most(|sample| sample.socket_kib), "MiB");
    rss_mib
}
