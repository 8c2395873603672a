//! One reading of a source.

use std::collections::HashMap;

use bytes::Bytes;
use chrono::TimeDelta;

use super::{
    Parts, Stats, SyncError,
    span::{Pace, Spans},
};
use crate::{
    domain::{
        Timestamp, clock,
        directory::Source,
        event::{EventKind, Fate, NewEvent, SourceKind},
    },
    enrichment::hand_on,
    inbox::Delivery,
    platforms::unipile::{
        ListedAttendee, ListedChat, ListedMessage, Of, Remedy, Surroundings, UnipileError, Workspace,
    },
};

/// Read again each time: webhooks of the last day may still be under way, and clocks differ.
const OVERLAP: TimeDelta = TimeDelta::days(1);
/// Pages of chats that are read for their names; what stands behind them is nameless until its next message.
const CHAT_PAGES: usize = 20;
/// Messages that go into the inbox with one commit.
const BATCH: usize = 200;

/// Reads what is new since the last time, or with `full` all that a new source is read.
pub(super) async fn read(parts: &Parts, source: &Source, chat: Option<&str>, full: bool) -> Result<Stats, SyncError> {
    let url = source.api_url.as_ref().ok_or(SyncError::ReceivesOnly)?;
    let until = clock::now();
    let begin = until - parts.settings.initial_sync;
    let from = match parts.inbox.synced(source.id).await? {
        Some(synced) if !full => synced - OVERLAP,
        _ => begin,
    };
    let mut run = Run {
        parts,
        source,
        workspace: parts.client.workspace(url, &source.token),
        pace: Pace::new(parts.settings.calls_per_second),
        from,
        chats: None,
        known: HashMap::new(),
        stats: Stats::default(),
    };
    let of = chat.map_or(Of::Account(&source.external_id), Of::Chat);
    let mut spans = Spans::between(from, until);
    while let Some((items, end)) = spans.next(&run.workspace, of, &mut run.pace).await? {
        run.take(&items).await?;
        if chat.is_none() {
            parts.inbox.set_synced(source.id, end).await?;
        }
    }
    // Also for a source of which nothing is to be read: what comes from now on is.
    if chat.is_none() {
        parts.inbox.set_synced(source.id, until).await?;
    }
    Ok(run.stats)
}

struct Run<'p> {
    parts: &'p Parts,
    source: &'p Source,
    workspace: Workspace,
    pace: Pace,
    from: Timestamp,
    /// Those in which something was written since, when they were needed first.
    chats: Option<HashMap<String, ListedChat>>,
    known: HashMap<String, Chat>,
    stats: Stats,
}

/// What is to be known of a chat for showing its messages.
#[derive(Clone, Default)]
struct Chat {
    account_type: Option<String>,
    name: Option<String>,
    attendees: Vec<ListedAttendee>,
    /// What the other side wrote before was read at the messenger; `None` if the platform does not say.
    unread_since: Option<Timestamp>,
}

impl Run<'_> {
    /// Keeps what the hub does not have, the oldest first.
    async fn take(&mut self, items: &[String]) -> Result<(), SyncError> {
        let mut new = Vec::new();
        for message in self.readable(items) {
            self.stats.messages += 1;
            if !self.parts.inbox.knows(self.key(&message)).await? {
                new.push(message);
            }
        }
        // Of two at the same moment the one that the list has first is the newer.
        new.reverse();
        new.sort_by_key(|message| message.timestamp);
        let mut events = Vec::new();
        for message in new {
            let chat = self.chat(&message.chat).await?;
            events.push(self.event(message, &chat));
            if events.len() == BATCH {
                self.keep(std::mem::take(&mut events)).await?;
            }
        }
        self.keep(events).await
    }

    /// Those that can be read and are the account's.
    fn readable(&self, items: &[String]) -> Vec<ListedMessage> {
        let listed = items.len();
        let mut messages: Vec<ListedMessage> = items.iter().filter_map(|item| ListedMessage::read(item).ok()).collect();
        messages.retain(|message| message.account == self.source.external_id);
        let skipped = listed - messages.len();
        if skipped > 0 {
            tracing::warn!(source = %self.source.id, skipped, "the platform listed what is no message of the account's");
        }
        messages
    }

    fn key(&self, message: &ListedMessage) -> crate::domain::EventId {
        NewEvent::key(&self.source.account.to_string(), SourceKind::Unipile, &message.id, EventKind::Message)
    }

    fn event(&self, message: ListedMessage, chat: &Chat) -> NewEvent {
        let name_of = |id: &str| chat.attendees.iter().find(|one| one.provider_id.as_deref() == Some(id))?.name.clone();
        let around = Surroundings {
            account_type: chat.account_type.clone(),
            chat_name: chat.name.clone(),
            sender_name: message.sender.as_deref().and_then(name_of),
            was_read: !message.is_own && chat.unread_since.is_some_and(|since| message.timestamp < since),
        };
        NewEvent {
            id: self.key(&message),
            kind: EventKind::Message,
            source_kind: SourceKind::Unipile,
            external_id: self.source.external_id.clone(),
            platform_id: message.id.clone(),
            item: message.in_its_surroundings(around),
            fate: Fate::Work { account: self.source.account, source: self.source.id },
        }
    }

    async fn keep(&mut self, events: Vec<NewEvent>) -> Result<(), SyncError> {
        if events.is_empty() {
            return Ok(());
        }
        let delivery = Delivery {
            received_at: clock::now(),
            provider: SourceKind::Unipile.as_str(),
            path: self.source.id.to_string(),
            remote: String::new(),
            headers: r#"{"read":"from the platform's list"}"#.to_owned(),
            // Each item stands with its event.
            body: Bytes::new(),
            events,
        };
        let accepted = self.parts.inbox.accept(vec![delivery]).await?;
        let new: usize = accepted.iter().map(|accepted| accepted.new.len()).sum();
        self.stats.new_messages += new;
        self.parts.metrics.synced_messages.inc_by(new as u64);
        hand_on(&self.parts.arrived, accepted, &self.parts.metrics);
        Ok(())
    }

    async fn chat(&mut self, id: &str) -> Result<Chat, SyncError> {
        if let Some(known) = self.known.get(id) {
            return Ok(known.clone());
        }
        let listed = self.listed(id).await?;
        self.pace.turn().await;
        let attendees = lenient(self.workspace.attendees(id).await)?.unwrap_or_default();
        let unread_since = match listed.as_ref().and_then(|chat| chat.unread) {
            None => None,
            Some(0) => Some(Timestamp::MAX_UTC),
            Some(unread) => self.unread_since(id, unread).await?,
        };
        let others = attendees.iter().filter(|one| !one.is_self).find_map(|one| one.name.clone());
        let name = match &listed {
            Some(chat) if chat.is_group || chat.name.is_some() => chat.name.clone(),
            _ => others,
        };
        let account_type = listed.and_then(|chat| chat.account_type);
        let chat = Chat { account_type, name, attendees, unread_since };
        self.known.insert(id.to_owned(), chat.clone());
        Ok(chat)
    }

    /// As the list of chats has it.
    async fn listed(&mut self, id: &str) -> Result<Option<ListedChat>, SyncError> {
        if self.chats.is_none() {
            let (mut chats, mut cursor) = (HashMap::new(), None::<String>);
            for _ in 0..CHAT_PAGES {
                self.pace.turn().await;
                let page =
                    self.workspace.chats(&self.source.external_id, self.from - OVERLAP, cursor.as_deref()).await?;
                chats.extend(page.items.into_iter().map(|chat| (chat.id.clone(), chat)));
                cursor = page.cursor;
                if cursor.is_none() {
                    break;
                }
            }
            self.chats = Some(chats);
        }
        Ok(self.chats.as_ref().and_then(|chats| chats.get(id).cloned()))
    }

    /// When the oldest of so many unread messages of a chat was written.
    async fn unread_since(&mut self, chat: &str, unread: usize) -> Result<Option<Timestamp>, SyncError> {
        self.pace.turn().await;
        let all = [Timestamp::UNIX_EPOCH, clock::now() + OVERLAP];
        let Some(page) = lenient(self.workspace.messages(Of::Chat(chat), all, None).await)? else { return Ok(None) };
        let messages = page.items.iter().filter_map(|item| ListedMessage::read(item).ok());
        Ok(messages.filter(|message| !message.is_own).nth(unread - 1).map(|oldest| oldest.timestamp))
    }
}

/// A chat that may not be asked for has no name; its messages are shown all the same.
fn lenient<T>(outcome: Result<T, UnipileError>) -> Result<Option<T>, UnipileError> {
    match outcome {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.remedy == Remedy::GiveUp => Ok(None),
        Err(error) => Err(error),
    }
}
