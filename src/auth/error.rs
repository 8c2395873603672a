//! Why somebody was not let in, and what that means on each transport.

use std::time::Duration;

use actix_web::http::StatusCode;

use super::Crowd;

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
    /// A page of another origin made the request, as far as the hub can see.
    #[error(
        "the page is of another origin than the hub's, so no session cookie counts that comes from it: whoever runs the \
         hub sets server.public_url to the page's address, names it in server.allowed_origins, or has the proxy pass \
         the Host header on"
    )]
    CrossOrigin,
    /// Too many have failed, or are under way.
    #[error("{}: wait {} seconds{}", crowded(*.crowd), .retry_after.as_secs() + 1, way_out(*.crowd))]
    TooManyAttempts {
        /// Until the next try may succeed.
        retry_after: Duration,
        /// Whose logins have to wait.
        crowd: Crowd,
    },
    /// Nobody can be let in or out right now.
    #[error("can't be checked right now: {0}; try again")]
    Unavailable(&'static str),
}

const fn crowded(crowd: Crowd) -> &'static str {
    match crowd {
        Crowd::Network => "too many logins from this network have failed",
        Crowd::Person => "too many logins with this e-mail address have failed",
        Crowd::Device => "too many logins on this device have failed",
        Crowd::UnderWay => "too many logins are under way at once",
    }
}

const fn way_out(crowd: Crowd) -> &'static str {
    match crowd {
        Crowd::Network | Crowd::Person => ", or sign in on a device that you have used before",
        Crowd::Device | Crowd::UnderWay => "",
    }
}

impl AuthError {
    /// A word for programs, of those that say more than their status.
    #[must_use]
    pub const fn code(&self) -> Option<&'static str> {
        match self {
            Self::CrossOrigin => Some("origin_refused"),
            Self::TooManyAttempts { .. } => Some("too_many_logins"),
            _ => None,
        }
    }

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
            Self::TooManyAttempts { retry_after, .. } => Some(*retry_after),
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
        let wait = AuthError::TooManyAttempts { retry_after: Duration::from_secs(6), crowd: Crowd::Network };
        assert_eq!((wait.status().as_u16(), wait.retry_after()), (429, Some(Duration::from_secs(6))));
        assert!(AuthError::Unavailable("x").retry_after().is_some());
    }
}
