//! Erasing by what somebody is known under: over all that the inbox holds for an agency.

use diesel::{
    QueryableByName, RunQueryDsl, SqliteConnection, sql_query,
    sql_types::{BigInt, Binary, Text},
};
use serde::Serialize;

use super::{Forgotten, Inbox, InboxError, erase::forget_events, tombstone::GONE};
use crate::domain::{AccountId, AgencyId, EventId, erasure::Matcher};

/// Rows read at once.
const PORTION: i64 = 200;

/// Whose what is swept is.
#[derive(Debug, Clone)]
pub struct Sweep {
    /// The tenant.
    pub agency: AgencyId,
    /// Its accounts.
    pub accounts: Vec<AccountId>,
    /// What tells where the person stands.
    pub person: Matcher,
    /// What tells that a body is about a source of another agency; `None` if there is none.
    pub others: Option<Matcher>,
}

/// How many rows were changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Swept {
    /// In the log and among events.
    #[serde(flatten)]
    pub forgotten: Forgotten,
    /// Raw webhooks, besides those of these events.
    pub webhooks: u64,
    /// Refused webhooks.
    pub quarantine: u64,
}

#[derive(QueryableByName)]
struct BodyRow {
    #[diesel(sql_type = BigInt)]
    seq: i64,
    #[diesel(sql_type = Text)]
    path: String,
    #[diesel(sql_type = Binary)]
    body: Vec<u8>,
}

#[derive(QueryableByName)]
struct UnclaimedRow {
    #[diesel(sql_type = Binary)]
    id: Vec<u8>,
    #[diesel(sql_type = Text)]
    external_id: String,
    #[diesel(sql_type = Text)]
    item: String,
}

impl Sweep {
    fn is_anothers(&self, text: &[u8]) -> bool {
        self.others.as_ref().is_some_and(|others| others.is_in(text))
    }
}

impl Inbox {
    /// Leaves nothing of a person: tombstones in the log, blank events, webhooks without the items. Pages that nobody has
    /// claimed are swept as well, in the agency's scope and the hub's. A webhook that is about another agency's source keeps
    /// what is that agency's.
    ///
    /// # Errors
    /// If the file can't be read or written: doing it again goes on.
    pub async fn sweep(&self, sweep: &Sweep) -> Result<Swept, InboxError> {
        let mut swept = Swept::default();
        for account in &sweep.accounts {
            swept.forgotten.envelopes += self.bury(*account, &sweep.person, None).await?;
            swept.forgotten += self.blank_events(Some(*account), &sweep.person, Vec::new(), None).await?;
        }
        swept.forgotten += self.blank_unclaimed(sweep).await?;
        swept.webhooks = self.blank_bodies("deliveries", sweep).await?;
        swept.quarantine = self.blank_bodies("quarantine", sweep).await?;
        Ok(swept)
    }

    /// Events of no account: of pages that nobody has claimed, and records of what is nobody's.
    async fn blank_unclaimed(&self, sweep: &Sweep) -> Result<Forgotten, InboxError> {
        let (last, mut from, mut forgotten) = (self.last("events").await?, 0, Forgotten::default());
        while from < last {
            let (sweep, to) = (sweep.clone(), from + PORTION);
            let found = self.read(move |c| {
                let rows = sql_query(
                    "SELECT id, external_id, item FROM events WHERE seq > ? AND seq <= ? AND account IS NULL \
                     AND coalesce(scope, 'hub') IN ('hub', ?)",
                );
                let rows = rows.bind::<BigInt, _>(from).bind::<BigInt, _>(to);
                let rows: Vec<UnclaimedRow> = rows.bind::<Text, _>(sweep.agency.to_string()).load(c)?;
                let is_meant = |row: &UnclaimedRow| {
                    sweep.person.is_in(row.item.as_bytes())
                        && !sweep.is_anothers(row.item.as_bytes())
                        && !sweep.is_anothers(row.external_id.as_bytes())
                };
                Ok(rows.into_iter().filter(is_meant).filter_map(|row| EventId::from_bytes(&row.id)).collect::<Vec<_>>())
            });
            let found = found.await?;
            from = to;
            if !found.is_empty() {
                forgotten += self.writer.write(200, move |c: &mut SqliteConnection| forget_events(c, &found)).await?;
            }
        }
        Ok(forgotten)
    }

    async fn blank_bodies(&self, table: &'static str, sweep: &Sweep) -> Result<u64, InboxError> {
        let (last, mut from, mut blanked) = (self.last(table).await?, 0, 0);
        while from < last {
            let (sweep, to) = (sweep.clone(), from + PORTION);
            let found = self.read(move |c| {
                let rows = sql_query(format!("SELECT seq, path, body FROM {table} WHERE seq > ? AND seq <= ?"));
                let rows: Vec<BodyRow> = rows.bind::<BigInt, _>(from).bind::<BigInt, _>(to).load(c)?;
                let is_meant = |row: &BodyRow| {
                    sweep.person.is_in(&row.body)
                        && !sweep.is_anothers(&row.body)
                        && !sweep.is_anothers(row.path.as_bytes())
                };
                Ok(rows.into_iter().filter(is_meant).map(|row| row.seq).collect::<Vec<_>>())
            });
            let found = found.await?;
            from = to;
            blanked += found.len() as u64;
            if !found.is_empty() {
                let change = move |c: &mut SqliteConnection| {
                    found.iter().try_for_each(|seq| {
                        sql_query(format!("UPDATE {table} SET body = ? WHERE seq = ?"))
                            .bind::<Binary, _>(GONE)
                            .bind::<BigInt, _>(seq)
                            .execute(c)
                            .map(drop)
                    })
                };
                self.writer.write(200, change).await?;
            }
        }
        Ok(blanked)
    }
}
