//! What a session has missed, from the log, then live envelopes, in order and without a gap.
//!
//! A session is told page by page, no faster than it reads, and the others' pages come in between. Close to the end a
//! gate holds live envelopes back; once the log has been read up to where the gate was opened, what it holds goes out and
//! the session is live. One task a session, one room after the other.

use std::{rc::Rc, time::Duration};

use super::{
    ShardState,
    subscribe::{BEGINNING, Standing},
};
use crate::{
    domain::{Room, envelope::Position},
    inbox::{InboxError, Logged},
    realtime::{encode::Encoded, protocol::ServerFrame, rooms::type_bit, wire::Wire},
};

/// So often is the log given time to contain what was pushed, before it is taken for failing.
const SETTLING: u32 = 5;

/// How long what is in the log already may still be on its way to the shard, before it is looked for again.
const ON_ITS_WAY: Duration = Duration::from_millis(1);

/// So often a client's position is looked for, each time after twice as long, a second in all, before it is taken for one
/// that the client made up. Whoever makes up many must not keep the thread busy with looking.
const LOOKS: u32 = 10;

/// Starts the task that works on a session's jobs.
pub(super) fn start(shard: &Rc<ShardState>, key: usize, wire: &Rc<Wire>) {
    let task = CatchUp { shard: Rc::clone(shard), key, wire: Rc::clone(wire) };
    actix_rt::spawn(async move { task.run().await });
}

struct CatchUp {
    shard: Rc<ShardState>,
    key: usize,
    wire: Rc<Wire>,
}

impl CatchUp {
    async fn run(&self) {
        while let Some(job) = self.next_job() {
            let (behind, reaches) = match self.look_up(job).await {
                Ok(found) => found,
                Err(error) => {
                    tracing::warn!(%error, "the log can't be read: sessions have to read their lists again");
                    (self.behind(job), Vec::new())
                }
            };
            if self.wire.is_over() {
                return;
            }
            let mut reaches = reaches.into_iter();
            let (found, lost): (Vec<_>, Vec<_>) = behind.into_iter().partition(|_| reaches.next().unwrap_or_default());
            self.answer(job, &lost);
            for (room, since) in found {
                self.replay(job, room, since).await;
                if self.wire.is_over() {
                    return;
                }
            }
            self.done(job);
        }
    }

    /// The number of the session's oldest job.
    fn next_job(&self) -> Option<u64> {
        if self.wire.is_over() {
            return None;
        }
        Some(self.shard.members.borrow().get(self.key)?.jobs.front()?.number)
    }

    /// The rooms that the job still has to bring up to date.
    fn behind(&self, job: u64) -> Vec<(Room, Position)> {
        let members = self.shard.members.borrow();
        let jobs = members.get(self.key).map(|member| &member.jobs);
        let job = jobs.and_then(|jobs| jobs.iter().find(|one| one.number == job));
        let rooms = job.into_iter().flat_map(|job| &job.rooms);
        rooms
            .filter_map(|(room, standing)| match standing {
                Standing::Behind(since) => Some((*room, *since)),
                _ => None,
            })
            .collect()
    }

    /// For each room whether the log reaches back to where the session was.
    async fn look_up(&self, job: u64) -> Result<(Vec<(Room, Position)>, Vec<bool>), InboxError> {
        self.heard_of(job).await;
        let mut settled = false;
        loop {
            let behind = self.behind(job);
            let first = self.shard.inbox.first_after(behind.clone()).await?;
            let is_newest = |(room, since): &(Room, Position)| self.top(*room) == Some(*since);
            if !settled && behind.iter().zip(&first).any(|(asked, first)| first.is_none() && !is_newest(asked)) {
                // Pushed a moment ago and not in the log yet, or in it once and removed since.
                self.shard.inbox.settle().await?;
                settled = true;
                continue;
            }
            let reaches = behind.iter().zip(first).map(|(asked, first)| match first {
                Some(first) => continues(asked.1, Some(&first)),
                None => is_newest(asked),
            });
            let reaches = reaches.collect();
            return Ok((behind, reaches));
        }
    }

    fn top(&self, room: Room) -> Option<Position> {
        self.shard.rooms.borrow().top(room)
    }

    /// Another shard may have told the client of an envelope that this one is still to be handed. Ends when the account is
    /// that far here, or when that takes so long that there is none.
    async fn heard_of(&self, job: u64) {
        for look in 0..LOOKS {
            let reached = |room| self.shard.rooms.borrow().reached(room);
            if self.wire.is_over() || self.behind(job).iter().all(|(room, since)| reached(*room) >= Some(*since)) {
                return;
            }
            actix_rt::time::sleep(ON_ITS_WAY * (1 << look)).await;
        }
    }

    /// Answers the subscription. The rooms that can't be brought up to date are live from here.
    fn answer(&self, job: u64, lost: &[(Room, Position)]) {
        let mut members = self.shard.members.borrow_mut();
        let Some(member) = members.get_mut(self.key) else { return };
        let Some(place) = member.jobs.iter().position(|one| one.number == job) else { return };
        for (room, since) in lost {
            let is_known = self.top(*room) >= Some(*since);
            if let Some(standing) = member.jobs[place].standing(*room) {
                *standing = Standing::Lost(if is_known { "envelopes_missed" } else { "unknown_position" });
            }
        }
        for (room, _) in lost {
            self.shard.reseat(member, self.key, *room);
        }
        let asked = member.jobs[place].asked.take();
        let rooms = member.jobs[place].rooms.clone();
        drop(members);
        if let Some(asked) = asked {
            self.shard.subscribed(&self.wire, &asked, &rooms);
        }
    }

    /// Brings one room up to date and makes it live.
    async fn replay(&self, job: u64, room: Room, mut seen: Position) {
        let budget = self.wire.limit() / 4;
        let mut patience = SETTLING;
        loop {
            self.wire.drained(budget).await;
            if !self.is_wanted(job, room) {
                return;
            }
            let page = match self.shard.inbox.log_after(room, seen, budget).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::warn!(%error, "the log can't be read: sessions have to read their lists again");
                    return self.go_live(room, seen, Some("log_unavailable"));
                }
            };
            if !self.is_wanted(job, room) {
                return;
            }
            if let Some(last) = page.entries.last().map(|entry| entry.position) {
                patience = SETTLING;
                self.tell(room, seen, &page.entries);
                seen = last;
                self.arrived(job, room, seen).await;
            }
            if page.more {
                continue;
            }
            if self.has_all_but_the_held(room, seen) {
                return self.go_live(room, seen, None);
            }
            if patience == 0 {
                return self.go_live(room, seen, Some("log_unavailable"));
            }
            patience -= 1;
            if self.shard.inbox.settle().await.is_err() {
                patience = 0;
            }
        }
    }

    /// Ends when this shard has been handed what the session was told. The log may be ahead of it, and a session that were
    /// live already would be told the same again.
    async fn arrived(&self, job: u64, room: Room, seen: Position) {
        while self.is_wanted(job, room) && self.top(room) < Some(seen) {
            actix_rt::time::sleep(ON_ITS_WAY).await;
        }
    }

    /// Whether the room is still to be brought up to date by this job.
    fn is_wanted(&self, job: u64, room: Room) -> bool {
        let members = self.shard.members.borrow();
        let mut jobs = members.get(self.key).into_iter().flat_map(|member| &member.jobs);
        !self.wire.is_over() && jobs.find(|one| one.number == job).is_some_and(|job| job.wants(room))
    }

    /// Sends a page.
    fn tell(&self, room: Room, mut seen: Position, entries: &[Logged]) {
        let types = self.shard.members.borrow().get(self.key).map_or(0, |member| member.membership.types_for(room));
        let mut told = 0;
        for entry in entries {
            if !continues(seen, Some(entry)) {
                // One that was pushed did not get into the log. What it carries comes again, but it is not here.
                self.shard
                    .send(&self.wire, &ServerFrame::Resync { room: &room.to_string(), reason: "envelopes_missed" });
            }
            seen = entry.position;
            if types & type_bit(&entry.kind) != 0 {
                let frame = Encoded::new(&entry.envelope);
                told += u64::from(self.shard.write(&self.wire, frame.frame(self.wire.encoding())));
            }
        }
        self.shard.metrics.replayed_frames.inc_by(told);
    }

    /// Whether everything that was pushed in the room has been told or is held by the gate; opens one if it is time.
    fn has_all_but_the_held(&self, room: Room, seen: Position) -> bool {
        let top = self.top(room);
        let mut gates = self.shard.gates.borrow_mut();
        match gates.held(room, self.key).map(<[_]>::first) {
            Some(Some(first)) => first.prev <= Some(seen),
            Some(None) => Some(seen) >= top,
            None if Some(seen) >= top => true,
            None => {
                gates.open(room, self.key, self.wire.limit() / 2);
                false
            }
        }
    }

    /// Sends what the gate holds and lets the session into the room.
    fn go_live(&self, room: Room, seen: Position, missed: Option<&'static str>) {
        let mut members = self.shard.members.borrow_mut();
        let Some(member) = members.get_mut(self.key) else { return };
        member.forget_catching_up(room);
        let types = member.membership.types_for(room);
        if let Some(reason) = missed {
            self.shard.send(&self.wire, &ServerFrame::Resync { room: &room.to_string(), reason });
        }
        let held = self.shard.gates.borrow_mut().close(room, self.key).unwrap_or_default();
        for delivery in held.iter().filter(|held| held.position > seen && held.types & types != 0) {
            self.shard.write(&self.wire, delivery.envelope.frame(self.wire.encoding()));
        }
        self.shard.reseat(member, self.key, room);
    }

    fn done(&self, job: u64) {
        if let Some(member) = self.shard.members.borrow_mut().get_mut(self.key) {
            member.jobs.retain(|one| one.number != job);
        }
    }
}

/// Whether nothing is between a position and the first envelope that the log has after it. The very first of a room follows
/// nothing: whoever has seen something before it has seen it in a log that is lost.
fn continues(seen: Position, first: Option<&Logged>) -> bool {
    first.is_some_and(|first| first.prev.map_or(seen == BEGINNING, |prev| prev <= seen))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realtime::{
        protocol::Since,
        rooms::ANY_TYPE,
        shard::{RoomName, Subscribe, crossing::World},
    };

    #[actix_rt::test]
    async fn who_was_told_by_a_faster_shard_misses_nothing_and_is_told_nothing_twice() {
        let mut world = World::with_a_member();
        let deliveries: Vec<_> = (0..3).map(|_| world.encoded()).collect();
        for delivery in &deliveries[..2] {
            world.log(delivery).await;
        }
        world.state.deliver(&deliveries[..1]);
        let (room, since) = (deliveries[0].room, Some(Since::One(deliveries[1].position.to_string())));
        let asked =
            Subscribe { name: String::new(), room: RoomName::One(room), types: ANY_TYPE, since, reference: None };
        world.state.subscribe(world.key(), asked).unwrap();
        actix_rt::time::sleep(ON_ITS_WAY).await;
        world.state.deliver(&deliveries[1..]);
        world.log(&deliveries[2]).await;
        let mut told = Vec::new();
        while told.last() != Some(&deliveries[2].position) {
            actix_rt::time::sleep(ON_ITS_WAY).await;
            told.extend(world.told());
        }
        assert_eq!(told, [deliveries[2].position]);
    }

    #[actix_rt::test]
    async fn what_is_logged_and_still_on_its_way_to_the_shard_is_told_once() {
        let mut world = World::with_a_member();
        let deliveries: Vec<_> = (0..4).map(|_| world.encoded()).collect();
        let [first, second, third, last] = deliveries.as_slice() else { unreachable!() };
        let room = first.room;
        for delivery in [first, second, third] {
            world.log(delivery).await;
        }
        world.state.deliver(std::slice::from_ref(first));
        let since = Some(Since::One("0-0".to_owned()));
        let asked =
            Subscribe { name: String::new(), room: RoomName::One(room), types: ANY_TYPE, since, reference: None };
        world.state.subscribe(world.key(), asked).unwrap();
        let mut told = Vec::new();
        // The session is told all that the log has, while the shard knows of the first only.
        while told.len() < 3 {
            actix_rt::time::sleep(ON_ITS_WAY).await;
            told.extend(world.told());
        }
        for delivery in [second, third, last] {
            world.state.deliver(std::slice::from_ref(delivery));
        }
        world.log(last).await;
        while told.last() != Some(&last.position) {
            actix_rt::time::sleep(ON_ITS_WAY).await;
            told.extend(world.told());
        }
        let expected: Vec<_> = deliveries.iter().map(|one| one.position).collect();
        assert_eq!(told, expected, "each once, in order");
    }
}
