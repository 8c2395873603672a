//! The ways a Graph API call fails: Meta's documented errors by code, and the ways of a network.

use serde_json::{Value, json};

/// How a call fails. The variants name the meaning; the numbers are Meta's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Code 1: something went wrong there. Status 500.
    Unknown,
    /// Code 2: the service is temporarily away. Status 500.
    Unavailable,
    /// Code 4: the app's limit.
    AppLimit,
    /// Code 17: the user's limit.
    UserLimit,
    /// Code 32: the page's limit.
    PageLimit,
    /// Code 613: a custom limit.
    CustomLimit,
    /// Code 80005: the page's budget of lead calls, and when it has some again, in minutes.
    LeadgenLimit {
        /// `estimated_time_to_regain_access` in the usage header.
        regain_minutes: u32,
    },
    /// Code 100, subcode 33: no such object, or it may not be read.
    NotFound,
    /// Code 100: a parameter is wrong.
    BadParameter,
    /// Code 10: the app lacks a permission.
    Permission,
    /// Code 190, subcode 463: the token ran out.
    TokenExpired,
    /// Code 190, subcode 460: the password was changed.
    TokenRevoked,
    /// Code 10, subcode 2018278: the person wrote too long ago to be answered.
    OutsideWindow,
    /// Code 551: the person can't be written to.
    PersonUnavailable,
    /// Code 368: blocked for breaking a policy.
    Blocked,
    /// A page of HTML, as a proxy on the way sends it.
    NotJson {
        /// The HTTP status.
        status: u16,
    },
    /// A success by its status whose JSON ends in the middle.
    Truncated,
    /// No answer, ever.
    Hang,
    /// The connection is closed without an answer.
    Close,
}

/// The parts of a Graph error that differ.
pub(super) struct GraphError {
    pub status: u16,
    pub code: u32,
    pub subcode: Option<u32>,
    pub kind: &'static str,
    pub message: String,
    pub transient: bool,
}

impl GraphError {
    /// An `OAuthException` with status 400, which most are.
    pub(super) fn new(code: u32, message: impl Into<String>) -> Self {
        Self { status: 400, code, subcode: None, kind: "OAuthException", message: message.into(), transient: false }
    }

    const fn subcode(mut self, subcode: u32) -> Self {
        self.subcode = Some(subcode);
        self
    }

    const fn transient(mut self) -> Self {
        self.transient = true;
        self
    }

    const fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The body; `trace` tells one answer from another.
    pub(super) fn body(&self, trace: u64) -> Value {
        let mut error = json!({
            "message": self.message, "type": self.kind, "code": self.code, "fbtrace_id": format!("A{trace:010x}"),
        });
        if let Some(subcode) = self.subcode {
            error["error_subcode"] = subcode.into();
        }
        if self.transient {
            error["is_transient"] = true.into();
        }
        json!({ "error": error })
    }
}

impl Failure {
    /// The Graph error it stands for; none for the ways of a network.
    pub(super) fn graph_error(self, object: u64) -> Option<GraphError> {
        Some(match self {
            Self::Unknown => GraphError::new(1, "An unknown error has occurred.").status(500),
            Self::Unavailable => {
                GraphError::new(2, "An unexpected error has occurred. Please retry your request later.")
                    .status(500)
                    .transient()
            }
            Self::AppLimit => GraphError::new(4, "(#4) Application request limit reached").transient(),
            Self::UserLimit => GraphError::new(17, "(#17) User request limit reached").subcode(2_446_079).transient(),
            Self::PageLimit => GraphError::new(32, "(#32) Page request limit reached").transient(),
            Self::CustomLimit => {
                GraphError::new(613, "(#613) Calls to this api have exceeded the rate limit.").subcode(1996)
            }
            Self::LeadgenLimit { .. } => GraphError::new(
                80005,
                "(#80005) There have been too many leadgen api calls to this Page account. Wait a bit and try again.",
            ),
            Self::NotFound => not_found(object),
            Self::BadParameter => GraphError::new(100, "(#100) Invalid parameter"),
            Self::Permission => GraphError::new(10, "(#10) Application does not have permission for this action"),
            // The token was good once.
            Self::TokenExpired => {
                GraphError::new(190, "Error validating access token: Session has expired.").subcode(463)
            }
            Self::TokenRevoked => {
                let reason = "the user changed their password or Facebook has changed the session for security reasons";
                let text = format!("Error validating access token: The session has been invalidated because {reason}.");
                GraphError::new(190, text).subcode(460)
            }
            Self::OutsideWindow => {
                GraphError::new(10, "(#10) This message is sent outside of allowed window.").subcode(2_018_278)
            }
            Self::PersonUnavailable => {
                GraphError::new(551, "(#551) This person isn't available right now.").subcode(1_545_041)
            }
            Self::Blocked => {
                GraphError::new(368, "The action attempted has been deemed abusive or is otherwise disallowed")
            }
            Self::NotJson { .. } | Self::Truncated | Self::Hang | Self::Close => return None,
        })
    }
}

/// The id is unknown, or the caller may not see it: Meta does not tell which.
pub(super) fn not_found(object: u64) -> GraphError {
    let text = format!(
        "Unsupported get request. Object with ID '{object}' does not exist, cannot be loaded due to missing \
         permissions, or does not support this operation. Please read the Graph API documentation"
    );
    GraphError { kind: "GraphMethodException", ..GraphError::new(100, text).subcode(33) }
}
