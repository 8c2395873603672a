//! Who somebody is and what they may do, as long as the directory says so.

use std::{collections::HashMap, fmt, str::FromStr, sync::Arc};

use crate::domain::{
    AccountId, AgencyId, ApiKeyId, IssuerId, Role, Timestamp, UserId,
    audit::Actor,
    directory::{Directory, Issuer, User},
};

/// What somebody may do, where.
pub type Grants = Arc<HashMap<AccountId, Role>>;

/// A person or a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A person.
    User(UserId),
    /// A program.
    ApiKey(ApiKeyId),
    /// Whoever shows nothing at all, where the settings let such a client read this account. No token names it.
    Anonymous(AccountId),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => id.fmt(f),
            Self::ApiKey(id) => id.fmt(f),
            Self::Anonymous(_) => f.write_str("anonymous"),
        }
    }
}

impl From<Subject> for Actor {
    fn from(subject: Subject) -> Self {
        match subject {
            Subject::User(id) => Self::User(id),
            Subject::ApiKey(id) => Self::Key(id),
            Subject::Anonymous(_) => Self::Unknown,
        }
    }
}

impl FromStr for Subject {
    type Err = crate::domain::ids::ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with(ApiKeyId::PREFIX) { text.parse().map(Self::ApiKey) } else { text.parse().map(Self::User) }
    }
}

/// What somebody showed, and so what can take it from them again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// A token of the hub's own; a later epoch of its user ends it.
    Token {
        /// The user's epoch when it was issued; 0 for a program.
        epoch: i64,
        /// The agency's own issuer whose token it was made of; removing that ends it too.
        issuer: Option<IssuerId>,
    },
    /// A token of an agency's own issuer; removing the issuer ends it.
    Issuer(IssuerId),
    /// The API key itself.
    Key,
    /// Nothing: the settings ask for nothing.
    Nothing,
}

impl Proof {
    /// The agency's own issuer that all of it rests on.
    #[must_use]
    pub const fn issuer(self) -> Option<IssuerId> {
        match self {
            Self::Token { issuer, .. } => issuer,
            Self::Issuer(issuer) => Some(issuer),
            Self::Key | Self::Nothing => None,
        }
    }
}

/// Whether an issuer is there, and its tokens may let somebody in.
pub(super) fn is_trusted(issuer: IssuerId, directory: &Directory) -> bool {
    directory.issuers.get(&issuer).is_some_and(Issuer::is_safe)
}

/// Somebody who was let in.
#[derive(Debug, Clone)]
pub struct Principal {
    /// Who.
    pub subject: Subject,
    /// For people.
    pub name: String,
    /// Their tenant.
    pub agency: AgencyId,
    /// What they may do, where; only accounts of their agency.
    pub grants: Grants,
    /// When what they showed runs out; an API key does not.
    pub expires_at: Option<Timestamp>,
    /// Names the sign-in, so that it can be ended; tokens made from one sign-in share it.
    pub jti: Option<String>,
    /// What they showed.
    pub proof: Proof,
}

impl Principal {
    /// What they may do in an account; `None` if it is not theirs to see.
    #[must_use]
    pub fn role_in(&self, account: AccountId) -> Option<Role> {
        self.grants.get(&account).copied()
    }

    /// The accounts they may see, in a stable order.
    #[must_use]
    pub fn accounts(&self) -> Vec<AccountId> {
        let mut accounts: Vec<_> = self.grants.keys().copied().collect();
        accounts.sort_unstable();
        accounts
    }

    /// What they may do under a newer directory; `None` if they may not stay: disabled, gone, signed out, their
    /// tokens' epoch passed, their issuer or key removed. Does not look at the clock.
    #[must_use]
    pub fn recheck(&self, directory: &Directory) -> Option<Grants> {
        if self.jti.as_ref().is_some_and(|jti| directory.revoked_tokens.contains(jti)) {
            return None;
        }
        match (self.proof, self.subject) {
            (Proof::Token { epoch, .. }, Subject::User(id)) if epoch < directory.users.get(&id)?.token_epoch => {
                return None;
            }
            _ => {}
        }
        if self.proof.issuer().is_some_and(|issuer| !is_trusted(issuer, directory)) {
            return None;
        }
        grants_of(self.subject, directory)
    }
}

/// What a subject may do; `None` if they are disabled or gone.
#[must_use]
pub fn grants_of(subject: Subject, directory: &Directory) -> Option<Grants> {
    let grants = match subject {
        Subject::User(id) => {
            let user = directory.users.get(&id).filter(|user| !user.disabled)?;
            memberships(user, directory)
        }
        Subject::ApiKey(id) => {
            let key = directory.api_keys.values().find(|key| key.id == id)?;
            let role = |account| Some((account, directory.role_of_key(key, account)?));
            let grants: HashMap<_, _> = directory.accounts.keys().copied().filter_map(role).collect();
            if key.left || (key.responsible.is_some() && grants.is_empty()) {
                return None;
            }
            grants
        }
        Subject::Anonymous(account) => HashMap::from([(directory.accounts.get(&account)?.id, Role::Viewer)]),
    };
    Some(Arc::new(grants))
}

/// A membership in another agency's account, however it came about, counts for nothing.
fn memberships(user: &User, directory: &Directory) -> HashMap<AccountId, Role> {
    user.memberships
        .iter()
        .filter(|(account, _)| directory.agency_of(**account) == Some(user.agency))
        .map(|(account, role)| (*account, *role))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::sample::Sample;

    fn someone(sample: &Sample) -> Principal {
        Principal {
            subject: Subject::User(sample.user),
            name: "Ada".into(),
            agency: sample.agency,
            grants: Arc::default(),
            expires_at: None,
            jti: Some("login-1".into()),
            proof: Proof::Token { epoch: 0, issuer: None },
        }
    }

    #[test]
    fn a_membership_in_another_agencys_account_counts_for_nothing() {
        let mut sample = Sample::new();
        let other = sample.other_account;
        sample.user_mut().memberships.insert(other, Role::Owner);
        let grants = grants_of(Subject::User(sample.user), &sample.directory).unwrap();
        assert_eq!(*grants, HashMap::from([(sample.account, Role::Agent)]));
    }

    #[test]
    fn a_session_ends_when_its_user_is_disabled_or_signed_out_or_has_a_later_epoch() {
        let mut sample = Sample::new();
        let session = someone(&sample);
        assert_eq!(session.recheck(&sample.directory).unwrap().len(), 1);
        sample.directory.revoked_tokens.insert("login-1".into());
        assert!(session.recheck(&sample.directory).is_none());
        sample.directory.revoked_tokens.clear();
        sample.user_mut().token_epoch = 1;
        assert!(session.recheck(&sample.directory).is_none());
        sample.user_mut().token_epoch = 0;
        sample.user_mut().disabled = true;
        assert!(session.recheck(&sample.directory).is_none());
    }

    #[test]
    fn a_key_for_the_agency_reaches_all_of_its_accounts_and_no_others() {
        let mut sample = Sample::new();
        let wide = sample.add_key(None, Role::Viewer, "a");
        let narrow = sample.add_key(Some(sample.other_account), Role::Owner, "b");
        let grants = grants_of(Subject::ApiKey(wide), &sample.directory).unwrap();
        assert_eq!(*grants, HashMap::from([(sample.account, Role::Viewer)]));
        assert!(grants_of(Subject::ApiKey(narrow), &sample.directory).unwrap().is_empty());
        assert!(grants_of(Subject::ApiKey(ApiKeyId::generate()), &sample.directory).is_none());
    }

    #[test]
    fn who_shows_nothing_may_at_most_read_one_account_while_it_is_there() {
        let mut sample = Sample::new();
        let subject = Subject::Anonymous(sample.account);
        let grants = grants_of(subject, &sample.directory).unwrap();
        assert_eq!(*grants, HashMap::from([(sample.account, Role::Viewer)]));
        sample.directory.accounts.remove(&sample.account);
        assert!(grants_of(subject, &sample.directory).is_none());
        assert!("anonymous".parse::<Subject>().is_err(), "no token may name it");
    }
}
