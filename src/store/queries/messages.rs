//! Messages. Every query names the agency and the account.

use diesel::{dsl::sql, prelude::*, sql_types::Bool};
use diesel_async::RunQueryDsl;

use super::{Conn, DB, chats, dialect::read_tx};
use crate::{
    domain::{AccountId, AgencyId, ChatId, MessageId},
    store::{
        Result, StoreError,
        chats::ChatRow,
        messages::{Attendee, MessageFilter, MessagePage, MessageRow, Tenancy},
        schema::messages,
        types::{At, Word},
    },
};

/// What counts as unread until the chat was read up to its time. Word for word the condition of an index.
const UNREAD: &str = "NOT is_sender AND NOT is_event AND NOT hidden AND NOT seen AND deleted_at IS NULL";

type OfChat<'a> = messages::BoxedQuery<'a, DB>;

fn of_chat<'a>(chat: &ChatRow) -> OfChat<'a> {
    messages::table
        .filter(messages::chat_id.eq(chat.id))
        .filter(messages::account_id.eq(chat.account_id))
        .filter(messages::agency_id.eq(chat.agency_id))
        .into_boxed()
}

fn unread<'a>(chat: &ChatRow) -> OfChat<'a> {
    let unread = of_chat(chat).filter(sql::<Bool>(UNREAD));
    match chat.read_up_to {
        Some(until) => unread.filter(messages::timestamp.gt(until)),
        None => unread,
    }
}

pub(in crate::store) async fn by_id(c: &mut Conn, tenancy: Tenancy, ids: &[MessageId]) -> Result<Vec<MessageRow>> {
    let rows = messages::table
        .filter(messages::id.eq_any(ids.iter().copied().map(Word).collect::<Vec<_>>()))
        .filter(messages::account_id.eq(Word(tenancy.account)))
        .filter(messages::agency_id.eq(Word(tenancy.agency)));
    Ok(rows.select(MessageRow::as_select()).load(c).await?)
}

pub(in crate::store) async fn update(c: &mut Conn, tenancy: Tenancy, row: &MessageRow) -> Result<()> {
    let message = messages::table
        .filter(messages::id.eq(row.id))
        .filter(messages::account_id.eq(Word(tenancy.account)))
        .filter(messages::agency_id.eq(Word(tenancy.agency)));
    diesel::update(message).set(row).execute(c).await?;
    Ok(())
}

/// Brings what a chat says of its messages up to date.
pub(in crate::store) async fn summarize(c: &mut Conn, chat: &mut ChatRow) -> Result<()> {
    chat.unread_count = unread(chat).count().get_result(c).await?;
    let newest = |shown: bool| {
        let all = of_chat(chat);
        let all = if shown { all.filter(messages::hidden.eq(false)) } else { all };
        all.order((messages::timestamp.desc(), messages::id.desc())).select((messages::timestamp, messages::text))
    };
    let (of_shown, of_all) = (newest(true), newest(false));
    let shown: Option<(At, Option<String>)> = of_shown.first(c).await.optional()?;
    match shown {
        Some((timestamp, text)) => chat.show(timestamp, text.as_deref()),
        None => {
            if let Some((timestamp, _)) = of_all.first::<(At, Option<String>)>(c).await.optional()? {
                chat.show(timestamp, None);
            }
        }
    }
    Ok(())
}

/// Whether a chat has no messages.
pub(super) async fn is_empty(c: &mut Conn, chat: &ChatRow) -> Result<bool> {
    Ok(of_chat(chat).count().get_result::<i64>(c).await? == 0)
}

/// When the newest unread message was written.
pub(super) async fn newest_unread(c: &mut Conn, chat: &ChatRow) -> Result<Option<At>> {
    let newest = unread(chat).order(messages::timestamp.desc()).select(messages::timestamp);
    Ok(newest.first(c).await.optional()?)
}

pub(in crate::store) async fn page(
    c: &mut Conn,
    agency: AgencyId,
    accounts: &[AccountId],
    chat: ChatId,
    filter: &MessageFilter,
) -> Result<Option<MessagePage>> {
    read_tx!(c, async |c| {
        let Some(chat) = chats::row(c, agency, accounts, chat).await? else { return Ok(None) };
        let total = of_chat(&chat).count().get_result(c).await?;
        let mut query = of_chat(&chat);
        if let Some(before) = filter.before {
            let at = of_chat(&chat).filter(messages::id.eq(Word(before))).select(messages::timestamp);
            let at: Option<At> = at.first(c).await.optional()?;
            let at = at.ok_or_else(|| StoreError::Rejected("`before` must be a message of the chat".to_owned()))?;
            let same = messages::timestamp.eq(at).and(messages::id.lt(Word(before)));
            // Says again what the second part says, in a form that an index can begin at.
            query = query.filter(messages::timestamp.le(at)).filter(messages::timestamp.lt(at).or(same));
        }
        let query = if filter.newest_first {
            query.order((messages::timestamp.desc(), messages::id.desc()))
        } else {
            query.order((messages::timestamp.asc(), messages::id.asc()))
        };
        let query = query.limit(filter.limit.into()).offset(filter.offset.into());
        let rows = query.select(MessageRow::as_select()).load(c).await?;
        let found: Result<_> = rows.into_iter().map(|row| row.message(&chat)).collect();
        Ok(Some(MessagePage { messages: found?, total }))
    })
    .await
}

pub(in crate::store) async fn attendee(
    c: &mut Conn,
    agency: AgencyId,
    accounts: &[AccountId],
    chat: ChatId,
    provider_id: &str,
) -> Result<Option<Attendee>> {
    read_tx!(c, async |c| {
        let Some(chat) = chats::row(c, agency, accounts, chat).await? else { return Ok(None) };
        let newest = of_chat(&chat)
            .filter(messages::sender_id.eq(provider_id))
            .order((messages::timestamp.desc(), messages::id.desc()))
            .select((messages::sender_attendee_id, messages::sender_name, messages::is_sender));
        let newest: Option<(Option<String>, Option<String>, bool)> = newest.first(c).await.optional()?;
        Ok(newest.map(|(id, name, is_self)| Attendee {
            id,
            account: chat.account_id.0,
            provider_id: provider_id.to_owned(),
            name: name.or_else(|| chat.name.filter(|_| !is_self)),
            is_self,
        }))
    })
    .await
}
