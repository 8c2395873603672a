//! What an error of Unipile's API calls for. Its body names the kind, out of a closed list.

use std::fmt::Write as _;

use serde_json::Value;

use super::super::{
    http::Broken,
    words::{conceal, presentable},
};

/// What would help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Trying again, later each time.
    Retry,
    /// Another API key; no call with this one can succeed.
    ReplaceToken,
    /// Somebody connects the account at Unipile again.
    Reconnect,
    /// Nothing that the hub could do: the messenger or Unipile refuses this.
    GiveUp,
}

/// A call that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct UnipileError {
    /// What would help.
    pub remedy: Remedy,
    /// Of the answer, if one came.
    pub status: Option<u16>,
    /// For people; holds neither key nor URL.
    pub message: String,
    /// Whether what was asked for may have been done all the same.
    pub may_be_done: bool,
}

impl UnipileError {
    /// One that the hub itself found, before it asked.
    pub(super) fn own(remedy: Remedy, message: &str) -> Self {
        Self { remedy, status: None, message: message.to_owned(), may_be_done: false }
    }

    /// No whole answer came.
    pub(super) fn broken(broken: Broken) -> Self {
        let may_be_done = broken != Broken::Unreached;
        Self { remedy: Remedy::Retry, status: None, message: broken.to_string(), may_be_done }
    }

    /// An answer that says of success what the hub does not understand.
    pub(super) fn unexpected(status: u16, what: &str) -> Self {
        let message = format!("the platform answered {status} with {what}");
        Self { remedy: Remedy::Retry, status: Some(status), message, may_be_done: true }
    }

    /// A list that has more pages than anybody can have made.
    #[must_use]
    pub fn endless() -> Self {
        Self::own(Remedy::Retry, "the platform's list does not end")
    }

    /// From an answer that is no success; its body may be anything.
    pub(super) fn from_answer(status: u16, body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let word = |key| body.get(key).and_then(Value::as_str).filter(|word| !word.is_empty());
        let kind = word("type").map(|kind| kind.trim_start_matches("errors/"));
        let said = [word("title"), word("detail")].into_iter().flatten().collect::<Vec<_>>().join(": ");
        let mut message = format!("the platform answered {status}");
        if let Some(kind) = kind {
            let _ = write!(message, " ({})", presentable(kind));
        }
        if !said.is_empty() {
            let _ = write!(message, ": {}", presentable(&said));
        }
        Self { remedy: remedy(status, kind), status: Some(status), message, may_be_done: may_be_done(status) }
    }

    /// Without `secret`, which the platform may have repeated.
    pub(super) fn conceal(mut self, secret: &str) -> Self {
        conceal(&mut self.message, secret);
        self
    }
}

fn remedy(status: u16, kind: Option<&str>) -> Remedy {
    match (status, kind) {
        (401, Some("disconnected_account" | "expired_credentials")) => Remedy::Reconnect,
        (401, _) => Remedy::ReplaceToken,
        // A redirect or a success of some other kind: somebody stands between who will go away.
        (408 | 429 | 500.. | ..=399, _) => Remedy::Retry,
        _ => Remedy::GiveUp,
    }
}

/// A refusal does nothing; who breaks down may have begun.
fn may_be_done(status: u16) -> bool {
    !matches!(status, 300..=407 | 409..=499 | 503)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn error(status: u16, kind: &str) -> UnipileError {
        let body = json!({"status": status, "type": format!("errors/{kind}"), "title": "T", "detail": "d"});
        UnipileError::from_answer(status, body.to_string().as_bytes())
    }

    #[test]
    fn every_documented_kind_has_its_remedy_and_says_whether_it_may_be_done() {
        for (status, kind, remedy, may_be_done) in [
            (400, "invalid_parameters", Remedy::GiveUp, false),
            (401, "missing_credentials", Remedy::ReplaceToken, false),
            (401, "invalid_credentials", Remedy::ReplaceToken, false),
            (401, "insufficient_privileges", Remedy::ReplaceToken, false),
            (401, "disconnected_account", Remedy::Reconnect, false),
            (401, "expired_credentials", Remedy::Reconnect, false),
            (403, "account_restricted", Remedy::GiveUp, false),
            (403, "insufficient_permissions", Remedy::GiveUp, false),
            (404, "resource_not_found", Remedy::GiveUp, false),
            (429, "too_many_requests", Remedy::Retry, false),
            (503, "no_client_session", Remedy::Retry, false),
            (503, "network_down", Remedy::Retry, false),
            (503, "service_unavailable", Remedy::Retry, false),
            (504, "request_timeout", Remedy::Retry, true),
            (500, "unexpected_error", Remedy::Retry, true),
        ] {
            let error = error(status, kind);
            assert_eq!((error.remedy, error.may_be_done), (remedy, may_be_done), "{status} {kind}");
            assert_eq!(error.to_string(), format!("the platform answered {status} ({kind}): T: d"));
        }
    }

    #[test]
    fn a_body_that_is_no_error_says_the_status() {
        for body in ["<html>", "", "[]", "null", r#"{"type":1,"title":"","detail":{}}"#] {
            let error = UnipileError::from_answer(502, body.as_bytes());
            assert_eq!(
                (error.remedy, error.to_string().as_str()),
                (Remedy::Retry, "the platform answered 502"),
                "{body}"
            );
        }
    }

    #[test]
    fn a_key_in_a_message_is_not_passed_on() {
        let body = json!({"title": "No such key: abc/def+ghi="}).to_string();
        let error = UnipileError::from_answer(401, body.as_bytes()).conceal("abc/def+ghi=");
        assert_eq!(error.to_string(), "the platform answered 401: No such key: […]");
    }
}
