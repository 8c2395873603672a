//! The endings of a session, as the protocol lists them.

/// Why the hub closes a session. The code tells the client whether to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Close {
    /// The client asked for it.
    Normal,
    /// No token, a bad one, or one that ran out: come back with a new one.
    Unauthenticated,
    /// Not allowed, or no longer: don't come back.
    Forbidden,
    /// Its cookie did not count because of the page that it came from, and nothing better came: don't come back.
    OriginRefused,
    /// A frame that is not of the protocol, too large, or too many of them: come back after a fix.
    Protocol,
    /// Too many bytes waiting: come back at once, from the last position.
    Slow,
    /// Too many sessions of the user, the account or the address: come back later.
    TooMany,
    /// No answer to heartbeats: come back at once.
    NoHeartbeat,
    /// The hub stops: come back after the time it named.
    Restart,
    /// Not WebSocket: reserved bits, unmasked, a bad opcode or fragment.
    WebSocket,
    /// A text frame that is not UTF-8.
    NotUtf8,
    /// A frame or message larger than the hub takes.
    TooLarge,
}

impl Close {
    /// The WebSocket close code.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Normal => 1000,
            Self::WebSocket => 1002,
            Self::NotUtf8 => 1007,
            Self::TooLarge => 1009,
            Self::Restart => 1012,
            Self::Unauthenticated => 4001,
            Self::Forbidden | Self::OriginRefused => 4003,
            Self::Protocol => 4004,
            Self::Slow => 4008,
            Self::TooMany => 4009,
            Self::NoHeartbeat => 4012,
        }
    }

    /// The word in the close frame and in metrics.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::WebSocket => "websocket_error",
            Self::NotUtf8 => "not_utf8",
            Self::TooLarge => "too_large",
            Self::Restart => "restart",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::OriginRefused => "origin_refused",
            Self::Protocol => "protocol_error",
            Self::Slow => "slow",
            Self::TooMany => "too_many",
            Self::NoHeartbeat => "no_heartbeat",
        }
    }

    /// The ending that a code from another module stands for.
    #[must_use]
    pub const fn from_code(code: u16) -> Self {
        match code {
            4003 => Self::Forbidden,
            4009 => Self::TooMany,
            1012 => Self::Restart,
            _ => Self::Unauthenticated,
        }
    }
}
