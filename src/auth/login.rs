//! Signing in with a password.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use secrecy::SecretString;

use super::{
    AuthError, Authenticator, Credential, Credentials, Crowd, Principal, Subject, authenticator::SignIn, devices,
    limits::Candidate, password,
};
use crate::domain::{Timestamp, clock};

/// Who finds the line full may come back after this long.
const COME_BACK: Duration = Duration::from_secs(1);

/// Somebody tries to sign in.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// As they type it.
    pub email: &'a str,
    /// Theirs, as they say.
    pub password: SecretString,
    /// Where they are.
    pub address: Option<IpAddr>,
    /// What the cookie of their device says.
    pub device: Option<&'a str>,
}

/// A successful login.
#[derive(Debug)]
pub struct Login {
    /// Who it was.
    pub principal: Principal,
    /// For the session cookie.
    pub token: SecretString,
    /// When the token runs out.
    pub expires_at: Timestamp,
    /// For the cookie of their device; good for [`DEVICE_LASTS`](super::DEVICE_LASTS).
    pub device: SecretString,
}

impl Authenticator {
    /// Checks an e-mail address and a password.
    ///
    /// # Errors
    /// [`AuthError::WrongLogin`], [`AuthError::TooManyAttempts`], or [`AuthError::Unavailable`].
    pub async fn login(&self, attempt: Attempt<'_>) -> Result<Login, AuthError> {
        let (email, address) = (attempt.email, attempt.address);
        let outcome = self.try_login(attempt).await;
        if let Some(recorder) = &self.recorder {
            recorder.login(self.directory().ok().as_deref(), email, address, &outcome);
        }
        outcome
    }

    async fn try_login(&self, attempt: Attempt<'_>) -> Result<Login, AuthError> {
        let Attempt { email, password, address, device } = attempt;
        let (directory, tokens) = (self.directory()?, &self.inner.options.tokens);
        let email = email.trim().to_lowercase();
        let user = directory.users_by_email.get(&email).and_then(|id| directory.users.get(id));
        let device = device.zip(user).and_then(|(cookie, user)| devices::recognise(tokens, cookie, user));
        let candidate = Candidate::new(&email, address, device.as_deref());
        self.within_limits(candidate)?;
        let full = |_| AuthError::TooManyAttempts { retry_after: COME_BACK, crowd: Crowd::UnderWay };
        let place = self.inner.line.enter(candidate).map_err(full)?;
        let turn = place.turn().await.ok_or(AuthError::Unavailable("the hub is stopping"))?;
        // Again, now that those before have been counted: a burst of guesses is held to the limit as well.
        self.within_limits(candidate)?;
        let stored = user.map(|user| user.password_hash.clone());
        let right = tokio::task::spawn_blocking(move || password::verify(&password, stored.as_ref())).await;
        drop(turn);
        let right = right.map_err(|_| AuthError::Unavailable("the password could not be checked"))?;
        let Some(user) = user.filter(|user| right && !user.disabled) else {
            self.inner.limits.failed(candidate, Instant::now());
            return Err(AuthError::WrongLogin);
        };
        let ttl = chrono::Duration::from_std(self.inner.options.token_ttl).unwrap_or(chrono::Duration::MAX);
        let expires_at = clock::now().checked_add_signed(ttl).unwrap_or(Timestamp::MAX_UTC);
        let (token, claims) = self.sign(Subject::User(user.id), SignIn::default(), expires_at)?;
        let device = devices::note(tokens, user, device)?;
        Ok(Login { principal: self.own(&claims, &directory)?, token, expires_at: claims.expires_at(), device })
    }

    /// Ends the sessions whose cookies a browser at this address shows; a fresh login takes their place.
    pub async fn end_sessions(&self, shown: Credentials, address: Option<IpAddr>) {
        for credential in shown.found.iter().filter(|credential| matches!(credential, Credential::Cookie(_))) {
            if let Ok(earlier) = self.check(credential).await {
                // If it can't be written down it has ended here all the same, and the log says so.
                drop(self.logout(&earlier, address).await);
            }
        }
    }

    fn within_limits(&self, candidate: Candidate) -> Result<(), AuthError> {
        match self.inner.limits.wait(candidate, Instant::now()) {
            Some((retry_after, crowd)) => Err(AuthError::TooManyAttempts { retry_after, crowd }),
            None => Ok(()),
        }
    }
}
