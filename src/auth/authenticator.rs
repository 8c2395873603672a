//! The one place that lets somebody in.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use secrecy::SecretString;

use super::{
    AuthError, Credential, Credentials, Grants, Leaving, Origins, OwnTokens, Principal, Proof, Recorder, Revocations,
    Subject, grants_of, issuers,
    jwks::Jwks,
    keys,
    limits::LoginLimits,
    line::Line,
    principal::is_trusted,
    tokens::{self, Claimed, Claims},
    who::{Who, by_key},
};
use crate::domain::{
    AccountId, IssuerId, Timestamp,
    audit::{Action, Author, Event},
    clock,
    directory::{Directory, Watch},
};

/// What it needs to know.
pub struct Options {
    /// The newest agencies, users and keys.
    pub directory: Watch,
    /// Where signed-out tokens are written down.
    pub revocations: Arc<dyn Revocations>,
    /// Signs the hub's own tokens.
    pub tokens: OwnTokens,
    /// How long a login lasts.
    pub token_ttl: Duration,
    /// How long an issuer's keys are used.
    pub jwks_ttl: Duration,
    /// Failed logins a minute, from one network.
    pub login_attempts: u32,
    /// Whose pages may use the session cookie.
    pub origins: Origins,
    /// The account that clients without credentials may read on the compatibility transports.
    pub anonymous: Option<AccountId>,
}

/// Lets people and programs in. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Authenticator {
    pub(super) inner: Arc<Inner>,
    pub(super) recorder: Option<Recorder>,
}

pub(super) struct Inner {
    pub(super) options: Options,
    jwks: Jwks,
    pub(super) limits: LoginLimits,
    pub(super) line: Line,
    /// Signed out here and perhaps not yet in the directory; each goes when its token has run out.
    signed_out: Mutex<HashMap<String, Timestamp>>,
}

/// What a token is made of, and ends with.
#[derive(Default)]
pub(super) struct SignIn {
    /// Its name; a new one if there is none.
    jti: Option<String>,
    issuer: Option<IssuerId>,
}

impl Authenticator {
    /// Ready for use as soon as the directory has been loaded; until then everybody hears
    /// [`AuthError::Unavailable`].
    ///
    /// # Errors
    /// If the HTTP client for issuers' keys cannot be built.
    pub fn new(options: Options) -> Result<Self, reqwest::Error> {
        let inner = Inner {
            jwks: Jwks::new(options.jwks_ttl)?,
            limits: LoginLimits::new(options.login_attempts),
            line: Line::new(),
            signed_out: Mutex::default(),
            options,
        };
        Ok(Self { inner: Arc::new(inner), recorder: None })
    }

    /// The same, with every login told of; without it none is.
    #[must_use]
    pub fn telling(self, recorder: Recorder) -> Self {
        Self { recorder: Some(recorder), ..self }
    }

    /// Whose pages may use the session cookie.
    #[must_use]
    pub fn origins(&self) -> &Origins {
        &self.inner.options.origins
    }

    /// Lets in whoever the first good credential names.
    ///
    /// # Errors
    /// What was wrong with the first of them; [`AuthError::Missing`] if there is none.
    pub async fn authenticate(&self, credentials: Credentials) -> Result<Principal, AuthError> {
        let mut first = None;
        for credential in &credentials.found {
            match self.check(credential).await {
                Ok(principal) => return Ok(principal),
                Err(error) => {
                    first.get_or_insert(error);
                }
            }
        }
        let missing = if credentials.cookie_refused { AuthError::CrossOrigin } else { AuthError::Missing };
        Err(first.unwrap_or(missing))
    }

    /// The same on a compatibility transport, where the settings may let in who shows nothing at all.
    ///
    /// # Errors
    /// As [`authenticate`](Self::authenticate).
    pub async fn authenticate_on_compat(&self, credentials: Credentials) -> Result<Principal, AuthError> {
        if self.takes_for_anonymous(&credentials) { self.anonymous() } else { self.authenticate(credentials).await }
    }

    /// Whether a client of a compatibility transport is let in without a login. It may be no page of a stranger's site that
    /// somebody inside has opened: that reaches the hub where the stranger does not.
    #[must_use]
    pub fn takes_for_anonymous(&self, head: &Credentials) -> bool {
        self.inner.options.anonymous.is_some() && head.is_empty() && head.page.may_be_anonymous()
    }

    /// Who a client is that shows nothing at all.
    fn anonymous(&self) -> Result<Principal, AuthError> {
        let account = self.inner.options.anonymous.ok_or(AuthError::Missing)?;
        let directory = self.directory()?;
        let subject = Subject::Anonymous(account);
        let agency = directory.agency_of(account).zip(grants_of(subject, &directory));
        let (agency, grants) = agency.ok_or(AuthError::Invalid("there is no account for clients without a login"))?;
        let name = subject.to_string();
        Ok(Principal { subject, name, agency, grants, expires_at: None, jti: None, proof: Proof::Nothing })
    }

    /// What a principal may do under the newest directory; `None` if they may not stay.
    #[must_use]
    pub fn recheck(&self, principal: &Principal) -> Option<Grants> {
        let gone = principal.jti.as_ref().is_some_and(|jti| self.signed_out_here(jti));
        principal.recheck(&*self.directory().ok()?).filter(|_| !gone)
    }

    /// A token for a user or a program that an operator names.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] if the subject is disabled or gone, [`AuthError::Unavailable`].
    pub fn issue(&self, subject: Subject, expires_at: Timestamp) -> Result<(SecretString, Timestamp), AuthError> {
        let (token, claims) = self.sign(subject, SignIn::default(), expires_at)?;
        Ok((token, claims.expires_at()))
    }

    /// Another token for somebody who was let in. It ends with what they showed: with their sign-in, and with the issuer
    /// of the token that they came with.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] if they are disabled or gone, [`AuthError::Unavailable`].
    pub fn derive(&self, from: &Principal, expires_at: Timestamp) -> Result<(SecretString, Timestamp), AuthError> {
        let sign_in = SignIn { jti: from.jti.clone(), issuer: from.proof.issuer() };
        let (token, claims) = self.sign(from.subject, sign_in, expires_at)?;
        Ok((token, claims.expires_at()))
    }

    /// Ends a sign-in, and with it every token that was made from it: here at once, elsewhere when they next look.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] if there is no sign-in to end (an API key);
    /// [`AuthError::Unavailable`] if it could not be written down.
    pub async fn logout(&self, principal: &Principal, address: Option<IpAddr>) -> Result<(), AuthError> {
        let (Some(jti), Some(expires_at)) = (&principal.jti, principal.expires_at) else {
            return Err(AuthError::Invalid("it can't be signed out, only removed by whoever manages it"));
        };
        {
            let now = clock::now();
            let mut signed_out = self.inner.signed_out.lock().unwrap_or_else(PoisonError::into_inner);
            signed_out.retain(|_, expires_at| *expires_at > now - chrono::Duration::minutes(1));
            signed_out.insert(jti.clone(), expires_at);
        }
        let author = Author::client(principal.subject.into(), address);
        let event = Event::new(Action::Logout, principal.agency).on(principal.subject);
        self.inner.options.revocations.revoke(jti, expires_at, Leaving { author, event }).await
    }

    pub(super) fn directory(&self) -> Result<Arc<Directory>, AuthError> {
        let directory = self.inner.options.directory.borrow().clone();
        directory.ok_or(AuthError::Unavailable("the list of users has not been loaded yet"))
    }

    pub(super) async fn check(&self, credential: &Credential) -> Result<Principal, AuthError> {
        let directory = self.directory()?;
        let text = credential.expose();
        let on_purpose = matches!(credential, Credential::Token(_));
        if on_purpose && text.starts_with(keys::PREFIX) {
            return by_key(text, &directory);
        }
        let claimed = tokens::claimed(text)?;
        let principal = if claimed.iss == tokens::ISSUER {
            self.own(&self.inner.options.tokens.verify(text)?, &directory)?
        } else if on_purpose {
            self.issued(text, &claimed, &directory).await?
        } else {
            return Err(AuthError::Invalid("its issuer is not known here"));
        };
        if principal.jti.as_ref().is_some_and(|jti| self.signed_out_here(jti)) {
            return Err(AuthError::Invalid("it was signed out"));
        }
        Ok(principal)
    }

    /// Whom a verified token of the hub's own names.
    #[expect(clippy::unused_self, reason = "reads with its siblings")]
    pub(super) fn own(&self, claims: &Claims, directory: &Directory) -> Result<Principal, AuthError> {
        let subject: Subject = claims.sub.parse().map_err(|_| AuthError::Invalid("it names nobody"))?;
        let who = Who::of(subject, directory).filter(|who| who.agency == claims.agency);
        let who = who.ok_or(AuthError::Invalid("its user is gone"))?;
        if claims.epoch < who.epoch {
            return Err(AuthError::Invalid("the user's earlier logins were all ended"));
        }
        if claims.issuer.is_some_and(|issuer| !is_trusted(issuer, directory)) {
            return Err(AuthError::Invalid("the issuer of the token that it was made of is trusted no more"));
        }
        let proof = Proof::Token { epoch: claims.epoch, issuer: claims.issuer };
        who.admit(subject, proof, Some(claims.expires_at()), Some(claims.jti.clone()), directory)
    }

    /// Whom a token of an agency's own issuer names.
    async fn issued(&self, token: &str, claimed: &Claimed, directory: &Directory) -> Result<Principal, AuthError> {
        let issuer = issuers::of(claimed, directory)?;
        self.inner.jwks.retain(|id| directory.issuers.contains_key(&id));
        let claims = issuers::verify(issuer, token, &self.inner.jwks).await?;
        let subject = Subject::User(claims.user(directory, issuer)?.id);
        let who = Who::of(subject, directory).ok_or(AuthError::Invalid("its user is gone"))?;
        let proof = Proof::Issuer(issuer.id);
        who.admit(subject, proof, Some(claims.expires_at()), Some(claims.jti(issuer)), directory)
    }

    pub(super) fn sign(
        &self,
        subject: Subject,
        sign_in: SignIn,
        expires_at: Timestamp,
    ) -> Result<(SecretString, Claims), AuthError> {
        let directory = self.directory()?;
        let who = Who::of(subject, &directory).filter(|_| grants_of(subject, &directory).is_some());
        let who = who.ok_or(AuthError::Invalid("there is no such user, or they are disabled"))?;
        let claims = Claims {
            iss: tokens::ISSUER.to_owned(),
            aud: tokens::AUDIENCE.to_owned(),
            sub: subject.to_string(),
            agency: who.agency,
            epoch: who.epoch,
            jti: sign_in.jti.unwrap_or_else(|| ulid::Ulid::generate().to_string()),
            issuer: sign_in.issuer,
            iat: clock::now().timestamp(),
            exp: expires_at.timestamp(),
        };
        Ok((self.inner.options.tokens.sign(&claims)?, claims))
    }

    fn signed_out_here(&self, jti: &str) -> bool {
        self.inner.signed_out.lock().unwrap_or_else(PoisonError::into_inner).contains_key(jti)
    }
}
