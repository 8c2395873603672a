//! How a client says who it is, and why it may be turned away.

use std::fmt;

use http::{HeaderMap, HeaderValue, header};

/// How a client says who it is.
#[derive(Debug, Clone, Copy)]
pub enum Login<'a> {
    /// `Authorization: Bearer <token or key>`
    Bearer(&'a str),
    /// The sub-protocol `leadwire.token.<token>`, for browsers without a cookie. WebSocket alone has it.
    Protocol(&'a str),
    /// What is said first: the frame `{"type":"auth"}`, or Socket.IO's `auth` payload `{"token":…}`.
    Frame(&'a str),
    /// The cookie `leadwire_session`, with this `Origin`.
    Cookie(&'a str, &'a str),
    /// Not at all.
    Nothing,
}

impl Login<'_> {
    /// The headers that carry it, if it goes in headers.
    pub(super) fn headers(self) -> Result<HeaderMap, ConnectError> {
        let mut headers = HeaderMap::new();
        let mut add = |name, value: &str| {
            HeaderValue::from_str(value).map(|value| headers.insert(name, value)).map_err(ConnectError::failed)
        };
        match self {
            Self::Bearer(token) => {
                add(header::AUTHORIZATION, &format!("Bearer {token}"))?;
            }
            Self::Cookie(cookie, origin) => {
                add(header::COOKIE, &format!("leadwire_session={cookie}"))?;
                add(header::ORIGIN, origin)?;
            }
            Self::Protocol(_) | Self::Frame(_) | Self::Nothing => {}
        }
        Ok(headers)
    }

    /// The WebSocket sub-protocol that carries it, if one does.
    pub(super) fn protocol(self) -> Option<String> {
        match self {
            Self::Protocol(token) => Some(format!("leadwire.token.{token}")),
            _ => None,
        }
    }
}

/// Why there is no connection.
#[derive(Debug)]
pub enum ConnectError {
    /// The hub answered with this HTTP status.
    Refused(u16),
    /// It did not come to an answer.
    Failed(String),
}

impl ConnectError {
    pub(super) fn failed(why: impl fmt::Display) -> Self {
        Self::Failed(format!("{why:#}"))
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(status) => write!(f, "the hub refused the connection with status {status}"),
            Self::Failed(why) => write!(f, "no connection: {why}"),
        }
    }
}

impl std::error::Error for ConnectError {}
