//! Errors as callers see them: RFC 9457 problem details, or the origin's `{"success":false,"error":…}`.

use std::{fmt, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    http::{StatusCode, header},
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{auth::AuthError, sending::Refused, store::StoreError};

/// Routes below this keep the origin's shape.
const ORIGIN_ROUTES: &str = "/api/leads";

/// An error with its status and a sentence for people.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    detail: String,
    retry_after: Option<Duration>,
    origin: bool,
    /// What problem details say besides.
    members: Map<String, Value>,
}

impl ApiError {
    /// As problem details.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), retry_after: None, origin: false, members: Map::new() }
    }

    /// The same with one thing more that problem details say.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        // What can't be said is left out.
        self.members.extend(serde_json::to_value(value).ok().map(|value| (name.to_owned(), value)));
        self
    }

    /// For whoever answers in another way than HTTP.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// 400: what to send instead.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 403.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// 404: not there, or not the caller's to see.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("There is no such {what}."))
    }

    /// The same in the shape that the request's route has.
    #[must_use]
    pub fn shaped_for(self, request: &HttpRequest) -> Self {
        if request.path().starts_with(ORIGIN_ROUTES) { self.as_origin() } else { self }
    }

    /// The same in the origin's shape.
    #[must_use]
    pub fn as_origin(self) -> Self {
        Self { origin: true, ..self }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        let (retry_after, code) = (error.retry_after(), error.code());
        let problem = Self { retry_after, ..Self::new(error.status(), sentence(&error.to_string())) };
        code.into_iter().fold(problem, |problem, code| problem.with("code", code))
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        if error.is_transient() {
            tracing::warn!(%error, "a request needs the database");
            // A change whose answer was lost may have been made after all: the store can't tell.
            let detail = "The database does not answer, so nothing was changed as far as the hub can tell. \
                          Try again in a moment.";
            let retry_after = Some(Duration::from_secs(5));
            return Self { retry_after, ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail) };
        }
        match error {
            StoreError::Conflict(what) => Self::new(StatusCode::CONFLICT, sentence(&what)),
            StoreError::Rejected(why) => Self::bad_request(sentence(&why)),
            other => {
                tracing::error!(error = %other, "a request failed in the store");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "The hub failed; its log says why. Nothing was changed.")
            }
        }
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        let detail = sentence(&refused.to_string());
        match refused {
            Refused::Text(_) => Self::bad_request(detail),
            Refused::Source(reason) => Self::new(StatusCode::CONFLICT, detail).with("code", reason.code),
            Refused::Different => Self::new(StatusCode::CONFLICT, detail),
            Refused::Full(_) => {
                Self { retry_after: Some(Duration::from_secs(5)), ..Self::new(StatusCode::TOO_MANY_REQUESTS, detail) }
            }
            Refused::Store(error) => error.into(),
        }
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.insert_header((header::RETRY_AFTER, seconds.max(1).to_string()));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        if self.origin {
            return response.json(json!({"success": false, "error": self.detail}));
        }
        let mut problem = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if let Some(problem) = problem.as_object_mut() {
            problem.extend(self.members.clone());
        }
        response.content_type("application/problem+json").json(problem)
    }
}

/// Errors are written in lower case and without a full stop; for people they become a sentence.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().collect::<String>()).unwrap_or_default();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}
