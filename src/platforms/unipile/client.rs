//! The client of Unipile's API: one call, one answer, within a time and a size.
//!
//! The key goes into a header and the URL is never passed on, not even within errors.

use reqwest::{Client, Method, RequestBuilder, header::HeaderValue, multipart};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use url::Url;

use super::{
    super::{http, item},
    ListedAttendee, ListedChat, NewWebhook, Page, Remedy, UnipileError, Webhook,
};
use crate::{
    config,
    domain::{Timestamp, clock},
};

/// Carries the key.
const KEY: &str = "x-api-key";
/// The most that a page holds.
const PAGE: &str = "250";
/// Longest id that is asked for.
const LONGEST_ID: usize = 255;

/// Calls Unipile's API. Clones share their connections.
#[derive(Debug, Clone)]
pub struct UnipileClient {
    http: Client,
    max_response: usize,
}

/// What a key opens: all accounts that one customer has connected.
#[derive(Debug, Clone)]
pub struct Workspace {
    client: UnipileClient,
    url: Url,
    key: SecretString,
}

/// Which messages to list.
#[derive(Debug, Clone, Copy)]
pub enum Of<'a> {
    /// All of a connected account.
    Account(&'a str),
    /// Those of a chat.
    Chat(&'a str),
}

/// Why it is not known that a message was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It certainly was not: it may be sent again.
    #[error("not sent: {0}")]
    NotSent(UnipileError),
    /// It may have been: sending it again may send it twice.
    #[error("it is not known whether it was sent: {0}")]
    Unknown(UnipileError),
}

impl UnipileClient {
    /// A client with connections of its own.
    ///
    /// # Errors
    /// If TLS can't be set up.
    pub fn new(settings: &config::Unipile) -> Result<Self, reqwest::Error> {
        let max_response = usize::try_from(settings.max_response.as_u64()).unwrap_or(usize::MAX);
        Ok(Self { http: http::client(settings.timeout)?, max_response })
    }

    /// The workspace at `url` that this key opens.
    #[must_use]
    pub fn workspace(&self, url: &Url, key: &SecretString) -> Workspace {
        Workspace { client: self.clone(), url: url.clone(), key: key.clone() }
    }
}

impl Workspace {
    /// A page of the registered webhooks, of all accounts.
    ///
    /// # Errors
    /// Whatever kept it from coming, with what would help.
    pub async fn list_webhooks(&self, cursor: Option<&str>) -> Result<Page<Webhook>, UnipileError> {
        self.list(&["webhooks"], &[], cursor, Webhook::read).await
    }

    /// Registers a webhook and answers with its id, if that is told.
    ///
    /// # Errors
    /// Whatever kept it from being registered, with what would help.
    pub async fn create_webhook(&self, webhook: &NewWebhook) -> Result<Option<String>, UnipileError> {
        let request = self.request(Method::POST, &["webhooks"])?.json(webhook);
        let answer = self.object(request).await?;
        Ok(item::id(answer.get("webhook_id")).or_else(|| item::id(answer.get("id"))))
    }

    /// Removes a webhook. One that is gone already is no failure.
    ///
    /// # Errors
    /// Whatever kept it from being removed, with what would help.
    pub async fn delete_webhook(&self, id: &str) -> Result<(), UnipileError> {
        match self.call(self.request(Method::DELETE, &["webhooks", id])?).await {
            Ok(_) => Ok(()),
            Err(error) if error.status == Some(404) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A page of an account's chats in which something was written after `after`.
    ///
    /// # Errors
    /// Whatever kept it from coming, with what would help.
    pub async fn chats(
        &self,
        account: &str,
        after: Timestamp,
        cursor: Option<&str>,
    ) -> Result<Page<ListedChat>, UnipileError> {
        self.list(&["chats"], &[("account_id", account), ("after", &clock::rfc3339(after))], cursor, ListedChat::read)
            .await
    }

    /// Those who write in a chat; of very many not all.
    ///
    /// # Errors
    /// Whatever kept them from coming, with what would help.
    pub async fn attendees(&self, chat: &str) -> Result<Vec<ListedAttendee>, UnipileError> {
        Ok(self.list(&["chats", chat, "attendees"], &[], None, ListedAttendee::read).await?.items)
    }

    /// A page of messages between two times, the newest first, each as the JSON that came.
    ///
    /// # Errors
    /// Whatever kept it from coming, with what would help.
    pub async fn messages(
        &self,
        of: Of<'_>,
        between: [Timestamp; 2],
        cursor: Option<&str>,
    ) -> Result<Page<String>, UnipileError> {
        let [after, before] = between.map(clock::rfc3339);
        let times = [("after", &*after), ("before", &*before)];
        let raw = |item: &str| Some(item.to_owned());
        match of {
            Of::Account(id) => {
                self.list(&["messages"], &[&[("account_id", id)], &times[..]].concat(), cursor, raw).await
            }
            Of::Chat(id) => self.list(&["chats", id, "messages"], &times, cursor, raw).await,
        }
    }

    /// Sends a text into a chat of the account's; answers with the message's id, if that is told.
    ///
    /// # Errors
    /// If it was not sent, or if that is not known.
    pub async fn send(&self, chat: &str, account: &str, text: &str) -> Result<Option<String>, SendError> {
        let form = multipart::Form::new().text("account_id", account.to_owned()).text("text", text.to_owned());
        let request = self.request(Method::POST, &["chats", chat, "messages"]).map_err(SendError::NotSent)?;
        match self.object(request.multipart(form)).await {
            // Sometimes it is a list of one.
            Ok(answer) => Ok(item::list(answer.get("message_id")).iter().find_map(|one| item::id(Some(one)))),
            // It was; what more was said is lost.
            Err(error) if error.status == Some(201) => Ok(None),
            Err(error) if error.may_be_done => Err(SendError::Unknown(error)),
            Err(error) => Err(SendError::NotSent(error)),
        }
    }

    async fn list<T>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        cursor: Option<&str>,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Page<T>, UnipileError> {
        let cursor = cursor.map(|cursor| ("cursor", cursor));
        let query: Vec<_> = query.iter().copied().chain([("limit", PAGE)]).chain(cursor).collect();
        let (status, body) = self.call(self.request(Method::GET, path)?.query(&query)).await?;
        Page::read(&body, read).ok_or_else(|| UnipileError::unexpected(status, "no list"))
    }

    async fn object(&self, request: RequestBuilder) -> Result<Map<String, Value>, UnipileError> {
        let (status, body) = self.call(request).await?;
        item::object(&body).map_err(|_| UnipileError::unexpected(status, "no object"))
    }

    fn request(&self, method: Method, path: &[&str]) -> Result<RequestBuilder, UnipileError> {
        let mut url = self.url.clone();
        // An id becomes part of a path: `..` must not.
        let fits = |part: &&str| (1..=LONGEST_ID).contains(&part.len()) && !matches!(*part, "." | "..");
        let Some(mut segments) = url.path_segments_mut().ok().filter(|_| path.iter().all(fits)) else {
            return Err(UnipileError::own(Remedy::GiveUp, "an id of this kind can't be asked for"));
        };
        segments.pop_if_empty().extend(["api", "v1"]).extend(path);
        drop(segments);
        let request = self.client.http.request(method, url).header("accept", "application/json");
        Ok(request.header(KEY, key(&self.key)?))
    }

    /// The status and the body of a success, its half characters replaced.
    async fn call(&self, request: RequestBuilder) -> Result<(u16, String), UnipileError> {
        let answer = request.send().await.map_err(|error| UnipileError::broken(error.into()))?;
        let (status, is_success) = (answer.status().as_u16(), answer.status().is_success());
        let body = http::body(answer, self.client.max_response).await;
        match body {
            Ok(body) if is_success => Ok((status, String::from_utf8_lossy(&body).into_owned())),
            Err(broken) if is_success => Err(UnipileError { status: Some(status), ..UnipileError::broken(broken) }),
            // What kind of refusal it is tells the status as well.
            body => {
                let error = UnipileError::from_answer(status, &body.unwrap_or_default());
                Err(error.conceal(self.key.expose_secret()))
            }
        }
    }
}

/// A header that no debug output shows.
fn key(key: &SecretString) -> Result<HeaderValue, UnipileError> {
    let key = key.expose_secret();
    let value = HeaderValue::try_from(key).ok().filter(|_| !key.trim().is_empty());
    let mut value = value.ok_or_else(|| {
        UnipileError::own(Remedy::ReplaceToken, "the source's API key is empty or has characters that no key has")
    })?;
    value.set_sensitive(true);
    Ok(value)
}
