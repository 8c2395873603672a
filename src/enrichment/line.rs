//! An account's events in memory: who waits, who is being fetched, and whose turn it is to be published.
//!
//! Fetches run side by side, but their results leave in the order in which the events came; one that has to wait for
//! another try steps out of the line and holds up nobody. Plain state; no clock, no calls.

use std::collections::{HashMap, VecDeque};

use crate::domain::{EventId, Timestamp, event::Event};

/// Slots that may be open for each fetch under way: results that wait for an earlier one.
const SLOTS: usize = 4;

/// The line. `R` is what a fetch brings.
pub struct Line<R> {
    waiting: VecDeque<Event>,
    open: VecDeque<(EventId, Slot<R>)>,
    /// Everything in here, until the inbox knows what became of it: what is read back from the inbox meanwhile is old.
    /// With when it was received, unless it is a replay.
    busy: HashMap<EventId, Option<Timestamp>>,
    reading: Option<Reading>,
    capacity: usize,
    concurrency: usize,
    fetching: usize,
}

/// What happens while the inbox is being read.
#[derive(Default)]
struct Reading {
    /// What became known to the inbox.
    settled: Vec<EventId>,
    /// What came: behind all that is read.
    came: Vec<Event>,
}

enum Slot<R> {
    Fetching,
    Done(R),
    Left,
}

/// Whether an event was taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Admitted {
    /// Taken, or here already.
    Yes,
    /// No room: it stays in the inbox.
    Full,
}

impl<R> Line<R> {
    /// `capacity`: events in memory; `concurrency`: fetches at once.
    pub fn new(capacity: usize, concurrency: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            open: VecDeque::new(),
            busy: HashMap::new(),
            reading: None,
            capacity,
            concurrency,
            fetching: 0,
        }
    }

    /// Takes an event in at the end; while the inbox is being read, behind what is read there.
    pub fn admit(&mut self, event: Event) -> Admitted {
        if self.busy.contains_key(&event.id) {
            return Admitted::Yes;
        }
        if self.room() == 0 {
            return Admitted::Full;
        }
        if let Some(reading) = &mut self.reading {
            reading.came.push(event);
            return Admitted::Yes;
        }
        self.busy.insert(event.id, (!event.replayed).then_some(event.received_at));
        self.waiting.push_back(event);
        Admitted::Yes
    }

    /// Room for more events.
    pub fn room(&self) -> usize {
        let came = self.reading.as_ref().map_or(0, |reading| reading.came.len());
        self.capacity.saturating_sub(self.busy.len() + came)
    }

    /// Nothing in memory.
    pub fn is_empty(&self) -> bool {
        self.busy.is_empty() && self.reading.is_none()
    }

    /// The next event to be fetched, if another fetch may start.
    pub fn next(&mut self) -> Option<Event> {
        if self.fetching >= self.concurrency || self.open.len() >= self.concurrency * SLOTS {
            return None;
        }
        self.waiting.pop_front()
    }

    /// Whether an event is in the line before all that still waits: what is taken from it now comes after that.
    pub fn is_ahead(&self, id: EventId) -> bool {
        self.busy.contains_key(&id) && !self.waiting.iter().any(|event| event.id == id)
    }

    /// When an event in here was received, unless it is a replay.
    pub fn received_at(&self, id: EventId) -> Option<Timestamp> {
        self.busy.get(&id).copied().flatten()
    }

    /// Back to the front: it can't be fetched just now.
    pub fn put_back(&mut self, event: Event) {
        self.waiting.push_front(event);
    }

    /// Its fetch begins.
    pub fn fetching(&mut self, id: EventId) {
        self.fetching += 1;
        self.open.push_back((id, Slot::Fetching));
    }

    /// Its fetch ended: `Some` to be published in its turn, `None` if it steps out of the line.
    pub fn fetched(&mut self, id: EventId, result: Option<R>) {
        // Not one that it left before: behind a slow neighbour such a slot is still in line when the event comes again.
        let mut slots = self.open.iter_mut();
        if let Some((_, slot)) = slots.find(|(open, slot)| *open == id && matches!(slot, Slot::Fetching)) {
            self.fetching -= 1;
            *slot = result.map_or(Slot::Left, Slot::Done);
        }
    }

    /// The next result whose turn it is.
    pub fn publishable(&mut self) -> Option<(EventId, R)> {
        loop {
            match self.open.front() {
                None | Some((_, Slot::Fetching)) => return None,
                Some(_) => {}
            }
            if let Some((id, Slot::Done(result))) = self.open.pop_front() {
                return Some((id, result));
            }
        }
    }

    /// The inbox knows what became of it.
    pub fn settle(&mut self, id: EventId) {
        match &mut self.reading {
            Some(reading) => reading.settled.push(id),
            None => {
                self.busy.remove(&id);
            }
        }
    }

    /// A reading of the inbox begins; false if one is under way.
    pub fn begin_reading(&mut self) -> bool {
        if self.reading.is_some() {
            return false;
        }
        self.reading = Some(Reading::default());
        true
    }

    /// The reading ended. What was settled since it began is in it as it was before, so it is left out.
    pub fn end_reading(&mut self, read: Vec<Event>) -> Admitted {
        let Reading { settled, came } = self.reading.take().unwrap_or_default();
        let full = read.into_iter().chain(came).any(|event| self.admit(event) == Admitted::Full);
        for id in settled {
            self.busy.remove(&id);
        }
        if full { Admitted::Full } else { Admitted::Yes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AccountId, SourceId, clock, event::EventKind};

    fn event() -> Event {
        Event {
            id: EventId::generate(),
            account: AccountId::generate(),
            source: SourceId::generate(),
            kind: EventKind::Lead,
            platform_id: String::new(),
            item: String::new(),
            received_at: clock::now(),
            attempts: 0,
            replayed: false,
        }
    }

    /// A line with so many events, all being fetched.
    fn fetching(count: usize) -> (Line<u8>, Vec<EventId>) {
        let mut line = Line::new(10, count);
        for _ in 0..count {
            line.admit(event());
        }
        let mut ids = Vec::new();
        while let Some(event) = line.next() {
            line.fetching(event.id);
            ids.push(event.id);
        }
        (line, ids)
    }

    #[test]
    fn what_has_begun_is_ahead_of_what_is_taken_next_until_it_is_settled() {
        let mut line = Line::<()>::new(9, 9);
        let events = [event(), event(), event()];
        let ids = [0, 1, 2].map(|place| events[place].id);
        for event in events {
            line.admit(event);
        }
        let first = line.next().unwrap().id;
        line.fetching(first);
        assert_eq!(ids.map(|id| line.is_ahead(id)), [true, false, false]);
        line.fetched(first, Some(()));
        line.publishable();
        assert!(line.is_ahead(first), "it is on its way into the log");
        line.settle(first);
        assert!(!line.is_ahead(first));
    }

    #[test]
    fn results_leave_in_the_order_of_the_events() {
        let (mut line, ids) = fetching(3);
        line.fetched(ids[2], Some(2));
        line.fetched(ids[1], Some(1));
        assert_eq!(line.publishable(), None);
        line.fetched(ids[0], Some(0));
        let left: Vec<_> = std::iter::from_fn(|| line.publishable()).collect();
        assert_eq!(left, [(ids[0], 0), (ids[1], 1), (ids[2], 2)]);
    }

    #[test]
    fn an_event_that_steps_out_holds_up_nobody() {
        let (mut line, ids) = fetching(2);
        line.fetched(ids[1], Some(1));
        line.fetched(ids[0], None);
        assert_eq!(line.publishable(), Some((ids[1], 1)));
    }

    #[test]
    fn an_event_that_comes_again_behind_a_slow_one_does_not_stop_the_line() {
        let mut line = Line::new(10, 8);
        let (slow, again, later) = (event(), event(), event());
        for event in [&slow, &again] {
            line.fetching(event.id);
        }
        line.fetched(again.id, None);
        line.fetching(again.id);
        line.fetched(again.id, None);
        line.fetching(again.id);
        line.fetched(again.id, Some(2));
        line.fetching(later.id);
        line.fetched(later.id, Some(3));
        line.fetched(slow.id, Some(1));
        let left: Vec<_> = std::iter::from_fn(|| line.publishable()).collect();
        assert_eq!(left, [(slow.id, 1), (again.id, 2), (later.id, 3)]);
        assert_eq!(line.fetching, 0);
    }

    #[test]
    fn what_was_settled_during_a_reading_is_not_taken_in_again() {
        let mut line = Line::<u8>::new(10, 1);
        let (first, second) = (event(), event());
        line.admit(first.clone());
        assert!(line.begin_reading() && !line.begin_reading());
        line.settle(first.id);
        line.end_reading(vec![first.clone(), second.clone()]);
        assert_eq!(line.room(), 9, "only the second is in memory now");
        assert_eq!(line.admit(first), Admitted::Yes, "a later hand-on of the first is a new matter");
    }

    #[test]
    fn what_comes_during_a_reading_stands_behind_what_was_there_before() {
        let mut line = Line::<u8>::new(3, 1);
        let (old, new, newest) = (event(), event(), event());
        line.begin_reading();
        assert_eq!([&new, &newest].map(|event| line.admit(event.clone())), [Admitted::Yes, Admitted::Yes]);
        assert!(line.next().is_none());
        line.end_reading(vec![old.clone(), new.clone()]);
        let order: Vec<_> = std::iter::from_fn(|| line.next()).map(|event| event.id).collect();
        assert_eq!(order, [old.id, new.id, newest.id]);
        assert_eq!(line.room(), 0);
    }

    #[test]
    fn a_full_line_takes_nothing_and_fetches_no_more_than_it_may() {
        let mut line = Line::<u8>::new(2, 1);
        assert_eq!([event(), event()].map(|event| line.admit(event)), [Admitted::Yes, Admitted::Yes]);
        assert_eq!(line.admit(event()), Admitted::Full);
        let first = line.next().unwrap();
        line.fetching(first.id);
        assert!(line.next().is_none());
    }
}
