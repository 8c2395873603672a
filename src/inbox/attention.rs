//! What a person should know of: what is parked, what is late, and the ways to let it go on.

use std::sync::Arc;

use diesel::{
    ExpressionMethods, QueryDsl, QueryResult, QueryableByName, RunQueryDsl, SqliteConnection, delete,
    dsl::sql,
    sql_query,
    sql_types::{BigInt, Binary, Bool, Nullable, Text},
    update,
};

use super::{
    Inbox, InboxError, ParkReason,
    schema::{State, events},
};
use crate::domain::{
    AccountId, EventId, SourceId, Timestamp, clock,
    directory::Directory,
    event::{EventKind, NewEvent, SourceKind},
};

const UNROUTED: &str = ParkReason::Unrouted.as_str();

/// Several events that want the same attention.
#[derive(Debug, Clone)]
pub struct Attention {
    /// Whose they are; none for events that nobody has claimed.
    pub account: Option<AccountId>,
    /// Through which source they came.
    pub source: Option<SourceId>,
    /// Why: a [`ParkReason`], `late` for events that wait for another try,
    /// `unstored`, or `bad_signature` for POSTs that were refused.
    pub reason: String,
    /// The page, for events that nobody has claimed; the source, or nothing, whose address got a bad signature.
    pub external_id: Option<String>,
    /// How many.
    pub count: u64,
    /// When the oldest was received.
    pub oldest: Timestamp,
    /// What was said of the last one.
    pub detail: Option<String>,
}

/// One parked event.
#[derive(Debug, Clone)]
pub struct ParkedEvent {
    /// Its id.
    pub id: EventId,
    /// Whose it is.
    pub account: Option<AccountId>,
    /// Why it is parked.
    pub reason: String,
    /// What was said.
    pub detail: Option<String>,
    /// The page.
    pub external_id: String,
    /// The platform's id of what happened.
    pub platform_id: String,
    /// When it was received.
    pub received_at: Timestamp,
}

/// Which events to let go on.
#[derive(Debug, Clone)]
pub enum Selection {
    /// This one, parked or finished.
    One(EventId),
    /// All that are parked for this reason.
    Parked(String),
}

#[derive(QueryableByName)]
struct AttentionRow {
    #[diesel(sql_type = Nullable<Binary>)]
    account: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<Binary>)]
    source: Option<Vec<u8>>,
    #[diesel(sql_type = Text)]
    reason: String,
    #[diesel(sql_type = Nullable<Text>)]
    external_id: Option<String>,
    #[diesel(sql_type = BigInt)]
    events: i64,
    #[diesel(sql_type = BigInt)]
    oldest: i64,
    #[diesel(sql_type = Nullable<Text>)]
    detail: Option<String>,
}

impl Inbox {
    /// Everything that is parked, late (received more than a minute ago and not published) or not stored for a minute.
    ///
    /// # Errors
    /// If the file can't be read.
    pub async fn attention(&self, now: Timestamp) -> Result<Vec<Attention>, InboxError> {
        self.read(move |c| {
            let late = now.timestamp_micros() - 60_000_000;
            let rows: Vec<AttentionRow> = sql_query(
                "SELECT account, source, reason, CASE WHEN account IS NULL THEN external_id END AS external_id, \
                        count(*) AS events, min(received_at) AS oldest, max(detail) AS detail \
                   FROM events WHERE state = 3 GROUP BY 1, 2, 3, 4 \
                 UNION ALL SELECT account, source, 'late', NULL, count(*), min(received_at), max(detail) \
                   FROM events WHERE state = 0 AND received_at < ? GROUP BY 1, 2 \
                 UNION ALL SELECT account, source, 'unstored', NULL, count(*), min(received_at), NULL \
                   FROM events WHERE state = 1 AND changed_at < ? GROUP BY 1, 2 \
                 UNION ALL SELECT NULL, NULL, 'bad_signature', path, refused, first_at, NULL FROM refusals",
            )
            .bind::<BigInt, _>(late)
            .bind::<BigInt, _>(late)
            .load(c)?;
            Ok(rows.into_iter().map(attention).collect())
        })
        .await
    }

    /// Parked events, the oldest first.
    ///
    /// # Errors
    /// If the file can't be read.
    pub async fn parked(&self, limit: i64) -> Result<Vec<ParkedEvent>, InboxError> {
        type Row = (Vec<u8>, Option<Vec<u8>>, Option<String>, Option<String>, String, String, i64);
        self.read(move |c| {
            let rows: Vec<Row> = events::table
                .filter(sql::<Bool>("state = 3"))
                .order(events::seq)
                .limit(limit)
                .select((
                    events::id,
                    events::account,
                    events::reason,
                    events::detail,
                    events::external_id,
                    events::platform_id,
                    events::received_at,
                ))
                .load(c)?;
            let parked = |(id, account, reason, detail, external_id, platform_id, at): Row| {
                Some(ParkedEvent {
                    id: EventId::from_bytes(&id)?,
                    account: account.and_then(|account| AccountId::from_bytes(&account)),
                    reason: reason.unwrap_or_default(),
                    detail,
                    external_id,
                    platform_id,
                    received_at: clock::from_micros(at),
                })
            };
            Ok(rows.into_iter().filter_map(parked).collect())
        })
        .await
    }

    /// Lets events that have an owner be worked on again; they are pushed with source `replay` and the same id.
    ///
    /// # Errors
    /// If it could not be written.
    pub async fn replay(&self, selection: Selection) -> Result<usize, InboxError> {
        let change = move |c: &mut SqliteConnection| -> QueryResult<usize> {
            let again = (
                events::state.eq(State::Received as i32),
                events::attempts.eq(1),
                events::next_try.eq(0),
                events::replayed.eq(true),
            );
            let kinds = [
                EventKind::Lead,
                EventKind::Message,
                EventKind::Account,
                EventKind::Prospect,
                EventKind::Cost,
                EventKind::Campaign,
            ]
            .map(EventKind::as_str);
            let workable = events::table.filter(events::account.is_not_null()).filter(events::kind.eq_any(kinds));
            match &selection {
                Selection::One(id) => {
                    update(workable.filter(events::id.eq(id.to_bytes().to_vec()))).set(again).execute(c)
                }
                Selection::Parked(reason) => {
                    update(workable.filter(sql::<Bool>("state = 3")).filter(events::reason.eq(reason)))
                        .set(again)
                        .execute(c)
                }
            }
        };
        self.writer.write(1, change).await
    }

    /// Gives unrouted events whose page has been claimed to the account that claimed it, within their scope.
    ///
    /// # Errors
    /// If it could not be read or written.
    pub async fn release_claimed(&self, directory: Arc<Directory>) -> Result<usize, InboxError> {
        let claimed = self
            .read(move |c| {
                let pages: Vec<(String, String, Option<String>)> =
                    unrouted().select((events::source_kind, events::external_id, events::scope)).distinct().load(c)?;
                pages
                    .iter()
                    .filter_map(|page| claim(&directory, page))
                    .map(|claim| claim.events(c))
                    .collect::<QueryResult<Vec<_>>>()
            })
            .await?
            .into_iter()
            .flatten()
            .collect::<Vec<_>>();
        if claimed.is_empty() {
            return Ok(0);
        }
        let change = move |c: &mut SqliteConnection| claimed.iter().map(|claimed| give(c, claimed)).sum();
        self.writer.write(1, change).await
    }
}

fn unrouted<'q>() -> events::BoxedQuery<'q, diesel::sqlite::Sqlite> {
    events::table.filter(sql::<Bool>("state = 3")).filter(events::reason.eq(UNROUTED)).into_boxed()
}

/// A page that has been claimed, and what was signed by whom.
struct Claim<'p> {
    page: &'p (String, String, Option<String>),
    kind: SourceKind,
    account: AccountId,
    source: SourceId,
}

fn claim<'p>(directory: &Directory, page: &'p (String, String, Option<String>)) -> Option<Claim<'p>> {
    let (kind, external_id, scope) = page;
    let kind = kind.parse().ok()?;
    let source = directory.route(kind, external_id, scope.as_ref()?.parse().ok()?)?;
    Some(Claim { page, kind, account: source.account, source: source.id })
}

impl Claim<'_> {
    /// The page's events, each with the id that it has in its new account: a redelivery there meets the same.
    fn events(&self, c: &mut SqliteConnection) -> QueryResult<Vec<Claimed>> {
        let (kind, external_id, scope) = self.page;
        let rows: Vec<(i64, String, String)> = unrouted()
            .filter(events::external_id.eq(external_id))
            .filter(events::source_kind.eq(kind))
            .filter(events::scope.eq(scope))
            .order(events::seq)
            .select((events::seq, events::platform_id, events::kind))
            .load(c)?;
        let owner = self.account.to_string();
        let claimed = |(seq, platform_id, kind): (i64, String, String)| {
            let id = NewEvent::key(&owner, self.kind, &platform_id, EventKind::from_text(&kind));
            (seq, id, self.account, self.source)
        };
        Ok(rows.into_iter().map(claimed).collect())
    }
}

/// An event's row, its new id, and whose it is now.
type Claimed = (i64, EventId, AccountId, SourceId);

/// Moves one event to its new owner; 0 if the owner has it already, by a redelivery.
fn give(c: &mut SqliteConnection, (seq, id, account, source): &Claimed) -> QueryResult<usize> {
    let id = id.to_bytes().to_vec();
    let known: i64 = events::table.filter(events::id.eq(&id)).filter(events::seq.ne(seq)).count().get_result(c)?;
    let unclaimed = events::table.filter(events::seq.eq(seq)).filter(events::account.is_null());
    if known > 0 {
        return delete(unclaimed).execute(c).map(|_| 0);
    }
    update(unclaimed)
        .set((
            events::id.eq(id),
            events::account.eq(account.to_bytes().to_vec()),
            events::source.eq(source.to_bytes().to_vec()),
            events::state.eq(State::Received as i32),
            events::next_try.eq(0),
            events::attempts.eq(1),
            events::reason.eq(None::<String>),
        ))
        .execute(c)
}

fn attention(row: AttentionRow) -> Attention {
    Attention {
        account: row.account.and_then(|account| AccountId::from_bytes(&account)),
        source: row.source.and_then(|source| SourceId::from_bytes(&source)),
        reason: row.reason,
        external_id: row.external_id,
        count: u64::try_from(row.events).unwrap_or(0),
        oldest: clock::from_micros(row.oldest),
        detail: row.detail,
    }
}
