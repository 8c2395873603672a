//! What sessions are told besides envelopes: not logged, without a position, and only to some of a room.

use std::{rc::Rc, sync::Arc};

use actix::{Handler, Message};
use serde::Serialize;

use super::{Shard, ShardState};
use crate::{
    auth::Subject,
    domain::{Room, SessionId, clock},
    realtime::{
        encode::{self, Encoded},
        rooms::type_bit,
    },
};

/// Tell these sessions of a room, whatever shard they are on. The registry takes it and hands it to the shards, so that
/// it comes in order with the envelopes.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Tell {
    room: Room,
    types: u32,
    audience: Audience,
    frame: Arc<Encoded>,
}

/// Who of a room is told.
#[derive(Debug, Clone, Copy)]
pub enum Audience {
    /// Everybody else than this user.
    AllBut(Subject),
    /// This user's sessions, but not this one.
    Others(Subject, SessionId),
}

impl Tell {
    /// A frame `{type, room, account, timestamp, payload}`.
    ///
    /// # Errors
    /// If the payload can't be written as JSON; none of the hub's own can't.
    pub fn new(
        room: Room,
        kind: &'static str,
        payload: &impl Serialize,
        audience: Audience,
    ) -> serde_json::Result<Self> {
        let frame = Arc::new(encode::notice(kind, room, clock::now(), payload)?);
        Ok(Self { room, types: type_bit(kind), audience, frame })
    }
}

impl ShardState {
    pub(super) fn tell(&self, tell: &Tell) {
        let told: Vec<_> = {
            let (rooms, members) = (self.rooms.borrow(), self.members.borrow());
            let is_meant = |key| {
                let Some(member) = members.get(key) else { return false };
                let subject = member.principal.as_ref().map(|principal| principal.subject);
                match tell.audience {
                    Audience::AllBut(user) => subject != Some(user),
                    Audience::Others(user, session) => subject == Some(user) && member.id != session,
                }
            };
            let wanting = rooms.members(tell.room).iter().filter(|member| member.types & tell.types != 0);
            wanting.filter(|member| is_meant(member.key)).map(|member| Rc::clone(&member.wire)).collect()
        };
        for wire in told {
            self.write(&wire, tell.frame.frame(wire.encoding()));
        }
    }
}

impl Handler<Tell> for Shard {
    type Result = ();

    fn handle(&mut self, tell: Tell, _: &mut Self::Context) {
        self.state.tell(&tell);
    }
}
