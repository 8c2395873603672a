//! What became of each lead: acknowledged, and pushed to which session, how often and when.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{super::latency::Latencies, plan::Plan};

/// The book. Times are given in, so that it can be tested without any passing.
pub(super) struct Ledger {
    plan: Rc<Plan>,
    start: Instant,
    /// For each event, when it was sent first.
    sent: Vec<Option<Instant>>,
    acknowledged: Vec<Option<Instant>>,
    /// For each event, the envelope that it came in first.
    envelope: Vec<Option<u64>>,
    /// For each event, when the first of all sessions got it.
    first_pushed: Vec<Option<Instant>>,
    /// For each event and each session of its account, the connection on which the session got it last, from 1 on.
    pushed: Vec<u8>,
    /// For each session, from when until when it was away without the hub bringing back what it missed.
    away: Vec<Vec<(Instant, Instant)>>,
    accounts: Vec<Strayed>,
    /// The same envelope on a later connection: after a crash, and the client drops it by its id.
    repeated: u64,
    unexpected: u64,
    refused: u64,
    broken: u64,
    /// Before this event all are pushed to all.
    done: usize,
    acks: Latencies,
    pushes: Latencies,
    /// The pushes of accounts but the first.
    others: Latencies,
    /// The same of each phase.
    others_in: Vec<Latencies>,
    window: Window,
}

/// What was pushed so shortly before a session noticed that its connection broke may have been lost on the way.
const ON_THE_WAY: Duration = Duration::from_secs(2);

/// What went to a wrong place, or twice, by account of the session that saw it.
#[derive(Debug, Clone, Default)]
struct Strayed {
    duplicated: u64,
    out_of_order: u64,
    leaked: u64,
}

/// What happened since the last sample.
pub(super) struct Window {
    pub acknowledged: u64,
    pub pushed: u64,
    pub acks: Latencies,
    pub pushes: Latencies,
}

impl Window {
    fn new() -> Result<Self> {
        Ok(Self { acknowledged: 0, pushed: 0, acks: Latencies::new()?, pushes: Latencies::new()? })
    }
}

/// The book of one account, summed up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub due: u64,
    pub acknowledged: u64,
    /// Deliveries to sessions that acknowledged leads call for.
    pub expected: u64,
    pub pushed: u64,
    /// Not pushed to a session that was away, but sent before it came back: it reads them in the list.
    pub in_list: u64,
    pub lost: u64,
    pub duplicated: u64,
    pub out_of_order: u64,
    pub leaked: u64,
}

/// What a session got, as far as the book is concerned.
pub(super) struct Got {
    pub account: usize,
    /// Counts within the account.
    pub session: usize,
    /// How many connections the session has had, this one included.
    pub connection: u8,
    pub leadgen_id: u64,
    /// Stands for the envelope's id.
    pub envelope: u64,
}

impl Ledger {
    pub(super) fn new(plan: Rc<Plan>, start: Instant) -> Result<Self> {
        Ok(Self {
            start,
            sent: vec![None; plan.events()],
            acknowledged: vec![None; plan.events()],
            envelope: vec![None; plan.events()],
            pushed: vec![0; plan.events() * plan.sessions],
            first_pushed: vec![None; plan.events()],
            away: vec![Vec::new(); plan.accounts * plan.sessions],
            accounts: vec![Strayed::default(); plan.accounts],
            repeated: 0,
            unexpected: 0,
            refused: 0,
            broken: 0,
            done: 0,
            acks: Latencies::new()?,
            pushes: Latencies::new()?,
            others: Latencies::new()?,
            others_in: (0..plan.phases()).map(|_| Latencies::new()).collect::<Result<_>>()?,
            window: Window::new()?,
            plan,
        })
    }

    pub(super) const fn start(&self) -> Instant {
        self.start
    }

    /// The schedule begins at this time.
    pub(super) const fn begin(&mut self, at: Instant) {
        self.start = at;
    }

    fn since_due(&self, event: usize, now: Instant) -> Duration {
        now.saturating_duration_since(self.plan.due(self.start, event))
    }

    /// A POST with this lead in it goes out.
    pub(super) fn send(&mut self, event: usize, now: Instant) {
        self.sent[event].get_or_insert(now);
    }

    /// The hub answered 200 to a POST with this lead in it. Only the first answer counts.
    pub(super) fn acknowledge(&mut self, event: usize, now: Instant) {
        if self.acknowledged[event].is_none() {
            self.acknowledged[event] = Some(now);
            let latency = now.saturating_duration_since(self.plan.answer_due(self.start, event));
            self.acks.record(latency);
            self.window.acks.record(latency);
            self.window.acknowledged += 1;
        }
    }

    /// The hub answered 503; the POST is sent again.
    pub(super) const fn refuse(&mut self) {
        self.refused += 1;
    }

    /// The connection broke before an answer; the POST is sent again.
    pub(super) const fn break_off(&mut self) {
        self.broken += 1;
    }

    pub(super) fn push(&mut self, got: &Got, now: Instant) {
        let Some(event) = self.plan.event_of(got.leadgen_id) else {
            self.unexpected += 1;
            return;
        };
        if self.plan.account_of(event) != got.account {
            self.leak(got.account);
            return;
        }
        let same = *self.envelope[event].get_or_insert(got.envelope) == got.envelope;
        self.first_pushed[event].get_or_insert(now);
        let before = std::mem::replace(&mut self.pushed[event * self.plan.sessions + got.session], got.connection);
        if !same || before == got.connection {
            self.accounts[got.account].duplicated += 1;
        } else if before > 0 {
            self.repeated += 1;
        } else {
            let latency = self.since_due(event, now);
            self.pushes.record(latency);
            self.window.pushes.record(latency);
            self.window.pushed += 1;
            if got.account > 0 {
                self.others.record(latency);
                self.others_in[self.plan.phase_of(event)].record(latency);
            }
        }
    }

    /// A session of this account got an envelope that belongs to another.
    pub(super) fn leak(&mut self, account: usize) {
        self.accounts[account].leaked += 1;
    }

    /// A session of this account got an envelope at or before the position that it had.
    pub(super) fn disorder(&mut self, account: usize) {
        self.accounts[account].out_of_order += 1;
    }

    /// A session came back, and the hub could not bring what it missed: it has to read the list.
    pub(super) fn was_away(&mut self, account: usize, session: usize, from: Instant, until: Instant) {
        self.away[account * self.plan.sessions + session].push((from, until));
    }

    /// Ids that were acknowledged, of one account.
    pub(super) fn acknowledged_of(&self, account: usize) -> impl Iterator<Item = u64> + '_ {
        let events = self.acknowledged.iter().enumerate();
        events
            .filter(move |(event, at)| at.is_some() && self.plan.account_of(*event) == account)
            .map(|(event, _)| self.plan.id_of(event))
    }

    /// The sessions that miss this event: how many of them read it in the list, and how many lost it.
    fn missing(&self, event: usize) -> (u64, u64) {
        if self.acknowledged[event].is_none() {
            return (0, 0);
        }
        let sessions = event * self.plan.sessions..(event + 1) * self.plan.sessions;
        let away = &self.away[self.plan.account_of(event) * self.plan.sessions..];
        let (mut in_list, mut lost) = (0, 0);
        for (_, away) in self.pushed[sessions].iter().zip(away).filter(|(times, _)| **times == 0) {
            if away.iter().any(|away| self.passed_by(event, *away)) {
                in_list += 1;
            } else {
                lost += 1;
            }
        }
        (in_list, lost)
    }

    /// Whether the event can have been pushed while a session was away.
    fn passed_by(&self, event: usize, (from, until): (Instant, Instant)) -> bool {
        // Not by when the others got it or it was answered: both may be noted later than the session came back.
        let sent_before = self.sent[event].is_some_and(|sent| sent <= until);
        let pushed = self.first_pushed[event].or(self.sent[event]);
        sent_before && pushed.is_some_and(|at| at + ON_THE_WAY >= from)
    }

    /// How many acknowledged events some session still waits for, and since when the oldest of them does.
    pub(super) fn waiting(&mut self) -> (u64, Option<Instant>) {
        while self.done < self.plan.events() && self.acknowledged[self.done].is_some() && self.missing(self.done).1 == 0
        {
            self.done += 1;
        }
        let late = (self.done..self.plan.events()).filter(|event| self.missing(*event).1 > 0);
        late.fold((0, None), |(count, oldest): (u64, Option<Instant>), event| {
            let at = self.acknowledged[event];
            (count + 1, oldest.min(at).or(at))
        })
    }

    /// What happened since the last call.
    pub(super) fn window(&mut self) -> Result<Window> {
        Ok(std::mem::replace(&mut self.window, Window::new()?))
    }

    pub(super) fn sums(&self) -> Vec<Sums> {
        let strayed = self.accounts.iter().map(|strayed| Sums {
            duplicated: strayed.duplicated,
            out_of_order: strayed.out_of_order,
            leaked: strayed.leaked,
            ..Sums::default()
        });
        let mut sums: Vec<Sums> = strayed.collect();
        for event in 0..self.plan.events() {
            let sum = &mut sums[self.plan.account_of(event)];
            let (in_list, lost) = self.missing(event);
            let sessions = &self.pushed[event * self.plan.sessions..(event + 1) * self.plan.sessions];
            sum.due += 1;
            sum.pushed += sessions.iter().filter(|times| **times > 0).count() as u64;
            sum.in_list += in_list;
            sum.lost += lost;
            if self.acknowledged[event].is_some() {
                sum.acknowledged += 1;
                sum.expected += self.plan.sessions as u64;
            }
        }
        sums
    }

    /// `(repeated, unexpected, refused, broken off)`.
    pub(super) const fn oddities(&self) -> (u64, u64, u64, u64) {
        (self.repeated, self.unexpected, self.refused, self.broken)
    }

    /// From when a webhook was due: acknowledged, pushed, and pushed to accounts but the first.
    pub(super) const fn latencies(&self) -> (&Latencies, &Latencies, &Latencies) {
        (&self.acks, &self.pushes, &self.others)
    }

    /// Pushed to accounts but the first, by phase.
    pub(super) fn others_in_phases(&self) -> &[Latencies] {
        &self.others_in
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::scenario::{Accounts, Phase, Webhooks},
        *,
    };

    /// Four events for two accounts of two sessions, one each second, the first after half a second.
    fn ledger() -> (Ledger, Instant) {
        let accounts = Accounts { count: 2, sessions: 2, first_share: None };
        let phase = Phase { name: String::new(), seconds: 4.0, rate: 1.0, to: None, first_share: None };
        let start = Instant::now();
        (
            Ledger::new(
                Rc::new(Plan::new(100, &accounts, &[phase], &Webhooks::default().deliveries(), Vec::new(), 1)),
                start,
            )
            .unwrap(),
            start,
        )
    }

    fn got(account: usize, session: usize, leadgen_id: u64, envelope: u64) -> Got {
        Got { account, session, connection: 1, leadgen_id, envelope }
    }

    #[test]
    fn an_acknowledged_lead_is_lost_until_every_session_of_its_account_has_it() {
        let (mut ledger, start) = ledger();
        assert_eq!(ledger.waiting(), (0, None));
        ledger.acknowledge(0, start);
        assert_eq!((ledger.sums()[0].lost, ledger.waiting()), (2, (1, Some(start))));
        ledger.push(&got(0, 0, 100, 1), start);
        assert_eq!(ledger.sums()[0].lost, 1);
        ledger.push(&got(0, 1, 100, 1), start);
        assert_eq!((ledger.sums()[0].lost, ledger.waiting()), (0, (0, None)));
        assert_eq!(ledger.acknowledged_of(0).collect::<Vec<_>>(), [100]);
        assert_eq!(ledger.acknowledged_of(1).count(), 0);
        assert_eq!(ledger.window().unwrap().pushed, 2);
        assert_eq!(ledger.window().unwrap().pushed, 0);
    }

    #[test]
    fn a_second_copy_a_strangers_lead_and_an_unknown_one_are_told_apart() {
        let (mut ledger, start) = ledger();
        for (id, envelope) in [(100, 1), (100, 1), (101, 2), (104, 3), (99, 4)] {
            ledger.push(&got(0, 0, id, envelope), start);
        }
        let sums = ledger.sums();
        assert_eq!((sums[0].duplicated, sums[0].leaked, ledger.oddities().1), (1, 1, 2));
    }

    #[test]
    fn after_a_crash_the_same_envelope_is_no_duplicate_but_another_one_is() {
        let (mut ledger, start) = ledger();
        ledger.push(&got(0, 0, 100, 1), start);
        ledger.push(&Got { connection: 2, ..got(0, 0, 100, 1) }, start);
        assert_eq!((ledger.sums()[0].duplicated, ledger.oddities().0), (0, 1));
        ledger.push(&got(0, 1, 100, 2), start);
        assert_eq!(ledger.sums()[0].duplicated, 1);
    }

    #[test]
    fn who_was_away_reads_the_list_but_only_what_came_before() {
        let (mut ledger, start) = ledger();
        for (event, sent) in [(0, start), (2, start + Duration::from_secs(2))] {
            ledger.send(event, sent);
            ledger.send(event, sent + Duration::from_secs(9));
            ledger.acknowledge(event, sent + Duration::from_secs(2));
        }
        ledger.was_away(0, 1, start, start + Duration::from_secs(1));
        let sums = &ledger.sums()[0];
        assert_eq!((sums.expected, sums.in_list, sums.lost), (4, 1, 3));
    }

    #[test]
    fn what_others_got_long_before_a_session_went_away_is_lost_to_it() {
        let (mut ledger, start) = ledger();
        ledger.send(0, start);
        ledger.acknowledge(0, start);
        ledger.push(&got(0, 0, 100, 1), start);
        ledger.was_away(0, 1, start + Duration::from_secs(3), start + Duration::from_secs(4));
        assert_eq!((ledger.sums()[0].in_list, ledger.sums()[0].lost), (0, 1));
    }

    #[test]
    fn latency_counts_from_when_a_webhook_was_due() {
        let (mut ledger, start) = ledger();
        ledger.acknowledge(2, start + Duration::from_millis(2530));
        ledger.acknowledge(2, start + Duration::from_secs(9));
        ledger.push(&got(0, 1, 102, 1), start + Duration::from_millis(2550));
        let near = |latencies: &Latencies, wanted: f64| (latencies.quantiles().unwrap().max - wanted).abs() < 0.1;
        assert!(near(&ledger.acks, 30.0) && near(&ledger.pushes, 50.0));
    }
}
