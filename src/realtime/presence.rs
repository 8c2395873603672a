//! Who is in which room, over all shards and transports, and what the others have yet to be told of it.
//!
//! What is announced follows what is so: whoever leaves and is back before that was told has never left. One task makes
//! all announcements, so that they come in order; what waits for it is bounded by the sessions, and none is dropped.

use std::{
    collections::{HashMap, VecDeque},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actix::Recipient;
use serde::Serialize;
use tokio::sync::Notify;

use super::shard::{Audience, Tell};
use crate::{
    auth::{Subject, name_of},
    domain::{ApiKeyId, Room, UserId, directory::Watch},
};

/// The table, shared by all shards.
#[derive(Clone)]
pub struct Presence {
    table: Arc<Mutex<Table>>,
    changed: Arc<Notify>,
    most: usize,
}

#[derive(Default)]
struct Table {
    /// In the order of [`Who`]: a map would take several times as much for what most rooms hold.
    rooms: HashMap<Room, Vec<Here>>,
    /// Whose coming or going has to be looked at; each at most once.
    changed: VecDeque<(Room, Who)>,
}

/// Somebody in a room. Names are the directory's: this is kept for each user and room.
struct Here {
    who: Who,
    sessions: u32,
    /// Whether the others were told.
    announced: bool,
    queued: bool,
}

/// A user or a program, small.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    User([u8; 16]),
    ApiKey([u8; 16]),
}

impl Who {
    /// Who shows nothing is nobody.
    fn of(subject: Subject) -> Option<Self> {
        match subject {
            Subject::User(id) => Some(Self::User(id.to_bytes())),
            Subject::ApiKey(id) => Some(Self::ApiKey(id.to_bytes())),
            Subject::Anonymous(_) => None,
        }
    }

    fn subject(self) -> Option<Subject> {
        match self {
            Self::User(id) => UserId::from_bytes(&id).map(Subject::User),
            Self::ApiKey(id) => ApiKeyId::from_bytes(&id).map(Subject::ApiKey),
        }
    }
}

fn place(users: &[Here], who: Who) -> Result<usize, usize> {
    users.binary_search_by_key(&who, |here| here.who)
}

/// Somebody came into a room with their first session, or left it with their last.
#[derive(Debug, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub room: Room,
    /// Who.
    pub subject: Subject,
    /// Whether they are here now.
    pub is_here: bool,
}

impl Presence {
    /// Nobody is anywhere. In a room with more than `most` users nobody more is announced: each would be told of each.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { table: Arc::default(), changed: Arc::default(), most }
    }

    /// A session of theirs came into the room. Who shows nothing is nobody.
    pub fn enter(&self, room: Room, subject: Subject) {
        let Some(who) = Who::of(subject) else { return };
        let mut table = self.table();
        let users = table.rooms.entry(room).or_default();
        let place = place(users, who).unwrap_or_else(|place| {
            if users.len() == users.capacity() {
                users.reserve_exact(users.len() / 8 + 1);
            }
            users.insert(place, Here { who, sessions: 0, announced: false, queued: false });
            place
        });
        users[place].sessions += 1;
        if users[place].sessions == 1 {
            self.look_at(&mut table, room, place);
        }
    }

    /// A session of theirs that had come in is gone.
    pub fn leave(&self, room: Room, subject: Subject) {
        let mut table = self.table();
        let found = Who::of(subject).and_then(|who| {
            let users = table.rooms.get_mut(&room)?;
            let place = place(users, who).ok()?;
            users[place].sessions = users[place].sessions.saturating_sub(1);
            Some((place, users[place].sessions))
        });
        if let Some((place, 0)) = found {
            self.look_at(&mut table, room, place);
        }
    }

    fn look_at(&self, table: &mut Table, room: Room, place: usize) {
        let Some(here) = table.rooms.get_mut(&room).and_then(|users| users.get_mut(place)) else { return };
        if !mem::replace(&mut here.queued, true) {
            table.changed.push_back((room, here.who));
            self.changed.notify_one();
        }
    }

    /// Who is in a room: some of them, if they are too many to be announced, and how many there are.
    #[must_use]
    pub fn who(&self, room: Room) -> (Vec<Subject>, usize) {
        let table = self.table();
        let here = table.rooms.get(&room).into_iter().flatten().filter(|here| here.sessions > 0);
        (here.clone().take(self.most).filter_map(|here| here.who.subject()).collect(), here.count())
    }

    /// The next thing to announce; waits until there is one.
    pub async fn next(&self) -> Change {
        loop {
            if let Some(change) = self.take() {
                return change;
            }
            self.changed.notified().await;
        }
    }

    fn take(&self) -> Option<Change> {
        let mut table = self.table();
        let Table { rooms, changed } = &mut *table;
        while let Some((room, who)) = changed.pop_front() {
            let Some(users) = rooms.get_mut(&room) else { continue };
            let is_crowded = users.len() > self.most;
            let Ok(place) = place(users, who) else { continue };
            let here = &mut users[place];
            let (is_here, was_announced) = (here.sessions > 0, here.announced);
            here.queued = false;
            here.announced = is_here && (was_announced || !is_crowded);
            let is_news = here.announced != was_announced;
            if !is_here {
                users.remove(place);
                if users.is_empty() {
                    rooms.remove(&room);
                }
            }
            if let (true, Some(subject)) = (is_news, who.subject()) {
                return Some(Change { room, subject, is_here });
            }
        }
        // After a storm of sessions nothing of it is kept.
        *changed = VecDeque::new();
        None
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Payload of `presence` and `typing`.
#[derive(Serialize)]
pub struct Sign<'a> {
    /// Who.
    pub user: String,
    /// For people.
    pub name: &'a str,
    /// Where.
    pub room: String,
    /// `join`, `leave`; `typing`, `stopped`.
    pub state: &'static str,
}

/// Tells the others in a room who comes and who goes, until the registry is gone. A registry that is full is waited for.
pub async fn announce(presence: Presence, directory: Watch, registry: Recipient<Tell>) {
    loop {
        let Change { room, subject, is_here } = presence.next().await;
        let newest = directory.borrow().clone();
        let name = newest.and_then(|directory| name_of(subject, &directory)).unwrap_or_default();
        let state = if is_here { "join" } else { "leave" };
        let sign = Sign { user: subject.to_string(), name: &name, room: room.to_string(), state };
        let told = match Tell::new(room, "presence", &sign, Audience::AllBut(subject)) {
            Ok(tell) => registry.send(tell).await,
            Err(error) => {
                tracing::error!(%error, "who is here can't be encoded");
                continue;
            }
        };
        if told.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::AccountId;

    fn room() -> Room {
        Room::Account(AccountId::generate())
    }

    fn user() -> Subject {
        Subject::User(UserId::generate())
    }

    fn news(presence: &Presence) -> Vec<(Subject, bool)> {
        std::iter::from_fn(|| presence.take()).map(|change| (change.subject, change.is_here)).collect()
    }

    #[test]
    fn a_user_comes_with_the_first_session_and_goes_with_the_last() {
        let (presence, room, ada) = (Presence::new(9), room(), user());
        presence.enter(room, ada);
        presence.enter(room, ada);
        assert_eq!(news(&presence), [(ada, true)]);
        presence.leave(room, ada);
        assert_eq!((news(&presence), presence.who(room)), (vec![], (vec![ada], 1)));
        presence.leave(room, ada);
        assert_eq!(presence.who(room), (vec![], 0), "gone, though the others are not told yet");
        assert_eq!(news(&presence), [(ada, false)]);
        presence.leave(room, ada);
        assert!(news(&presence).is_empty() && presence.table().rooms.is_empty());
    }

    #[test]
    fn who_is_back_before_it_was_told_has_never_left_and_who_left_before_was_never_here() {
        let (presence, room, ada, ben) = (Presence::new(9), room(), user(), user());
        presence.enter(room, ada);
        assert_eq!(news(&presence), [(ada, true)]);
        presence.leave(room, ada);
        presence.enter(room, ada);
        presence.enter(room, ben);
        presence.leave(room, ben);
        assert!(news(&presence).is_empty());
        assert_eq!(presence.who(room), (vec![ada], 1));
    }

    #[test]
    fn in_a_crowd_nobody_more_is_announced_but_whoever_was_is_seen_to_leave() {
        let (presence, room, [ada, ben, cleo]) = (Presence::new(2), room(), [(); 3].map(|()| user()));
        for one in [ada, ben, cleo] {
            presence.enter(room, one);
            news(&presence);
        }
        let (some, count) = presence.who(room);
        assert_eq!((some.len(), count), (2, 3));
        presence.leave(room, cleo);
        assert!(news(&presence).is_empty());
        presence.leave(room, ada);
        assert_eq!(news(&presence), [(ada, false)]);
        presence.enter(room, cleo);
        assert_eq!(news(&presence), [(cleo, true)], "there is room again");
    }

    #[test]
    fn rooms_are_apart_and_who_shows_nothing_is_nobody() {
        let (presence, [one, other], ada) = (Presence::new(9), [(); 2].map(|()| room()), user());
        presence.enter(one, ada);
        presence.enter(one, Subject::Anonymous(one.account()));
        presence.leave(other, ada);
        assert_eq!((presence.who(one), presence.who(other)), ((vec![ada], 1), (vec![], 0)));
    }
}
