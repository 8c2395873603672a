//! What was pushed and could not be logged: a full disk. Kept so that the next try only logs it. Plain state.

use std::collections::HashMap;

use crate::{domain::EventId, inbox::LogEntry};

/// Bytes of envelopes that are kept. Full means: one more is pushed again with each try, under its id and another position.
const LIMIT: usize = 16 * 1024 * 1024;

/// By the event that they carry.
#[derive(Default)]
pub(super) struct Unlogged {
    entries: HashMap<EventId, LogEntry>,
    bytes: usize,
}

impl Unlogged {
    /// What was pushed for this event.
    pub(super) fn of(&self, event: EventId) -> Option<LogEntry> {
        self.entries.get(&event).cloned()
    }

    pub(super) fn keep(&mut self, event: EventId, entry: LogEntry) {
        self.forget(event);
        if self.bytes + entry.envelope.len() <= LIMIT {
            self.bytes += entry.envelope.len();
            self.entries.insert(event, entry);
        }
    }

    pub(super) fn forget(&mut self, event: EventId) {
        if let Some(entry) = self.entries.remove(&event) {
            self.bytes -= entry.envelope.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AccountId, Room, clock, envelope::Position};

    #[test]
    fn no_more_than_its_limit_is_kept_and_what_is_forgotten_makes_room() {
        let account = AccountId::generate();
        let (room, position) = (Room::Account(account), Position { epoch: 1, count: 1 });
        let half = LogEntry {
            account,
            room,
            position,
            at: clock::now(),
            is_late: false,
            envelope: vec![b'x'; LIMIT / 2].into(),
        };
        let [first, second, third] = [(); 3].map(|()| EventId::generate());
        let mut unlogged = Unlogged::default();
        for event in [first, first, second, third] {
            unlogged.keep(event, half.clone());
        }
        let kept = |unlogged: &Unlogged| [first, second, third].map(|event| unlogged.of(event).is_some());
        assert_eq!(kept(&unlogged), [true, true, false]);
        unlogged.forget(first);
        unlogged.forget(first);
        unlogged.keep(third, half);
        assert_eq!(kept(&unlogged), [false, true, true]);
    }
}
