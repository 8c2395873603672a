//! Chats. Every query takes the agency and the accounts first.

use std::cmp::Reverse;

use diesel::{dsl::sql, prelude::*, sql_types::Bool};
use diesel_async::RunQueryDsl;

use super::{
    Conn, DB,
    dialect::{lock_account, read_tx, write_tx},
    messages,
};
use crate::{
    domain::{AccountId, AgencyId, ChatId, Timestamp, UserId, message::Chat},
    store::{
        Result, StoreError,
        chats::{Changed, ChatChange, ChatFilter, ChatPage, ChatRow},
        messages::Tenancy,
        schema::{chats, memberships, users},
        types::{At, Word},
    },
};

/// Word for word the condition of an index.
const UNREAD: &str = "unread_count > 0";

type Chats<'a> = chats::BoxedQuery<'a, DB>;

fn within<'a>(agency: AgencyId, accounts: &[AccountId]) -> Chats<'a> {
    let accounts: Vec<_> = accounts.iter().copied().map(Word).collect();
    chats::table.filter(chats::account_id.eq_any(accounts)).filter(chats::agency_id.eq(Word(agency))).into_boxed()
}

fn matching<'a>(mut query: Chats<'a>, filter: &ChatFilter) -> Chats<'a> {
    match filter.is_read {
        Some(true) => query = query.filter(chats::unread_count.eq(0)),
        Some(false) => query = query.filter(sql::<Bool>(UNREAD)),
        None => {}
    }
    match filter.is_ignored {
        Some(is_ignored) => query.filter(chats::is_ignored.eq(is_ignored)),
        None => query,
    }
}

/// Each account is asked on its own, because only then the index is in order.
pub(in crate::store) async fn page(
    c: &mut Conn,
    agency: AgencyId,
    accounts: &[AccountId],
    filter: &ChatFilter,
) -> Result<ChatPage> {
    read_tx!(c, async |c| {
        let total = matching(within(agency, accounts), filter).count().get_result(c).await?;
        let (first, end) = (filter.offset as usize, filter.offset as usize + filter.limit as usize);
        let mut found: Vec<(Timestamp, ChatId)> = Vec::new();
        for account in accounts {
            let mut query = matching(within(agency, &[*account]), filter);
            // What is older than the page is full of other accounts need not be looked at.
            if let Some((oldest, _)) = end.checked_sub(1).and_then(|last| found.get(last)) {
                query = query.filter(chats::timestamp.ge(At(*oldest)));
            }
            let query = query.order((chats::timestamp.desc(), chats::id.desc())).limit(i64::try_from(end).unwrap_or(0));
            let keys: Vec<(At, Word<ChatId>)> = query.select((chats::timestamp, chats::id)).load(c).await?;
            found.extend(keys.into_iter().map(|(timestamp, id)| (timestamp.0, id.0)));
            found.sort_unstable_by_key(|key| Reverse(*key));
            found.dedup();
            found.truncate(end);
        }
        let ids: Vec<_> = found.into_iter().skip(first).map(|(_, id)| Word(id)).collect();
        let rows = within(agency, accounts)
            .filter(chats::id.eq_any(ids))
            .order((chats::timestamp.desc(), chats::id.desc()))
            .select(ChatRow::as_select())
            .load(c)
            .await?;
        Ok(ChatPage { chats: rows.into_iter().map(Chat::from).collect(), total })
    })
    .await
}

pub(in crate::store) async fn one(
    c: &mut Conn,
    agency: AgencyId,
    accounts: &[AccountId],
    name: &str,
) -> Result<Option<Chat>> {
    if let Ok(id) = name.parse()
        && let Some(row) = row(c, agency, accounts, id).await?
    {
        return Ok(Some(row.into()));
    }
    let named = within(agency, accounts).filter(chats::platform_id.eq(name));
    let mut rows = named.select(ChatRow::as_select()).limit(2).load(c).await?;
    Ok(rows.pop().filter(|_| rows.is_empty()).map(Chat::from))
}

pub(super) async fn row(c: &mut Conn, agency: AgencyId, accounts: &[AccountId], id: ChatId) -> Result<Option<ChatRow>> {
    let row = within(agency, accounts).filter(chats::id.eq(Word(id)));
    Ok(row.select(ChatRow::as_select()).first(c).await.optional()?)
}

pub(super) async fn by_id(c: &mut Conn, tenancy: Tenancy, ids: &[ChatId]) -> Result<Vec<ChatRow>> {
    let rows = within(tenancy.agency, &[tenancy.account])
        .filter(chats::id.eq_any(ids.iter().copied().map(Word).collect::<Vec<_>>()));
    Ok(rows.select(ChatRow::as_select()).load(c).await?)
}

pub(super) async fn insert(c: &mut Conn, row: &ChatRow) -> Result<()> {
    diesel::insert_into(chats::table).values(row).execute(c).await?;
    Ok(())
}

pub(super) async fn update(c: &mut Conn, tenancy: Tenancy, row: &ChatRow) -> Result<()> {
    let chat = chats::table
        .filter(chats::id.eq(row.id))
        .filter(chats::account_id.eq(Word(tenancy.account)))
        .filter(chats::agency_id.eq(Word(tenancy.agency)));
    diesel::update(chat).set(row).execute(c).await?;
    Ok(())
}

pub(in crate::store) async fn change(
    c: &mut Conn,
    agency: AgencyId,
    accounts: &[AccountId],
    id: ChatId,
    change: &ChatChange,
    now: At,
) -> Result<Option<Changed>> {
    write_tx!(c, async |c| {
        let Some(found) = row(c, agency, accounts, id).await? else { return Ok(None) };
        let tenancy = Tenancy { account: found.account_id.0, agency };
        lock_account(c, tenancy).await?;
        // Once more, behind the lock: somebody may have changed it meanwhile.
        let Some(before) = row(c, agency, &[tenancy.account], id).await? else { return Ok(None) };
        let mut chat = before.clone();
        match change {
            ChatChange::Read => {
                chat.read_up_to = messages::newest_unread(c, &chat).await?.or(chat.read_up_to);
                chat.unread_count = 0;
            }
            ChatChange::Ignored(is_ignored) => chat.is_ignored = *is_ignored,
            ChatChange::AssistMode(mode) => chat.assist_mode.clone_from(mode),
            ChatChange::Assigned(user) => {
                if let Some(user) = user
                    && !may_see(c, tenancy, *user).await?
                {
                    return Err(StoreError::Rejected(
                        "user must be somebody who may see the chat's account".to_owned(),
                    ));
                }
                chat.assignee = user.map(Word);
            }
        }
        let differs = chat != before;
        if differs {
            chat.updated_at = now;
            update(c, tenancy, &chat).await?;
        }
        Ok(Some(Changed { chat: chat.into(), differs }))
    })
    .await
}

async fn may_see(c: &mut Conn, tenancy: Tenancy, user: UserId) -> Result<bool> {
    let member = memberships::table
        .find((Word(user), Word(tenancy.account)))
        .filter(memberships::agency_id.eq(Word(tenancy.agency)));
    let user = users::table.find(Word(user)).filter(users::disabled.eq(false));
    let (members, users): (i64, i64) = (member.count().get_result(c).await?, user.count().get_result(c).await?);
    Ok(members > 0 && users > 0)
}
