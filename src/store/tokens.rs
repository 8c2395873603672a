//! Sign-ins that were ended before their token ran out.

use diesel::prelude::*;

use super::{check, engine::run, error::Result, handle::Store, schema::revoked_tokens, types::At};
use crate::domain::{Timestamp, audit::Event, clock};

/// A row of `revoked_tokens`.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = revoked_tokens, treat_none_as_default_value = false)]
pub(super) struct RevokedRow {
    pub jti: String,
    pub expires_at: At,
}

impl Store {
    /// Refuses a token from now on, and records why. It is forgotten once the token would have run out anyway. Doing it
    /// twice is fine.
    ///
    /// # Errors
    /// [`super::StoreError::Rejected`] if `jti` is empty or longer than 500 bytes.
    pub async fn revoke_token(&self, jti: &str, expires_at: Timestamp, event: Event) -> Result<()> {
        check::filled("jti", jti)?;
        check::moment("expires_at", Some(expires_at))?;
        let row = RevokedRow { jti: jti.to_owned(), expires_at: At(expires_at) };
        let (now, trail) = (At(clock::now()), self.trail().clone());
        run!(self, Change, |c, q| q::tokens::revoke(c, &row, now, &trail, &event).await)
    }
}
