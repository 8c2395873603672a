//! From a body to its one event.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::{
    payload::{AccountStatus, Body},
    raw::{is_id, read, text},
    routing::{Routing, fingerprint},
};
use crate::domain::{
    EventId,
    directory::Directory,
    event::{EventKind, NewEvent, Scope, SourceKind},
};

/// What happens to a message after it came.
const CHANGES: [&str; 5] =
    ["message_read", "message_delivered", "message_reaction", "message_edited", "message_deleted"];

/// Always one event.
pub fn split(body: &[u8], directory: &Directory, scope: Scope) -> Vec<NewEvent> {
    let routing = Routing { source_kind: SourceKind::Unipile, directory, scope };
    let text = String::from_utf8_lossy(body);
    vec![event(&routing, &text).unwrap_or_else(|Nameless(account)| routing.unreadable(&account, body, &text))]
}

/// It lacks what it would be known by: holds the account, as far as that was found.
struct Nameless(String);

fn event(routing: &Routing<'_>, item: &str) -> Result<NewEvent, Nameless> {
    let body = read::<Body<'_>>(item).ok_or_else(|| Nameless(String::new()))?;
    if let Some(status) = body.account_status {
        return account(routing, status.get(), item).ok_or_else(|| Nameless(String::new()));
    }
    let account = id(body.account_id).ok_or_else(|| Nameless(String::new()))?;
    let platform_id = match text(body.event).as_deref() {
        // Older bodies don't name the event: there was but one.
        Some("message_received") => id(body.message_id).map(Cow::into_owned),
        None if body.chat_id.is_some() => id(body.message_id).map(Cow::into_owned),
        Some(change) if CHANGES.contains(&change) => change_id(change, &body),
        _ => return Ok(routing.other(&account, item)),
    };
    let platform_id = platform_id.ok_or_else(|| Nameless(account.to_string()))?;
    Ok(routing.work(EventKind::Message, &account, platform_id, item))
}

/// Unipile numbers neither deliveries nor edits, and does not say whether the time beside a change is that of the change
/// or of the message. So the time counts together with all that differs between two changes of one message. What does
/// not differ is left out: two webhooks on one workspace tell the same thing with another `webhook_name`.
fn change_id(event: &str, body: &Body<'_>) -> Option<String> {
    let parts = [body.timestamp, body.message, body.reaction, body.reaction_sender, body.read_by]
        .map(|part| part.map_or("", RawValue::get).as_bytes());
    Some(format!("{event}|{}|{}", id(body.message_id)?, fingerprint(&parts)))
}

/// Every delivery is an event of its own. A body says neither when it happened nor which delivery it is: an account that
/// is signed out for the second time in a month sends the same bytes again, and to take that for a redelivery would
/// leave it marked as healthy. A true redelivery sets the state that is set already, which changes nothing.
fn account(routing: &Routing<'_>, status: &str, item: &str) -> Option<NewEvent> {
    let status = read::<AccountStatus<'_>>(status)?;
    let (account, state) = (id(status.account_id)?, id(status.message)?);
    let platform_id = format!("account|{state}|{}", EventId::generate());
    Some(routing.work(EventKind::Account, &account, platform_id, item))
}

fn id(raw: Option<&RawValue>) -> Option<Cow<'_, str>> {
    text(raw).filter(|id| is_id(id))
}
