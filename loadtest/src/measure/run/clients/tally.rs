//! How the clients that misbehave fared.

use std::{collections::BTreeMap, fmt};

use serde::Deserialize;

use super::super::super::Report;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Slow,
    Stalled,
    Flapping,
    Malicious,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Slow => "slow",
            Self::Stalled => "stalled",
            Self::Flapping => "flapping",
            Self::Malicious => "malicious",
        })
    }
}

/// How a connection of one of them ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ending {
    /// By the hub, with this close code.
    Closed(u16),
    /// The hub answered the request with this HTTP status.
    Refused(u16),
    /// Reset, or ended without a word.
    Cut,
    /// By the client itself.
    Left,
    /// Not when the client had waited long enough, or the run was over.
    Open,
    /// There was no connection.
    Unreachable,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(code) => write!(f, "closed with {code}"),
            Self::Refused(status) => write!(f, "refused with status {status}"),
            Self::Cut => f.write_str("cut"),
            Self::Left => f.write_str("left by itself"),
            Self::Open => f.write_str("still open"),
            Self::Unreachable => f.write_str("not let in"),
        }
    }
}

/// Of texts that a client must not see so many are told of.
const MOST_TOLD: usize = 5;

/// The book.
#[derive(Debug, Default)]
pub(super) struct Tally {
    endings: BTreeMap<(Kind, Ending), u64>,
    shown: u64,
    told: Vec<String>,
    /// What ought to have been ended by the hub and was not: which attack, and how often.
    let_be: BTreeMap<&'static str, u64>,
    /// Slow clients that have a connection.
    pub slow: u64,
    /// Stalled clients that have a connection: how many bytes had passed when each subscribed.
    stalled: BTreeMap<usize, u64>,
    /// The most bytes that passed one of them before it was cut.
    most_passed: u64,
    not_cut: u64,
}

impl Tally {
    pub(super) fn ended(&mut self, kind: Kind, ending: Ending) {
        *self.endings.entry((kind, ending)).or_default() += 1;
    }

    /// A client got what it must not see.
    pub(super) fn shown(&mut self, text: &str) {
        self.shown += 1;
        if self.told.len() < MOST_TOLD {
            self.told.push(text.chars().take(500).collect());
        }
    }

    /// The hub did not end a connection that it ought to.
    pub(super) fn let_be(&mut self, attack: &'static str) {
        *self.let_be.entry(attack).or_default() += 1;
    }

    /// A client reads no more from here on.
    pub(super) fn stalled(&mut self, number: usize, passed: u64) {
        self.stalled.insert(number, passed);
    }

    /// It was cut.
    pub(super) fn cut(&mut self, number: usize, passed: u64) {
        let since = self.stalled.remove(&number).unwrap_or(passed);
        self.most_passed = self.most_passed.max(passed - since);
        self.ended(Kind::Stalled, Ending::Cut);
    }

    /// The run is over: who still stands, and ought not to?
    pub(super) fn end(&mut self, passed: u64, enough: u64) {
        (0..std::mem::take(&mut self.slow)).for_each(|_| self.ended(Kind::Slow, Ending::Open));
        for since in std::mem::take(&mut self.stalled).into_values() {
            self.ended(Kind::Stalled, Ending::Open);
            self.most_passed = self.most_passed.max(passed - since);
            self.not_cut += u64::from(passed - since > enough);
        }
    }

    pub(super) fn report(&self, report: &mut Report) {
        for ((kind, ending), count) in &self.endings {
            report.count(format!("{kind} clients: {ending}"), *count);
        }
        if self.endings.keys().any(|(kind, _)| *kind == Kind::Stalled) {
            #[expect(clippy::cast_precision_loss, reason = "no run has 2^53 bytes")]
            report.figure("stalled clients: most that passed one", self.most_passed as f64 / 1024.0, "KiB");
        }
        report.must_be_zero("stalled clients that were not cut", self.not_cut);
        report.must_be_zero("attacks that were not ended", self.let_be.values().sum());
        report.must_be_zero("shown to who must not see it", self.shown);
        for (attack, times) in &self.let_be {
            report.problem(format!("{times} times the hub did not end a connection after this: {attack}"));
        }
        for text in &self.told {
            report.problem(format!("a client that must not see it got {text}"));
        }
    }
}

#[derive(Deserialize)]
struct Text<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<std::borrow::Cow<'a, str>>,
}

/// Whether a text from the hub tells of one of these accounts. A `reply` may: it repeats what the client asked for.
pub(super) fn is_hidden(text: &str, accounts: &[String]) -> bool {
    let tells = accounts.iter().any(|account| memchr::memmem::find(text.as_bytes(), account.as_bytes()).is_some());
    tells && !serde_json::from_str::<Text<'_>>(text).is_ok_and(|text| text.kind.as_deref() == Some("reply"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_tells_of_a_hidden_account_must_not_be_seen_but_an_answer_may_name_what_was_asked_for() {
        let hidden = ["acc_2".to_owned(), "acc_3".to_owned()];
        assert!(is_hidden(r#"{"type":"new_lead","account":"acc_2","payload":{}}"#, &hidden));
        assert!(is_hidden(r#"{"type":"heartbeat","positions":{"account:acc_3":"1-1"}}"#, &hidden));
        assert!(is_hidden("half a text about acc_3", &hidden));
        assert!(!is_hidden(r#"{"type":"reply","ok":false,"error":{"message":"no account:acc_2"}}"#, &hidden));
        assert!(!is_hidden(r#"{"type":"new_lead","account":"acc_1","payload":{}}"#, &hidden));
    }

    #[test]
    fn a_stalled_client_that_stands_though_enough_has_passed_fails_the_run() {
        let report = |stand: &[(usize, u64)], cut: &[usize]| {
            let mut tally = Tally::default();
            for (number, passed) in stand {
                tally.stalled(*number, *passed);
            }
            for number in cut {
                tally.cut(*number, 900);
            }
            tally.end(1000, 600);
            let mut report = Report::new("x", 1);
            tally.report(&mut report);
            report.is_good()
        };
        assert!(report(&[(0, 500), (1, 400)], &[]), "not enough has passed");
        assert!(!report(&[(0, 500), (1, 399)], &[]));
        assert!(report(&[(0, 500), (1, 0)], &[1]));
    }

    #[test]
    fn what_was_shown_or_let_be_fails_the_run() {
        let good = |fill: fn(&mut Tally)| {
            let (mut tally, mut report) = (Tally::default(), Report::new("x", 1));
            fill(&mut tally);
            tally.report(&mut report);
            report.is_good()
        };
        assert!(good(|tally| tally.ended(Kind::Malicious, Ending::Closed(1002))));
        assert!(!good(|tally| tally.shown("a lead")));
        assert!(!good(|tally| tally.let_be("a flood")));
    }
}
