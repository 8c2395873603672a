//! What a person should know of: what is parked, what is late, and the ways to let it go on.

use std::{sync::Arc, time::Instant};

use chrono::TimeDelta;
use diesel::{
    QueryDsl, QueryableByName, RunQueryDsl,
    dsl::sql,
    sql_query,
    sql_types::{BigInt, Binary, Bool, Nullable, Text},
};
use tokio::sync::Mutex;

use super::{Inbox, InboxError, schema::events};
use crate::domain::{AccountId, EventId, SourceId, Timestamp, clock};

/// What is late or not stored is looked up no more often than this.
const SHORTEST_LOOK: TimeDelta = TimeDelta::seconds(1);

/// Several events that want the same attention.
#[derive(Debug, Clone)]
pub struct Attention {
    /// Whose they are; none for events that nobody has claimed.
    pub account: Option<AccountId>,
    /// Through which source they came.
    pub source: Option<SourceId>,
    /// Why: a [`ParkReason`](super::ParkReason), `late` for events that wait for another try, `unstored`, `dropped_unrouted` or
    /// `dropped_impossible` for events that went because their owner was over its share, `bad_signature` for POSTs that
    /// were refused, or `inbox_nearly_full` or `inbox_full`.
    pub reason: String,
    /// The page, for events that nobody has claimed; their scope, when they were dropped; the source, or nothing, whose
    /// address got a bad signature.
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

/// What waits for a try or for the store, as it was looked up last. That reads every such event, so it is done by one asker
/// at a time, and a tenth of the time at most; the others have the same answer.
#[derive(Clone, Default)]
pub(super) struct Waiting(Arc<Mutex<Option<Look>>>);

struct Look {
    since: Timestamp,
    until: Timestamp,
    found: Vec<Attention>,
}

impl Inbox {
    /// Everything of accounts that is parked, late (received more than a minute ago and not published) or not stored for a
    /// minute, what was dropped, refused webhooks, and whether the file is full. What is late or not stored may be as of seconds ago, when there is much of it.
    ///
    /// # Errors
    /// If the file can't be read.
    pub async fn attention(&self, now: Timestamp) -> Result<Vec<Attention>, InboxError> {
        let mut all = self.read(|c| {
            let rows: Vec<AttentionRow> = sql_query(
                "SELECT p.account, p.source, p.reason, NULL AS external_id, p.events, p.detail, \
                        coalesce((SELECT e.received_at FROM events e WHERE e.state = 3 AND e.account = p.account \
                                  AND e.source = p.source AND e.reason = p.reason ORDER BY e.seq LIMIT 1), 0) AS oldest \
                   FROM parked p WHERE p.account != x'' \
                 UNION ALL SELECT nullif(account, x''), NULL, 'dropped_' || reason, scope, events, NULL, first_at \
                   FROM dropped \
                 UNION ALL SELECT NULL, NULL, 'bad_signature', path, refused, NULL, first_at FROM refusals \
                 UNION ALL SELECT NULL, NULL, iif(space > 1, 'inbox_full', 'inbox_nearly_full'), NULL, 1, NULL, space_since \
                   FROM meta WHERE space > 0",
            )
            .load(c)?;
            Ok(rows.into_iter().map(attention).collect::<Vec<_>>())
        })
        .await?;
        all.extend(self.waiting(now).await?);
        Ok(all)
    }

    async fn waiting(&self, now: Timestamp) -> Result<Vec<Attention>, InboxError> {
        let mut last = self.waiting.0.lock().await;
        if let Some(look) = &*last
            && (look.since..look.until).contains(&now)
        {
            return Ok(look.found.clone());
        }
        let began = Instant::now();
        let late = now.timestamp_micros() - 60_000_000;
        let found = self.survey.read(move |c| {
            let rows: Vec<AttentionRow> = sql_query(
                "SELECT account, source, 'late' AS reason, NULL AS external_id, count(*) AS events, \
                        max(detail) AS detail, min(received_at) AS oldest \
                   FROM events WHERE state = 0 AND received_at < ? GROUP BY 1, 2 \
                 UNION ALL SELECT account, source, 'unstored', NULL, count(*), NULL, min(received_at) \
                   FROM events WHERE state = 1 AND changed_at < ? GROUP BY 1, 2",
            )
            .bind::<BigInt, _>(late)
            .bind::<BigInt, _>(late)
            .load(c)?;
            Ok(rows.into_iter().map(attention).collect::<Vec<_>>())
        });
        let found = found.await?;
        let lasts = TimeDelta::from_std(began.elapsed() * 10).unwrap_or(TimeDelta::MAX).max(SHORTEST_LOOK);
        *last = Some(Look { since: now, until: now + lasts, found: found.clone() });
        Ok(found)
    }

    /// What is parked because nobody has claimed its page, by page. Reads all of it.
    ///
    /// # Errors
    /// If the file can't be read.
    pub async fn unclaimed(&self) -> Result<Vec<Attention>, InboxError> {
        self.survey
            .read(|c| {
                let rows: Vec<AttentionRow> = sql_query(
                    "SELECT NULL AS account, NULL AS source, coalesce(reason, '') AS reason, external_id, \
                            count(*) AS events, max(detail) AS detail, min(received_at) AS oldest \
                       FROM events WHERE state = 3 AND account IS NULL GROUP BY 3, 4",
                )
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
        self.survey
            .read(move |c| {
                let rows: Vec<Row> = events::table
                    .filter(sql::<Bool>("state = 3"))
                    .order((events::delivery, events::seq))
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
