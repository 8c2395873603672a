//! Whether an endpoint may have an event: asked for each before it is sent. Pure rules.

use chrono::TimeDelta;

use crate::{
    domain::{Timestamp, directory::Directory},
    store::{Claimed, Consent, LEFT_BEHIND, Outcome},
};

/// Why a delivery is cancelled whose account somebody stopped the endpoint for.
const STOPPED: &str = "stopped";
/// Why a delivery is cancelled whose account the endpoint does not cover any more.
const NOT_COVERED: &str = "not_covered";
/// The directory may be behind the database by less than this: an event waits so long before it is parked on its word.
const BEHIND: TimeDelta = TimeDelta::seconds(10);
/// Until it is asked again.
const AGAIN: TimeDelta = TimeDelta::seconds(2);

/// What becomes of a delivery that may not be sent; `None` if it may. Whoever answers for the endpoint must manage the account
/// now, however that was taken from them.
pub(super) fn withheld(claimed: &Claimed, directory: Option<&Directory>, now: Timestamp) -> Option<Outcome> {
    match &claimed.consent {
        Consent::Stopped => Some(Outcome::Cancelled(STOPPED)),
        Consent::NotCovered => Some(Outcome::Cancelled(NOT_COVERED)),
        Consent::LeftBehind => Some(Outcome::Parked(LEFT_BEHIND)),
        Consent::By(None) => None,
        Consent::By(Some(who)) => {
            let account = claimed.account?;
            let manages = directory.is_some_and(|directory| directory.manages(who, account));
            let is_sure = directory.is_some() && now - claimed.since >= BEHIND;
            let outcome = if is_sure { Outcome::Parked(LEFT_BEHIND) } else { Outcome::PutOff(now + AGAIN) };
            (!manages).then_some(outcome)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::domain::{
        AccountId, AgencyId, EventId, Role, UserId, clock,
        directory::{Account, User},
    };

    fn directory(role: Role, disabled: bool) -> (Directory, UserId, AccountId) {
        let (agency, account, id) = (AgencyId::generate(), AccountId::generate(), UserId::generate());
        let mut directory = Directory::default();
        directory.accounts.insert(account, Account { id: account, agency, name: "Bakery".into() });
        let user = User {
            id,
            agency,
            email: "ada@example.com".into(),
            name: "Ada".into(),
            password_hash: "".into(),
            disabled,
            token_epoch: 0,
            memberships: HashMap::from([(account, role)]),
        };
        directory.users.insert(id, user);
        (directory, id, account)
    }

    fn claimed(account: AccountId, consent: Consent) -> Claimed {
        Claimed {
            row: 1,
            event: EventId::derive(&[b"a"]),
            kind: "new_lead".into(),
            payload: "{}".into(),
            attempt: 1,
            failures: 0,
            since: clock::from_micros(0),
            created_at: clock::from_micros(0),
            account: Some(account),
            consent,
        }
    }

    #[test]
    fn nothing_is_sent_once_who_answers_for_the_endpoint_manages_the_account_no_more() {
        let late = clock::from_micros(0) + BEHIND;
        for (role, disabled, is_sent) in [
            (Role::Owner, false, true),
            (Role::Manager, false, true),
            (Role::Agent, false, false),
            (Role::Owner, true, false),
        ] {
            let (directory, user, account) = directory(role, disabled);
            let claimed = claimed(account, Consent::By(Some(user.to_string())));
            let wanted = (!is_sent).then_some(Outcome::Parked(LEFT_BEHIND));
            assert_eq!(withheld(&claimed, Some(&directory), late), wanted, "{role} {disabled}");
            let soon = withheld(&claimed, Some(&directory), clock::from_micros(0));
            assert_eq!(soon, (!is_sent).then(|| Outcome::PutOff(clock::from_micros(0) + AGAIN)), "it may be news");
            assert!(matches!(withheld(&claimed, None, late), Some(Outcome::PutOff(_))), "nobody is known yet");
        }
        let (directory, _, account) = directory(Role::Owner, false);
        let stranger = claimed(account, Consent::By(Some(UserId::generate().to_string())));
        assert_eq!(withheld(&stranger, Some(&directory), late), Some(Outcome::Parked(LEFT_BEHIND)));
    }

    #[test]
    fn what_is_stopped_or_not_covered_is_cancelled_and_what_is_left_is_parked() {
        let account = AccountId::generate();
        let outcome = |consent| withheld(&claimed(account, consent), None, clock::from_micros(0));
        assert_eq!(outcome(Consent::Stopped), Some(Outcome::Cancelled(STOPPED)));
        assert_eq!(outcome(Consent::NotCovered), Some(Outcome::Cancelled(NOT_COVERED)));
        assert_eq!(outcome(Consent::LeftBehind), Some(Outcome::Parked(LEFT_BEHIND)));
        assert_eq!(outcome(Consent::By(None)), None);
    }
}
