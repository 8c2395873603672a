//! Sending a text through Messenger or Instagram, and telling that what came was read: `POST /{version}/me/messages`.
//!
//! Who asks must know whether the answer leaves any doubt: a message that may have gone out is not sent again.

use std::time::Duration;

use reqwest::{StatusCode, header::AUTHORIZATION};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{
    super::{
        http::{self, Broken},
        item,
    },
    GraphClient, GraphError, Remedy, Usage,
    conversation::is_instagram,
    graph::{bearer, proof},
};

/// "Temporary send message failure. Please try again later."
const NOT_DONE: i64 = 1200;

/// A text for somebody.
#[derive(Debug, Clone, Copy)]
pub struct Reply<'a> {
    /// The page or the Instagram account.
    pub from: &'a str,
    /// The person, by the id that they have for the page.
    pub to: &'a str,
    /// What it says.
    pub text: &'a str,
}

/// Why it is not known that a message was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It certainly was not.
    #[error("not sent: {0}")]
    NotSent(GraphError),
    /// It may have been: sending it again may send it twice.
    #[error("it is not known whether it was sent: {0}")]
    Unknown(GraphError),
}

impl GraphClient {
    /// Sends a text as an answer to what the person wrote; answers with the message's id, if that is told. With the
    /// secret of the token's app a proof goes along that the token wasn't stolen.
    ///
    /// # Errors
    /// If it was not sent, or if that is not known.
    pub async fn send(
        &self,
        token: &SecretString,
        app_secret: Option<&SecretString>,
        reply: Reply<'_>,
        timeout: Duration,
    ) -> Result<Option<String>, SendError> {
        let body = json!({
            "recipient": {"id": reply.to}, "messaging_type": "RESPONSE", "message": {"text": reply.text},
        });
        self.post_message(token, app_secret, reply.from, &body, timeout).await
    }

    /// Tells a person that what they wrote was read. `from` as in [`Reply`].
    ///
    /// # Errors
    /// If the platform does not take it.
    pub async fn mark_seen(
        &self,
        token: &SecretString,
        app_secret: Option<&SecretString>,
        [from, to]: [&str; 2],
        timeout: Duration,
    ) -> Result<(), GraphError> {
        let body = json!({"recipient": {"id": to}, "sender_action": "mark_seen"});
        match self.post_message(token, app_secret, from, &body, timeout).await {
            Ok(_) => Ok(()),
            Err(SendError::NotSent(error) | SendError::Unknown(error)) => Err(error),
        }
    }

    async fn post_message(
        &self,
        token: &SecretString,
        app_secret: Option<&SecretString>,
        from: &str,
        body: &Value,
        timeout: Duration,
    ) -> Result<Option<String>, SendError> {
        let header = bearer(token).map_err(SendError::NotSent)?;
        // A page's token knows its page; an Instagram account is named.
        let sender = if is_instagram(from) { from } else { "me" };
        let mut url = self.settings.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend([&self.settings.version, sender, "messages"]);
        }
        if let Some(proof) = app_secret.and_then(|secret| proof(secret.expose_secret(), token.expose_secret())) {
            url.query_pairs_mut().append_pair("appsecret_proof", &proof);
        }
        let request = self.http.post(url).header(AUTHORIZATION, header).timeout(timeout).json(body);
        let response = request.send().await.map_err(|error| match Broken::from(error) {
            Broken::Unreached => SendError::NotSent(GraphError::broken(Broken::Unreached)),
            broken => SendError::Unknown(GraphError::broken(broken)),
        })?;
        let (status, usage) = (response.status(), Usage::from_headers(response.headers()));
        let body = http::body(response, self.settings.max_response).await.unwrap_or_default();
        let answer = serde_json::from_slice(&body).unwrap_or_default();
        judge(status, usage, &answer).map_err(|error| error.conceal(token.expose_secret()))
    }
}

/// What an answer says of the message. The body of an error may be anything.
fn judge(status: StatusCode, usage: Usage, answer: &Value) -> Result<Option<String>, SendError> {
    if let Some(error) = GraphError::from_body(answer, usage) {
        return Err(match (error.remedy, error.code) {
            (_, Some(NOT_DONE)) => SendError::NotSent(GraphError { remedy: Remedy::Retry, ..error }),
            // "An unknown error occurred": it broke down over it, and may have begun.
            (Remedy::Retry, _) => SendError::Unknown(error),
            _ => SendError::NotSent(error),
        });
    }
    if status.is_success() {
        // It was; without an id what more was said is lost.
        return Ok(item::id(answer.get("message_id")));
    }
    let error = |remedy| GraphError { usage, ..GraphError::own(remedy, format!("the platform answered {status}")) };
    Err(match status.as_u16() {
        429 | 503 => SendError::NotSent(error(Remedy::Retry)),
        300..=407 | 409..=499 => SendError::NotSent(error(Remedy::Park)),
        _ => SendError::Unknown(error(Remedy::Retry)),
    })
}

impl SendError {
    fn conceal(self, secret: &str) -> Self {
        match self {
            Self::NotSent(error) => Self::NotSent(error.conceal(secret)),
            Self::Unknown(error) => Self::Unknown(error.conceal(secret)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, answer: &Value) -> Result<Option<String>, (bool, Remedy)> {
        judge(StatusCode::from_u16(status).unwrap(), Usage::default(), answer).map_err(|error| match error {
            SendError::NotSent(error) => (false, error.remedy),
            SendError::Unknown(error) => (true, error.remedy),
        })
    }

    #[test]
    fn only_what_leaves_no_doubt_is_called_not_sent() {
        let code = |code: i64| json!({"error": {"code": code, "message": "m"}});
        assert_eq!(judged(200, &json!({"recipient_id": "5", "message_id": "m_1"})), Ok(Some("m_1".to_owned())));
        assert_eq!(judged(200, &Value::Null), Ok(None));
        for (status, answer, expected) in [
            (400, code(10), (false, Remedy::GrantAccess)),
            (400, code(190), (false, Remedy::ReplaceToken)),
            (400, code(551), (false, Remedy::RetryDenied)),
            (400, code(100), (false, Remedy::Park)),
            (400, code(1200), (false, Remedy::Retry)),
            (500, code(1), (true, Remedy::Retry)),
            (500, code(2), (true, Remedy::Retry)),
            (429, Value::Null, (false, Remedy::Retry)),
            (503, Value::Null, (false, Remedy::Retry)),
            (504, Value::Null, (true, Remedy::Retry)),
            (502, Value::Null, (true, Remedy::Retry)),
            (408, Value::Null, (true, Remedy::Retry)),
            (404, Value::Null, (false, Remedy::Park)),
        ] {
            assert_eq!(judged(status, &answer), Err(expected), "{status} {answer}");
        }
        let limit = judged(400, &code(613));
        assert!(matches!(limit, Err((false, Remedy::Pause { .. }))), "{limit:?}");
    }
}
