//! Which lead comes when, and for whom: all of it known before the first is sent.

use std::time::{Duration, Instant};

use super::{
    faults::Storm,
    scenario::{Accounts, Phase},
};
use crate::platform::meta::Deliveries;

/// Event `i` has the id `first_id + i`.
#[derive(Debug)]
pub(super) struct Plan {
    pub first_id: u64,
    pub accounts: usize,
    /// Of each account.
    pub sessions: usize,
    /// The account of each event.
    account: Vec<usize>,
    /// The number of the first event of each phase.
    phases: Vec<usize>,
    /// When each event is due, after the start: with the first POST that has it.
    due: Vec<Duration>,
    /// In the order in which they are due.
    pub posts: Vec<Post>,
    /// Those that come again in storms.
    pub again: Vec<Post>,
    storms: Vec<Storm>,
}

/// One POST.
#[derive(Debug, Clone)]
pub(super) struct Post {
    pub events: Vec<usize>,
    /// After the start.
    pub due: Duration,
    /// The platform hears no answer to it.
    pub unheard: bool,
}

impl Plan {
    pub(super) fn new(
        first_id: u64,
        accounts: &Accounts,
        phases: &[Phase],
        deliveries: &Deliveries,
        storms: Vec<Storm>,
        seed: u64,
    ) -> Self {
        let (mut happened, mut account, mut begins) = (Vec::new(), Vec::new(), Vec::new());
        let mut begin = 0.0;
        for phase in phases {
            begins.push(happened.len());
            let dues = dues(phase, begin);
            let share = phase.first_share.or(accounts.first_share);
            account.extend((0..dues.len()).map(|event| account_of(event, accounts.count, share)));
            happened.extend(dues);
            begin += phase.seconds;
        }
        let (mut due, mut latest) = (vec![None; happened.len()], 0);
        let posts = deliveries.plan(happened.len(), seed).into_iter().map(|events| {
            // With the latest of its events and of those before it: a copy comes when its turn is.
            latest = events.iter().copied().max().unwrap_or(0).max(latest);
            for &event in &events {
                due[event].get_or_insert(happened[latest]);
            }
            Post { events, due: happened[latest], unheard: within(&storms, happened[latest]).is_some() }
        });
        let posts: Vec<Post> = posts.collect();
        let again = again(&posts, &storms, seed);
        let due = due.into_iter().map(Option::unwrap_or_default).collect();
        let Accounts { count, sessions, .. } = *accounts;
        Self { first_id, accounts: count, sessions, account, phases: begins, due, posts, again, storms }
    }

    pub(super) fn events(&self) -> usize {
        self.due.len()
    }

    pub(super) fn account_of(&self, event: usize) -> usize {
        self.account[event]
    }

    pub(super) fn phases(&self) -> usize {
        self.phases.len()
    }

    /// The number of the phase in which an event happened.
    pub(super) fn phase_of(&self, event: usize) -> usize {
        self.phases.partition_point(|begin| *begin <= event).saturating_sub(1)
    }

    pub(super) fn id_of(&self, event: usize) -> u64 {
        self.first_id + event as u64
    }

    /// The event that has this platform id.
    pub(super) fn event_of(&self, leadgen_id: u64) -> Option<usize> {
        let event = usize::try_from(leadgen_id.checked_sub(self.first_id)?).ok()?;
        (event < self.events()).then_some(event)
    }

    /// When the platform could have heard an answer first.
    pub(super) fn answer_due(&self, start: Instant, event: usize) -> Instant {
        start + within(&self.storms, self.due[event]).map_or(self.due[event], |storm| storm.to)
    }

    pub(super) fn due(&self, start: Instant, event: usize) -> Instant {
        start + self.due[event]
    }

    /// How many are due within so long after the start.
    pub(super) fn due_within(&self, length: Duration) -> usize {
        self.due.iter().filter(|due| **due <= length).count()
    }
}

fn within(storms: &[Storm], at: Duration) -> Option<&Storm> {
    storms.iter().find(|storm| (storm.from..storm.to).contains(&at))
}

/// The POSTs of each storm: those that had no answer come again when it ends, each once or up to so many times, in any
/// order.
fn again(posts: &[Post], storms: &[Storm], seed: u64) -> Vec<Post> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut all = Vec::new();
    for storm in storms {
        let begin = all.len();
        for post in posts.iter().filter(|post| (storm.from..storm.to).contains(&post.due)) {
            let again = Post { due: storm.to, unheard: false, ..post.clone() };
            all.extend(std::iter::repeat_n(again, random.usize(1..=storm.copies as usize)));
        }
        random.shuffle(&mut all[begin..]);
    }
    all
}

/// With a share for the first account: that share of any stretch of events, as evenly as it can be.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "no run has 2^53 events"
)]
fn account_of(event: usize, accounts: usize, first_share: Option<f64>) -> usize {
    let Some(share) = first_share.filter(|_| accounts > 1) else { return event % accounts };
    let before = (event as f64 * share).floor();
    if ((event + 1) as f64 * share).floor() > before {
        return 0;
    }
    1 + (event - before as usize) % (accounts - 1)
}

/// The `n`th event of a phase is due when the rate, summed up over time, reaches `n`. `begin`: seconds after the start.
fn dues(phase: &Phase, begin: f64) -> Vec<Duration> {
    let slope = (phase.to.unwrap_or(phase.rate) - phase.rate) / phase.seconds;
    let (mut dues, mut number) = (Vec::new(), 0.5);
    // Solves rate · t + slope / 2 · t² = number.
    while let root = phase.rate.mul_add(phase.rate, 2.0 * slope * number)
        && root >= 0.0
        && let after = 2.0 * number / (phase.rate + root.sqrt())
        && after < phase.seconds
    {
        dues.push(Duration::from_secs_f64(begin + after));
        number += 1.0;
    }
    dues
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phase(seconds: f64, rate: f64, to: Option<f64>) -> Phase {
        Phase { name: String::new(), seconds, rate, to, first_share: None }
    }

    fn accounts(count: usize, first_share: Option<f64>) -> Accounts {
        Accounts { count, sessions: 1, first_share }
    }

    #[test]
    fn a_phase_has_as_many_events_as_its_rate_and_length_say() {
        assert_eq!(dues(&phase(2.0, 100.0, None), 0.0).len(), 200);
        assert_eq!(dues(&phase(10.0, 0.0, Some(100.0)), 0.0).len(), 500);
        assert_eq!(dues(&phase(10.0, 100.0, Some(0.0)), 0.0).len(), 500);
        assert_eq!(dues(&phase(10.0, 0.0, None), 0.0).len(), 0);
        let two = [phase(1.0, 10.0, Some(100.0)), Phase { first_share: Some(1.0), ..phase(1.0, 100.0, None) }];
        let plan = Plan::new(100, &accounts(2, None), &two, &SINGLY, Vec::new(), 1);
        assert_eq!([0, 54, 55, 154].map(|event| plan.phase_of(event)), [0, 0, 1, 1]);
        assert!(plan.due.is_sorted() && plan.events() == 155 && plan.due[55] > Duration::from_secs(1));
        assert!(plan.account[..55].contains(&1) && !plan.account[55..].contains(&1));
    }

    #[test]
    fn accounts_take_turns_or_the_first_gets_its_share() {
        let of = |accounts, share| -> Vec<usize> { (0..10).map(|event| account_of(event, accounts, share)).collect() };
        assert_eq!(of(2, None), [0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
        let uneven = of(3, Some(0.8));
        assert_eq!(uneven.iter().filter(|account| **account == 0).count(), 8);
        assert!(uneven.contains(&1) && uneven.contains(&2));
        assert_eq!(of(1, Some(0.5)), [0; 10]);
    }

    const SINGLY: Deliveries = Deliveries { batch: 1, redelivered: 0.0, copies: 1, shuffle: 1 };

    #[test]
    fn an_event_is_due_with_the_first_post_that_has_it() {
        let deliveries = Deliveries { batch: 2, redelivered: 1.0, copies: 3, shuffle: 1 };
        let plan = Plan::new(100, &accounts(2, None), &[phase(1.0, 4.0, None)], &deliveries, Vec::new(), 1);
        assert!(plan.posts.len() > 2 && plan.posts.is_sorted_by_key(|post| post.due));
        let start = Instant::now();
        assert_eq!(plan.due(start, 0), plan.due(start, 1));
        assert_eq!(plan.due(start, 1), start + Duration::from_millis(375));
    }

    #[test]
    fn an_event_is_known_by_its_id() {
        let plan = Plan::new(100, &accounts(2, None), &[phase(1.0, 4.0, None)], &SINGLY, Vec::new(), 1);
        assert_eq!(
            (plan.event_of(100), plan.event_of(103), plan.event_of(104), plan.event_of(99)),
            (Some(0), Some(3), None, None)
        );
        assert_eq!(plan.due_within(Duration::from_millis(500)), 2);
    }

    #[test]
    fn what_had_no_answer_comes_again_at_once_when_the_storm_ends() {
        let seconds = Duration::from_secs;
        let storm = Storm { from: seconds(1), to: seconds(3), copies: 3 };
        let plan = Plan::new(100, &accounts(2, None), &[phase(4.0, 50.0, None)], &SINGLY, vec![storm], 1);
        let again = &plan.again;
        let unheard: Vec<_> = plan.posts.iter().filter(|post| post.unheard).map(|post| post.events[0]).collect();
        assert_eq!(unheard, (50..150).collect::<Vec<_>>());
        assert!(again.iter().all(|post| post.due == storm.to && !post.unheard));
        let times = |event: usize| again.iter().filter(|post| post.events == [event]).count();
        assert!((50..150).all(|event| (1..=3).contains(&times(event))) && (150..400).contains(&again.len()));
        assert!(times(49) + times(150) == 0 && !again.is_sorted_by_key(|post| post.events[0]));
        let start = Instant::now();
        assert_eq!(
            (plan.answer_due(start, 60), plan.answer_due(start, 150)),
            (start + seconds(3), plan.due(start, 150))
        );
    }
}
