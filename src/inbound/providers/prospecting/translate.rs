//! From a body to its one event.

use std::borrow::Cow;

use serde_json::{Value, value::RawValue};

use super::{
    payload::{Body, Shape, Table},
    raw::{is_id, text},
    routing::{Routing, fingerprint},
};
use crate::domain::{
    AccountId,
    directory::{Directory, Source},
    event::{EventKind, NewEvent, Scope, SourceKind},
    prospecting::LIFECYCLE,
};

/// Stands for the account of a body that names none, where there are several it could be.
const ANY: &str = "?";
/// Longest id that is shown in a deduplication key as it is.
const SHOWN: usize = 64;

/// Always one event.
pub fn split(body: &[u8], directory: &Directory, scope: Scope, of: Option<&Source>) -> Vec<NewEvent> {
    let routing = Routing { source_kind: SourceKind::Prospecting, directory, scope };
    let item = String::from_utf8_lossy(body);
    let read = Body::of(&item);
    let object = object(&routing, of, read.as_ref());
    let event = read.and_then(|read| event(&routing, &object, &read, &item));
    vec![event.unwrap_or_else(|| routing.unreadable(&object, body, &item))]
}

/// The account, by the token, by the payload, or because there is no other.
fn object(routing: &Routing<'_>, of: Option<&Source>, body: Option<&Body<'_>>) -> String {
    if let Some(source) = of {
        return source.external_id.clone();
    }
    let in_row = |body: &Body<'_>| Body::inner(body.record.or(body.old_record)).and_then(|row| account(row.account_id));
    let named = body.and_then(|body| account(body.account_id).or_else(|| in_row(body)));
    let all = routing.directory.sources.values();
    // One that no token opens is for the hub's own tables only.
    let mut all = all.filter(|source| source.kind == SourceKind::Prospecting && !source.app_secrets.is_empty());
    // An empty one is the only one there is, now or when one is added; but what could have been for one of several is not
    // given to the one that is left.
    named.unwrap_or_else(|| match (all.next(), all.next()) {
        (Some(only), None) => only.external_id.clone(),
        (None, _) => String::new(),
        _ => ANY.to_owned(),
    })
}

fn account(raw: Option<&RawValue>) -> Option<String> {
    let id: AccountId = text(raw)?.parse().ok()?;
    Some(id.to_string())
}

fn event(routing: &Routing<'_>, object: &str, body: &Body<'_>, item: &str) -> Option<NewEvent> {
    let shape = body.shape();
    let kind = match shape {
        Shape::Lead | Shape::Status | Shape::Row(Table::Leads) => EventKind::Prospect,
        Shape::Cost | Shape::Alert | Shape::Row(Table::Costs) => EventKind::Cost,
        Shape::Campaign | Shape::Row(Table::Campaigns) => EventKind::Campaign,
        Shape::Row(Table::Other) | Shape::Other => return Some(routing.other(object, item)),
    };
    let platform_id = platform_id(body, shape, item)?;
    // The hub's own rows say that they came from another database: that has told of it before, and dashboards know.
    let may_be_echo = matches!(shape, Shape::Status | Shape::Campaign);
    let is_echo = may_be_echo && body.external_id.is_some() && is_own(body, object);
    let is_work = !is_echo
        && match shape {
            Shape::Row(_) => body.record.is_some(),
            Shape::Campaign => text(body.lifecycle_event).is_some_and(|event| LIFECYCLE.contains(&&*event)),
            Shape::Status => body.new_status.is_some(),
            _ => true,
        };
    Some(if is_work {
        routing.work(kind, object, platform_id, item)
    } else {
        routing.record(kind, object, platform_id, item)
    })
}

fn is_own(body: &Body<'_>, object: &str) -> bool {
    body.own_event().is_some() && account(body.account_id).is_some_and(|account| account == object)
}

/// The same for every redelivery, and another for every change: by what happened to which row and when, with what differs
/// between two changes of one transaction, which have one time. Without a time, by all that it says.
fn platform_id(body: &Body<'_>, shape: Shape, item: &str) -> Option<String> {
    if let Some(event) = body.own_event() {
        return Some(event.to_string());
    }
    let id = body.record_id();
    let parts = |word: &str, id: &str, parts: &[&[u8]]| {
        let id = if id.len() <= SHOWN && is_id(id) { Cow::Borrowed(id) } else { fingerprint(&[id.as_bytes()]).into() };
        format!("{word}|{id}|{}", fingerprint(parts))
    };
    if let Shape::Row(_) = shape {
        let [table, operation] = [body.table, body.operation].map(|word| text(word).unwrap_or_default());
        let rows = [body.record, body.old_record].map(canonical);
        let all = [operation.as_bytes(), rows[0].as_bytes(), rows[1].as_bytes()];
        return Some(parts(&table.chars().take(SHOWN).collect::<String>(), id.as_deref().unwrap_or_default(), &all));
    }
    let id = id.filter(|id| !id.is_empty())?;
    let metadata = Body::inner(body.webhook_metadata);
    let time = metadata.as_ref().and_then(|metadata| metadata.trigger_time).or(body.trigger_time);
    let alerted = || Body::inner(body.alert_metadata).and_then(|metadata| metadata.alert_triggered_at);
    let Some(time) = text(time.or_else(alerted)).filter(|time| !time.is_empty()) else {
        return Some(parts(word(shape), &id, &[canonical_text(item).as_bytes()]));
    };
    let event = metadata.and_then(|metadata| metadata.trigger_event.or(metadata.trigger_source));
    let said = [event, body.lifecycle_event, body.alert_type, body.enrichment_stage, body.old_status, body.new_status];
    let said = said.map(|raw| text(raw).unwrap_or_default());
    let [data, status] = [body.event_data, body.processing_status].map(canonical);
    let cost = canonical(body.cost);
    let mut all: Vec<&[u8]> = vec![time.as_bytes(), data.as_bytes(), status.as_bytes(), cost.as_bytes()];
    all.extend(said.iter().map(|said| said.as_bytes()));
    Some(parts(word(shape), &id, &all))
}

const fn word(shape: Shape) -> &'static str {
    match shape {
        Shape::Lead => "lead",
        Shape::Status => "status",
        Shape::Cost => "cost",
        Shape::Alert => "alert",
        Shape::Campaign => "campaign",
        Shape::Row(_) | Shape::Other => "row",
    }
}

fn canonical(raw: Option<&RawValue>) -> String {
    canonical_text(raw.map_or("", RawValue::get))
}

/// The same JSON in one way of writing it: proxies and retries may write it in another.
fn canonical_text(json: &str) -> String {
    serde_json::from_str::<Value>(json).map_or_else(|_| json.to_owned(), |value| value.to_string())
}
