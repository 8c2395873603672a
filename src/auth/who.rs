//! What the directory says of somebody, and making a [`Principal`] of it.

use super::{AuthError, Principal, Proof, Subject, grants_of, keys};
use crate::domain::{AgencyId, Timestamp, directory::Directory};

/// Whom an API key names.
pub(super) fn by_key(text: &str, directory: &Directory) -> Result<Principal, AuthError> {
    let key = directory.api_keys.get(&keys::hash(text)).ok_or(AuthError::Invalid("there is no such API key"))?;
    let subject = Subject::ApiKey(key.id);
    let who = Who::of(subject, directory).ok_or(AuthError::Invalid("there is no such API key"))?;
    who.admit(subject, Proof::Key, None, None, directory)
}

/// What people call them; `None` if the directory does not know them.
#[must_use]
pub fn name_of(subject: Subject, directory: &Directory) -> Option<String> {
    Who::of(subject, directory).map(|who| who.name)
}

/// What the directory says of a subject.
pub(super) struct Who {
    name: String,
    pub(super) agency: AgencyId,
    /// Tokens of an earlier one are refused; a program has none.
    pub(super) epoch: i64,
}

impl Who {
    pub(super) fn of(subject: Subject, directory: &Directory) -> Option<Self> {
        match subject {
            Subject::User(id) => {
                let user = directory.users.get(&id)?;
                Some(Self { name: user.name.clone(), agency: user.agency, epoch: user.token_epoch })
            }
            Subject::ApiKey(id) => {
                let key = directory.api_keys.values().find(|key| key.id == id)?;
                Some(Self { name: key.name.clone(), agency: key.agency, epoch: 0 })
            }
            // It is nobody whom a token or a key could name.
            Subject::Anonymous(_) => None,
        }
    }

    /// Lets them in, unless they signed out or are disabled.
    pub(super) fn admit(
        self,
        subject: Subject,
        proof: Proof,
        expires_at: Option<Timestamp>,
        jti: Option<String>,
        directory: &Directory,
    ) -> Result<Principal, AuthError> {
        if jti.as_ref().is_some_and(|jti| directory.revoked_tokens.contains(jti)) {
            return Err(AuthError::Invalid("it was signed out"));
        }
        let grants = grants_of(subject, directory).ok_or(AuthError::Invalid("its user is disabled or gone"))?;
        Ok(Principal { subject, name: self.name, agency: self.agency, grants, expires_at, jti, proof })
    }
}
