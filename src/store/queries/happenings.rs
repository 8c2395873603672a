//! Keeps what happened in conversations: the rows that it is about are read, changed in memory and written back, one
//! account after the other, each behind its lock.

use std::collections::{BTreeMap, HashMap};

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::{
    Conn, chats,
    dialect::{insert_messages, lock_account, write_tx},
    erasures, messages,
};
use crate::{
    domain::{
        ChatId, EventId, MessageId, Timestamp,
        erasure::Erasure,
        message::{Chat, Happening},
    },
    store::{
        Result, StoreError,
        messages::{Ledger, MessageRow, Tenancy, WaitingRow},
        schema::message_changes,
        types::{At, Word},
    },
};

pub(in crate::store) async fn apply(
    c: &mut Conn,
    accounts: &BTreeMap<Tenancy, Vec<Happening>>,
    now: At,
) -> Result<Vec<Chat>> {
    write_tx!(c, async |c| {
        let mut changed = Vec::new();
        for (tenancy, happenings) in accounts {
            if !lock_account(c, *tenancy).await? {
                return Err(StoreError::Rejected(format!("there is no account {} in its agency", tenancy.account)));
            }
            let kept = not_erased(c, *tenancy, happenings).await?;
            let mut ledger = read(c, *tenancy, &kept, now).await?;
            for happening in &kept {
                ledger.take(happening)?;
            }
            changed.extend(write(c, *tenancy, ledger).await?);
        }
        Ok(changed)
    })
    .await
}

/// Without what is about messages or chats that were deleted.
async fn not_erased(c: &mut Conn, tenancy: Tenancy, happenings: &[Happening]) -> Result<Vec<Happening>> {
    let about = |happening: &Happening| match happening {
        Happening::Message(message) => (Some(message.id), Some(message.chat), message.timestamp),
        Happening::Change(change) => (change.id, change.chat, change.timestamp),
    };
    let mut ids: Vec<String> = happenings
        .iter()
        .map(about)
        .flat_map(|(message, chat, _)| [message.map(|id| id.to_string()), chat.map(|id| id.to_string())])
        .flatten()
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let known: HashMap<String, Option<Timestamp>> =
        erasures::known(c, tenancy.account, &ids).await?.into_iter().collect();
    let is_erased = |happening: &Happening| {
        let (message, chat, written) = about(happening);
        message.is_some_and(|id| known.contains_key(&id.to_string()))
            || chat
                .and_then(|id| known.get(&id.to_string()))
                .is_some_and(|until| Erasure::covers(*until, Some(written)))
    };
    Ok(happenings.iter().filter(|happening| !is_erased(happening)).cloned().collect())
}

/// The rows that the happenings are about.
async fn read(c: &mut Conn, tenancy: Tenancy, happenings: &[Happening], now: At) -> Result<Ledger> {
    let mut ledger = Ledger::new(now);
    let (mut chat_ids, mut message_ids, mut awaited): (Vec<ChatId>, Vec<MessageId>, Vec<String>) = Default::default();
    for happening in happenings {
        match happening {
            Happening::Message(message) => {
                chat_ids.push(message.chat);
                message_ids.push(message.id);
                awaited.extend([message.chat.to_string(), message.id.to_string()]);
            }
            Happening::Change(change) => {
                chat_ids.extend(change.chat);
                message_ids.extend(change.id);
            }
        }
    }
    for row in messages::by_id(c, tenancy, &message_ids).await? {
        chat_ids.push(row.chat_id.0);
        ledger.hold_message(row);
    }
    chat_ids.sort_unstable();
    chat_ids.dedup();
    for row in chats::by_id(c, tenancy, &chat_ids).await? {
        ledger.hold_chat(row);
    }
    if !awaited.is_empty() {
        let rows = message_changes::table
            .filter(message_changes::agency_id.eq(Word(tenancy.agency)))
            .filter(message_changes::account_id.eq(Word(tenancy.account)))
            .filter(message_changes::waits_for.eq_any(awaited));
        let rows: Vec<WaitingRow> = rows.select(WaitingRow::as_select()).load(c).await?;
        ledger.waiting.extend(rows.into_iter().map(|row| (row.id.0, (row, false))));
    }
    Ok(ledger)
}

/// Writes what is another row now, and answers with the chats that look different.
async fn write(c: &mut Conn, tenancy: Tenancy, mut ledger: Ledger) -> Result<Vec<Chat>> {
    for chat in ledger.chats.values().filter(|chat| chat.before.is_none()) {
        chats::insert(c, &chat.row).await?;
    }
    let (mut new, mut changed): (Vec<MessageRow>, Vec<MessageRow>) = Default::default();
    for message in std::mem::take(&mut ledger.messages).into_values() {
        match message.before {
            None => new.push(message.row),
            Some(before) if before != message.row => changed.push(message.row),
            Some(_) => {}
        }
    }
    insert_messages(c, new).await?;
    for row in &changed {
        messages::update(c, tenancy, row).await?;
    }
    let waiting: Vec<WaitingRow> =
        ledger.waiting.into_values().filter_map(|(row, is_new)| is_new.then_some(row)).collect();
    wait(c, tenancy, &waiting, ledger.now).await?;
    forget(c, tenancy, &ledger.settled).await?;

    let mut told = Vec::new();
    for id in &ledger.touched {
        let Some(chat) = ledger.chats.get_mut(id) else { continue };
        messages::summarize(c, &mut chat.row).await?;
        let before = chat.before.as_ref();
        if before == Some(&chat.row) {
            continue;
        }
        let looked = before.map(|before| Chat::from(before.clone()));
        if looked.as_ref() != Some(&Chat::from(chat.row.clone())) {
            chat.row.updated_at = ledger.now;
            told.push(Chat::from(chat.row.clone()));
        }
        chats::update(c, tenancy, &chat.row).await?;
    }
    Ok(told)
}

/// Keeps what came before its message, and drops the oldest if too much waits.
async fn wait(c: &mut Conn, tenancy: Tenancy, rows: &[WaitingRow], now: At) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    for row in rows {
        diesel::insert_into(message_changes::table).values(row).on_conflict_do_nothing().execute(c).await?;
    }
    let of_account = || {
        message_changes::table
            .filter(message_changes::agency_id.eq(Word(tenancy.agency)))
            .filter(message_changes::account_id.eq(Word(tenancy.account)))
    };
    let too_old = message_changes::received_at.lt(At(now.0 - WaitingRow::LONGEST));
    diesel::delete(of_account().filter(too_old)).execute(c).await?;
    let too_many = of_account()
        .order((message_changes::received_at.desc(), message_changes::id.desc()))
        .offset(WaitingRow::MOST)
        .limit(i64::MAX)
        .select(message_changes::id);
    let too_many: Vec<Word<EventId>> = too_many.load(c).await?;
    forget(c, tenancy, &too_many.into_iter().map(|id| id.0).collect::<Vec<_>>()).await
}

async fn forget(c: &mut Conn, tenancy: Tenancy, ids: &[EventId]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let gone = message_changes::table
        .filter(message_changes::agency_id.eq(Word(tenancy.agency)))
        .filter(message_changes::account_id.eq(Word(tenancy.account)))
        .filter(message_changes::id.eq_any(ids.iter().copied().map(Word).collect::<Vec<_>>()));
    diesel::delete(gone).execute(c).await?;
    Ok(())
}
