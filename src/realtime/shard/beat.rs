//! The shard's clock: heartbeats, and the ends of sessions' time.

use super::{Member, ShardState, vitals::Due};
use crate::{
    config::Realtime,
    domain::{Room, clock},
    realtime::{
        close::Close,
        encode::{self, Encoding},
        protocol::ServerFrame,
    },
};

/// Rooms whose positions a heartbeat tells; with more, each beat tells those of the next ones.
const TOLD: usize = 200;

impl ShardState {
    /// Once a second: heartbeats for the sessions whose turn it is, deadlines for all.
    pub(super) fn tick(&self, tick: u64) {
        let now = clock::now();
        let Realtime { auth_timeout, token_grace, .. } = self.settings;
        let period = self.settings.heartbeat.as_secs().max(1);
        let mut members = self.members.borrow_mut();
        for (key, member) in &mut *members {
            let due = match &member.principal {
                None => member.vitals.unknown(now, auth_timeout),
                Some(principal) => member.vitals.known(now, principal.expires_at, token_grace),
            };
            match due {
                Due::Nothing => {}
                Due::Warning => self.send(&member.wire, &ServerFrame::TokenExpired { grace: token_grace.as_secs() }),
                Due::End(ending) => {
                    self.close(&member.wire, ending);
                    continue;
                }
            }
            if key as u64 % period == tick % period {
                self.heartbeat(member, tick / period);
            }
        }
    }

    /// `beat`: how many came before.
    fn heartbeat(&self, member: &mut Member, beat: u64) {
        let encoding = member.wire.encoding();
        if encoding == Encoding::SocketIo {
            // Its transport has heartbeats of its own.
            return;
        }
        // Who can't answer is found to be gone by the connection.
        if encode::ping(encoding).is_some() && !member.vitals.beat() {
            self.close(&member.wire, Close::NoHeartbeat);
            return;
        }
        let rooms = self.rooms.borrow();
        // Where it is catching up it would take for lost what is still to come.
        let live: Vec<Room> = member.membership.rooms().filter(|room| !member.is_catching_up(*room)).collect();
        let turn = usize::try_from(beat % live.len().div_ceil(TOLD).max(1) as u64).unwrap_or(0);
        let told = live.chunks(TOLD).nth(turn).unwrap_or_default();
        let positions = told.iter().map(|room| (room.to_string(), rooms.top(*room))).collect();
        drop(rooms);
        self.send(&member.wire, &ServerFrame::Heartbeat { positions });
        if let Some(ping) = encode::ping(encoding) {
            self.write(&member.wire, &ping);
        }
    }
}
