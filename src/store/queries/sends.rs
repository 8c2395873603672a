//! Sends.

use chrono::TimeDelta;
use diesel::{
    dsl::{exists, not, sql},
    prelude::*,
    sql_types::Bool,
};
use diesel_async::RunQueryDsl;

use super::{
    Conn,
    dialect::{lock_account, write_tx},
};
use crate::{
    domain::{
        AccountId, AgencyId, ChatId, MessageId, SendId, SourceId,
        send::{NewSend, Outgoing, SendState},
    },
    store::{
        Result, StoreError,
        error::explain,
        messages::Tenancy,
        schema::{messages, sends},
        sends::{Admission, OpenSend, SendRow},
        types::{At, Word},
    },
};

/// Word for word the condition of an index.
const OPEN: &str = "state IN ('pending', 'sending')";
/// The same.
const SETTLED: &str = "state IN ('sent', 'failed')";
/// The same.
const UNCONFIRMED: &str = "reason_code = 'unconfirmed'";
/// A platform's clock may be behind the hub's by this much.
const SKEW: TimeDelta = TimeDelta::minutes(1);
/// Of a chat that are listed.
const LISTED: i64 = 100;
/// Of a source that are looked at; more are seen once these are settled.
const LOOKED_AT: i64 = 2_000;
/// Of those that nobody knows of, the newest, for which a late echo is looked for.
const AWAITED: i64 = 100;
/// Of a piece of pruning.
const PRUNED: i64 = 1_000;

pub(in crate::store) async fn add(c: &mut Conn, send: &NewSend, most: u32, now: At) -> Result<Admission> {
    write_tx!(c, async |c| {
        // Of two that come at once under one client id the second waits here, and finds the first.
        if !lock_account(c, Tenancy { account: send.account, agency: send.agency }).await? {
            return Err(StoreError::NotFound("account"));
        }
        let of_account = || {
            sends::table.filter(sends::account_id.eq(Word(send.account))).filter(sends::agency_id.eq(Word(send.agency)))
        };
        if let Some(client_id) = &send.client_id {
            let known = of_account().filter(sends::client_id.eq(client_id)).select(SendRow::as_select());
            if let Some(row) = known.first(c).await.optional()? {
                let same = row.text == send.text && row.chat_id.0 == send.chat;
                return Ok(if same { Admission::Known(row.into()) } else { Admission::Different });
            }
        }
        let open: i64 = of_account().filter(sql::<Bool>(OPEN)).count().get_result(c).await?;
        if open >= i64::from(most) {
            return Ok(Admission::Full);
        }
        let of_chat = of_account().filter(sends::chat_id.eq(Word(send.chat)));
        let newest = of_chat.order(sends::created_at.desc()).select(sends::created_at);
        let newest: Option<At> = newest.first(c).await.optional()?;
        // A clock that went back must not put it before one that was kept earlier.
        let at = newest.map_or(now, |newest| At(now.0.max(newest.0 + TimeDelta::microseconds(1))));
        let row = SendRow { next_try: now, ..SendRow::new(send, at) };
        let added = diesel::insert_into(sends::table).values(&row).execute(c).await;
        added.map_err(explain("this send is known already", "chat"))?;
        Ok(Admission::New(row.into()))
    })
    .await
}

pub(in crate::store) async fn one(c: &mut Conn, accounts: &[AccountId], id: SendId) -> Result<Option<Outgoing>> {
    let accounts: Vec<_> = accounts.iter().copied().map(Word).collect();
    let row = sends::table.filter(sends::id.eq(Word(id))).filter(sends::account_id.eq_any(accounts));
    Ok(row.select(SendRow::as_select()).first(c).await.optional()?.map(Outgoing::from))
}

pub(in crate::store) async fn of_chat(
    c: &mut Conn,
    agency: AgencyId,
    account: AccountId,
    chat: ChatId,
    failed_since: At,
) -> Result<Vec<Outgoing>> {
    let failed = sends::state.eq(Word(SendState::Failed)).and(sends::updated_at.ge(failed_since));
    let rows = sends::table
        .filter(sends::chat_id.eq(Word(chat)))
        .filter(sends::account_id.eq(Word(account)))
        .filter(sends::agency_id.eq(Word(agency)))
        .filter(sql::<Bool>(OPEN).or(failed))
        .order(sends::created_at.desc())
        .limit(LISTED);
    let rows = rows.select(SendRow::as_select()).load(c).await?;
    Ok(rows.into_iter().rev().map(Outgoing::from).collect())
}

pub(in crate::store) async fn sources(c: &mut Conn, now: At) -> Result<Vec<SourceId>> {
    let sources = sends::table.filter(sql::<Bool>(OPEN)).filter(sends::next_try.le(now));
    let sources: Vec<Word<SourceId>> = sources.select(sends::source_id).distinct().load(c).await?;
    Ok(sources.into_iter().map(|source| source.0).collect())
}

type OpenRow = (Word<SendId>, Word<AccountId>, Word<ChatId>, Word<SendState>, At);

pub(in crate::store) async fn open(c: &mut Conn, source: SourceId) -> Result<Vec<OpenSend>> {
    let rows = sends::table
        .filter(sql::<Bool>(OPEN))
        .filter(sends::source_id.eq(Word(source)))
        .order((sends::created_at.asc(), sends::id.asc()))
        .limit(LOOKED_AT)
        .select((sends::id, sends::account_id, sends::chat_id, sends::state, sends::next_try));
    let rows: Vec<OpenRow> = rows.load(c).await?;
    let read = |(id, account, chat, state, next_try): OpenRow| OpenSend {
        id: id.0,
        account: account.0,
        chat: chat.0,
        state: state.0,
        next_try: next_try.0,
    };
    Ok(rows.into_iter().map(read).collect())
}

pub(in crate::store) async fn claim(c: &mut Conn, account: AccountId, id: SendId, now: At) -> Result<Option<Outgoing>> {
    let pending = sends::table
        .filter(sends::id.eq(Word(id)))
        .filter(sends::account_id.eq(Word(account)))
        .filter(sends::state.eq(Word(SendState::Pending)));
    let set = (
        sends::state.eq(Word(SendState::Sending)),
        sends::attempts.eq(sends::attempts + 1),
        sends::tried_at.eq(now),
        sends::updated_at.eq(now),
    );
    let claimed = diesel::update(pending).set(set).returning(SendRow::as_returning());
    Ok(claimed.get_result(c).await.optional()?.map(Outgoing::from))
}

pub(in crate::store) async fn settle(c: &mut Conn, send: &Outgoing) -> Result<()> {
    let sending = sends::table
        .filter(sends::id.eq(Word(send.id)))
        .filter(sends::account_id.eq(Word(send.account)))
        .filter(sends::state.eq(Word(SendState::Sending)));
    let set = (
        sends::state.eq(Word(send.state)),
        sends::reason_code.eq(send.reason.as_ref().map(|reason| reason.code.clone())),
        sends::reason.eq(send.reason.as_ref().map(|reason| reason.message.clone())),
        sends::message_id.eq(send.message.map(Word)),
        sends::platform_id.eq(send.platform_id.clone()),
        sends::next_try.eq(At(send.next_try)),
        sends::updated_at.eq(At(send.updated_at)),
    );
    diesel::update(sending).set(set).execute(c).await?;
    Ok(())
}

pub(in crate::store) async fn echo(c: &mut Conn, send: &Outgoing) -> Result<Option<(MessageId, String)>> {
    let Some(tried_at) = send.tried_at else { return Ok(None) };
    let claimed = sends::table.filter(sends::message_id.eq(messages::id.nullable()));
    let echo = messages::table
        .filter(messages::chat_id.eq(Word(send.chat)))
        .filter(messages::account_id.eq(Word(send.account)))
        .filter(messages::agency_id.eq(Word(send.agency)))
        .filter(messages::is_sender.eq(true))
        .filter(messages::timestamp.ge(At(tried_at - SKEW)))
        .filter(messages::created_at.ge(At(tried_at)))
        .filter(messages::text.eq(&send.text))
        .filter(not(exists(claimed)))
        .order((messages::timestamp.asc(), messages::id.asc()))
        .select((messages::id, messages::platform_id));
    let echo: Option<(Word<MessageId>, String)> = echo.first(c).await.optional()?;
    Ok(echo.map(|(message, platform_id)| (message.0, platform_id)))
}

pub(in crate::store) async fn confirm(c: &mut Conn, since: At, now: At) -> Result<Vec<Outgoing>> {
    let unknown = sends::table.filter(sql::<Bool>(UNCONFIRMED)).filter(sends::updated_at.ge(since));
    let unknown = unknown.order(sends::updated_at.desc()).limit(AWAITED).select(SendRow::as_select());
    let unknown: Vec<SendRow> = unknown.load(c).await?;
    let mut confirmed = Vec::new();
    for send in unknown.into_iter().map(Outgoing::from) {
        let Some((message, platform_id)) = echo(c, &send).await? else { continue };
        let still = sends::table.filter(sends::id.eq(Word(send.id))).filter(sql::<Bool>(UNCONFIRMED));
        let set = (
            sends::state.eq(Word(SendState::Sent)),
            sends::reason_code.eq(None::<String>),
            sends::reason.eq(None::<String>),
            sends::message_id.eq(Some(Word(message))),
            sends::platform_id.eq(Some(platform_id)),
            sends::updated_at.eq(now),
        );
        let updated = diesel::update(still).set(set).returning(SendRow::as_returning()).get_result(c).await;
        confirmed.extend(updated.optional()?.map(Outgoing::from));
    }
    Ok(confirmed)
}

pub(in crate::store) async fn prune(c: &mut Conn, before: At) -> Result<usize> {
    let old = sends::table.filter(sql::<Bool>(SETTLED)).filter(sends::updated_at.lt(before));
    let old: Vec<Word<SendId>> = old.limit(PRUNED).select(sends::id).load(c).await?;
    if old.is_empty() {
        return Ok(0);
    }
    Ok(diesel::delete(sends::table.filter(sends::id.eq_any(old))).execute(c).await?)
}
