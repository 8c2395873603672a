//! Devices that somebody has signed in on: a cookie names them, so that what others do wrong elsewhere keeps nobody out.
//!
//! It opens nothing. It is signed like a login and is for another audience, so neither passes for the other.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{AuthError, OwnTokens, tokens};
use crate::domain::{UserId, clock, directory::User};

/// The `aud` of such a cookie.
const AUDIENCE: &str = "leadwire device";
/// As long as browsers keep a cookie.
pub const LASTS: chrono::Duration = chrono::Duration::days(400);

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: UserId,
    /// Names the device.
    jti: String,
    /// The user's when they signed in: a new password makes all devices unknown.
    epoch: i64,
    exp: i64,
}

/// What the cookie of a device says, after this user has signed in there. One that was known keeps its name.
pub(super) fn note(tokens: &OwnTokens, user: &User, known: Option<String>) -> Result<SecretString, AuthError> {
    tokens.sign(&Claims {
        iss: tokens::ISSUER.to_owned(),
        aud: AUDIENCE.to_owned(),
        sub: user.id,
        jti: known.unwrap_or_else(|| ulid::Ulid::generate().to_string()),
        epoch: user.token_epoch,
        exp: (clock::now() + LASTS).timestamp(),
    })
}

/// The name of the device, if this user has signed in there.
pub(super) fn recognise(tokens: &OwnTokens, cookie: &str, user: &User) -> Option<String> {
    let claims: Claims = tokens.verify_for(cookie, AUDIENCE).ok()?;
    (claims.sub == user.id && claims.epoch >= user.token_epoch).then_some(claims.jti)
}
