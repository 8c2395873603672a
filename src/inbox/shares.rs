//! Shares: how much of the file what waits of one agency may take, so that nobody fills it for the others.
//!
//! What nobody has claimed counts for the agency whose secret signed it, or for the hub's own apps together: over the share
//! its oldest go, counted. What waits for a try, for the store or for a person counts for its account's agency. It was
//! accepted and may still be delivered, so it stays: over the share the agency's webhooks are refused, which its platforms
//! send again. Only what can't be had at all goes before that, counted.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use chrono::TimeDelta;
use diesel::{
    ExpressionMethods, QueryDsl, QueryResult, QueryableByName, RunQueryDsl, SqliteConnection, delete, sql_query,
    sql_types::{BigInt, Binary, Text},
};

use super::{Delivery, Inbox, InboxError, ParkReason, schema::events};
use crate::domain::{
    AccountId, AgencyId, Timestamp,
    directory::Directory,
    event::{Fate, Scope},
};

/// Events removed in one commit.
const PORTION: i64 = 500;
/// What was dropped is told for so long after the last time.
const TOLD_FOR: TimeDelta = TimeDelta::days(7);

/// Bytes of the file that one agency may take.
#[derive(Debug, Clone, Copy)]
pub struct Shares {
    /// With events that nobody has claimed.
    pub unrouted: u64,
    /// With events of its accounts that are not finished.
    pub waiting: u64,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Weighed {
    /// Events that were dropped, by the reason for which they were parked.
    pub dropped: Vec<(&'static str, u64)>,
    /// Agencies whose webhooks are refused.
    pub refused: usize,
}

/// Agencies whose events take more than their share, in bytes, as they were weighed last.
#[derive(Clone, Default)]
pub(super) struct Over(Arc<Agencies>);

#[derive(Default)]
struct Agencies {
    /// Most of the time there are none, and a webhook looks at nothing else.
    any: AtomicBool,
    bytes: RwLock<HashMap<AgencyId, u64>>,
}

/// Parked events that share an owner and a reason; without an account, a scope.
#[derive(Clone, QueryableByName)]
struct Pile {
    #[diesel(sql_type = Binary)]
    account: Vec<u8>,
    #[diesel(sql_type = Binary)]
    source: Vec<u8>,
    #[diesel(sql_type = Text)]
    scope: String,
    #[diesel(sql_type = Text)]
    reason: String,
    #[diesel(sql_type = BigInt)]
    bytes: i64,
}

#[derive(QueryableByName)]
struct Weight {
    #[diesel(sql_type = Binary)]
    account: Vec<u8>,
    #[diesel(sql_type = BigInt)]
    bytes: i64,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    seq: i64,
    #[diesel(sql_type = BigInt)]
    delivery: i64,
    #[diesel(sql_type = BigInt)]
    weight: i64,
}

impl Inbox {
    /// Whether a webhook is to be refused: all that it brings is of agencies over their share. One that brings something of
    /// others as well is kept whole, for their sake.
    #[must_use]
    pub fn refuses(&self, delivery: &Delivery, directory: &Directory) -> bool {
        if !self.over.0.any.load(Ordering::Relaxed) {
            return false;
        }
        let over = self.over.0.bytes.read().unwrap_or_else(PoisonError::into_inner);
        let mut accounts = delivery.events.iter().filter_map(|event| match event.fate {
            Fate::Work { account, .. } => Some(account),
            Fate::Unrouted { .. } | Fate::Record { .. } => None,
        });
        let is_over = |account| directory.agency_of(account).is_some_and(|agency| over.contains_key(&agency));
        accounts.next().is_some_and(is_over) && accounts.all(is_over)
    }

    /// Agencies whose webhooks are refused, with the bytes that their events take.
    #[must_use]
    pub fn over_share(&self) -> HashMap<AgencyId, u64> {
        self.over.0.bytes.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Weighs what waits of each agency: removes what may go of those over their share, and from now on refuses the
    /// webhooks of those that are still over it.
    ///
    /// # Errors
    /// If the file can't be read or written: what was refused before still is.
    pub async fn keep_shares(
        &self,
        now: Timestamp,
        directory: &Directory,
        shares: Shares,
    ) -> Result<Weighed, InboxError> {
        let (piles, unfinished) = self.survey.read(|c| Ok((piles(c)?, unfinished(c)?))).await?;
        let limit = |share: u64| i64::try_from(share).unwrap_or(i64::MAX);
        let mut weighed = Weighed::default();
        let (unclaimed, held): (Vec<Pile>, Vec<Pile>) = piles.into_iter().partition(|pile| pile.account.is_empty());

        let mut by_signer = HashMap::<Option<AgencyId>, Vec<Pile>>::new();
        for pile in unclaimed {
            by_signer.entry(pile.scope.parse().ok().and_then(Scope::agency)).or_default().push(pile);
        }
        for piles in by_signer.into_values() {
            let over = piles.iter().map(|pile| pile.bytes).sum::<i64>() - limit(shares.unrouted);
            self.drop_oldest(piles, over, now, &mut weighed).await?;
        }

        let mut by_agency = HashMap::<AgencyId, (i64, Vec<Pile>)>::new();
        let agency_of = |account: &[u8]| directory.agency_of(AccountId::from_bytes(account)?);
        for weight in unfinished {
            if let Some(agency) = agency_of(&weight.account) {
                by_agency.entry(agency).or_default().0 += weight.bytes;
            }
        }
        for pile in held {
            if let Some(agency) = agency_of(&pile.account) {
                let (bytes, impossible) = by_agency.entry(agency).or_default();
                *bytes += pile.bytes;
                impossible.extend((pile.reason == ParkReason::Impossible.as_str()).then_some(pile));
            }
        }
        let mut over = HashMap::new();
        for (agency, (bytes, impossible)) in by_agency {
            let freed = self.drop_oldest(impossible, bytes - limit(shares.waiting), now, &mut weighed).await?;
            let left = u64::try_from(bytes - freed).unwrap_or(0);
            if left > shares.waiting {
                over.insert(agency, left);
            }
        }
        weighed.refused = over.len();
        self.over.0.any.store(!over.is_empty(), Ordering::Relaxed);
        *self.over.0.bytes.write().unwrap_or_else(PoisonError::into_inner) = over;
        self.forget_dropped(now).await?;
        Ok(weighed)
    }

    /// Removes the oldest of the largest pile first, until so many bytes are free or nothing is left. Answers how many are.
    async fn drop_oldest(
        &self,
        mut piles: Vec<Pile>,
        over: i64,
        now: Timestamp,
        weighed: &mut Weighed,
    ) -> Result<i64, InboxError> {
        piles.sort_by_key(|pile| std::cmp::Reverse(pile.bytes));
        let mut freed = 0;
        for pile in piles {
            let reason = if pile.account.is_empty() { ParkReason::Unrouted } else { ParkReason::Impossible };
            while freed < over {
                let (pile, wanted) = (pile.clone(), over - freed);
                let change = move |c: &mut SqliteConnection| drop_portion(c, &pile, wanted, now);
                let (events, bytes) = self.writer.write(500, change).await?;
                if events == 0 {
                    break;
                }
                freed += bytes;
                weighed.dropped.push((reason.as_str(), events as u64));
            }
        }
        Ok(freed)
    }

    async fn forget_dropped(&self, now: Timestamp) -> Result<(), InboxError> {
        let before = (now - TOLD_FOR).timestamp_micros();
        let change = move |c: &mut SqliteConnection| {
            sql_query("DELETE FROM dropped WHERE last_at < ?").bind::<BigInt, _>(before).execute(c).map(drop)
        };
        self.writer.write(1, change).await
    }
}

fn piles(c: &mut SqliteConnection) -> QueryResult<Vec<Pile>> {
    sql_query("SELECT account, source, scope, reason, bytes FROM parked").load(c)
}

/// What is not parked and not finished. Reads all of it.
fn unfinished(c: &mut SqliteConnection) -> QueryResult<Vec<Weight>> {
    sql_query(
        "SELECT account, sum(weight) AS bytes FROM events WHERE state = 0 AND account > x'' GROUP BY account \
         UNION ALL SELECT account, sum(weight) FROM events WHERE state = 1 AND account > x'' GROUP BY account",
    )
    .load(c)
}

/// How many events went, and what they weighed.
fn drop_portion(c: &mut SqliteConnection, pile: &Pile, wanted: i64, now: Timestamp) -> QueryResult<(usize, i64)> {
    let mut oldest = if pile.account.is_empty() {
        let rows = sql_query(
            "SELECT seq, delivery, weight FROM events WHERE state = 3 AND account IS NULL AND scope = ? \
             ORDER BY seq LIMIT ?",
        );
        rows.bind::<Text, _>(&pile.scope).bind::<BigInt, _>(PORTION).load::<Row>(c)?
    } else {
        let rows = sql_query(
            "SELECT seq, delivery, weight FROM events WHERE state = 3 AND account = ? AND source = ? AND reason = ? \
             ORDER BY seq LIMIT ?",
        );
        let rows = rows.bind::<Binary, _>(&pile.account).bind::<Binary, _>(&pile.source);
        rows.bind::<Text, _>(&pile.reason).bind::<BigInt, _>(PORTION).load(c)?
    };
    let mut freed = 0;
    let enough = oldest.iter().position(|row| {
        freed += row.weight;
        freed >= wanted
    });
    oldest.truncate(enough.map_or(oldest.len(), |last| last + 1));
    if oldest.is_empty() {
        return Ok((0, 0));
    }
    delete(events::table.filter(events::seq.eq_any(oldest.iter().map(|row| row.seq)))).execute(c)?;
    for rows in oldest.chunk_by(|one, next| one.delivery == next.delivery) {
        drop_delivery(c, rows[0].delivery)?;
    }
    let (dropped, now) = (i64::try_from(oldest.len()).unwrap_or(i64::MAX), now.timestamp_micros());
    sql_query(
        "INSERT INTO dropped (account, scope, reason, events, first_at, last_at) VALUES (?1, ?2, ?3, ?4, ?5, ?5) \
         ON CONFLICT DO UPDATE SET events = events + excluded.events, last_at = excluded.last_at",
    )
    .bind::<Binary, _>(&pile.account)
    .bind::<Text, _>(&pile.scope)
    .bind::<Text, _>(&pile.reason)
    .bind::<BigInt, _>(dropped)
    .bind::<BigInt, _>(now)
    .execute(c)?;
    Ok((oldest.len(), freed))
}

/// Removes the raw webhook of an event that went, unless others came with it.
fn drop_delivery(c: &mut SqliteConnection, delivery: i64) -> QueryResult<()> {
    let alone = "DELETE FROM deliveries WHERE seq = ?1 AND NOT EXISTS (SELECT 1 FROM events WHERE delivery = ?1)";
    sql_query(alone).bind::<BigInt, _>(delivery).execute(c).map(drop)
}
