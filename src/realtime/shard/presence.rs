//! Who is here and who is typing, as the sessions of one shard ask and say it.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{Audience, Member, ShardState, Tell, membership::may_see};
use crate::{
    auth::{Principal, Subject, name_of},
    domain::Room,
    realtime::{
        presence::Sign,
        protocol::{Refusal, Typing},
    },
};

/// How long a session that has said that somebody types need not be heard to say so again.
const PAUSE: Duration = Duration::from_secs(1);

/// What a session has said of late, so that a client that tells of every key costs the others nothing.
#[derive(Default)]
pub(super) struct Typed(Vec<(Room, Typing, Instant)>);

impl Typed {
    /// Whether the others are to be told now.
    fn admit(&mut self, room: Room, state: Typing, now: Instant) -> bool {
        self.0.retain(|(.., at)| now.duration_since(*at) < PAUSE);
        let is_new = !self.0.iter().any(|(before, said, _)| (*before, *said) == (room, state));
        if is_new {
            self.0.push((room, state, now));
        }
        is_new
    }
}

impl ShardState {
    /// Puts a session into a room's table, or changes which types it gets there; 0 while it is catching up.
    pub(super) fn seat(&self, member: &Member, key: usize, room: Room, types: u32) {
        let is_new = self.rooms.borrow_mut().join(room, key, types, &member.wire);
        if let (true, Some(principal)) = (is_new, &member.principal) {
            self.presence.enter(room, principal.subject);
        }
    }

    /// Takes a session out of a room's table.
    pub(super) fn unseat(&self, member: &Member, key: usize, room: Room) {
        let was_there = self.rooms.borrow_mut().leave(room, key);
        // When the hub stops all leave, and nobody is left to hear of it.
        if let (true, false, Some(principal)) = (was_there, self.draining.get(), &member.principal) {
            self.presence.leave(room, principal.subject);
        }
    }

    /// Who is in a room: `{users: [{user, name}], count}`.
    ///
    /// # Errors
    /// If the session may not see the room.
    pub fn who(&self, key: usize, room: Room) -> Result<Value, Refusal> {
        self.reader(key, room)?;
        let (subjects, count) = self.presence.who(room);
        let directory = self.directory.borrow().clone();
        let name = |subject| directory.as_ref().and_then(|directory| name_of(subject, directory)).unwrap_or_default();
        let users = subjects.into_iter().map(|one| json!({"user": one.to_string(), "name": name(one)}));
        Ok(json!({"users": users.collect::<Vec<_>>(), "count": count}))
    }

    /// Tells the others in a room that the session's user types, or has stopped.
    ///
    /// # Errors
    /// If the session is not in the room, or nobody knows whose it is.
    pub fn typing(&self, key: usize, room: Room, state: Typing) -> Result<(), Refusal> {
        let principal = self.somebody(key, room)?;
        let mut members = self.members.borrow_mut();
        let Some(member) = members.get_mut(key) else { return Ok(()) };
        if member.membership.types_for(room) == 0 {
            return Err(Refusal { code: "not_in_room", message: "subscribe to the room first".to_owned() });
        }
        if !member.typed.admit(room, state, Instant::now()) {
            return Ok(());
        }
        let (user, name, state) = (principal.subject.to_string(), &*principal.name, state.as_str());
        let sign = Sign { user, name, room: room.to_string(), state };
        match Tell::new(room, "typing", &sign, Audience::AllBut(principal.subject)) {
            // A registry that is full has better things to do: this is worth nothing a moment later.
            Ok(tell) => drop(self.registry.try_send(tell)),
            Err(error) => tracing::error!(%error, "who is typing can't be encoded"),
        }
        Ok(())
    }

    /// Who asks, if they may see the room.
    pub(super) fn reader(&self, key: usize, room: Room) -> Result<Rc<Principal>, Refusal> {
        let principal = self.principal(key).filter(|principal| may_see(principal, room));
        principal.ok_or_else(|| Refusal { code: "forbidden", message: "this room is not yours to see".to_owned() })
    }

    /// Who asks, if they may see the room and have shown who they are.
    pub(super) fn somebody(&self, key: usize, room: Room) -> Result<Rc<Principal>, Refusal> {
        let principal = self.reader(key, room)?;
        if matches!(principal.subject, Subject::Anonymous(_)) {
            return Err(Refusal { code: "forbidden", message: "sign in first".to_owned() });
        }
        Ok(principal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::AccountId;

    #[test]
    fn the_same_is_said_once_a_second_in_each_room() {
        let (mut typed, now) = (Typed::default(), Instant::now());
        let [room, other] = [(); 2].map(|()| Room::Account(AccountId::generate()));
        assert!(typed.admit(room, Typing::Typing, now));
        assert!(!typed.admit(room, Typing::Typing, now + PAUSE / 2));
        assert!(typed.admit(room, Typing::Stopped, now + PAUSE / 2));
        assert!(typed.admit(other, Typing::Typing, now + PAUSE / 2));
        assert!(typed.admit(room, Typing::Typing, now + PAUSE));
        assert!(!typed.admit(room, Typing::Typing, now + PAUSE));
        assert_eq!(typed.0.len(), 3, "what is past is forgotten");
    }
}
