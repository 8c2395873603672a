//! Live envelopes held back for sessions that are about to have caught up. Plain state.

use std::collections::HashMap;

use super::Deliver;
use crate::domain::Room;

/// What is held for one session in one room.
struct Gate {
    key: usize,
    held: Vec<Deliver>,
    bytes: usize,
    /// Bytes that may be held. Full means: the gate breaks, and the session reads on in the log.
    limit: usize,
}

/// All gates of a shard.
#[derive(Default)]
pub(super) struct Gates {
    rooms: HashMap<Room, Vec<Gate>>,
}

impl Gates {
    /// Begins to hold back a room's envelopes for a session; at most one gate each.
    pub(super) fn open(&mut self, room: Room, key: usize, limit: usize) {
        self.rooms.entry(room).or_default().push(Gate { key, held: Vec::new(), bytes: 0, limit });
    }

    /// Holds an envelope back for whoever has a gate in its room.
    pub(super) fn hold(&mut self, delivery: &Deliver) {
        if self.rooms.is_empty() {
            return;
        }
        let Some(gates) = self.rooms.get_mut(&delivery.room) else { return };
        gates.retain_mut(|gate| {
            gate.bytes += delivery.envelope.json().len();
            gate.held.push(delivery.clone());
            gate.bytes <= gate.limit
        });
        if gates.is_empty() {
            self.rooms.remove(&delivery.room);
        }
    }

    /// Closes a gate and returns what it held; `None` if there is none, or it broke.
    pub(super) fn close(&mut self, room: Room, key: usize) -> Option<Vec<Deliver>> {
        let gates = self.rooms.get_mut(&room)?;
        let place = gates.iter().position(|gate| gate.key == key)?;
        let gate = gates.swap_remove(place);
        if gates.is_empty() {
            self.rooms.remove(&room);
        }
        Some(gate.held)
    }

    /// What a session's gate in a room holds; `None` if it has none, or it broke.
    pub(super) fn held(&self, room: Room, key: usize) -> Option<&[Deliver]> {
        let gate = self.rooms.get(&room)?.iter().find(|gate| gate.key == key)?;
        Some(&gate.held)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        domain::{AccountId, envelope::Position},
        realtime::encode::Encoded,
    };

    fn delivery(room: Room, count: u64) -> Deliver {
        let envelope = Arc::new(Encoded::new(b"0123456789"));
        Deliver { room, chat: None, types: 1, position: Position { epoch: 1, count }, prev: None, envelope }
    }

    #[test]
    fn a_gate_holds_its_rooms_envelopes_in_order_until_it_is_closed() {
        let [room, other] = [(); 2].map(|()| Room::Account(AccountId::generate()));
        let mut gates = Gates::default();
        gates.hold(&delivery(room, 1));
        gates.open(room, 7, 100);
        gates.hold(&delivery(room, 2));
        gates.hold(&delivery(other, 3));
        gates.hold(&delivery(room, 4));
        assert!(gates.held(room, 7).is_some() && gates.held(other, 7).is_none());
        assert!(gates.close(room, 8).is_none());
        let held: Vec<_> = gates.close(room, 7).unwrap().iter().map(|held| held.position.count).collect();
        assert_eq!(held, [2, 4]);
        assert!(gates.close(room, 7).is_none() && gates.rooms.is_empty());
    }

    #[test]
    fn a_gate_that_would_hold_too_much_breaks() {
        let room = Room::Account(AccountId::generate());
        let mut gates = Gates::default();
        gates.open(room, 1, 20);
        (1..=2).for_each(|count| gates.hold(&delivery(room, count)));
        assert_eq!(gates.held(room, 1).map(<[_]>::len), Some(2));
        gates.hold(&delivery(room, 3));
        assert!(gates.close(room, 1).is_none() && gates.rooms.is_empty());
    }
}
