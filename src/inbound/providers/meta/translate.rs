//! From a body to events: what each item is, which object it is about, and where it goes.

use serde_json::value::RawValue;

use super::{
    conversation::Happening,
    payload::{self, BadId, Body, Change, Entry, Items, LeadNotice, PageOnly},
    raw::{read, text},
    routing::{Routing, fingerprint},
};
use crate::domain::{
    directory::Directory,
    event::{EventKind, NewEvent, Scope, SourceKind},
};

/// Meta puts at most 1,000 updates in a POST. Beyond ten times that the rest of the body becomes one record: who may
/// sign for an app must not be able to turn one body into millions of events.
pub const MOST_EVENTS: usize = 10_000;

/// One event for each item of the body, in its order, and at least one.
pub fn split(body: &[u8], directory: &Directory, scope: Scope) -> Vec<NewEvent> {
    // Meta escapes what is not ASCII. If bytes are broken nevertheless, only the items they stand in suffer.
    let text = String::from_utf8_lossy(body);
    let routing = Routing { source_kind: SourceKind::Meta, directory, scope };
    let mut split = Split { routing, events: Vec::new(), cut: false };
    match read::<Body<'_>>(&text).map(|body| (body.object, body.entry)) {
        Some((_, Items::Malformed)) | None => split.unreadable("", body, &text),
        Some((object, entries)) => split.entries(object, entries.into_list().0, &text),
    }
    if split.cut {
        split.unreadable("", body, &text);
    }
    split.events
}

struct Split<'d> {
    routing: Routing<'d>,
    events: Vec<NewEvent>,
    /// Something was left out for being too much.
    cut: bool,
}

/// What all items of an entry share.
struct About<'a> {
    /// The page; empty when the entry doesn't say.
    page: &'a str,
    /// As it is written.
    time: &'a str,
    /// Whether the object is one of those that the hub serves.
    served: bool,
}

impl Split<'_> {
    fn entries(&mut self, object: Option<&RawValue>, entries: Vec<&RawValue>, whole: &str) {
        // Without an object it is taken for a page: a lead too many is seen, a lead too few is not.
        let served = object.is_none_or(|object| matches!(text(Some(object)).as_deref(), Some("page" | "instagram")));
        if entries.is_empty() {
            self.other("", whole);
        }
        for entry in entries {
            if self.has_room() {
                self.entry(served, entry.get());
            }
        }
    }

    /// To be asked before each item.
    fn has_room(&mut self) -> bool {
        self.cut |= self.events.len() >= MOST_EVENTS;
        !self.cut
    }

    fn entry(&mut self, served: bool, raw: &str) {
        let Some(entry) = read::<Entry<'_>>(raw) else { return self.unreadable("", raw.as_bytes(), raw) };
        let Ok(page) = payload::id(entry.id) else { return self.unreadable("", raw.as_bytes(), raw) };
        let page = page.unwrap_or_default();
        let about = About { page: &page, time: entry.time.map_or("", RawValue::get), served };
        let ((changes, all_changes), (messaging, all_messaging), (standby, all_standby)) =
            (entry.changes.into_list(), entry.messaging.into_list(), entry.standby.into_list());
        if !(all_changes && all_messaging && all_standby) {
            self.unreadable(&page, raw.as_bytes(), raw);
        } else if changes.is_empty() && messaging.is_empty() && standby.is_empty() {
            self.other(&page, raw);
        }
        for change in changes {
            if self.has_room() {
                self.change(&about, change.get());
            }
        }
        for item in messaging.into_iter().chain(standby) {
            if self.has_room() {
                self.happening(&about, item.get());
            }
        }
    }

    fn change(&mut self, about: &About<'_>, raw: &str) {
        let change = read::<Change<'_>>(raw);
        let field = change.as_ref().and_then(|change| text(change.field));
        let Some((change, field)) = change.zip(field) else { return self.unreadable(about.page, raw.as_bytes(), raw) };
        match (field.as_ref(), change.value) {
            _ if !about.served => self.other(about.page, raw),
            ("leadgen", Some(value)) => {
                if self.lead(about, value.get()).is_err() {
                    self.unreadable(about.page, raw.as_bytes(), raw);
                }
            }
            ("leadgen", None) => self.unreadable(about.page, raw.as_bytes(), raw),
            ("messages", Some(value)) => self.messages(about, value.get()),
            _ => self.other(about.page, raw),
        }
    }

    fn lead(&mut self, about: &About<'_>, value: &str) -> Result<(), BadId> {
        let notice = read::<LeadNotice<'_>>(value).ok_or(BadId)?;
        let lead = payload::id(notice.leadgen_id)?.ok_or(BadId)?;
        // Both are the same but for test buttons; where they differ, the entry's is the page that is subscribed to.
        let named = payload::id(notice.page_id);
        let page = if about.page.is_empty() { named.clone()?.ok_or(BadId)? } else { about.page.into() };
        if is_test(&page) || is_test(&lead) {
            self.test(about, named.ok().flatten().as_deref().unwrap_or(&page), value);
            return Ok(());
        }
        self.events.push(self.routing.work(EventKind::Lead, &page, lead.into_owned(), value));
        Ok(())
    }

    /// A change in `messages`: Instagram's way in some apps, and the test button's, with nothing but a page in it.
    fn messages(&mut self, about: &About<'_>, value: &str) {
        let page_only = read::<Happening<'_>>(value).is_some_and(|happening| !happening.has_people());
        match read::<PageOnly<'_>>(value).and_then(|only| payload::id(only.page_id).ok()).flatten() {
            Some(page) if page_only => self.test(about, &page, value),
            _ => self.happening(about, value),
        }
    }

    fn happening(&mut self, about: &About<'_>, raw: &str) {
        let Some(happening) = read::<Happening<'_>>(raw) else {
            return self.unreadable(about.page, raw.as_bytes(), raw);
        };
        if !about.served {
            return self.other(about.page, raw);
        }
        let page = if about.page.is_empty() { happening.page().unwrap_or_default() } else { about.page.into() };
        if is_test(&page) {
            return self.test(about, &page, raw);
        }
        if !happening.is_of_messages() {
            return self.other(&page, raw);
        }
        let id = happening.platform_id(&page).unwrap_or_else(|| fingerprint(&[page.as_bytes(), raw.as_bytes()]));
        self.events.push(self.routing.work(EventKind::Message, &page, id, raw));
    }

    /// Pressing a test button twice makes two events: what it sends is always the same, so the time counts as well.
    fn test(&mut self, about: &About<'_>, page: &str, raw: &str) {
        let id = fingerprint(&[about.page.as_bytes(), about.time.as_bytes(), raw.as_bytes()]);
        self.events.push(self.routing.record(EventKind::Test, page, id, raw));
    }

    fn other(&mut self, page: &str, raw: &str) {
        self.events.push(self.routing.other(page, raw));
    }

    fn unreadable(&mut self, page: &str, raw: &[u8], text: &str) {
        self.events.push(self.routing.unreadable(page, raw, text));
    }
}

/// The ids that test buttons make up: `0` for the page, and fours only for the rest.
fn is_test(id: &str) -> bool {
    id == "0" || (id.len() >= 9 && id.bytes().all(|digit| digit == b'4'))
}
