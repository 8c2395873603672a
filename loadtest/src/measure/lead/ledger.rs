//! What became of each webhook: acknowledged, and pushed to which session, how often and when.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::super::{Report, latency::Latencies};

/// Who gets what: event `i` has the id `first_id + i` and belongs to account `i mod accounts`.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub first_id: u64,
    pub events: usize,
    pub accounts: usize,
    /// Of each account.
    pub sessions: usize,
    /// Between two webhooks.
    pub interval: Duration,
}

impl Plan {
    pub(super) const fn account_of(&self, event: usize) -> usize {
        event % self.accounts
    }

    /// The event that has this platform id.
    pub(super) fn event_of(&self, leadgen_id: u64) -> Option<usize> {
        let event = usize::try_from(leadgen_id.checked_sub(self.first_id)?).ok()?;
        (event < self.events).then_some(event)
    }

    pub(super) fn due(&self, start: Instant, event: usize) -> Instant {
        start + self.interval * u32::try_from(event).unwrap_or(u32::MAX)
    }
}

/// The book. Times are given in, so that it can be tested without any passing.
pub(super) struct Ledger {
    plan: Plan,
    start: Option<Instant>,
    acknowledged: Vec<bool>,
    /// For each event, how often each session of its account got it.
    pushed: Vec<u8>,
    refused: u64,
    leaked: u64,
    unexpected: u64,
    acks: Latencies,
    pushes: Latencies,
}

impl Ledger {
    pub(super) fn new(plan: Plan) -> Result<Self> {
        Ok(Self {
            start: None,
            acknowledged: vec![false; plan.events],
            pushed: vec![0; plan.events * plan.sessions],
            refused: 0,
            leaked: 0,
            unexpected: 0,
            acks: Latencies::new()?,
            pushes: Latencies::new()?,
            plan,
        })
    }

    /// The first webhook is due at this time.
    pub(super) const fn start(&mut self, at: Instant) {
        self.start = Some(at);
    }

    fn since_due(&self, event: usize, now: Instant) -> Duration {
        self.start.map_or(Duration::ZERO, |start| now.saturating_duration_since(self.plan.due(start, event)))
    }

    /// The hub answered 200.
    pub(super) fn acknowledge(&mut self, event: usize, now: Instant) {
        self.acknowledged[event] = true;
        let latency = self.since_due(event, now);
        self.acks.record(latency);
    }

    /// The hub answered 503; the webhook is sent again.
    pub(super) const fn refuse(&mut self) {
        self.refused += 1;
    }

    /// A session of this account got this lead. `session` counts within the account.
    pub(super) fn push(&mut self, account: usize, session: usize, leadgen_id: u64, now: Instant) {
        let Some(event) = self.plan.event_of(leadgen_id) else {
            self.unexpected += 1;
            return;
        };
        if self.plan.account_of(event) != account {
            self.leaked += 1;
            return;
        }
        let times = &mut self.pushed[event * self.plan.sessions + session];
        *times = times.saturating_add(1);
        if *times == 1 {
            let latency = self.since_due(event, now);
            self.pushes.record(latency);
        }
    }

    /// A session got an envelope that says it belongs to another account.
    pub(super) const fn leak(&mut self) {
        self.leaked += 1;
    }

    /// Ids that were acknowledged, of one account.
    pub(super) fn acknowledged_of(&self, account: usize) -> impl Iterator<Item = u64> + '_ {
        let events = self.acknowledged.iter().enumerate();
        events
            .filter(move |(event, acknowledged)| **acknowledged && self.plan.account_of(*event) == account)
            .map(|(event, _)| self.plan.first_id + event as u64)
    }

    /// Every session that should has every acknowledged lead.
    pub(super) fn is_complete(&self) -> bool {
        self.lost() == 0
    }

    /// Deliveries that did not happen.
    fn lost(&self) -> u64 {
        let events = self.acknowledged.iter().zip(self.pushed.chunks(self.plan.sessions));
        let lost = events.filter(|(acknowledged, _)| **acknowledged).flat_map(|(_, sessions)| sessions);
        lost.filter(|times| **times == 0).count() as u64
    }

    fn duplicated(&self) -> u64 {
        self.pushed.iter().map(|&times| u64::from(times.saturating_sub(1))).sum()
    }

    pub(super) fn report(&self, report: &mut Report) {
        let acknowledged = self.acknowledged.iter().filter(|done| **done).count();
        report.count("webhooks due", self.plan.events as u64);
        report.count("acknowledged", acknowledged as u64);
        report.must_be_zero("never acknowledged", (self.plan.events - acknowledged) as u64);
        report.count("refused with 503 and sent again", self.refused);
        report.count("deliveries", self.pushed.iter().filter(|times| **times > 0).count() as u64);
        report.latencies("acknowledged after", &self.acks);
        report.latencies("pushed after", &self.pushes);
        report.must_be_zero("lost", self.lost());
        report.must_be_zero("duplicated", self.duplicated());
        report.must_be_zero("leaked to another account", self.leaked);
        report.must_be_zero("never asked for", self.unexpected);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four events for two accounts of two sessions, one each second.
    fn ledger() -> (Ledger, Instant) {
        let plan = Plan { first_id: 100, events: 4, accounts: 2, sessions: 2, interval: Duration::from_secs(1) };
        let mut ledger = Ledger::new(plan).unwrap();
        let start = Instant::now();
        ledger.start(start);
        (ledger, start)
    }

    #[test]
    fn an_acknowledged_lead_is_lost_until_every_session_of_its_account_has_it() {
        let (mut ledger, start) = ledger();
        assert!(ledger.is_complete());
        ledger.acknowledge(0, start);
        assert_eq!(ledger.lost(), 2);
        ledger.push(0, 0, 100, start);
        assert_eq!(ledger.lost(), 1);
        ledger.push(0, 1, 100, start);
        assert!(ledger.is_complete());
        assert_eq!(ledger.acknowledged_of(0).collect::<Vec<_>>(), [100]);
        assert_eq!(ledger.acknowledged_of(1).count(), 0);
    }

    #[test]
    fn a_second_copy_a_strangers_lead_and_an_unknown_one_are_told_apart() {
        let (mut ledger, start) = ledger();
        ledger.push(0, 0, 100, start);
        ledger.push(0, 0, 100, start);
        ledger.push(0, 0, 101, start);
        ledger.push(0, 0, 104, start);
        ledger.push(0, 0, 99, start);
        assert_eq!((ledger.duplicated(), ledger.leaked, ledger.unexpected), (1, 1, 2));
        let mut report = Report::new("lead", 1);
        ledger.report(&mut report);
        assert!(!report.is_good());
    }

    #[test]
    fn latency_counts_from_when_a_webhook_was_due() {
        let (mut ledger, start) = ledger();
        ledger.acknowledge(2, start + Duration::from_millis(2030));
        ledger.push(0, 1, 102, start + Duration::from_millis(2050));
        let near = |value: f64, wanted: f64| (value - wanted).abs() < 0.1;
        assert!(near(ledger.acks.max().unwrap(), 30.0) && near(ledger.pushes.max().unwrap(), 50.0));
    }
}
