//! Which session has which envelope, and when it got it.

use std::time::{Duration, SystemTime};

use anyhow::Result;
use memchr::memmem;
use serde::{Deserialize, Serialize};

use super::{
    super::latency::{Latencies, Quantiles},
    wall_clock,
};

/// The mark that a measured envelope carries in its text: its number, and when it was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    number: usize,
    published: u64,
}

/// What a mark begins with. It has nothing in it that JSON, HTML or a URL would write in another way.
const BEGIN: &str = "mark_";
/// Digits of the number and of the time; fixed, so that all envelopes are of one length.
const NUMBER: usize = 8;
const TIME: usize = 19;
/// Length of a mark's text.
const MARK: usize = BEGIN.len() + NUMBER + 1 + TIME;

/// The text of a mark, padded to `length` bytes where that is longer.
pub(in super::super) fn marked(number: u64, length: usize) -> String {
    let time = wall_clock(SystemTime::now());
    let mark = format!("{BEGIN}{number:0NUMBER$}_{time:0TIME$}");
    format!("{mark:.<length$}")
}

/// The mark of a payload that is a measured envelope; heartbeats and the like have none.
pub(super) fn seen(payload: &[u8]) -> Option<Mark> {
    memmem::find_iter(payload, BEGIN).find_map(|start| {
        let mark = std::str::from_utf8(payload.get(start + BEGIN.len()..start + MARK)?).ok()?;
        let (number, time) = mark.split_once('_')?;
        Some(Mark { number: number.parse().ok()?, published: time.parse().ok()? })
    })
}

/// A payload like the hub's, `frame_bytes` long with its frame header.
pub(in super::super) fn sample(number: u64, frame_bytes: usize) -> String {
    let header = if frame_bytes > 127 { 4 } else { 2 };
    let around = r#"{"type":"lead:updated","payload":{"lead":{"notes":""}}}"#;
    let notes = marked(number, frame_bytes.saturating_sub(header + around.len()));
    around.replace(r#""""#, &format!("\"{notes}\""))
}

/// A bit for each session and envelope.
pub(super) struct Tally {
    sessions: usize,
    got: Vec<Vec<u64>>,
    complete: Vec<usize>,
    duplicated: u64,
    unexpected: u64,
    latencies: Latencies,
    /// Since the last envelope that all had.
    recent: Latencies,
    /// Where that one is in the hub's log.
    place: Option<Place>,
}

/// Where an envelope is in the hub's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub room: String,
    pub position: String,
}

/// What the process reports at its end.
#[derive(Debug, Serialize, Deserialize)]
pub(in super::super) struct Summary {
    pub delivered: u64,
    pub duplicated: u64,
    pub unexpected: u64,
    pub latency: Option<Quantiles>,
}

impl Tally {
    pub(super) fn new(sessions: usize, envelopes: usize) -> Result<Self> {
        let got = vec![vec![0; envelopes.div_ceil(64)]; sessions];
        let complete = vec![0; envelopes];
        let (latencies, recent) = (Latencies::new()?, Latencies::new()?);
        Ok(Self { sessions, got, complete, duplicated: 0, unexpected: 0, latencies, recent, place: None })
    }

    /// Notes an envelope; if now all sessions have it, its number and the p99 of what came since the last such.
    pub(super) fn record(&mut self, session: usize, mark: Mark, now: SystemTime) -> Option<(usize, f64)> {
        let word = self.got.get_mut(session).and_then(|words| words.get_mut(mark.number / 64));
        let (Some(word), Some(complete)) = (word, self.complete.get_mut(mark.number)) else {
            self.unexpected += 1;
            return None;
        };
        let bit = 1 << (mark.number % 64);
        if *word & bit != 0 {
            self.duplicated += 1;
            return None;
        }
        *word |= bit;
        *complete += 1;
        let latency = Duration::from_nanos(wall_clock(now).saturating_sub(mark.published));
        self.latencies.record(latency);
        self.recent.record(latency);
        if *complete < self.sessions {
            return None;
        }
        let p99 = self.recent.quantile(0.99).unwrap_or_default();
        self.recent.clear();
        Some((mark.number, p99))
    }

    /// Where the last envelope is that all sessions had, if the hub says so.
    pub(super) const fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// All sessions have had this envelope.
    pub(super) fn all_are_at(&mut self, envelope: &[u8]) {
        let text = |key: &str| {
            let rest = &envelope[memmem::find(envelope, key.as_bytes())? + key.len()..];
            let end = rest.iter().position(|&byte| byte == b'"')?;
            Some(String::from_utf8_lossy(&rest[..end]).into_owned())
        };
        let place = text(r#""room":""#).zip(text(r#""position":""#));
        self.place = place.map(|(room, position)| Place { room, position });
    }

    pub(super) fn summary(&self) -> Summary {
        Summary {
            delivered: self.complete.iter().map(|&sessions| sessions as u64).sum(),
            duplicated: self.duplicated,
            unexpected: self.unexpected,
            latency: self.latencies.quantiles(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_survives_its_text_and_samples_have_the_length_asked_for() {
        for length in [100, 127, 300, 1000] {
            let payload = sample(42, length);
            assert_eq!(super::super::frames::text(&payload).len(), length);
            assert_eq!(seen(payload.as_bytes()).unwrap().number, 42);
        }
        assert_eq!(seen(br#"{"type":"heartbeat","positions":{}}"#), None);
        assert_eq!(seen(b"mark_0000"), None);
        let behind = format!("a benchmark_of_something_that_is_longer_than_a_mark, {}", marked(5, 0));
        assert_eq!(seen(behind.as_bytes()).unwrap().number, 5);
        assert_eq!(marked(7, 0).len(), MARK);
        assert_eq!(marked(7, 100).len(), 100);
    }

    #[test]
    fn where_all_are_is_read_from_the_envelope() {
        let mut tally = Tally::new(1, 1).unwrap();
        assert_eq!(tally.place(), None);
        tally.all_are_at(br#"{"type":"lead:updated","id":"evt_1","position":"3-12","prev":"3-11","room":"account:a"}"#);
        let place = Place { room: "account:a".to_owned(), position: "3-12".to_owned() };
        assert_eq!(tally.place(), Some(&place));
        tally.all_are_at(b"{}");
        assert_eq!(tally.place(), None);
    }

    #[test]
    fn an_envelope_is_done_when_every_session_has_it_once() {
        let mut tally = Tally::new(2, 100).unwrap();
        let mark = seen(sample(70, 300).as_bytes()).unwrap();
        let now = SystemTime::now();
        assert_eq!(tally.record(0, mark, now), None);
        assert_eq!(tally.record(0, mark, now), None, "a second copy");
        assert_eq!(tally.record(1, mark, now).unwrap().0, 70);
        tally.record(1, Mark { number: 100, published: 0 }, now);
        let summary = tally.summary();
        assert_eq!((summary.delivered, summary.duplicated, summary.unexpected), (2, 1, 1));
    }
}
