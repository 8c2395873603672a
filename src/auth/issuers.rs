//! Tokens of agencies' own issuers. Such a token names a user of that agency, and can't name anybody else's.

use jsonwebtoken::{Algorithm, DecodingKey};
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::{
    AuthError,
    jwks::Jwks,
    keys,
    tokens::{self, Claimed},
};
use crate::domain::{
    AgencyId, Timestamp, UserId, clock,
    directory::{Directory, Issuer, IssuerKey, User},
};

/// The longest life of such a token, in seconds: what its issuer takes back counts here no longer than that.
const LONGEST_LIFE: f64 = 24.0 * 3600.0;

/// What counts of such a token.
#[derive(Debug, Deserialize)]
pub(super) struct Claims {
    sub: Option<String>,
    email: Option<String>,
    email_verified: Option<bool>,
    jti: Option<String>,
    iat: Option<f64>,
    exp: f64,
}

impl Claims {
    /// When the token runs out.
    #[expect(clippy::cast_possible_truncation, reason = "it is no later than a day from now")]
    pub(super) fn expires_at(&self) -> Timestamp {
        Timestamp::from_timestamp(self.exp as i64, 0).unwrap_or_default()
    }

    /// The name of its sign-in, kept apart from other issuers' and no longer than the store takes. A token that does not
    /// name it is told from others by whom it was made for and when.
    pub(super) fn jti(&self, issuer: &Issuer) -> String {
        let name = match &self.jti {
            Some(jti) => keys::hash(jti),
            None => keys::hash(&format!("{}\0{:?}\0{}", self.sub.as_deref().unwrap_or_default(), self.iat, self.exp)),
        };
        format!("{}:{}", issuer.id, hex::encode(name))
    }

    /// The user it names: `sub` as a user's id, else `email`, else `sub` as an e-mail address. An address counts only if
    /// the issuer has verified it: at many, people write there what they like.
    pub(super) fn user<'d>(&self, directory: &'d Directory, issuer: &Issuer) -> Result<&'d User, AuthError> {
        let sub = self.sub.as_deref();
        let id = match sub.and_then(|sub| sub.parse::<UserId>().ok()) {
            Some(id) => Some(id),
            None => self
                .address(issuer.trust_email)?
                .and_then(|email| directory.users_by_email.get(&email.trim().to_lowercase()).copied()),
        };
        named(id, directory, issuer.agency)
    }

    fn address(&self, trusted: bool) -> Result<Option<&str>, AuthError> {
        match (&self.email, self.email_verified) {
            (Some(email), Some(true)) => Ok(Some(email)),
            (_, Some(false)) => Err(AuthError::Invalid("its e-mail address is not verified")),
            (email, _) if trusted => Ok(email.as_deref().or(self.sub.as_deref())),
            (None, _) if !self.sub.as_ref().is_some_and(|sub| sub.contains('@')) => Ok(None),
            _ => Err(AuthError::Invalid(
                "it does not say `email_verified`: its issuer must, or be added with --trust-email",
            )),
        }
    }

    /// Without `iat` nobody knows when its life began: what is left of it counts.
    fn lives_too_long(&self, now: Timestamp) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "exact for seconds until long after the sun is gone")]
        let now = now.timestamp() as f64;
        let leeway = f64::from(u32::try_from(tokens::LEEWAY).unwrap_or(0));
        let latest = self.iat.map_or(now + leeway, |began| began.min(now + leeway)) + LONGEST_LIFE;
        self.exp > latest
    }
}

fn named(id: Option<UserId>, directory: &Directory, agency: AgencyId) -> Result<&User, AuthError> {
    id.and_then(|id| directory.users.get(&id))
        .filter(|user| user.agency == agency)
        .ok_or(AuthError::Invalid("it names no user of its issuer's agency"))
}

/// The issuer that a token claims to come from: several agencies may use the same, each under an audience of its own.
pub(super) fn of<'d>(claimed: &Claimed, directory: &'d Directory) -> Result<&'d Issuer, AuthError> {
    let ids = directory.issuers_by_name.get(&claimed.iss).into_iter().flatten();
    let all = || ids.clone().filter_map(|id| directory.issuers.get(id));
    let unknown = AuthError::Invalid("its issuer is not known here");
    let mut meant = all().filter(|issuer| issuer.audience.as_deref().is_some_and(|name| claimed.is_for(name)));
    let issuer = match (meant.next(), meant.next()) {
        (Some(_), Some(_)) => return Err(AuthError::Invalid("it is meant for several agencies: it must name one")),
        (Some(issuer), None) => issuer,
        (None, _) => match all().find(|issuer| issuer.audience.is_none()) {
            Some(issuer) => issuer,
            None if all().next().is_some() => return Err(AuthError::Invalid("it is meant for somebody else")),
            None => return Err(unknown),
        },
    };
    if !issuer.is_safe() {
        return Err(AuthError::Invalid(
            "its issuer was added without an audience: whoever runs the hub has to add it anew, with --audience",
        ));
    }
    Ok(issuer)
}

/// Verifies a token of this issuer.
pub(super) async fn verify(issuer: &Issuer, token: &str, jwks: &Jwks) -> Result<Claims, AuthError> {
    let header = tokens::header(token)?;
    let (algorithm, key) = match &issuer.key {
        IssuerKey::Secret(secret) => {
            let key = DecodingKey::from_secret(secret.expose_secret().as_bytes());
            (Algorithm::HS256, key.map_err(|_| AuthError::Invalid("its issuer has an empty secret"))?)
        }
        IssuerKey::Unreadable => return Err(AuthError::Invalid("what is stored of its issuer can't be read")),
        IssuerKey::Jwks(url) => match header.alg {
            Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA => {
                let key = jwks.key(issuer.id, url, header.kid.as_deref(), header.alg).await?;
                (key.algorithm, key.decoding)
            }
            _ => return Err(AuthError::Invalid("it is signed with an algorithm that is not accepted")),
        },
    };
    let rules = tokens::validation(algorithm, &issuer.iss, issuer.audience.as_deref());
    let claims: Claims = tokens::decode(token, &key, &rules)?;
    if claims.lives_too_long(clock::now()) {
        return Err(AuthError::Invalid("it lasts longer than 24 hours: its issuer must make shorter ones"));
    }
    Ok(claims)
}
