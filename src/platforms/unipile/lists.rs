//! What the API's lists hold, read leniently: one item that can't be read hides no other.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};

use super::super::item::{self, flag, id, text};

/// A page of a list.
#[derive(Debug)]
pub struct Page<T> {
    /// What stands on it.
    pub items: Vec<T>,
    /// Asks for the next; none on the last.
    pub cursor: Option<String>,
}

/// A page as it comes.
#[derive(Deserialize)]
struct RawPage {
    items: Vec<Box<RawValue>>,
    #[serde(default)]
    cursor: Value,
}

impl<T> Page<T> {
    /// From a body; `None` if it is no list.
    pub(super) fn read(body: &str, read: impl Fn(&str) -> Option<T>) -> Option<Self> {
        let page: RawPage = serde_json::from_str(body).ok()?;
        let items = page.items.iter().filter_map(|item| read(item.get())).collect();
        Some(Self { items, cursor: text(Some(&page.cursor)) })
    }
}

/// A registered webhook.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Its id.
    pub id: String,
    /// As whoever registered it called it; may be empty.
    pub name: String,
    /// What it tells of: `messaging`, `users`, `account_status` and others.
    pub about: String,
    /// Whether it is sent.
    pub enabled: bool,
    /// Where it is sent.
    pub request_url: String,
    /// The names of what it tells.
    pub events: Vec<String>,
    /// Sent with it.
    pub headers: Vec<(String, SecretString)>,
    /// Whose events it tells, an empty list all accounts'; `None` if the list does not say.
    pub account_ids: Option<Vec<String>>,
}

impl Webhook {
    pub(super) fn read(item: &str) -> Option<Self> {
        let item = item::object(item).ok()?;
        let word = |key| text(item.get(key)).unwrap_or_default();
        let words = |key| item::list(item.get(key));
        let header =
            |header: &Value| Some((text(header.get("key"))?, text(header.get("value")).unwrap_or_default().into()));
        Some(Self {
            id: id(item.get("id"))?,
            name: word("name"),
            about: word("source"),
            enabled: item.get("enabled").is_none_or(|enabled| flag(Some(enabled))),
            request_url: word("request_url"),
            events: words("events").iter().filter_map(|event| text(Some(event))).collect(),
            headers: words("headers").iter().filter_map(header).collect(),
            account_ids: item
                .get("account_ids")
                .map(|_| words("account_ids").iter().filter_map(|one| id(one.get("id").or(Some(one)))).collect()),
        })
    }
}

/// A webhook to be registered.
#[derive(Serialize)]
pub struct NewWebhook {
    /// What it is to tell of.
    #[serde(rename = "source")]
    pub about: &'static str,
    /// What it is to be called.
    pub name: String,
    /// Where it is to be sent.
    pub request_url: String,
    /// The names of what it is to tell; left out if there are none, for an empty list is refused.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub events: &'static [&'static str],
    /// Whose events.
    pub account_ids: Vec<String>,
    /// Sent with it.
    pub headers: Vec<Header>,
}

/// A header that is sent with a webhook.
#[derive(Serialize)]
pub struct Header {
    /// Its name.
    pub key: &'static str,
    /// May be a secret.
    pub value: String,
}

/// A chat of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedChat {
    /// Its id.
    pub id: String,
    /// For people; mostly groups have one.
    pub name: Option<String>,
    /// The messenger: `LINKEDIN`.
    pub account_type: Option<String>,
    /// More than two may write in it.
    pub is_group: bool,
    /// How many of its messages were not read at the messenger; `None` if the list does not say.
    pub unread: Option<usize>,
}

impl ListedChat {
    pub(super) fn read(item: &str) -> Option<Self> {
        let item = item::object(item).ok()?;
        Some(Self {
            id: id(item.get("id"))?,
            name: text(item.get("name")),
            account_type: id(item.get("account_type")),
            is_group: flag(item.get("type")) || text(item.get("type")).is_some_and(|kind| kind != "0"),
            unread: unread(&item),
        })
    }
}

/// A chat may be marked as unread without a number, or with one below zero.
fn unread(item: &Map<String, Value>) -> Option<usize> {
    let count = item.get("unread_count").and_then(Value::as_i64)?;
    let is_marked = flag(item.get("unread")) || count < 0;
    Some(usize::try_from(count).unwrap_or(0).max(usize::from(is_marked)))
}

/// Somebody in a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedAttendee {
    /// By Unipile's id.
    pub id: Option<String>,
    /// By the messenger's.
    pub provider_id: Option<String>,
    /// For people.
    pub name: Option<String>,
    /// The account itself.
    pub is_self: bool,
}

impl ListedAttendee {
    pub(super) fn read(item: &str) -> Option<Self> {
        let item = item::object(item).ok()?;
        Some(Self {
            id: id(item.get("id")),
            provider_id: id(item.get("provider_id")),
            name: text(item.get("name")),
            is_self: flag(item.get("is_self")),
        })
    }
}
