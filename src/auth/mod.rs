//! Who somebody is, and what they may do.
//!
//! An [`Authenticator`] checks passwords, the hub's own tokens, tokens of agencies' own issuers and API keys against the
//! newest directory snapshot: no request for a page or a socket waits for the database. A [`Principal`] carries what was
//! granted; live sessions ask it again ([`Principal::recheck`]) whenever the directory changes.

mod allowance;
mod authenticator;
mod credentials;
mod devices;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod issuers;
mod jwks;
pub mod keys;
mod limits;
mod line;
mod login;
mod origins;
pub mod password;
mod principal;
mod recorder;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
mod tokens;
mod who;

use futures_util::future::BoxFuture;

pub use authenticator::{Authenticator, Options};
pub use credentials::{
    COOKIE, Credential, Credentials, DEVICE_COOKIE, PROTOCOL_PREFIX, Purpose, SECURE_COOKIE, device_cookie,
};
pub use devices::LASTS as DEVICE_LASTS;
pub use error::AuthError;
pub use limits::Crowd;
pub use login::{Attempt, Login};
pub use origins::{Origins, Page};
pub use principal::{Grants, Principal, Proof, Subject, grants_of};
pub use recorder::Recorder;
pub use tokens::{ISSUER, OwnTokens, SigningKeyError};
pub use who::name_of;

use crate::{
    domain::{
        Timestamp,
        audit::{Author, Event},
    },
    store::Store,
};

/// Who signs out.
#[derive(Debug, Clone)]
pub struct Leaving {
    /// Who, and from where.
    pub author: Author,
    /// As it is recorded.
    pub event: Event,
}

/// Where signed-out tokens are written down, so that other nodes and later starts refuse them too. The store, but for
/// tests.
pub trait Revocations: Send + Sync {
    /// Refuse the token with this `jti`; it may be forgotten when the token has run out. Who signed out is recorded with it.
    fn revoke<'a>(
        &'a self,
        jti: &'a str,
        expires_at: Timestamp,
        leaving: Leaving,
    ) -> BoxFuture<'a, Result<(), AuthError>>;
}

impl Revocations for Store {
    fn revoke<'a>(
        &'a self,
        jti: &'a str,
        expires_at: Timestamp,
        leaving: Leaving,
    ) -> BoxFuture<'a, Result<(), AuthError>> {
        Box::pin(async move {
            self.by(leaving.author).revoke_token(jti, expires_at, leaving.event).await.map_err(|error| {
                tracing::warn!(%error, "a logout could not be written down");
                AuthError::Unavailable("the logout could not be written down")
            })
        })
    }
}
