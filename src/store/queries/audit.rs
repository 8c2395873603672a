//! Who did what.

use diesel::{prelude::*, sql_types::Bool};
use diesel_async::RunQueryDsl;

use super::{Conn, DB, dialect::write_tx};
use crate::{
    domain::{AuditId, audit::Event},
    store::{
        Result,
        audit::{AuditFilter, AuditPage, AuditRow, AuditScope, Trail},
        prospects::PageCursor,
        schema::audit,
        types::{At, Word},
    },
};

/// Rows removed in one go.
const PRUNED: i64 = 1_000;

/// Records what this transaction does. Part of it, so that neither is kept without the other.
pub(in crate::store) async fn note(c: &mut Conn, trail: &Trail, event: Event) -> Result<()> {
    insert(c, &trail.row(event)).await
}

pub(in crate::store) async fn insert(c: &mut Conn, row: &AuditRow) -> Result<()> {
    diesel::insert_into(audit::table).values(row).execute(c).await?;
    Ok(())
}

/// Looks first, because the table refuses to have a row replaced.
pub(in crate::store) async fn keep(c: &mut Conn, rows: &[AuditRow]) -> Result<()> {
    write_tx!(c, async |c| {
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        let there = audit::table.filter(audit::id.eq_any(ids)).select(audit::id);
        let there: Vec<Word<AuditId>> = there.load(c).await?;
        for row in rows.iter().filter(|row| !there.contains(&row.id)) {
            insert(c, row).await?;
        }
        Ok(())
    })
    .await
}

pub(in crate::store) async fn page(c: &mut Conn, filter: &AuditFilter) -> Result<AuditPage> {
    let size = usize::try_from(filter.limit.max(1)).unwrap_or(usize::MAX);
    let mut rows = audit::table.order((audit::at.desc(), audit::id.desc())).into_boxed::<DB>();
    match &filter.scope {
        AuditScope::Everything => {}
        AuditScope::Agency(agency) => rows = rows.filter(audit::agency_id.eq(Some(Word(*agency)))),
        AuditScope::Accounts(agency, accounts) => {
            let accounts: Vec<_> = accounts.iter().map(|account| Some(Word(*account))).collect();
            rows = rows.filter(audit::agency_id.eq(Some(Word(*agency)))).filter(audit::account_id.eq_any(accounts));
        }
    }
    if let Some(since) = filter.since {
        rows = rows.filter(audit::at.ge(At(since)));
    }
    if let Some(until) = filter.until {
        rows = rows.filter(audit::at.lt(At(until)));
    }
    if let Some(action) = filter.action {
        rows = rows.filter(audit::action.eq(action.as_str()));
    }
    if let Some(actor) = &filter.actor {
        rows = rows.filter(audit::actor.eq(actor.to_string()));
    }
    if let Some(PageCursor { created_at, id }) = &filter.cursor {
        let same = audit::at.eq(At(*created_at)).and(audit::id.lt(id));
        let before: Box<dyn BoxableExpression<_, DB, SqlType = Bool>> =
            Box::new(audit::at.le(At(*created_at)).and(audit::at.lt(At(*created_at)).or(same)));
        rows = rows.filter(before);
    }
    let limit = i64::from(filter.limit.max(1)) + 1;
    let mut rows: Vec<AuditRow> = rows.limit(limit).select(AuditRow::as_select()).load(c).await?;
    let more = rows.len() > size;
    rows.truncate(size);
    let last = rows.last().map(|row| PageCursor { created_at: row.at.0, id: row.id.0.to_string() });
    Ok(AuditPage { entries: rows.into_iter().filter_map(AuditRow::entry).collect(), next: last.filter(|_| more) })
}

pub(in crate::store) async fn prune(c: &mut Conn, now: At) -> Result<usize> {
    let over = audit::table.filter(audit::kept_until.le(now)).order(audit::kept_until).limit(PRUNED).select(audit::id);
    let over: Vec<String> = over.load(c).await?;
    let gone = audit::table.filter(audit::id.eq_any(over)).filter(audit::kept_until.le(now));
    Ok(diesel::delete(gone).execute(c).await?)
}
