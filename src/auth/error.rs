//! Why somebody was not let in, and what that means on each transport.

use std::time::Duration;

use actix_web::http::StatusCode;

/// Why somebody was not let in. The text is written for whoever holds the credential and gives no secret away.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// Nothing to go by was sent.
    #[error("sign in first: there is no session cookie, bearer token or API key")]
    Missing,
    /// What was sent is not good, or no longer.
    #[error("the credential is not valid: {0}")]
    Invalid(&'static str),
    /// It was good once.
    #[error("the token has run out: sign in again")]
    Expired,
    /// No such user, or another password; which of the two is nobody's business.
    #[error("the e-mail address or the password is wrong")]
    WrongLogin,
    /// A cookie came along with a request that another site's page made.
    #[error("a page of another origin may not use the session cookie")]
    CrossOrigin,
    /// The address or the user has failed too often.
    #[error("too many failed logins: wait {} seconds", .retry_after.as_secs().max(1))]
    TooManyAttempts {
        /// Until the next try may succeed.
        retry_after: Duration,
    },
    /// Nobody can be let in or out right now.
    #[error("can't be checked right now: {0}; try again")]
    Unavailable(&'static str),
}

impl AuthError {
    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Missing | Self::Invalid(_) | Self::Expired | Self::WrongLogin => StatusCode::UNAUTHORIZED,
            Self::CrossOrigin => StatusCode::FORBIDDEN,
            Self::TooManyAttempts { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// For the `Retry-After` header.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooManyAttempts { retry_after } => Some(*retry_after),
            Self::Unavailable(_) => Some(Duration::from_secs(5)),
            _ => None,
        }
    }

    /// The WebSocket close code: 4001 come back with a good token, 4003 don't, 4009 later, 1012 in a moment.
    #[must_use]
    pub const fn close_code(&self) -> u16 {
        match self {
            Self::Missing | Self::Invalid(_) | Self::Expired | Self::WrongLogin => 4001,
            Self::CrossOrigin => 4003,
            Self::TooManyAttempts { .. } => 4009,
            Self::Unavailable(_) => 1012,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_knows_its_consequence() {
        assert_eq!((AuthError::Expired.status().as_u16(), AuthError::Expired.close_code()), (401, 4001));
        assert_eq!((AuthError::CrossOrigin.status().as_u16(), AuthError::CrossOrigin.close_code()), (403, 4003));
        let wait = AuthError::TooManyAttempts { retry_after: Duration::from_secs(6) };
        assert_eq!((wait.status().as_u16(), wait.retry_after()), (429, Some(Duration::from_secs(6))));
        assert!(AuthError::Unavailable("x").retry_after().is_some());
    }
}
