//! How far users have received and read their rooms: noted in the inbox's file, and told to their other sessions.

use std::{collections::BTreeMap, rc::Rc};

use serde::Serialize;
use serde_json::{Value, json};

use super::{Audience, ShardState, Tell};
use crate::{
    auth::Subject,
    domain::{Role, Room, SessionId, clock, envelope::Position},
    inbox::{Ack, InboxError, Watermark},
    realtime::{protocol::Refusal, wire::Wire},
};

/// The longest name of a device, in characters.
const DEVICE: usize = 64;
/// Questions of one session to the inbox's file that may wait for their answers.
const WAITING: u8 = 16;

/// Up to where, as a client says it.
pub struct Acked {
    /// In which room.
    pub room: Room,
    /// The last envelope.
    pub position: Position,
    /// Read as well, not only received.
    pub read: bool,
    /// On which device.
    pub device: String,
}

/// Payload of `ack`.
#[derive(Serialize)]
struct ReadOn<'a> {
    room: String,
    position: Position,
    read: bool,
    device: &'a str,
}

impl ShardState {
    /// Notes how far a session's user is; the answer comes when that is durable.
    ///
    /// # Errors
    /// If it is refused: it is then for the caller to say so.
    pub fn ack(self: &Rc<Self>, key: usize, acked: Acked, reference: Option<Value>) -> Result<(), Refusal> {
        let Acked { room, position, read, device } = acked;
        let principal = self.somebody(key, room)?;
        if device.chars().count() > DEVICE {
            let message = format!("a device's name has at most {DEVICE} characters");
            return Err(Refusal { code: "bad_frame", message });
        }
        if !was_given_out(position, self.rooms.borrow().top(room), self.inbox.epoch()) {
            let message = "the room has not come so far".to_owned();
            return Err(Refusal { code: "unknown_position", message });
        }
        let (wire, session) = self.begin_waiting(key)?;
        let (subject, reader, at) = (principal.subject, principal.subject.to_string(), clock::now());
        let works_here = principal.role_in(room.account()).is_some_and(Role::may_edit);
        let counts = works_here && matches!(subject, Subject::User(_));
        let shard = Rc::clone(self);
        actix_rt::spawn(async move {
            let ack = Ack { room, reader, device: device.clone(), position, read, counts, at };
            let noted = shard.inbox.ack(ack).await;
            let has_read_on = matches!(noted, Ok(true));
            shard.reply(&wire, reference, noted.map(|_| None).map_err(|error| unavailable(&error)));
            if has_read_on {
                let sign = ReadOn { room: room.to_string(), position, read: true, device: &device };
                match Tell::new(room, "ack", &sign, Audience::Others(subject, session)) {
                    // Without a registry the hub ends.
                    Ok(tell) => drop(shard.registry.send(tell).await),
                    Err(error) => tracing::error!(%error, "an ack can't be encoded"),
                }
            }
            shard.end_waiting(key, session);
        });
        Ok(())
    }

    /// Answers how far a session's user is in a room: `{read, delivered, devices: {name: {read, delivered}}}`.
    ///
    /// # Errors
    /// If it is refused: it is then for the caller to say so.
    pub fn watermarks(self: &Rc<Self>, key: usize, room: Room, reference: Option<Value>) -> Result<(), Refusal> {
        let reader = self.somebody(key, room)?.subject.to_string();
        let (wire, session) = self.begin_waiting(key)?;
        let shard = Rc::clone(self);
        actix_rt::spawn(async move {
            let found = shard.inbox.watermarks(room, reader).await;
            shard.end_waiting(key, session);
            shard.reply(&wire, reference, found.map(|found| Some(all(&found))).map_err(|error| unavailable(&error)));
        });
        Ok(())
    }

    pub(super) fn begin_waiting(&self, key: usize) -> Result<(Rc<Wire>, SessionId), Refusal> {
        let mut members = self.members.borrow_mut();
        let member = members.get_mut(key).filter(|member| member.waiting < WAITING);
        let busy = || Refusal { code: "busy", message: "earlier ones are not answered yet: try again".to_owned() };
        let member = member.ok_or_else(busy)?;
        member.waiting += 1;
        Ok((Rc::clone(&member.wire), member.id))
    }

    pub(super) fn end_waiting(&self, key: usize, session: SessionId) {
        // The place may be another session's by now.
        if let Some(member) = self.members.borrow_mut().get_mut(key).filter(|member| member.id == session) {
            member.waiting -= 1;
        }
    }
}

/// Whether a room has had this position, or may have had it before a crash that came before the log.
fn was_given_out(position: Position, top: Option<Position>, epoch: u32) -> bool {
    position.epoch > 0 && top.is_some_and(|top| position <= top || position.epoch < epoch)
}

fn all(found: &[Watermark]) -> Value {
    let most = |of: fn(&Watermark) -> Option<Position>| found.iter().filter_map(of).max();
    let devices: BTreeMap<_, _> =
        found.iter().map(|one| (&one.device, json!({"read": one.read, "delivered": one.delivered}))).collect();
    json!({"read": most(|one| one.read), "delivered": most(|one| one.delivered), "devices": devices})
}

fn unavailable(error: &InboxError) -> Refusal {
    Refusal { code: "unavailable", message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_room_has_had_can_be_acknowledged() {
        let at = |epoch, count| Position { epoch, count };
        assert!(was_given_out(at(3, 9), Some(at(3, 9)), 3));
        assert!(was_given_out(at(2, 900), Some(at(3, 9)), 3));
        assert!(was_given_out(at(2, 71), Some(at(2, 70)), 3), "the crash came before the log");
        assert!(!was_given_out(at(3, 10), Some(at(3, 9)), 3));
        assert!(!was_given_out(at(4, 1), Some(at(3, 9)), 3));
        assert!(!was_given_out(at(1, 1), None, 3) && !was_given_out(at(0, 0), Some(at(3, 9)), 3));
    }
}
