//! Erasure: what was deleted leaves the log and the records, and does not come back by a redelivery.
//!
//! An envelope becomes a tombstone: it keeps its place, id and time, so that who resumes finds no gap. An event keeps its id,
//! which is a hash; a redelivery meets it as before, also after its row was pruned. A raw webhook loses the one item and
//! keeps those of others. Rows are read beside the writer and changed in portions, so that webhooks fit in between.
//! Freed pages are overwritten (`secure_delete`).

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use diesel::{
    OptionalExtension, QueryResult, QueryableByName, RunQueryDsl, SqliteConnection, sql_query,
    sql_types::{BigInt, Binary, Integer, Nullable, Text},
};
use serde::Serialize;

use super::{
    Inbox, InboxError,
    schema::State,
    tombstone::{is_farewell, tombstone, without, written},
};
use crate::domain::{
    AccountId, EventId, Timestamp, clock,
    envelope::Envelope,
    erasure::{Erasure, Matcher},
};

/// Rows read at once, and changed in one commit at most.
const PORTION: i64 = 500;

/// What was deleted, in memory: account and id, and until when. One entry for each thing that ever was.
#[derive(Clone, Default)]
pub(super) struct Gone(Arc<RwLock<HashMap<String, Option<Timestamp>>>>);

/// How many rows were changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Forgotten {
    /// Envelopes in the log.
    pub envelopes: u64,
    /// Events: their items, and what they are called at the platform.
    pub events: u64,
    /// Of these, those that were still on their way.
    pub unfinished: u64,
}

#[derive(QueryableByName)]
struct GoneRow {
    #[diesel(sql_type = Text)]
    subject: String,
    #[diesel(sql_type = Nullable<BigInt>)]
    until: Option<i64>,
}

#[derive(QueryableByName)]
struct Place {
    #[diesel(sql_type = BigInt)]
    seq: i64,
    #[diesel(sql_type = BigInt)]
    epoch: i64,
    #[diesel(sql_type = BigInt)]
    count: i64,
    #[diesel(sql_type = Binary)]
    envelope: Vec<u8>,
}

#[derive(QueryableByName)]
struct EventRow {
    #[diesel(sql_type = BigInt)]
    seq: i64,
    #[diesel(sql_type = Binary)]
    id: Vec<u8>,
    #[diesel(sql_type = Integer)]
    state: i32,
    #[diesel(sql_type = BigInt)]
    delivery: i64,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Text)]
    item: String,
    #[diesel(sql_type = Text)]
    platform_id: String,
    #[diesel(sql_type = Nullable<Text>)]
    detail: Option<String>,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

#[derive(QueryableByName)]
struct Moved {
    #[diesel(sql_type = Integer)]
    busy: i32,
}

#[derive(QueryableByName)]
struct Body {
    #[diesel(sql_type = Binary)]
    body: Vec<u8>,
}

fn key(account: AccountId, id: &str) -> String {
    format!("{account}/{id}")
}

impl Gone {
    pub(super) fn read(c: &mut SqliteConnection) -> QueryResult<Self> {
        let rows: Vec<GoneRow> = sql_query("SELECT subject, until FROM erased").load(c)?;
        let all = rows.into_iter().map(|row| (row.subject, row.until.map(clock::from_micros)));
        Ok(Self(Arc::new(RwLock::new(all.collect()))))
    }

    fn add(&self, subject: String, until: Option<Timestamp>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(subject, until);
    }
}

impl Inbox {
    /// Whether an envelope tells of something that was deleted: then it is not to be shown.
    #[must_use]
    pub fn is_erased(&self, envelope: &Envelope) -> bool {
        let gone = self.gone.0.read().unwrap_or_else(PoisonError::into_inner);
        !gone.is_empty()
            && envelope.subjects().iter().any(|(id, written)| {
                gone.get(&key(envelope.account, id)).is_some_and(|until| Erasure::covers(*until, *written))
            })
    }

    /// From now on nothing of these is published, and their events are not accepted again. What was to be written before is
    /// written when this ends, so that it is found in the log.
    ///
    /// # Errors
    /// If it could not be written.
    pub async fn mark_erased(&self, erasures: &[Erasure]) -> Result<Forgotten, InboxError> {
        for erasure in erasures {
            self.gone.add(key(erasure.account, &erasure.id), erasure.until);
        }
        let now = clock::now().timestamp_micros();
        let marks: Vec<(String, Option<i64>)> = erasures
            .iter()
            .map(|erasure| (key(erasure.account, &erasure.id), erasure.until.map(|until| until.timestamp_micros())))
            .collect();
        for marks in marks.chunks(500).map(<[_]>::to_vec) {
            let change = move |c: &mut SqliteConnection| {
                marks.iter().try_for_each(|(subject, until)| {
                    sql_query("INSERT OR REPLACE INTO erased (subject, until, at) VALUES (?, ?, ?)")
                        .bind::<Text, _>(subject)
                        .bind::<Nullable<BigInt>, _>(until)
                        .bind::<BigInt, _>(now)
                        .execute(c)
                        .map(drop)
                })
            };
            self.writer.write(500, change).await?;
        }
        let events: Vec<EventId> = erasures.iter().flat_map(|erasure| erasure.traces.events.iter().copied()).collect();
        let mut forgotten = Forgotten::default();
        for events in events.chunks(500).map(<[_]>::to_vec) {
            let change = move |c: &mut SqliteConnection| forget_events(c, &events);
            forgotten += self.writer.write(500, change).await?;
        }
        Ok(forgotten)
    }

    /// Ends an event whose envelope is not to be shown.
    ///
    /// # Errors
    /// If it could not be written; it is then worked on again.
    pub async fn forget_event(&self, id: EventId) -> Result<(), InboxError> {
        self.writer.write(1, move |c: &mut SqliteConnection| forget_events(c, &[id]).map(drop)).await
    }

    /// Leaves tombstones in the log for all that tells of something that was deleted. Answers how many.
    ///
    /// # Errors
    /// If the file can't be read or written: some may be left then, and doing it again goes on.
    pub async fn erase_log(&self, erasure: &Erasure) -> Result<u64, InboxError> {
        match matcher(erasure)? {
            Some(traces) => self.bury(erasure.account, &traces, erasure.until).await,
            None => Ok(0),
        }
    }

    /// Blanks the events that brought it, and what raw webhooks have of them. Those that were on their way end here.
    ///
    /// # Errors
    /// As [`Inbox::erase_log`].
    pub async fn erase_events(&self, erasure: &Erasure) -> Result<Forgotten, InboxError> {
        let Some(traces) = matcher(erasure)? else { return Ok(Forgotten::default()) };
        let kinds = erasure.kinds().iter().map(|kind| kind.as_str()).collect();
        self.blank_events(Some(erasure.account), &traces, kinds, erasure.until).await
    }

    /// Moves what is in the write-ahead log into the file, and empties it: nothing that was deleted is left in it. `false`:
    /// somebody reads, and it is to be tried again.
    ///
    /// # Errors
    /// If the file can't be written.
    pub async fn checkpoint(&self) -> Result<bool, InboxError> {
        let moved = self.survey.read(|c| sql_query("PRAGMA wal_checkpoint(TRUNCATE)").get_result::<Moved>(c));
        Ok(moved.await?.busy == 0)
    }

    /// Leaves tombstones in an account's log, in the place of envelopes that tell of this and of nothing later.
    pub(super) async fn bury(
        &self,
        account: AccountId,
        traces: &Matcher,
        until: Option<Timestamp>,
    ) -> Result<u64, InboxError> {
        let (mut after, mut erased) = ((0, 0), 0);
        loop {
            let traces = traces.clone();
            let page = self.of_log.read(move |c| {
                let rows: Vec<Place> = sql_query(
                    "SELECT seq, epoch, count, envelope FROM log WHERE account = ? AND (epoch, count) > (?, ?) \
                     ORDER BY epoch, count LIMIT ?",
                )
                .bind::<Binary, _>(account.to_bytes().to_vec())
                .bind::<BigInt, _>(after.0)
                .bind::<BigInt, _>(after.1)
                .bind::<BigInt, _>(PORTION)
                .load(c)?;
                let last = rows.last().map(|row| (row.epoch, row.count));
                let is_meant = |row: &Place| {
                    traces.is_in(&row.envelope)
                        && !is_farewell(&row.envelope)
                        && Erasure::covers(until, until.and(written(&row.envelope)))
                };
                let found = rows.into_iter().filter(is_meant);
                let found: Vec<(i64, Vec<u8>)> = found.map(|row| (row.seq, tombstone(&row.envelope))).collect();
                Ok((last, found))
            });
            let (last, found) = page.await?;
            let Some(last) = last else { return Ok(erased) };
            after = last;
            if found.is_empty() {
                continue;
            }
            erased += found.len() as u64;
            let change = move |c: &mut SqliteConnection| {
                found.iter().try_for_each(|(seq, tombstone)| {
                    sql_query("UPDATE log SET envelope = ? WHERE seq = ?")
                        .bind::<Binary, _>(tombstone)
                        .bind::<BigInt, _>(seq)
                        .execute(c)
                        .map(drop)
                })
            };
            self.writer.write(500, change).await?;
        }
    }

    /// Blanks an account's events of these kinds (none: of all) that were received until then.
    pub(super) async fn blank_events(
        &self,
        account: Option<AccountId>,
        traces: &Matcher,
        kinds: Vec<&'static str>,
        until: Option<Timestamp>,
    ) -> Result<Forgotten, InboxError> {
        let mut forgotten = Forgotten::default();
        let until = until.map_or(i64::MAX, |until| until.timestamp_micros());
        let account = account.map(|account| account.to_bytes().to_vec());
        let last = self.last("events").await?;
        let mut from = 0;
        while from < last {
            let (traces, account, kinds) = (traces.clone(), account.clone(), kinds.clone());
            let found = self.read(move |c| {
                let rows: Vec<EventRow> = sql_query(
                    "SELECT seq, id, state, delivery, kind, item, platform_id, detail FROM events \
                     WHERE seq > ? AND seq <= ? AND account IS ? AND received_at <= ?",
                )
                .bind::<BigInt, _>(from)
                .bind::<BigInt, _>(from + PORTION * 4)
                .bind::<Nullable<Binary>, _>(account)
                .bind::<BigInt, _>(until)
                .load(c)?;
                let is_meant = |row: &EventRow| {
                    let mut texts = [&row.item, &row.platform_id].into_iter().chain(&row.detail);
                    (kinds.is_empty() || kinds.contains(&&*row.kind)) && texts.any(|text| traces.is_in(text.as_bytes()))
                };
                Ok(rows.into_iter().filter(is_meant).filter_map(|row| EventId::from_bytes(&row.id)).collect::<Vec<_>>())
            });
            let found = found.await?;
            from += PORTION * 4;
            if !found.is_empty() {
                forgotten += self.writer.write(500, move |c: &mut SqliteConnection| forget_events(c, &found)).await?;
            }
        }
        Ok(forgotten)
    }

    /// The highest number in a table.
    pub(super) async fn last(&self, table: &'static str) -> Result<i64, InboxError> {
        let query = format!("SELECT coalesce(max(seq), 0) AS number FROM {table}");
        Ok(self.read(move |c| sql_query(query).get_result::<Number>(c)).await?.number)
    }
}

impl std::ops::AddAssign for Forgotten {
    fn add_assign(&mut self, more: Self) {
        self.envelopes += more.envelopes;
        self.events += more.events;
        self.unfinished += more.unfinished;
    }
}

/// Blanks events and cuts them out of the webhooks that brought them. Their ids stay, also of those that never came.
pub(super) fn forget_events(c: &mut SqliteConnection, ids: &[EventId]) -> QueryResult<Forgotten> {
    let mut forgotten = Forgotten::default();
    let now = clock::now().timestamp_micros();
    for id in ids {
        let id = id.to_bytes().to_vec();
        sql_query("INSERT OR IGNORE INTO erased_events VALUES (?)").bind::<Binary, _>(&id).execute(c)?;
        sql_query("INSERT OR REPLACE INTO keys VALUES (?, 1 << 40)").bind::<Binary, _>(&id).execute(c)?;
        let row = sql_query(
            "SELECT seq, id, state, delivery, kind, item, platform_id, detail FROM events \
             WHERE id = ? AND reason IS NOT 'erased'",
        );
        let Some(row): Option<EventRow> = row.bind::<Binary, _>(&id).get_result(c).optional()? else { continue };
        cut_out(c, row.delivery, &row.item)?;
        sql_query(
            "UPDATE events SET item = '', platform_id = '', detail = NULL, kind = 'other', reason = 'erased', state = 4, \
             changed_at = ? WHERE seq = ?",
        )
        .bind::<BigInt, _>(now)
        .bind::<BigInt, _>(row.seq)
        .execute(c)?;
        forgotten.events += 1;
        forgotten.unfinished += u64::from(![State::Stored as i32, State::Recorded as i32].contains(&row.state));
    }
    Ok(forgotten)
}

fn cut_out(c: &mut SqliteConnection, delivery: i64, item: &str) -> QueryResult<()> {
    let body = sql_query("SELECT body FROM deliveries WHERE seq = ?").bind::<BigInt, _>(delivery);
    let Some(Body { body }) = body.get_result(c).optional()? else { return Ok(()) };
    sql_query("UPDATE deliveries SET body = ? WHERE seq = ?")
        .bind::<Binary, _>(without(&body, item))
        .bind::<BigInt, _>(delivery)
        .execute(c)
        .map(drop)
}

/// Whether an event that was not accepted is one that was erased.
pub(super) fn was_erased(c: &mut SqliteConnection, id: EventId) -> QueryResult<bool> {
    let known = sql_query("SELECT count(*) AS number FROM erased_events WHERE id = ?");
    Ok(known.bind::<Binary, _>(id.to_bytes().to_vec()).get_result::<Number>(c)?.number > 0)
}

fn matcher(erasure: &Erasure) -> Result<Option<Matcher>, InboxError> {
    erasure.traces.matcher().map_err(|why| InboxError::Unavailable(format!("a trace can't be looked for: {why}")))
}
