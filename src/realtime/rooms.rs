//! Who is in which room of one shard, and how far each room is. Plain state; no sockets.

use std::{collections::HashMap, rc::Rc};

use crate::{
    domain::{AccountId, Room, envelope::Position},
    inbox::ERASED,
};

/// Types of envelopes as bits, so that a filter costs one instruction a session.
#[must_use]
pub fn type_bit(name: &str) -> u32 {
    match name {
        "new_lead" => 1,
        "lead:updated" => 1 << 1,
        "source:health" => 1 << 2,
        "message:new" | "message:edited" | "message:deleted" | "message:reaction" | "message:read"
        | "message:delivered" => MESSAGES,
        "chat:updated" | "chat:deleted" => 1 << 7,
        // Apart from the messages: the origin's client, which gets those, knows nothing of these.
        "message:pending" | "message:sent" | "message:failed" | "message:erased" => 1 << 8,
        "lead:enriched" | "prospect:deleted" => 1 << 9,
        "campaign:lifecycle" | "campaign:deleted" => 1 << 10,
        "cost:alert" => 1 << 11,
        // In the place of an envelope that was erased, so that the one after it still follows one that was sent.
        ERASED => 1 << 12,
        "presence" => 1 << 4,
        "typing" => 1 << 5,
        "ack" => 1 << 6,
        _ => 0,
    }
}

/// Everything about messages.
pub const MESSAGES: u32 = 1 << 3;

/// All types.
pub const ANY_TYPE: u32 = u32::MAX;

/// A session in a room, with what reaches it.
pub struct Member<W> {
    /// The session's key in the shard.
    pub key: usize,
    /// Which types it wants.
    pub types: u32,
    /// Its writing side.
    pub wire: Rc<W>,
}

/// One room of the shard.
struct Seats<W> {
    members: Vec<Member<W>>,
    top: Option<Position>,
}

/// All rooms of the shard.
pub struct Rooms<W> {
    rooms: HashMap<Room, Seats<W>>,
    /// The newest position of each account, whichever of its rooms it is in.
    reached: HashMap<AccountId, Position>,
}

impl<W> Default for Rooms<W> {
    fn default() -> Self {
        Self { rooms: HashMap::new(), reached: HashMap::new() }
    }
}

impl<W> Rooms<W> {
    /// Notes how far a room is.
    pub fn advance(&mut self, room: Room, position: Position) {
        let seats = self.rooms.entry(room).or_insert_with(|| Seats { members: Vec::new(), top: None });
        seats.top = seats.top.max(Some(position));
        let reached = self.reached.entry(room.account()).or_insert(position);
        *reached = position.max(*reached);
    }

    /// A room's newest position; none if it never had an envelope.
    #[must_use]
    pub fn top(&self, room: Room) -> Option<Position> {
        self.rooms.get(&room).and_then(|seats| seats.top)
    }

    /// How far the room's account is, in all its rooms: a position up to here that the room does not have by now is none of
    /// its own, for an account's envelopes come in the order of their positions.
    #[must_use]
    pub fn reached(&self, room: Room) -> Option<Position> {
        self.reached.get(&room.account()).copied()
    }

    /// Lets a session in; a second time it only changes which types it wants. Whether it is new there.
    pub fn join(&mut self, room: Room, key: usize, types: u32, wire: &Rc<W>) -> bool {
        let seats = self.rooms.entry(room).or_insert_with(|| Seats { members: Vec::new(), top: None });
        if let Some(member) = seats.members.iter_mut().find(|member| member.key == key) {
            member.types = types;
            return false;
        }
        seats.members.push(Member { key, types, wire: Rc::clone(wire) });
        true
    }

    /// Lets a session out; whether it was there.
    pub fn leave(&mut self, room: Room, key: usize) -> bool {
        let Some(seats) = self.rooms.get_mut(&room) else { return false };
        let place = seats.members.iter().position(|member| member.key == key);
        let was_there = place.map(|place| seats.members.swap_remove(place)).is_some();
        if seats.members.is_empty() && seats.top.is_none() {
            self.rooms.remove(&room);
        }
        was_there
    }

    /// The sessions in a room.
    #[must_use]
    pub fn members(&self, room: Room) -> &[Member<W>] {
        self.rooms.get(&room).map_or(&[], |seats| &seats.members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::AccountId;

    #[test]
    fn a_session_is_in_a_room_once_and_out_after_leaving() {
        let mut rooms = Rooms::default();
        let (room, wire) = (Room::Account(AccountId::generate()), Rc::new(()));
        assert!(rooms.join(room, 1, ANY_TYPE, &wire));
        assert!(!rooms.join(room, 1, type_bit("new_lead"), &wire));
        assert!(rooms.join(room, 2, ANY_TYPE, &wire));
        assert_eq!(rooms.members(room).iter().map(|m| (m.key, m.types)).collect::<Vec<_>>(), [(1, 1), (2, ANY_TYPE)]);
        assert!(rooms.leave(room, 1));
        assert!(!rooms.leave(room, 1));
        assert_eq!(rooms.members(room).iter().map(|m| m.key).collect::<Vec<_>>(), [2]);
        assert!(rooms.members(Room::Account(AccountId::generate())).is_empty());
    }

    #[test]
    fn a_room_never_goes_back() {
        let mut rooms = Rooms::<()>::default();
        let room = Room::Account(AccountId::generate());
        assert_eq!(rooms.top(room), None);
        for (epoch, count) in [(1, 9), (2, 1), (1, 10)] {
            rooms.advance(room, Position { epoch, count });
        }
        assert_eq!(rooms.top(room), Some(Position { epoch: 2, count: 1 }));
        let other = Room::Operators(room.account());
        rooms.advance(other, Position { epoch: 2, count: 2 });
        assert_eq!(rooms.top(room), Some(Position { epoch: 2, count: 1 }));
        assert_eq!(rooms.reached(room), Some(Position { epoch: 2, count: 2 }));
    }
}
