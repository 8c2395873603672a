//! Tokens of agencies' own issuers. Such a token names a user of that agency, and can't name anybody else's.

use jsonwebtoken::{Algorithm, DecodingKey};
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::{AuthError, jwks::Jwks, keys, tokens};
use crate::domain::{
    AgencyId, Timestamp, UserId, clock,
    directory::{Directory, Issuer, IssuerKey, User},
};

/// What counts of such a token.
#[derive(Debug, Deserialize)]
pub(super) struct Claims {
    sub: Option<String>,
    email: Option<String>,
    email_verified: Option<bool>,
    jti: Option<String>,
    exp: f64,
}

impl Claims {
    /// When the token runs out, or in a year if it lasts longer: every database can keep that.
    #[expect(clippy::cast_possible_truncation, reason = "a float that is too large becomes the largest integer")]
    pub(super) fn expires_at(&self) -> Timestamp {
        let latest = clock::now() + chrono::Duration::days(366);
        Timestamp::from_timestamp(self.exp as i64, 0).map_or(latest, |at| at.min(latest))
    }

    /// The name of its sign-in, kept apart from other issuers' and no longer than the store takes.
    pub(super) fn jti(&self, issuer: &Issuer) -> Option<String> {
        self.jti.as_ref().map(|jti| format!("{}:{}", issuer.id, hex::encode(keys::hash(jti))))
    }

    /// The user it names: `sub` as a user's id, else `email`, else `sub` as an e-mail address.
    pub(super) fn user<'d>(&self, directory: &'d Directory, agency: AgencyId) -> Result<&'d User, AuthError> {
        let sub = self.sub.as_deref();
        let id = match sub.and_then(|sub| sub.parse::<UserId>().ok()) {
            Some(id) => Some(id),
            None if self.email_verified == Some(false) => {
                return Err(AuthError::Invalid("its e-mail address is not verified"));
            }
            None => self
                .email
                .as_deref()
                .or(sub)
                .and_then(|email| directory.users_by_email.get(&email.trim().to_lowercase()).copied()),
        };
        id.and_then(|id| directory.users.get(&id))
            .filter(|user| user.agency == agency)
            .ok_or(AuthError::Invalid("it names no user of its issuer's agency"))
    }
}

/// Verifies a token of this issuer.
pub(super) async fn verify(issuer: &Issuer, token: &str, jwks: &Jwks) -> Result<Claims, AuthError> {
    let header = tokens::header(token)?;
    let (algorithm, key) = match &issuer.key {
        IssuerKey::Secret(secret) => (Algorithm::HS256, DecodingKey::from_secret(secret.expose_secret().as_bytes())),
        IssuerKey::Jwks(url) => match header.alg {
            Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA => {
                let key = jwks.key(issuer.id, url, header.kid.as_deref(), header.alg).await?;
                (key.algorithm, key.decoding)
            }
            _ => return Err(AuthError::Invalid("it is signed with an algorithm that is not accepted")),
        },
    };
    tokens::decode(token, &key, &tokens::validation(algorithm, &issuer.iss, issuer.audience.as_deref()))
}
