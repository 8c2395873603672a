//! What an error of the Graph API calls for.
//!
//! Nearly all of them come with HTTP 400, throttling too, and without a `Retry-After`: the code in the body decides.

use std::time::Duration;

use serde_json::Value;

use super::{
    super::{
        http::Broken,
        words::{conceal, presentable},
    },
    Usage,
};

/// What would help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Trying again, later each time.
    Retry,
    /// Calling nothing of this scope for a while: going on makes the wait longer.
    Pause {
        /// What must wait.
        scope: PauseScope,
        /// How long, when the platform says so.
        wait: Option<Duration>,
    },
    /// A new token; no call with this one can succeed.
    ReplaceToken,
    /// Somebody grants the app a permission or a feature.
    GrantAccess,
    /// A few slow tries, then a person: the lead doesn't exist, or may not be read yet. Also for codes that nobody
    /// documents.
    RetryDenied,
    /// A long wait: the platform has blocked the action as abuse.
    Blocked,
    /// Nothing that the hub could do: the question itself is wrong.
    Park,
}

/// What shares an exhausted allowance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PauseScope {
    /// Every call of the app.
    App,
    /// Every call with the token.
    Token,
    /// Every call for the page.
    Page,
}

/// A call that brought no lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphError {
    /// What would help.
    pub remedy: Remedy,
    /// The platform's code; none if no error of the platform's came back.
    pub code: Option<i64>,
    /// Narrows the code down.
    pub subcode: Option<i64>,
    /// For people; holds no token.
    pub message: String,
    /// As far as the answer's headers told.
    pub usage: Usage,
}

impl std::fmt::Display for GraphError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        match (self.code, self.subcode) {
            (Some(code), Some(subcode)) => write!(f, " (Graph error {code}/{subcode})"),
            (Some(code), None) => write!(f, " (Graph error {code})"),
            (None, _) => Ok(()),
        }
    }
}

impl std::error::Error for GraphError {}

impl GraphError {
    /// One that the hub itself found.
    pub(super) fn own(remedy: Remedy, message: impl Into<String>) -> Self {
        Self { remedy, code: None, subcode: None, message: message.into(), usage: Usage::default() }
    }

    /// No whole answer came.
    pub(super) fn broken(broken: Broken) -> Self {
        Self::own(Remedy::Retry, broken.to_string())
    }

    /// From an answer's body, if there is an error in it. The API puts one in answers with any status.
    pub(super) fn from_body(body: &Value, usage: Usage) -> Option<Self> {
        let error = body.get("error")?;
        let code = error.get("code").and_then(integer);
        let subcode = error.get("error_subcode").and_then(integer);
        let transient = error.get("is_transient").is_some_and(|flag| flag == true || flag == "true");
        let remedy = match code {
            Some(code) => remedy(code, subcode, transient, usage.regain),
            None => Remedy::Retry,
        };
        let message = error.get("message").and_then(Value::as_str).unwrap_or("the platform gave no reason");
        Some(Self { remedy, code, subcode, message: presentable(message), usage })
    }

    /// Without `secret`, which the platform may have repeated.
    pub(super) fn conceal(mut self, secret: &str) -> Self {
        conceal(&mut self.message, secret);
        self
    }
}

fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

fn remedy(code: i64, subcode: Option<i64>, transient: bool, wait: Option<Duration>) -> Remedy {
    let pause = |scope| Remedy::Pause { scope, wait };
    match (code, subcode) {
        // Before `transient`, which exhausted allowances are called as well: trying on would only use them up.
        (4 | 341, _) => pause(PauseScope::App),
        (17, _) => pause(PauseScope::Token),
        (32 | 613 | 80_000..=80_099, _) => pause(PauseScope::Page),
        _ if transient => Remedy::Retry,
        (1 | 2, _) => Remedy::Retry,
        (102 | 190, _) => Remedy::ReplaceToken,
        (3 | 10 | 200..=299, _) => Remedy::GrantAccess,
        (368, _) => Remedy::Blocked,
        (100, Some(33)) => Remedy::RetryDenied,
        (100 | 506 | 2500, _) => Remedy::Park,
        _ => Remedy::RetryDenied,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn error(code: i64, subcode: Option<i64>) -> GraphError {
        let body = json!({"error": {"message": "m", "type": "OAuthException", "code": code, "error_subcode": subcode}});
        GraphError::from_body(&body, Usage::default()).unwrap()
    }

    const fn pause(scope: PauseScope) -> Remedy {
        Remedy::Pause { scope, wait: None }
    }

    #[test]
    fn every_documented_code_has_its_remedy() {
        let table: &[(i64, Option<i64>, Remedy)] = &[
            (1, None, Remedy::Retry),
            (2, None, Remedy::Retry),
            (3, None, Remedy::GrantAccess),
            (4, None, pause(PauseScope::App)),
            (10, None, Remedy::GrantAccess),
            (17, Some(2_446_079), pause(PauseScope::Token)),
            (32, None, pause(PauseScope::Page)),
            (100, Some(33), Remedy::RetryDenied),
            (100, None, Remedy::Park),
            (100, Some(2018), Remedy::Park),
            (102, None, Remedy::ReplaceToken),
            (190, None, Remedy::ReplaceToken),
            (190, Some(458), Remedy::ReplaceToken),
            (190, Some(459), Remedy::ReplaceToken),
            (190, Some(460), Remedy::ReplaceToken),
            (190, Some(463), Remedy::ReplaceToken),
            (190, Some(464), Remedy::ReplaceToken),
            (190, Some(467), Remedy::ReplaceToken),
            (190, Some(492), Remedy::ReplaceToken),
            (200, None, Remedy::GrantAccess),
            (299, None, Remedy::GrantAccess),
            (341, None, pause(PauseScope::App)),
            (368, None, Remedy::Blocked),
            (506, None, Remedy::Park),
            (613, Some(1996), pause(PauseScope::Page)),
            (2500, None, Remedy::Park),
            (80_000, None, pause(PauseScope::Page)),
            (80_001, None, pause(PauseScope::Page)),
            (80_005, None, pause(PauseScope::Page)),
            (80_014, None, pause(PauseScope::Page)),
            (99_999, None, Remedy::RetryDenied),
            (-1, None, Remedy::RetryDenied),
        ];
        for (code, subcode, remedy) in table {
            assert_eq!(error(*code, *subcode).remedy, *remedy, "{code}/{subcode:?}");
        }
    }

    #[test]
    fn what_is_transient_is_tried_again_unless_an_allowance_is_used_up() {
        let transient = |code: i64, flag: Value| {
            let body = json!({"error": {"code": code, "is_transient": flag}});
            GraphError::from_body(&body, Usage::default()).unwrap().remedy
        };
        assert_eq!(transient(190, json!(true)), Remedy::Retry);
        assert_eq!(transient(100, json!("true")), Remedy::Retry);
        assert_eq!(transient(190, json!(false)), Remedy::ReplaceToken);
        assert_eq!(transient(4, json!(true)), pause(PauseScope::App));
    }

    #[test]
    fn a_pause_lasts_as_long_as_the_headers_say() {
        let regain = Some(Duration::from_mins(5));
        let body = json!({"error": {"code": 80005, "message": "(#80005) There have been too many leadgen api calls"}});
        let error = GraphError::from_body(&body, Usage { percent: 100, regain }).unwrap();
        assert_eq!(error.remedy, Remedy::Pause { scope: PauseScope::Page, wait: regain });
        assert_eq!(error.usage.percent, 100);
    }

    #[test]
    fn an_error_reads_as_a_sentence_with_its_code() {
        let body = json!({"error": {"message": "Error validating access token: Session has expired", "type": "OAuthException",
            "code": 190, "error_subcode": 463, "is_transient": false, "fbtrace_id": "EJplcsCHuLu"}});
        let error = GraphError::from_body(&body, Usage::default()).unwrap();
        let expected = "Error validating access token: Session has expired (Graph error 190/463)";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn what_is_no_error_object_is_told_apart() {
        assert!(GraphError::from_body(&json!({"id": "1"}), Usage::default()).is_none());
        assert!(GraphError::from_body(&json!([]), Usage::default()).is_none());
        for odd in [json!("x"), json!({}), json!(null), json!({"code": "x"}), json!({"code": 1.5})] {
            let error = GraphError::from_body(&json!({"error": odd}), Usage::default()).unwrap();
            assert_eq!((error.remedy, error.code), (Remedy::Retry, None));
        }
        let quoted = GraphError::from_body(&json!({"error": {"code": "190"}}), Usage::default()).unwrap();
        assert_eq!(quoted.remedy, Remedy::ReplaceToken);
    }
}
