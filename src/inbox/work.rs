//! What an event goes through after it was accepted: due, published, stored; or deferred and parked.

use diesel::{
    BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, QueryableByName, RunQueryDsl,
    SqliteConnection,
    dsl::{exists, select, sql},
    sql_query,
    sql_types::{BigInt, Binary, Bool, Text},
};

use super::{
    Inbox, InboxError,
    accept::HANDED_ON,
    keys::has_key,
    log::{self, LogEntry},
    schema::{State, events},
    writer::Urgency,
};
use crate::domain::{
    AccountId, EventId, SourceId, Timestamp, clock,
    event::{Event, EventKind},
};

/// Why an event is parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParkReason {
    /// Nobody has claimed the page it is about.
    Unrouted,
    /// Its source was removed, disabled or moved.
    SourceGone,
    /// The platform refuses the source's token.
    TokenInvalid,
    /// The platform does not let the hub read it.
    Denied,
    /// The platform says that it can't be had at all.
    Impossible,
    /// Tried until it was too old.
    GaveUp,
    /// The store refuses the row.
    NotStorable,
}

impl ParkReason {
    /// The word used in SQL, JSON and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unrouted => "unrouted",
            Self::SourceGone => "source_gone",
            Self::TokenInvalid => "token_invalid",
            Self::Denied => "denied",
            Self::Impossible => "impossible",
            Self::GaveUp => "gave_up",
            Self::NotStorable => "not_storable",
        }
    }
}

#[derive(QueryableByName)]
struct DueRow {
    #[diesel(sql_type = Binary)]
    account: Vec<u8>,
    #[diesel(sql_type = BigInt)]
    next_try: i64,
}

type EventRow = (Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>, String, String, String, i64, i32, bool);

impl Inbox {
    /// Accounts that have an event to be worked on by now. Three index look-ups an account.
    ///
    /// # Errors
    /// If the file can't be read.
    pub async fn due_accounts(&self, now: Timestamp) -> Result<Vec<AccountId>, InboxError> {
        self.read(move |c| {
            let mut due = Vec::new();
            let mut after = Vec::new();
            loop {
                let next: Option<DueRow> = sql_query(
                    "SELECT a.account, min( \
                     coalesce((SELECT min(next_try) FROM events WHERE state = 0 AND account = a.account AND (kind = 'lead') = 0), ?1), \
                     coalesce((SELECT min(next_try) FROM events WHERE state = 0 AND account = a.account AND (kind = 'lead') = 1), ?1) \
                     ) AS next_try \
                     FROM (SELECT account FROM events WHERE state = 0 AND account > ?2 ORDER BY account LIMIT 1) a",
                )
                .bind::<BigInt, _>(i64::MAX)
                .bind::<Binary, _>(&after)
                .get_result(c)
                .optional()?;
                let Some(DueRow { account, next_try }) = next else { return Ok(due) };
                if next_try <= now.timestamp_micros() {
                    due.extend(AccountId::from_bytes(&account));
                }
                after = account;
            }
        })
        .await
    }

    /// An account's leads to be worked on, or all other events, the longest due first (as the index has them), without
    /// those that wait for a later try. Those that were just handed on in memory are among them.
    ///
    /// # Errors
    /// If the file can't be read.
    pub async fn due(
        &self,
        account: AccountId,
        now: Timestamp,
        leads: bool,
        limit: usize,
    ) -> Result<Vec<Event>, InboxError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        // As the index has it, word by word.
        let line = if leads { "state = 0 AND (kind = 'lead') = 1" } else { "state = 0 AND (kind = 'lead') = 0" };
        self.read(move |c| {
            let now = now.timestamp_micros();
            let rows: Vec<EventRow> = events::table
                .filter(sql::<Bool>(line))
                .filter(events::account.eq(account.to_bytes().to_vec()))
                .filter(events::next_try.le(now.saturating_add(HANDED_ON)))
                .filter(events::attempts.eq(0).or(events::next_try.le(now)))
                .order((events::next_try, events::seq))
                .limit(limit)
                .select((
                    events::id,
                    events::account,
                    events::source,
                    events::kind,
                    events::platform_id,
                    events::item,
                    events::received_at,
                    events::attempts,
                    events::replayed,
                ))
                .load(c)?;
            Ok(rows.into_iter().filter_map(event).collect())
        })
        .await
    }

    /// Whether an event was accepted, whatever became of it since.
    ///
    /// # Errors
    /// If the file can't be read.
    pub async fn knows(&self, id: EventId) -> Result<bool, InboxError> {
        self.read(move |c| {
            let record = exists(events::table.filter(events::id.eq(id.to_bytes().to_vec())));
            Ok(select(record).get_result(c)? || has_key(c, &id.to_bytes())?)
        })
        .await
    }

    /// Whether an event that was accepted is not on its way any more: it was shown, or it never will be as it stands.
    ///
    /// # Errors
    /// If the file can't be read.
    pub async fn is_past(&self, id: EventId) -> Result<bool, InboxError> {
        self.read(move |c| {
            let past = events::table
                .filter(events::id.eq(id.to_bytes().to_vec()))
                .filter(events::state.ne(State::Received as i32));
            Ok(select(exists(past)).get_result(c)? || has_key(c, &id.to_bytes())?)
        })
        .await
    }

    /// Puts an envelope into the log and, if it carries an event, marks that as published; one commit. The first future
    /// ends when the envelope has its place among what is to be written, the second when it is durable.
    ///
    /// # Errors
    /// The second's: if it could not be made durable.
    pub fn publish(
        &self,
        entry: LogEntry,
        event: Option<EventId>,
    ) -> (impl Future<Output = ()> + use<>, impl Future<Output = Result<(), InboxError>> + use<>) {
        let change = move |c: &mut SqliteConnection| {
            log::append(c, &entry)?;
            let Some(event) = event else { return Ok(()) };
            diesel::update(events::table.filter(events::id.eq(event.to_bytes().to_vec())))
                .set((
                    events::state.eq(State::Published as i32),
                    events::epoch.eq(i64::from(entry.position.epoch)),
                    events::count.eq(i64::try_from(entry.position.count).unwrap_or(i64::MAX)),
                    events::reason.eq(None::<String>),
                    events::changed_at.eq(entry.at.timestamp_micros()),
                ))
                .execute(c)?;
            Ok(())
        };
        self.writer.enqueue(2, Urgency::Soon, change)
    }

    /// Puts an event off until `next_try`. `counted`: whether this was a failed try of its own.
    ///
    /// # Errors
    /// If it could not be written; the event then becomes due earlier.
    pub async fn defer(
        &self,
        id: EventId,
        next_try: Timestamp,
        counted: bool,
        detail: String,
    ) -> Result<(), InboxError> {
        let change = move |c: &mut SqliteConnection| {
            let now = clock::now().timestamp_micros();
            // At least one attempt, or the event would count as just handed on.
            sql_query(
                "UPDATE events SET next_try = ?, attempts = max(1, attempts + ?), detail = ?, changed_at = ? \
                 WHERE id = ? AND state = 0",
            )
            .bind::<BigInt, _>(next_try.timestamp_micros())
            .bind::<BigInt, _>(i64::from(counted))
            .bind::<Text, _>(&detail)
            .bind::<BigInt, _>(now)
            .bind::<Binary, _>(id.to_bytes().to_vec())
            .execute(c)
            .map(drop)
        };
        self.writer.write(1, change).await
    }

    /// Parks an event: it stays, visible, until a person or a fix lets it go on.
    ///
    /// # Errors
    /// If it could not be written; the event is then tried again.
    pub async fn park(&self, id: EventId, reason: ParkReason, detail: String) -> Result<(), InboxError> {
        let change = move |c: &mut SqliteConnection| {
            diesel::update(events::table.filter(events::id.eq(id.to_bytes().to_vec())))
                .set((
                    events::state.eq(State::Parked as i32),
                    events::reason.eq(reason.as_str()),
                    events::detail.eq(&detail),
                    events::changed_at.eq(clock::now().timestamp_micros()),
                ))
                .execute(c)
                .map(drop)
        };
        self.writer.write(1, change).await
    }
}

fn event(row: EventRow) -> Option<Event> {
    let (id, account, source, kind, platform_id, item, received_at, attempts, replayed) = row;
    Some(Event {
        id: EventId::from_bytes(&id)?,
        account: AccountId::from_bytes(&account?)?,
        source: SourceId::from_bytes(&source?)?,
        kind: EventKind::from_text(&kind),
        platform_id,
        item,
        received_at: clock::from_micros(received_at),
        attempts: u32::try_from(attempts).unwrap_or(0),
        replayed,
    })
}
