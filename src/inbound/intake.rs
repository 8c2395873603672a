//! Room for the bodies of webhooks that are being received or wait for a commit, over all workers.
//!
//! Before a body is whole nobody knows whether it is honest, so one that is still awaited keeps no other out. Where room is
//! lacking, the body with the least right to it goes: a large one of an unknown sender, then a small one of an unknown
//! sender, then one of a known sender; among equals the oldest, since an honest body is soon whole. Bodies that are whole
//! stay until they are committed: those alone can fill the intake, and then it means 503.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::oneshot;

/// Bodies of unknown senders up to this size have room that larger ones can't take.
pub const SMALL: usize = 64 * 1024;

/// The room, shared by all workers.
#[derive(Debug, Clone)]
pub struct Intake(Arc<Room>);

#[derive(Debug)]
struct Room {
    limit: usize,
    /// What awaited bodies may hold, by rank, and those of one unknown network together.
    most: [usize; 3],
    most_of_network: usize,
    /// All that is held. A body that comes at once, as most do, touches nothing else.
    bytes: AtomicUsize,
    awaited: Mutex<Awaited>,
}

/// Bodies of which more is to come: one a connection at most.
#[derive(Debug, Default)]
struct Awaited {
    next: u64,
    bodies: BTreeMap<Place, Body>,
    /// Bytes by rank.
    ranks: [usize; 3],
    /// Unknown ones.
    networks: HashMap<Option<IpAddr>, Network>,
}

/// The right to room, the least first; then the age.
type Place = (Rank, u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    UnknownLarge,
    UnknownSmall,
    Known,
}

#[derive(Debug)]
struct Body {
    sender: Sender,
    bytes: usize,
    /// Dropped when the body has to go.
    _stays: oneshot::Sender<()>,
}

#[derive(Debug, Default)]
struct Network {
    bytes: usize,
    bodies: BTreeSet<Place>,
}

/// Who sends a body, as far as its head tells.
#[derive(Debug, Clone, Copy)]
pub struct Sender {
    /// Where it comes from.
    pub network: Option<IpAddr>,
    /// It has shown a secret, or its network has proven itself lately.
    pub known: bool,
}

/// Bytes held by one webhook; given back when dropped.
#[derive(Debug)]
pub struct Held {
    room: Arc<Room>,
    /// None while the body is awaited: then [`Awaited`] has the count.
    bytes: usize,
    place: Option<Place>,
    goes: Option<oneshot::Receiver<()>>,
}

/// There is no room for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl Intake {
    /// Room for `limit` bytes, of which one body may take `largest`.
    #[must_use]
    pub fn new(limit: usize, largest: usize) -> Self {
        let share = |part: usize| part.max(largest).min(limit);
        let most = [share(limit / 2), (limit / 4).max(SMALL), share(limit / 4 * 3)];
        let most_of_network = share(limit / 8);
        Self(Arc::new(Room { limit, most, most_of_network, bytes: AtomicUsize::new(0), awaited: Mutex::default() }))
    }

    /// A webhook begins.
    #[must_use]
    pub fn begin(&self) -> Held {
        Held { room: Arc::clone(&self.0), bytes: 0, place: None, goes: None }
    }

    /// Bytes held now.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.bytes.load(Ordering::Relaxed)
    }
}

impl Held {
    /// More bytes of the same webhook came. `sender` is asked only if that matters.
    ///
    /// # Errors
    /// If the body had to go, or there is no room for it.
    pub fn add(&mut self, bytes: usize, sender: impl Fn() -> Sender) -> Result<(), Full> {
        let all = self.room.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if let Some(place) = self.place {
            let mut awaited = self.room.awaited();
            let place = awaited.grow(&self.room, place, bytes)?;
            self.place = Some(place);
            return awaited.make_room(&self.room, place.0, Some(place));
        }
        self.bytes += bytes;
        if self.bytes > SMALL {
            return self.wait(sender());
        }
        if all > self.room.limit {
            return self.room.awaited().make_room(&self.room, sender().rank(self.bytes), None);
        }
        Ok(())
    }

    /// More of the body has to be waited for: from now on it may have to go.
    ///
    /// # Errors
    /// If there is no room for what has come.
    pub fn wait(&mut self, sender: Sender) -> Result<(), Full> {
        if self.place.is_some() {
            return Ok(());
        }
        let (stays, goes) = oneshot::channel();
        let bytes = std::mem::take(&mut self.bytes);
        let mut awaited = self.room.awaited();
        awaited.next += 1;
        let place = (sender.rank(bytes), awaited.next);
        awaited.enter(place, Body { sender, bytes, _stays: stays });
        (self.place, self.goes) = (Some(place), Some(goes));
        awaited.make_room(&self.room, place.0, Some(place))
    }

    /// Ends when the body has to go.
    pub async fn has_to_go(&mut self) {
        match &mut self.goes {
            // Nothing is ever sent.
            Some(goes) => drop(goes.await),
            None => std::future::pending().await,
        }
    }

    /// The body is whole, `bytes` long: it stays until this is dropped.
    pub fn settle(&mut self, bytes: usize) {
        let Some(place) = self.place.take() else { return };
        if self.room.awaited().leave(place).is_none() {
            // It had to go at the last moment, but it is here.
            self.room.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let awaited = self.place.and_then(|place| self.room.awaited().leave(place));
        self.room.bytes.fetch_sub(awaited.map_or(self.bytes, |body| body.bytes), Ordering::Relaxed);
    }
}

impl Room {
    fn awaited(&self) -> MutexGuard<'_, Awaited> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sender {
    const fn rank(self, bytes: usize) -> Rank {
        if self.known {
            Rank::Known
        } else if bytes > SMALL {
            Rank::UnknownLarge
        } else {
            Rank::UnknownSmall
        }
    }
}

impl Awaited {
    fn enter(&mut self, place: Place, body: Body) {
        self.ranks[place.0 as usize] += body.bytes;
        if place.0 != Rank::Known {
            let network = self.networks.entry(body.sender.network).or_default();
            network.bytes += body.bytes;
            network.bodies.insert(place);
        }
        self.bodies.insert(place, body);
    }

    /// `None` if the body had to go.
    fn leave(&mut self, place: Place) -> Option<Body> {
        let body = self.bodies.remove(&place)?;
        self.ranks[place.0 as usize] -= body.bytes;
        if place.0 != Rank::Known
            && let Some(network) = self.networks.get_mut(&body.sender.network)
        {
            network.bytes -= body.bytes;
            network.bodies.remove(&place);
            if network.bodies.is_empty() {
                self.networks.remove(&body.sender.network);
            }
        }
        Some(body)
    }

    /// Its new place, by its new size.
    fn grow(&mut self, room: &Room, place: Place, bytes: usize) -> Result<Place, Full> {
        let Some(mut body) = self.leave(place) else {
            room.bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(Full);
        };
        body.bytes += bytes;
        let place = (body.sender.rank(body.bytes), place.1);
        self.enter(place, body);
        Ok(place)
    }

    /// Lets others go until there is room for a body of this rank; `own` is its place, if it is awaited. One body fits
    /// whatever the shares.
    fn make_room(&mut self, room: &Room, rank: Rank, own: Option<Place>) -> Result<(), Full> {
        let is_other = |place: &&Place| Some(**place) != own;
        while let Some(network) = own.and_then(|own| self.networks.get(&self.bodies.get(&own)?.sender.network))
            && rank != Rank::Known
            && network.bytes > room.most_of_network
        {
            let Some(other) = network.bodies.iter().find(is_other).copied() else { break };
            self.let_go(room, other);
        }
        while own.is_some() && self.ranks[rank as usize] > room.most[rank as usize] {
            let others = self.bodies.range((rank, 0)..=(rank, u64::MAX)).map(|(place, _)| place);
            let Some(other) = others.copied().find(|place| is_other(&place)) else { break };
            self.let_go(room, other);
        }
        while room.bytes.load(Ordering::Relaxed) > room.limit {
            let other = self.bodies.keys().take_while(|place| place.0 <= rank).find(is_other).copied();
            self.let_go(room, other.ok_or(Full)?);
        }
        Ok(())
    }

    /// Its memory is free as soon as its task runs, which this wakes.
    fn let_go(&mut self, room: &Room, place: Place) {
        if let Some(body) = self.leave(place) {
            room.bytes.fetch_sub(body.bytes, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const MIB: usize = 1024 * 1024;
    const KIB: usize = 1024;

    const fn of(network: u8, known: bool) -> Sender {
        Sender { network: Some(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, network))), known }
    }

    fn awaited(intake: &Intake, sender: Sender, bytes: usize) -> Result<Held, Full> {
        let mut held = intake.begin();
        held.wait(sender)?;
        held.add(bytes, || sender).map(|()| held)
    }

    fn whole(intake: &Intake, sender: Sender, bytes: usize) -> Result<Held, Full> {
        let mut held = intake.begin();
        held.add(bytes, || sender)?;
        held.settle(bytes);
        Ok(held)
    }

    fn had_to_go(held: &mut Held) -> bool {
        held.has_to_go().now_or_never().is_some()
    }

    #[test]
    fn bytes_are_given_back_when_a_webhook_is_done_and_whole_ones_make_no_room() {
        let intake = Intake::new(MIB, MIB);
        let first = whole(&intake, of(1, true), MIB).unwrap();
        assert_eq!(intake.bytes(), MIB);
        assert!(whole(&intake, of(2, true), 1).is_err());
        assert!(awaited(&intake, of(2, true), 100 * KIB).is_err());
        drop(first);
        assert_eq!(intake.bytes(), 0);
        assert!(whole(&intake, of(1, false), MIB).is_ok());
        assert_eq!(intake.bytes(), 0);
    }

    #[test]
    fn bodies_that_never_end_keep_nobody_out() {
        let intake = Intake::new(64 * MIB, 4 * MIB);
        for known in [false, true] {
            let mut halves: Vec<_> =
                (0..200).map(|n| awaited(&intake, of(n, known), 4 * MIB - 1).expect("the newest fits")).collect();
            for sender in [of(201, false), of(201, true)] {
                for size in [KIB, SMALL] {
                    assert!(whole(&intake, sender, size).is_ok(), "{known} {sender:?} {size}");
                }
            }
            assert!(whole(&intake, of(201, true), 4 * MIB).is_ok());
            assert!(intake.bytes() <= 64 * MIB);
            let gone = halves.iter_mut().map(had_to_go).collect::<Vec<_>>();
            assert!(gone[0] && !gone[199], "the oldest goes first");
            drop(halves);
            assert_eq!(intake.bytes(), 0);
        }
    }

    #[test]
    fn an_unknown_network_holds_its_share_and_all_of_them_leave_a_part_to_others() {
        let intake = Intake::new(64 * MIB, 4 * MIB);
        let mut one: Vec<_> = (0..5).map(|_| awaited(&intake, of(1, false), 2 * MIB).unwrap()).collect();
        assert_eq!(one.iter_mut().map(had_to_go).collect::<Vec<_>>(), [true, false, false, false, false]);
        let others: Vec<_> = (2..100).map(|n| awaited(&intake, of(n, false), 2 * MIB).unwrap()).collect();
        assert_eq!(intake.bytes(), 32 * MIB, "half of it is left");
        let small: Vec<_> = (0..u8::MAX).map(|n| awaited(&intake, of(n, false), SMALL).unwrap()).collect();
        let more: Vec<_> = (0..u8::MAX).map(|n| awaited(&intake, of(n, false), SMALL).unwrap()).collect();
        assert_eq!(intake.bytes(), 48 * MIB, "a quarter is left");
        let known: Vec<_> = (0..12).map(|_| awaited(&intake, of(1, true), 4 * MIB).unwrap()).collect();
        assert!(intake.bytes() <= 64 * MIB);
        drop((one, others, small, more, known));
        assert_eq!(intake.bytes(), 0);
    }

    #[test]
    fn a_large_body_takes_no_room_from_small_ones_and_an_unknown_sender_none_from_a_known_one() {
        let intake = Intake::new(2 * MIB, MIB);
        let _whole = whole(&intake, of(9, true), 512 * KIB).unwrap();
        let mut small: Vec<_> = (0..8).map(|n| awaited(&intake, of(n, false), SMALL).unwrap()).collect();
        let mut known = awaited(&intake, of(9, true), 512 * KIB).unwrap();
        assert!(awaited(&intake, of(8, false), 600 * KIB).is_err(), "all of them have more right to the room");
        assert!(!small.iter_mut().any(had_to_go) && !had_to_go(&mut known));
        let _newer = awaited(&intake, of(8, true), 600 * KIB).unwrap();
        assert_eq!(small.iter_mut().filter_map(|held| had_to_go(held).then_some(())).count(), 2);
        assert!(!had_to_go(&mut known));
    }

    #[test]
    fn a_body_that_had_to_go_gets_no_further_unless_it_is_whole() {
        let intake = Intake::new(MIB, MIB);
        let mut first = awaited(&intake, of(1, false), MIB / 2).unwrap();
        let _second = awaited(&intake, of(2, false), MIB).unwrap();
        assert_eq!(first.add(1, || of(1, false)), Err(Full));
        assert_eq!(intake.bytes(), MIB);
        first.settle(MIB / 2);
        assert_eq!(intake.bytes(), MIB + MIB / 2);
        drop(first);
        assert_eq!(intake.bytes(), MIB);
    }
}
