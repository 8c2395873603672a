//! Letting sessions into rooms and out of them. Who comes back with the position that it saw last gets what it missed
//! first ([`catch_up`](super::catch_up)).

use std::{collections::BTreeMap, rc::Rc};

use serde_json::Value;

use super::{JoinError, Member, RoomName, ShardState, catch_up};
use crate::{
    auth::Subject,
    domain::{Room, envelope::Position},
    realtime::{
        protocol::{ServerFrame, Since, Tops},
        rooms::{MESSAGES, Rooms},
    },
    telemetry::Metrics,
};

/// What a session asks for.
pub struct Subscribe {
    /// The room as the client named it.
    pub name: String,
    /// What that stands for.
    pub room: RoomName,
    /// Only these types, as bits.
    pub types: u32,
    /// Where it was before.
    pub since: Option<Since>,
    /// What the reply is to refer to.
    pub reference: Option<Value>,
}

/// Where a session stands in a room that it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has not said where it was: it begins here.
    New,
    /// It has missed nothing.
    Complete,
    /// It has to be told what came after this.
    Behind(Position),
    /// What it missed can't be brought back, in one word why.
    Lost(&'static str),
}

/// A subscription that has to catch up before it is answered.
pub(super) struct Job {
    pub number: u64,
    /// Until it is answered.
    pub asked: Option<Subscribe>,
    /// Sorted by room.
    pub rooms: Vec<(Room, Standing)>,
}

impl Job {
    /// Where the session stands in a room, if it is to be brought up to date there by this job.
    pub fn standing(&mut self, room: Room) -> Option<&mut Standing> {
        let place = self.rooms.binary_search_by_key(&room, |one| one.0).ok()?;
        Some(&mut self.rooms[place].1).filter(|standing| matches!(standing, Standing::Behind(_)))
    }

    /// Whether a room is still to be brought up to date by this job.
    pub fn wants(&self, room: Room) -> bool {
        let place = self.rooms.binary_search_by_key(&room, |one| one.0);
        place.is_ok_and(|place| matches!(self.rooms[place].1, Standing::Behind(_)))
    }
}

/// Subscriptions of a session that may wait to catch up. Full means: refused, and asked for again later. A client that
/// does not read holds them up for as long as it likes.
const JOBS: usize = 64;

/// A client that was in the room when it had no envelope yet.
pub(super) const BEGINNING: Position = Position { epoch: 0, count: 0 };

impl ShardState {
    /// Lets a session into what it names, and tells it so: at once, or after it was looked up what it has missed.
    ///
    /// # Errors
    /// If it may not, or a limit is reached: nothing was changed, and it was told nothing.
    pub fn subscribe(self: &Rc<Self>, key: usize, asked: Subscribe) -> Result<(), JoinError> {
        let mut members = self.members.borrow_mut();
        let Some(member) = members.get_mut(key) else { return Ok(()) };
        let principal = member.principal.clone().ok_or(JoinError::Forbidden)?;
        if asked.since.is_some() && member.jobs.len() >= JOBS {
            return Err(JoinError::Busy);
        }
        let is_anonymous = matches!(principal.subject, Subject::Anonymous(_));
        let wanted = (asked.room, asked.types);
        let joined = member.membership.subscribe(&principal, wanted, &self.limits, self.settings.rooms_per_session)?;
        let mut rooms = Vec::with_capacity(joined.len());
        for room in joined {
            member.forget_catching_up(room);
            self.gates.borrow_mut().close(room, key);
            let standing = match room {
                // It reads what comes while it is there: whoever reaches the hub would read seven days of it otherwise.
                _ if is_anonymous && asked.since.is_some() => Standing::Lost("not_signed_in"),
                // Who is here and who types is not logged: nothing is missed that could be brought back.
                Room::Chat(..) if asked.types & MESSAGES == 0 => Standing::New,
                _ => standing(asked.since.as_ref(), room, &self.rooms.borrow(), self.inbox.epoch()),
            };
            if matches!(standing, Standing::Behind(_)) {
                self.seat(member, key, room, 0);
            } else {
                self.reseat(member, key, room);
            }
            rooms.push((room, standing));
        }
        if !rooms.iter().any(|(_, standing)| matches!(standing, Standing::Behind(_))) {
            let wire = Rc::clone(&member.wire);
            drop(members);
            self.subscribed(&wire, &asked, &rooms);
            return Ok(());
        }
        let number = self.jobs.replace(self.jobs.get() + 1);
        // Where it was stands with the rooms now; a client's list of it may be long.
        let asked = Some(Subscribe { since: Some(Since::Each(BTreeMap::new())), ..asked });
        member.jobs.push_back(Job { number, asked, rooms });
        if member.jobs.len() == 1 {
            catch_up::start(self, key, &member.wire);
        }
        Ok(())
    }

    /// Lets a session out of what it subscribed.
    pub fn unsubscribe(&self, key: usize, name: RoomName) {
        let mut members = self.members.borrow_mut();
        let Some(member) = members.get_mut(key) else { return };
        for room in member.membership.unsubscribe(name) {
            self.reseat(member, key, room);
        }
    }

    /// Tells a session that it is in the rooms that it asked for, and which of them it has to read again.
    pub(super) fn subscribed(&self, wire: &Rc<super::Wire>, asked: &Subscribe, rooms: &[(Room, Standing)]) {
        let tops: Tops = {
            let table = self.rooms.borrow();
            rooms.iter().map(|(room, _)| (room.to_string(), table.top(*room))).collect()
        };
        let brought_back =
            rooms.iter().filter(|(_, standing)| matches!(standing, Standing::Complete | Standing::Behind(_))).count();
        let recovered = match brought_back {
            0 => "none",
            count if count < rooms.len() => "partial",
            _ => "complete",
        };
        if asked.since.is_some() {
            Metrics::count(&self.metrics.resumed_sessions, recovered);
        }
        let (position, all) = match asked.room {
            RoomName::One(_) => (tops.values().next().copied().flatten(), None),
            RoomName::Dashboard | RoomName::Operators => (None, Some(tops)),
        };
        self.send(wire, &ServerFrame::Subscribed { room: &asked.name, position, recovered, rooms: all });
        for (room, standing) in rooms {
            if let Standing::Lost(reason) = standing {
                self.send(wire, &ServerFrame::Resync { room: &room.to_string(), reason });
            }
        }
        self.reply(wire, asked.reference.clone(), Ok(None));
    }

    /// Puts a session into a room as its remaining subscriptions want it, or out of it; one that is catching up there
    /// gets nothing live until it has.
    pub(super) fn reseat(&self, member: &mut Member, key: usize, room: Room) {
        match member.membership.types_for(room) {
            0 => {
                self.unseat(member, key, room);
                member.forget_catching_up(room);
                self.gates.borrow_mut().close(room, key);
            }
            _ if member.is_catching_up(room) => {}
            types => self.seat(member, key, room, types),
        }
    }
}

impl Member {
    pub(super) fn is_catching_up(&self, room: Room) -> bool {
        self.jobs.iter().any(|job| job.wants(room))
    }

    /// It is live, or a later subscription or its end has the last word.
    pub(super) fn forget_catching_up(&mut self, room: Room) {
        self.jobs.iter_mut().filter_map(|job| job.standing(room)).for_each(|standing| *standing = Standing::New);
    }
}

/// Where a client stands that says it was at `since` in a room, in the boot `epoch`.
fn standing<W>(since: Option<&Since>, room: Room, rooms: &Rooms<W>, epoch: u32) -> Standing {
    let Some(since) = since else { return Standing::New };
    if matches!(room, Room::Chat(..)) {
        return Standing::Lost("has_no_positions");
    }
    let text = match since {
        Since::One(position) => Some(Some(position)),
        Since::Each(positions) => positions.get(&room.to_string()).map(Option::as_ref),
    };
    let seen = match text {
        None => return Standing::Lost("no_position"),
        Some(None) => BEGINNING,
        Some(Some(text)) => match text.parse::<Position>() {
            Ok(position) => position,
            Err(_) => return Standing::Lost("bad_position"),
        },
    };
    match rooms.top(room) {
        Some(top) if seen < top => Standing::Behind(seen),
        Some(top) if seen == top => Standing::Complete,
        None if seen == BEGINNING => Standing::Complete,
        // Pushed and seen, but the hub died before it was in the log: what it carries comes again under the same id.
        Some(_) if seen.epoch < epoch => Standing::Complete,
        // Another shard was faster.
        _ if seen.epoch == epoch && rooms.reached(room) < Some(seen) => Standing::Behind(seen),
        _ => Standing::Lost("unknown_position"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::AccountId;

    fn at(epoch: u32, count: u64) -> Position {
        Position { epoch, count }
    }

    /// Rooms that are so far.
    fn rooms<const N: usize>(tops: [(Room, Position); N]) -> Rooms<()> {
        let mut rooms = Rooms::default();
        for (room, top) in tops {
            rooms.advance(room, top);
        }
        rooms
    }

    #[test]
    fn a_client_is_behind_only_when_the_room_went_on() {
        let room = Room::Account(AccountId::generate());
        let stands = |since: &str, top: Option<Position>| {
            let rooms = top.map_or_else(Rooms::default, |top| rooms([(room, top)]));
            standing(Some(&Since::One(since.to_owned())), room, &rooms, 3)
        };
        assert_eq!(standing(None, room, &rooms([(room, at(3, 9))]), 3), Standing::New);
        assert_eq!(stands("3-8", Some(at(3, 9))), Standing::Behind(at(3, 8)));
        assert_eq!(stands("2-70", Some(at(3, 9))), Standing::Behind(at(2, 70)));
        assert_eq!(stands("3-9", Some(at(3, 9))), Standing::Complete);
        assert_eq!(stands("2-71", Some(at(2, 70))), Standing::Complete, "the crash came before the log");
        assert_eq!(stands("3-10", Some(at(3, 9))), Standing::Behind(at(3, 10)), "it may be on its way to this shard");
        assert_eq!(stands("3-1", None), Standing::Behind(at(3, 1)), "it may be on its way to this shard");
        assert_eq!(stands("4-1", Some(at(3, 9))), Standing::Lost("unknown_position"));
        assert_eq!(stands("2-70", None), Standing::Lost("unknown_position"));
        assert_eq!(stands("soup", Some(at(3, 9))), Standing::Lost("bad_position"));
    }

    #[test]
    fn the_position_of_another_room_of_the_account_is_known_to_be_none_of_this_one_at_once() {
        let account = AccountId::generate();
        let (room, other) = (Room::Account(account), Room::Operators(account));
        let stands = |rooms: &Rooms<()>| standing(Some(&Since::One("3-12".to_owned())), other, rooms, 3);
        assert_eq!(stands(&rooms([(room, at(3, 12))])), Standing::Lost("unknown_position"));
        assert_eq!(stands(&rooms([(room, at(3, 12)), (other, at(3, 9))])), Standing::Lost("unknown_position"));
        assert_eq!(stands(&rooms([(room, at(3, 11)), (other, at(3, 9))])), Standing::Behind(at(3, 12)));
    }

    #[test]
    fn of_several_rooms_each_has_its_own_place() {
        let [first, second, third] = [(); 3].map(|()| Room::Account(AccountId::generate()));
        let since: Since =
            serde_json::from_value(serde_json::json!({first.to_string(): "1-1", second.to_string(): null})).unwrap();
        let stands = |room, rooms: &Rooms<()>| standing(Some(&since), room, rooms, 1);
        assert_eq!(stands(first, &rooms([(first, at(1, 2))])), Standing::Behind(at(1, 1)));
        assert_eq!(stands(second, &rooms([])), Standing::Complete);
        assert_eq!(stands(second, &rooms([(second, at(1, 2))])), Standing::Behind(BEGINNING));
        assert_eq!(stands(third, &rooms([])), Standing::Lost("no_position"));
    }
}
