//! Envelopes to the sessions of their rooms: several that came together in one write a session.

use std::rc::Rc;

use bytes::{Bytes, BytesMut};

use super::{Deliver, ShardState};
use crate::{
    domain::Room,
    realtime::{
        close::Close,
        encode::Encoding,
        rooms::Member,
        wire::{Sent, Wire},
    },
};

/// Bytes that are written to a session at once. Less than any limit of what may wait for it.
const AT_ONCE: usize = 32 * 1024;

impl ShardState {
    /// Writes envelopes to the sessions that are to see them, each room's in order.
    pub(super) fn deliver(&self, arrived: &[Deliver]) {
        {
            let (mut rooms, mut gates) = (self.rooms.borrow_mut(), self.gates.borrow_mut());
            for delivery in arrived {
                rooms.advance(delivery.room, delivery.position);
                gates.hold(delivery);
            }
        }
        let mut rest: Vec<&Deliver> = arrived.iter().collect();
        while let Some(first) = rest.first() {
            let (room, mut bytes) = (first.room, 0);
            let mut full = false;
            let together: Vec<&Deliver> = rest
                .extract_if(.., |delivery| {
                    if delivery.room != room || full {
                        return false;
                    }
                    bytes += delivery.envelope.frame(Encoding::Native).len();
                    full = bytes >= AT_ONCE;
                    true
                })
                .collect();
            self.write_to_room(room, &together);
            for delivery in together {
                self.write_to_chat(delivery);
            }
        }
    }

    /// Writes an envelope to the sessions of its chat that don't get it in its own room.
    fn write_to_chat(&self, delivery: &Deliver) {
        let Some(chat) = delivery.chat.map(|chat| Room::Chat(delivery.room.account(), chat)) else { return };
        let wires: Vec<_> = {
            let (rooms, members) = (self.rooms.borrow(), self.members.borrow());
            let gets_it = |key: usize| {
                members.get(key).is_some_and(|member| member.membership.types_for(delivery.room) & delivery.types != 0)
            };
            let wanting = rooms.members(chat).iter().filter(|member| member.types & delivery.types != 0);
            wanting.filter(|member| !gets_it(member.key)).map(|member| Rc::clone(&member.wire)).collect()
        };
        for wire in wires {
            let written = self.write(&wire, delivery.envelope.frame(wire.encoding()));
            self.metrics.delivered_frames.inc_by(written.into());
        }
    }

    fn write_to_room(&self, room: Room, together: &[&Deliver]) {
        let rooms = self.rooms.borrow();
        let mut joined = Joined::new(together);
        let mut slow = Vec::new();
        let mut delivered = 0;
        for member in rooms.members(room) {
            match joined.write(member) {
                (written, Sent::Full) => {
                    delivered += written;
                    slow.push(Rc::clone(&member.wire));
                }
                (written, _) => delivered += written,
            }
        }
        drop(rooms);
        self.metrics.delivered_frames.inc_by(delivered);
        for wire in slow {
            self.close(&wire, Close::Slow);
        }
    }
}

/// Frames that go to the same room, and all of them as one piece for who wants them all.
struct Joined<'a> {
    frames: &'a [&'a Deliver],
    /// The bits of their types.
    types: u32,
    native: Option<Bytes>,
    socket_io: Option<Bytes>,
}

impl<'a> Joined<'a> {
    fn new(frames: &'a [&'a Deliver]) -> Self {
        let types = frames.iter().fold(0, |types, delivery| types | delivery.types);
        Self { frames, types, native: None, socket_io: None }
    }

    /// Writes what a session wants of them; how many it took, and what became of the last.
    fn write(&mut self, member: &Member<Wire>) -> (u64, Sent) {
        let encoding = member.wire.encoding();
        if member.types & self.types == self.types
            && member.wire.socket().is_some()
            && let Some(piece) = self.piece(encoding)
        {
            let sent = member.wire.send(piece);
            return (if sent == Sent::Kept { self.frames.len() as u64 } else { 0 }, sent);
        }
        let mut written = 0;
        for delivery in self.frames.iter().filter(|delivery| member.types & delivery.types != 0) {
            match member.wire.send(delivery.envelope.frame(encoding)) {
                Sent::Kept => written += 1,
                other => return (written, other),
            }
        }
        (written, Sent::Kept)
    }

    /// All frames as one; none for what is fetched event by event.
    fn piece(&mut self, encoding: Encoding) -> Option<&Bytes> {
        let frames = self.frames;
        let piece = match encoding {
            Encoding::Native | Encoding::Plain => &mut self.native,
            Encoding::SocketIo => &mut self.socket_io,
            Encoding::Sse => return None,
        };
        Some(piece.get_or_insert_with(|| match frames {
            [only] => only.envelope.frame(encoding).clone(),
            frames => {
                let all = frames.iter().map(|delivery| delivery.envelope.frame(encoding));
                let mut piece = BytesMut::with_capacity(all.clone().map(Bytes::len).sum());
                all.for_each(|frame| piece.extend_from_slice(frame));
                piece.freeze()
            }
        }))
    }
}
