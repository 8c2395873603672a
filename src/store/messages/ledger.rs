//! What one account's happenings make of its rows. Talks to no database: rows in, rows out.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use super::{MessageRow, WaitingRow, waiting::Subject};
use crate::{
    domain::{
        AccountId, AgencyId, ChatId, EventId, MessageId,
        message::{ChangeKind, Happening, Message, MessageChange},
    },
    store::{Result, StoreError, chats::ChatRow, types::At},
};

/// Whose a row is. In this order accounts are locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store) struct Tenancy {
    pub account: AccountId,
    pub agency: AgencyId,
}

impl Tenancy {
    pub fn of(happening: &Happening) -> Self {
        let (agency, account) = match happening {
            Happening::Message(message) => (message.agency, message.account),
            Happening::Change(change) => (change.agency, change.account),
        };
        Self { account, agency }
    }
}

/// A row and what the database has of it.
pub(in crate::store) struct Held<T> {
    pub row: T,
    /// `None` if it is new.
    pub before: Option<T>,
}

/// The rows that the happenings of a batch are about.
pub(in crate::store) struct Ledger {
    pub now: At,
    pub chats: BTreeMap<ChatId, Held<ChatRow>>,
    pub messages: BTreeMap<MessageId, Held<MessageRow>>,
    /// What waits since before, and what came to wait; `true` if it is new.
    pub waiting: BTreeMap<EventId, (WaitingRow, bool)>,
    /// What waits no more.
    pub settled: Vec<EventId>,
    /// Chats whose newest message or unread count may be another.
    pub touched: BTreeSet<ChatId>,
}

impl Ledger {
    pub fn new(now: At) -> Self {
        Self {
            now,
            chats: BTreeMap::new(),
            messages: BTreeMap::new(),
            waiting: BTreeMap::new(),
            settled: Vec::new(),
            touched: BTreeSet::new(),
        }
    }

    pub fn hold_chat(&mut self, row: ChatRow) {
        self.chats.insert(row.id.0, Held { before: Some(row.clone()), row });
    }

    pub fn hold_message(&mut self, row: MessageRow) {
        self.messages.insert(row.id.0, Held { before: Some(row.clone()), row });
    }

    pub fn take(&mut self, happening: &Happening) -> Result<()> {
        match happening {
            Happening::Message(message) => self.message(message),
            Happening::Change(change) => self.change(change),
        }
    }

    fn message(&mut self, message: &Message) -> Result<()> {
        let chat = match self.chats.entry(message.chat) {
            Entry::Occupied(chat) => &mut chat.into_mut().row,
            Entry::Vacant(place) => &mut place.insert(Held { row: ChatRow::new(message, self.now), before: None }).row,
        };
        if chat.source_id.0 != message.source {
            return Err(StoreError::Rejected(format!("{} is in a chat of another source", message.id)));
        }
        chat.meet(message);
        match self.messages.entry(message.id) {
            Entry::Occupied(known) => known.into_mut().row.meet(message),
            Entry::Vacant(place) => {
                place.insert(Held { row: MessageRow::new(message)?, before: None });
            }
        }
        self.touched.insert(message.chat);
        self.settle(Subject::Chat(message.chat))?;
        self.settle(Subject::Message(message.id))
    }

    /// Applies what has waited for this.
    fn settle(&mut self, subject: Subject) -> Result<()> {
        let name = subject.to_string();
        let ids: Vec<EventId> =
            self.waiting.iter().filter(|(_, (row, _))| row.waits_for == name).map(|(id, _)| *id).collect();
        for id in ids {
            if let Some((row, is_new)) = self.waiting.remove(&id) {
                if !is_new {
                    self.settled.push(id);
                }
                self.change(&row.change()?)?;
            }
        }
        Ok(())
    }

    fn change(&mut self, change: &MessageChange) -> Result<()> {
        let Some(subject) = Subject::of(change) else { return Ok(()) };
        let (chat, is_sender, until) = match subject {
            Subject::Chat(chat) if self.chats.contains_key(&chat) => (chat, None, None),
            Subject::Message(id) if let Some(held) = self.messages.get_mut(&id) => {
                held.row.take(change)?;
                (held.row.chat_id.0, Some(held.row.is_sender), Some(held.row.timestamp))
            }
            missing => {
                let row = WaitingRow::new(change, missing, self.now)?;
                self.waiting.entry(row.id.0).or_insert((row, true));
                return Ok(());
            }
        };
        self.touched.insert(chat);
        let is_sender = change.is_sender.map(|flag| flag.0).or(is_sender);
        // Who has read a message has read those before it; that one has come says nothing of the others.
        let until = change.up_to.map(At).or(until.filter(|_| change.change == ChangeKind::Read));
        if let (Some(held), Some(is_sender), Some(until)) = (self.chats.get_mut(&chat), is_sender, until) {
            held.row.receipt(change.change, is_sender, until);
        }
        Ok(())
    }
}
