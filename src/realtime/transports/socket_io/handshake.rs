//! What an Engine.IO request asks for, and how it is refused.

/// A way to carry packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// GETs that wait for packets, POSTs that bring some.
    Polling,
    /// One packet a frame.
    WebSocket,
}

/// What a request asks for. An upgrade request asks for a [`Transport::WebSocket`] or an attachment, no other does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// A new session.
    Open(Transport),
    /// The packets that wait for this session, or the next.
    Poll(String),
    /// To bring packets of this session.
    Post(String),
    /// A WebSocket for this session, which polls so far.
    Attach(String),
}

/// Why a request is refused. Codes and words are those of the reference server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No such way to carry packets.
    UnknownTransport,
    /// No such session, or not any more.
    UnknownSession,
    /// A session is opened with GET.
    BadMethod,
    /// Not now, or not so.
    BadRequest,
    /// Not version 4 of the protocol.
    UnsupportedVersion,
    /// A body larger than the session was told.
    TooLarge,
}

impl Refusal {
    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::TooLarge => 413,
            _ => 400,
        }
    }

    /// The body, JSON.
    #[must_use]
    pub const fn body(self) -> &'static str {
        match self {
            Self::UnknownTransport => r#"{"code":0,"message":"Transport unknown"}"#,
            Self::UnknownSession => r#"{"code":1,"message":"Session ID unknown"}"#,
            Self::BadMethod => r#"{"code":2,"message":"Bad handshake method"}"#,
            Self::BadRequest => r#"{"code":3,"message":"Bad request"}"#,
            Self::UnsupportedVersion => r#"{"code":5,"message":"Unsupported protocol version"}"#,
            Self::TooLarge => r#"{"code":3,"message":"Payload too large"}"#,
        }
    }
}

impl Ask {
    /// Reads a request; `upgrade`: whether it asks for a WebSocket.
    ///
    /// # Errors
    /// How to answer if it makes no sense.
    pub fn read(method: &str, query: &str, upgrade: bool) -> Result<Self, Refusal> {
        let (mut version, mut transport, mut session) = (None, None, None);
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "EIO" => version = Some(value),
                "transport" => transport = Some(value),
                "sid" => session = Some(value.into_owned()),
                _ => {}
            }
        }
        let transport = match transport.as_deref() {
            Some("polling") => Transport::Polling,
            Some("websocket") => Transport::WebSocket,
            _ => return Err(Refusal::UnknownTransport),
        };
        if version.as_deref() != Some("4") {
            return Err(Refusal::UnsupportedVersion);
        }
        if session.is_none() && method != "GET" {
            return Err(Refusal::BadMethod);
        }
        match (transport, upgrade, session, method) {
            (Transport::Polling, true, ..) | (Transport::WebSocket, false, ..) => Err(Refusal::BadRequest),
            (transport, _, None, _) => Ok(Self::Open(transport)),
            (Transport::WebSocket, _, Some(session), "GET") => Ok(Self::Attach(session)),
            (Transport::Polling, _, Some(session), "GET") => Ok(Self::Poll(session)),
            (Transport::Polling, _, Some(session), "POST") => Ok(Self::Post(session)),
            _ => Err(Refusal::BadRequest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_says_what_it_wants() {
        let ask = |method, query, upgrade| Ask::read(method, query, upgrade).unwrap();
        assert_eq!(ask("GET", "EIO=4&transport=polling&t=N8hyd6w", false), Ask::Open(Transport::Polling));
        assert_eq!(ask("GET", "EIO=4&transport=websocket", true), Ask::Open(Transport::WebSocket));
        assert_eq!(ask("GET", "EIO=4&transport=polling&sid=a%2Db", false), Ask::Poll("a-b".into()));
        assert_eq!(ask("POST", "EIO=4&transport=polling&sid=a", false), Ask::Post("a".into()));
        assert_eq!(ask("GET", "EIO=4&transport=websocket&sid=a", true), Ask::Attach("a".into()));
    }

    #[test]
    fn a_request_that_makes_no_sense_is_told_why() {
        for (refusal, method, query, upgrade) in [
            (Refusal::UnknownTransport, "GET", "EIO=4", false),
            (Refusal::UnknownTransport, "GET", "EIO=4&transport=abc", true),
            (Refusal::UnknownTransport, "GET", "", false),
            (Refusal::UnsupportedVersion, "GET", "transport=polling", false),
            (Refusal::UnsupportedVersion, "GET", "EIO=abc&transport=polling", false),
            (Refusal::UnsupportedVersion, "GET", "EIO=3&transport=websocket", true),
            (Refusal::BadMethod, "POST", "EIO=4&transport=polling", false),
            (Refusal::BadMethod, "PUT", "EIO=4&transport=polling", false),
            (Refusal::BadRequest, "GET", "EIO=4&transport=websocket", false),
            (Refusal::BadRequest, "GET", "EIO=4&transport=websocket&sid=a", false),
            (Refusal::BadRequest, "GET", "EIO=4&transport=polling&sid=a", true),
            (Refusal::BadRequest, "PUT", "EIO=4&transport=polling&sid=a", false),
        ] {
            assert_eq!(Ask::read(method, query, upgrade), Err(refusal), "{method} {query} {upgrade}");
        }
    }

    #[test]
    fn a_refusal_is_json_with_the_reference_servers_code() {
        for (refusal, code) in [(Refusal::UnknownTransport, 0), (Refusal::UnknownSession, 1), (Refusal::BadMethod, 2)] {
            let body: serde_json::Value = serde_json::from_str(refusal.body()).unwrap();
            assert_eq!((body["code"].as_u64(), refusal.status()), (Some(code), 400));
        }
        assert_eq!(Refusal::TooLarge.status(), 413);
    }
}
