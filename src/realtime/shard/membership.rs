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

/// A room that a session asked for.
struct Subscription {
    /// `None` for `dashboard`.
    room: Option<Room>,
    types: u32,
    /// The rooms that it stands for.
    joined: Vec<Room>,
}

/// All that a session asked for.
#[derive(Default)]
pub(super) struct Membership {
    subscriptions: Vec<Subscription>,
    /// One for each account that it is in a room of, however many rooms that are.
    seats: Vec<(AccountId, Seat)>,
}

/// What newer grants changed.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Rooms whose types have to be looked up again.
    pub touched: Vec<Room>,
    /// Whether a room that was asked for by name is not the session's any more.
    pub lost: bool,
}

impl Membership {
    /// Subscribes to a room, or (`None`) to every account room of the principal; a second time it replaces the first.
    /// Returns the rooms that this stands for.
    ///
    /// # Errors
    /// If it may not, or a limit is reached: nothing was changed.
    pub(super) fn subscribe(
        &mut self,
        principal: &Principal,
        (room, types): (Option<Room>, u32),
        limits: &SessionLimits,
        max_rooms: usize,
    ) -> Result<Vec<Room>, JoinError> {
        let joined = rooms_of(principal, room);
        if room.is_some() && joined.is_empty() {
            return Err(JoinError::Forbidden);
        }
        let others = self.subscriptions.iter().filter(|subscription| subscription.room != room);
        let held: usize = others.map(|subscription| subscription.joined.len()).sum();
        if held + joined.len() > max_rooms {
            return Err(JoinError::TooManyRooms);
        }
        let mut seats = Vec::new();
        for account in joined.iter().map(|room| room.account()) {
            if !self.seats.iter().chain(&seats).any(|(seated, _)| *seated == account) {
                seats.push((account, limits.admit_account(account).ok_or(JoinError::AccountFull)?));
            }
        }
        self.seats.append(&mut seats);
        self.subscriptions.retain(|subscription| subscription.room != room);
        self.subscriptions.push(Subscription { room, types, joined: joined.clone() });
        Ok(joined)
    }

    /// Ends a subscription; returns the rooms that it stood for.
    pub(super) fn unsubscribe(&mut self, room: Option<Room>) -> Vec<Room> {
        let Some(place) = self.subscriptions.iter().position(|subscription| subscription.room == room) else {
            return Vec::new();
        };
        let gone = self.subscriptions.swap_remove(place).joined;
        self.give_seats_back();
        gone
    }

    /// Follows what the principal may see now. A room that it gained and that does not fit a limit is left out.
    pub(super) fn follow(&mut self, principal: &Principal, limits: &SessionLimits, max_rooms: usize) -> Changes {
        let mut changes = Changes::default();
        let mut held = self.rooms().count();
        for subscription in &mut self.subscriptions {
            let wanted = rooms_of(principal, subscription.room);
            changes.lost |= subscription.room.is_some() && wanted.is_empty();
            let (kept, gone) = std::mem::take(&mut subscription.joined)
                .into_iter()
                .partition::<Vec<_>, _>(|room| wanted.contains(room));
            held -= gone.len();
            changes.touched.extend(gone);
            subscription.joined = kept;
            for room in wanted {
                if held < max_rooms
                    && !subscription.joined.contains(&room)
                    && sit(&mut self.seats, room.account(), limits)
                {
                    held += 1;
                    subscription.joined.push(room);
                    changes.touched.push(room);
                }
            }
        }
        self.give_seats_back();
        changes
    }

    /// The types that it wants from a room, over all subscriptions; 0 if it is not in it.
    pub(super) fn types_for(&self, room: Room) -> u32 {
        let within = self.subscriptions.iter().filter(|subscription| subscription.joined.contains(&room));
        within.fold(0, |types, subscription| types | subscription.types)
    }

    /// The rooms that it is in; one that was asked for twice comes twice.
    pub(super) fn rooms(&self) -> impl Iterator<Item = Room> {
        self.subscriptions.iter().flat_map(|subscription| subscription.joined.iter().copied())
    }

    fn give_seats_back(&mut self) {
        let Self { subscriptions, seats } = self;
        seats.retain(|(account, _)| {
            subscriptions.iter().flat_map(|subscription| &subscription.joined).any(|room| room.account() == *account)
        });
    }
}

/// A seat in the account, if there is not one already; whether there is one now.
fn sit(seats: &mut Vec<(AccountId, Seat)>, account: AccountId, limits: &SessionLimits) -> bool {
    if seats.iter().any(|(seated, _)| *seated == account) {
        return true;
    }
    let seat = limits.admit_account(account);
    let admitted = seat.is_some();
    seats.extend(seat.map(|seat| (account, seat)));
    admitted
}

/// Whether a room is theirs to see.
pub(super) fn may_see(principal: &Principal, room: Room) -> bool {
    match (principal.role_in(room.account()), room) {
        (Some(role), Room::Operators(_)) => Role::may_operate(role),
        (role, Room::Account(_) | Room::Chat(..)) => role.is_some(),
        (None, Room::Operators(_)) => false,
    }
}

/// The rooms that a principal gets when it asks for `room`, or for its dashboard.
fn rooms_of(principal: &Principal, room: Option<Room>) -> Vec<Room> {
    match room {
        Some(room) => may_see(principal, room).then_some(room).into_iter().collect(),
        None => principal.accounts().into_iter().map(Room::Account).collect(),
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
        for room in [None, Some(Room::Account(account)), Some(Room::Operators(account)), None] {
            assert!(one.subscribe(&ada, (room, ANY_TYPE), &limits, 10).is_ok(), "{room:?}");
        }
        assert_eq!(other.subscribe(&ada, (None, ANY_TYPE), &limits, 10), Err(JoinError::AccountFull));
        assert_eq!(one.unsubscribe(None), [Room::Account(account)]);
        assert_eq!(one.unsubscribe(Some(Room::Operators(account))), [Room::Operators(account)]);
        assert_eq!(other.subscribe(&ada, (None, ANY_TYPE), &limits, 10), Err(JoinError::AccountFull));
        one.unsubscribe(Some(Room::Account(account)));
        assert!(other.subscribe(&ada, (None, ANY_TYPE), &limits, 10).is_ok());
    }

    #[test]
    fn rooms_are_counted_over_all_subscriptions_and_a_refusal_changes_nothing() {
        let accounts = [AccountId::generate(), AccountId::generate()];
        let ada = principal(&[(accounts[0], Role::Owner), (accounts[1], Role::Agent)]);
        let (limits, mut membership) = (limits(9), Membership::default());
        let ask = |membership: &mut Membership, room| membership.subscribe(&ada, (room, ANY_TYPE), &limits, 2);
        assert!(ask(&mut membership, Some(Room::Operators(accounts[0]))).is_ok());
        assert_eq!(ask(&mut membership, None), Err(JoinError::TooManyRooms));
        assert!(ask(&mut membership, Some(Room::Account(accounts[1]))).is_ok());
        assert_eq!(ask(&mut membership, Some(Room::Operators(accounts[1]))), Err(JoinError::Forbidden));
        assert_eq!(membership.rooms().collect::<Vec<_>>(), [Room::Operators(accounts[0]), Room::Account(accounts[1])]);
    }

    #[test]
    fn a_dashboard_follows_the_grants_and_a_named_room_is_lost_with_them() {
        let accounts = [AccountId::generate(), AccountId::generate()];
        let [first, second] = accounts.map(Room::Account);
        let before = principal(&[(accounts[0], Role::Agent)]);
        let after = principal(&[(accounts[1], Role::Agent)]);
        let (limits, mut membership) = (limits(1), Membership::default());
        assert_eq!(membership.subscribe(&before, (None, 1), &limits, 10), Ok(vec![first]));
        let changes = membership.follow(&after, &limits, 10);
        assert_eq!((changes.touched, changes.lost), (vec![first, second], false));
        assert_eq!((membership.types_for(first), membership.types_for(second)), (0, 1));
        assert!(limits.admit_account(accounts[0]).is_some(), "its seat was given back");
        assert!(limits.admit_account(accounts[1]).is_none());
        assert!(membership.subscribe(&after, (Some(second), 2), &limits, 10).is_ok());
        assert_eq!(membership.types_for(second), 3);
        let changes = membership.follow(&before, &limits, 10);
        assert!(changes.lost);
        assert_eq!(membership.types_for(second), 0);
    }

    #[test]
    fn what_a_dashboard_gains_stays_within_the_limit_of_rooms() {
        let accounts: Vec<_> = (0..5).map(|_| (AccountId::generate(), Role::Agent)).collect();
        let (limits, mut membership) = (limits(9), Membership::default());
        assert!(membership.subscribe(&principal(&accounts[..1]), (None, 1), &limits, 3).is_ok());
        membership.follow(&principal(&accounts), &limits, 3);
        assert_eq!(membership.rooms().count(), 3);
    }
}
