//! What a session subscribed to, the rooms that this puts it into, and its seats in their accounts. Plain state; the
//! shard's room tables follow what is returned here.

use crate::{
    auth::Principal,
    domain::{AccountId, Role, Room},
    realtime::limits::{Seat, SessionLimits},
};

/// Why a room was not joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinError {
    /// Not the session's to see.
    Forbidden,
    /// The session is in too many rooms.
    TooManyRooms,
    /// The account has too many sessions.
    AccountFull,
    /// Too many of the session's subscriptions wait to catch up.
    Busy,
}

/// What a session subscribes to by one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomName {
    /// `dashboard`: the rooms of all accounts that it may see, whichever these are.
    Dashboard,
    /// `operators`: the operators' rooms of all accounts that it may run.
    Operators,
    /// One room.
    One(Room),
}

/// A name that a session asked for.
struct Subscription {
    name: RoomName,
    types: u32,
    /// The rooms that it stands for, sorted.
    joined: Vec<Room>,
}

impl Subscription {
    fn has(&self, room: Room) -> bool {
        self.joined.binary_search(&room).is_ok()
    }

    fn is_of(&self, account: AccountId) -> bool {
        match self.name {
            RoomName::Dashboard => self.has(Room::Account(account)),
            RoomName::Operators => self.has(Room::Operators(account)),
            RoomName::One(room) => room.account() == account && self.has(room),
        }
    }
}

/// All that a session asked for.
#[derive(Default)]
pub(super) struct Membership {
    subscriptions: Vec<Subscription>,
    /// One for each account that it is in a room of, however many rooms that are; sorted.
    seats: Vec<(AccountId, Seat)>,
}

/// What newer grants changed.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Rooms whose types have to be looked up again.
    pub touched: Vec<Room>,
    /// Whether a room that was asked for by name is not the session's any more.
    pub lost: bool,
    /// Whether it gained a room whose account has too many sessions.
    pub full: bool,
}

impl Membership {
    /// Subscribes to a name; a second time it replaces the first. Returns the rooms that this stands for, sorted. A name
    /// counts once, however many rooms that are.
    ///
    /// # Errors
    /// If it may not, or a limit is reached: nothing was changed.
    pub(super) fn subscribe(
        &mut self,
        principal: &Principal,
        (name, types): (RoomName, u32),
        limits: &SessionLimits,
        max_rooms: usize,
    ) -> Result<Vec<Room>, JoinError> {
        let joined = rooms_of(principal, name);
        if matches!(name, RoomName::One(_)) && joined.is_empty() {
            return Err(JoinError::Forbidden);
        }
        if self.subscriptions.iter().filter(|subscription| subscription.name != name).count() >= max_rooms {
            return Err(JoinError::TooManyRooms);
        }
        let mut seats = Vec::new();
        for account in joined.iter().map(|room| room.account()) {
            if self.seats.binary_search_by_key(&account, |seat| seat.0).is_err() {
                seats.push((account, limits.admit_account(account).ok_or(JoinError::AccountFull)?));
            }
        }
        self.seats.append(&mut seats);
        self.seats.sort_unstable_by_key(|seat| seat.0);
        self.subscriptions.retain(|subscription| subscription.name != name);
        self.subscriptions.push(Subscription { name, types, joined: joined.clone() });
        Ok(joined)
    }

    /// Ends a subscription; returns the rooms that it stood for.
    pub(super) fn unsubscribe(&mut self, name: RoomName) -> Vec<Room> {
        let Some(place) = self.subscriptions.iter().position(|subscription| subscription.name == name) else {
            return Vec::new();
        };
        let gone = self.subscriptions.swap_remove(place).joined;
        self.give_seats_back();
        gone
    }

    /// Follows what the principal may see now.
    pub(super) fn follow(&mut self, principal: &Principal, limits: &SessionLimits) -> Changes {
        let mut changes = Changes::default();
        let Self { subscriptions, seats } = self;
        for subscription in subscriptions {
            let wanted = rooms_of(principal, subscription.name);
            changes.lost |= matches!(subscription.name, RoomName::One(_)) && wanted.is_empty();
            changes.touched.extend(subscription.joined.iter().filter(|room| wanted.binary_search(room).is_err()));
            let mut joined = Vec::with_capacity(wanted.len());
            for room in wanted {
                if subscription.has(room) {
                    joined.push(room);
                } else if sit(seats, room.account(), limits) {
                    joined.push(room);
                    changes.touched.push(room);
                } else {
                    changes.full = true;
                }
            }
            subscription.joined = joined;
        }
        self.give_seats_back();
        changes
    }

    /// The types that it wants from a room, over all subscriptions; 0 if it is not in it.
    pub(super) fn types_for(&self, room: Room) -> u32 {
        let within = self.subscriptions.iter().filter(|subscription| subscription.has(room));
        within.fold(0, |types, subscription| types | subscription.types)
    }

    /// The rooms that it is in; one that was asked for twice comes twice.
    pub(super) fn rooms(&self) -> impl Iterator<Item = Room> {
        self.subscriptions.iter().flat_map(|subscription| subscription.joined.iter().copied())
    }

    fn give_seats_back(&mut self) {
        let Self { subscriptions, seats } = self;
        seats.retain(|(account, _)| subscriptions.iter().any(|subscription| subscription.is_of(*account)));
    }
}

/// A seat in the account, if there is not one already; whether there is one now.
fn sit(seats: &mut Vec<(AccountId, Seat)>, account: AccountId, limits: &SessionLimits) -> bool {
    let Err(place) = seats.binary_search_by_key(&account, |seat| seat.0) else { return true };
    let seat = limits.admit_account(account);
    let admitted = seat.is_some();
    if let Some(seat) = seat {
        seats.insert(place, (account, seat));
    }
    admitted
}

/// Whether a room is theirs to see.
pub(in crate::realtime) fn may_see(principal: &Principal, room: Room) -> bool {
    match (principal.role_in(room.account()), room) {
        (Some(role), Room::Operators(_)) => Role::may_operate(role),
        (role, Room::Account(_) | Room::Chat(..)) => role.is_some(),
        (None, Room::Operators(_)) => false,
    }
}

/// The rooms that a name stands for, sorted.
fn rooms_of(principal: &Principal, name: RoomName) -> Vec<Room> {
    let all = |room: fn(AccountId) -> Room| {
        principal.accounts().into_iter().map(room).filter(|room| may_see(principal, *room)).collect()
    };
    match name {
        RoomName::Dashboard => all(Room::Account),
        RoomName::Operators => all(Room::Operators),
        RoomName::One(room) => may_see(principal, room).then_some(room).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, sync::Arc};

    use super::*;
    use crate::{
        auth::{Proof, Subject},
        domain::{AgencyId, UserId},
        realtime::rooms::ANY_TYPE,
    };

    fn principal(roles: &[(AccountId, Role)]) -> Principal {
        Principal {
            subject: Subject::User(UserId::generate()),
            name: "Ada".into(),
            agency: AgencyId::generate(),
            grants: Arc::new(roles.iter().copied().collect::<HashMap<_, _>>()),
            expires_at: None,
            jti: None,
            proof: Proof::Key,
        }
    }

    fn limits(per_account: u32) -> SessionLimits {
        let mut settings = crate::config::Settings::parse("").unwrap().realtime;
        settings.sessions_per_account = per_account;
        SessionLimits::new(&settings)
    }

    #[test]
    fn a_session_takes_one_seat_of_an_account_however_many_of_its_rooms_it_is_in() {
        let account = AccountId::generate();
        let (ada, limits) = (principal(&[(account, Role::Owner)]), limits(1));
        let (mut one, mut other) = (Membership::default(), Membership::default());
        let (named, operators) = (RoomName::One(Room::Account(account)), RoomName::Operators);
        for name in [RoomName::Dashboard, named, operators, RoomName::Dashboard] {
            assert!(one.subscribe(&ada, (name, ANY_TYPE), &limits, 10).is_ok(), "{name:?}");
        }
        assert_eq!(other.subscribe(&ada, (operators, ANY_TYPE), &limits, 10), Err(JoinError::AccountFull));
        assert_eq!(one.unsubscribe(RoomName::Dashboard), [Room::Account(account)]);
        assert_eq!(one.unsubscribe(operators), [Room::Operators(account)]);
        assert_eq!(other.subscribe(&ada, (operators, ANY_TYPE), &limits, 10), Err(JoinError::AccountFull));
        one.unsubscribe(named);
        assert!(other.subscribe(&ada, (operators, ANY_TYPE), &limits, 10).is_ok());
    }

    #[test]
    fn names_are_counted_and_a_refusal_changes_nothing() {
        let accounts = [AccountId::generate(), AccountId::generate()];
        let ada = principal(&[(accounts[0], Role::Owner), (accounts[1], Role::Agent)]);
        let (limits, mut membership) = (limits(9), Membership::default());
        let ask = |membership: &mut Membership, name| membership.subscribe(&ada, (name, ANY_TYPE), &limits, 2);
        let (own, denied) = (Room::Operators(accounts[0]), Room::Operators(accounts[1]));
        assert_eq!(ask(&mut membership, RoomName::One(own)), Ok(vec![own]));
        assert_eq!(ask(&mut membership, RoomName::One(denied)), Err(JoinError::Forbidden));
        assert_eq!(
            ask(&mut membership, RoomName::Dashboard).map(|rooms| rooms.len()),
            Ok(2),
            "as one, whatever its size"
        );
        assert_eq!(ask(&mut membership, RoomName::Operators), Err(JoinError::TooManyRooms));
        assert_eq!(ask(&mut membership, RoomName::One(Room::Account(accounts[1]))), Err(JoinError::TooManyRooms));
        assert_eq!(ask(&mut membership, RoomName::Dashboard).map(|rooms| rooms.len()), Ok(2), "once more replaces it");
        assert_eq!(membership.rooms().count(), 3);
        membership.unsubscribe(RoomName::One(own));
        assert_eq!(ask(&mut membership, RoomName::Operators), Ok(vec![own]), "of the accounts that she runs");
    }

    #[test]
    fn a_dashboard_follows_the_grants_and_a_named_room_is_lost_with_them() {
        let accounts = [AccountId::generate(), AccountId::generate()];
        let [first, second] = accounts.map(Room::Account);
        let before = principal(&[(accounts[0], Role::Agent)]);
        let after = principal(&[(accounts[1], Role::Agent)]);
        let (limits, mut membership) = (limits(1), Membership::default());
        assert_eq!(membership.subscribe(&before, (RoomName::Dashboard, 1), &limits, 10), Ok(vec![first]));
        let changes = membership.follow(&after, &limits);
        assert_eq!((changes.touched, changes.lost, changes.full), (vec![first, second], false, false));
        assert_eq!((membership.types_for(first), membership.types_for(second)), (0, 1));
        assert!(limits.admit_account(accounts[0]).is_some(), "its seat was given back");
        assert!(limits.admit_account(accounts[1]).is_none());
        assert!(membership.subscribe(&after, (RoomName::One(second), 2), &limits, 10).is_ok());
        assert_eq!(membership.types_for(second), 3);
        let changes = membership.follow(&before, &limits);
        assert!(changes.lost);
        assert_eq!(membership.types_for(second), 0);
    }

    #[test]
    fn a_dashboard_that_gains_an_account_with_too_many_sessions_is_told() {
        let accounts: Vec<_> = (0..5).map(|_| (AccountId::generate(), Role::Agent)).collect();
        let (limits, mut membership) = (limits(1), Membership::default());
        assert!(membership.subscribe(&principal(&accounts[..1]), (RoomName::Dashboard, 1), &limits, 3).is_ok());
        let _others = limits.admit_account(accounts[2].0).unwrap();
        assert!(membership.follow(&principal(&accounts), &limits).full);
        assert_eq!(membership.rooms().count(), 4);
    }
}
