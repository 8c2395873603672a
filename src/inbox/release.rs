//! Letting what is parked or was put off go on: any number of events, in portions, so that webhooks are kept meanwhile.
//!
//! Each portion is a commit of its own, and an event that went on is not found again. So a release that breaks off has let
//! some events go on and left the others as they were: doing it again goes on with those.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use diesel::{
    ExpressionMethods, QueryDsl, QueryResult, QueryableByName, RunQueryDsl, SqliteConnection, delete,
    dsl::sql,
    sql_query,
    sql_types::{BigInt, Binary, Bool, Text},
    update,
};

use super::{
    Inbox, InboxError, ParkReason,
    keys::has_key,
    schema::{State, events},
};
use crate::domain::{
    AccountId, EventId, SourceId, Timestamp,
    directory::Directory,
    event::{EventKind, NewEvent, Scope, SourceKind},
};

/// Events looked up at once, by their rows' numbers.
const FOUND: i64 = 20_000;
/// Events changed in one commit.
const PORTION: usize = 500;

/// Which events to let go on.
#[derive(Debug, Clone)]
pub enum Selection {
    /// This one, parked or finished.
    One(EventId),
    /// All that are parked for this reason.
    Parked(String),
}

/// Rows after the first number, up to the second.
type Range = (i64, i64);

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    seq: i64,
}

/// An account's events of one source.
#[derive(Clone, QueryableByName)]
struct Held {
    #[diesel(sql_type = Binary)]
    account: Vec<u8>,
    #[diesel(sql_type = Binary)]
    source: Vec<u8>,
}

#[derive(QueryableByName)]
struct SourceRow {
    #[diesel(sql_type = Binary)]
    source: Vec<u8>,
}

#[derive(QueryableByName)]
struct ScopeRow {
    #[diesel(sql_type = Text)]
    scope: String,
}

impl Inbox {
    /// Changes what `find` finds, a portion at a time. `find` answers with rising numbers of rows, at most [`FOUND`];
    /// `change` looks again whether a row is still as it was found. Events that come meanwhile are left out, so this ends.
    async fn in_portions(
        &self,
        find: impl Fn(&mut SqliteConnection, Range) -> QueryResult<Vec<Row>> + Clone + Send + 'static,
        change: impl Fn(&mut SqliteConnection, &[i64]) -> QueryResult<usize> + Clone + Send + 'static,
    ) -> Result<usize, InboxError> {
        let last = self.last("events").await?;
        let (mut after, mut changed) = (0, 0);
        loop {
            let find = find.clone();
            let found = self.survey.read(move |c| find(c, (after, last))).await?;
            let found: Vec<i64> = found.into_iter().map(|row| row.seq).collect();
            let Some(newest) = found.last() else { return Ok(changed) };
            after = *newest;
            for portion in found.chunks(PORTION).map(<[_]>::to_vec) {
                let change = change.clone();
                changed += self.writer.write(PORTION, move |c: &mut SqliteConnection| change(c, &portion)).await?;
            }
        }
    }

    /// Lets an account's events of a source that are parked for this reason go on.
    async fn let_go(&self, held: Held, reason: String, replayed: bool) -> Result<usize, InboxError> {
        let find = move |c: &mut SqliteConnection, (after, last): Range| {
            sql_query(
                "SELECT seq FROM events WHERE state = 3 AND account = ? AND source = ? AND reason = ? \
                 AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
            )
            .bind::<Binary, _>(&held.account)
            .bind::<Binary, _>(&held.source)
            .bind::<Text, _>(&reason)
            .bind::<BigInt, _>(after)
            .bind::<BigInt, _>(last)
            .bind::<BigInt, _>(FOUND)
            .load(c)
        };
        let change = move |c: &mut SqliteConnection, rows: &[i64]| {
            let parked = events::table.filter(sql::<Bool>("state = 3")).filter(events::seq.eq_any(rows));
            let again = (events::state.eq(State::Received as i32), events::attempts.eq(1), events::next_try.eq(0));
            if replayed {
                update(parked).set((again, events::replayed.eq(true))).execute(c)
            } else {
                update(parked).set(again).execute(c)
            }
        };
        self.in_portions(find, change).await
    }

    /// Whose events are parked for a reason, and the sources that were to be let go on when a release broke off.
    async fn held(&self, reason: &str) -> Result<(Vec<Held>, HashSet<Vec<u8>>), InboxError> {
        let reason = reason.to_owned();
        self.read(move |c| {
            let held = sql_query("SELECT account, source FROM parked WHERE account != x'' AND reason = ?");
            let begun = sql_query("SELECT source FROM releases WHERE reason = ?");
            let held = held.bind::<Text, _>(&reason).load(c)?;
            let begun: Vec<SourceRow> = begun.bind::<Text, _>(&reason).load(c)?;
            Ok((held, begun.into_iter().map(|row| row.source).collect()))
        })
        .await
    }

    /// Notes that a source's events are to be let go on, or that they all have been.
    async fn note_release(&self, reason: &'static str, held: &[Held], begins: bool) -> Result<(), InboxError> {
        let statement = if begins {
            "INSERT OR IGNORE INTO releases (reason, source) VALUES (?, ?)"
        } else {
            "DELETE FROM releases WHERE reason = ? AND source = ?"
        };
        for some in held.chunks(PORTION).map(<[_]>::to_vec) {
            let change = move |c: &mut SqliteConnection| {
                some.iter().try_for_each(|one| {
                    let note = sql_query(statement).bind::<Text, _>(reason).bind::<Binary, _>(&one.source);
                    note.execute(c).map(drop)
                })
            };
            self.writer.write(1, change).await?;
        }
        Ok(())
    }

    /// The accounts that own the selected events, each once.
    ///
    /// # Errors
    /// If the file can't be read.
    pub async fn owners(&self, selection: &Selection) -> Result<Vec<AccountId>, InboxError> {
        let accounts: HashSet<Vec<u8>> = match selection {
            Selection::One(id) => {
                let id = id.to_bytes().to_vec();
                let event = move |c: &mut SqliteConnection| {
                    let owner = events::table.filter(events::id.eq(id)).select(events::account);
                    owner.load::<Option<Vec<u8>>>(c)
                };
                self.read(event).await?.into_iter().flatten().collect()
            }
            Selection::Parked(reason) => {
                let held = self.held(reason).await?.0;
                held.into_iter().map(|held| held.account).collect()
            }
        };
        Ok(accounts.iter().filter_map(|account| AccountId::from_bytes(account)).collect())
    }

    /// Lets events that have an owner be worked on again; they are pushed with source `replay` and the same id.
    ///
    /// # Errors
    /// If it could not be written: some may go on then, and doing it again lets the others go on.
    pub async fn replay(&self, selection: Selection) -> Result<usize, InboxError> {
        let id = match selection {
            Selection::One(id) => id,
            Selection::Parked(reason) => {
                let mut replayed = 0;
                for held in self.held(&reason).await?.0 {
                    replayed += self.let_go(held, reason.clone(), true).await?;
                }
                return Ok(replayed);
            }
        };
        let change = move |c: &mut SqliteConnection| -> QueryResult<usize> {
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
            update(workable.filter(events::id.eq(id.to_bytes().to_vec())))
                .set((
                    events::state.eq(State::Received as i32),
                    events::attempts.eq(1),
                    events::next_try.eq(0),
                    events::replayed.eq(true),
                ))
                .execute(c)
        };
        self.writer.write(1, change).await
    }

    /// Lets these sources' events that were parked for one reason go on, and those of a release that broke off.
    ///
    /// # Errors
    /// If it could not be written: the next release for this reason goes on with it, also after a restart.
    pub async fn release_sources(&self, sources: Vec<SourceId>, reason: ParkReason) -> Result<usize, InboxError> {
        let (held, begun) = self.held(reason.as_str()).await?;
        let mut meant: HashSet<Vec<u8>> = sources.iter().map(|source| source.to_bytes().to_vec()).collect();
        meant.extend(begun);
        let meant: Vec<Held> = held.into_iter().filter(|held| meant.contains(&held.source)).collect();
        self.note_release(reason.as_str(), &meant, true).await?;
        let mut released = 0;
        for held in &meant {
            released += self.let_go(held.clone(), reason.as_str().to_owned(), false).await?;
        }
        self.note_release(reason.as_str(), &meant, false).await?;
        Ok(released)
    }

    /// Gives unrouted events whose page has been claimed to the account that claimed it, within their scope.
    ///
    /// # Errors
    /// If it could not be read or written: doing it again goes on.
    pub async fn release_claimed(&self, directory: Arc<Directory>) -> Result<usize, InboxError> {
        let claims = self.survey.read(move |c| claims(c, &directory)).await?;
        let mut released = 0;
        for claim in claims {
            let claim = Arc::new(claim);
            let claimed = Arc::clone(&claim);
            let find = move |c: &mut SqliteConnection, range| claim.unclaimed(c, range, FOUND);
            let change = move |c: &mut SqliteConnection, rows: &[i64]| claimed.give(c, rows);
            released += self.in_portions(find, change).await?;
        }
        Ok(released)
    }

    /// The clock has gone back to `now`, or may have: what was put off at a time that is still to come is due, for nobody
    /// knows how long it was to wait; and what was pushed then was pushed now.
    ///
    /// # Errors
    /// If it could not be written: doing it again goes on.
    pub async fn clock_went_back(&self, now: Timestamp) -> Result<(), InboxError> {
        let now = now.timestamp_micros();
        // Each with its state as a literal, and by a column that only the state's index has: the numbers of rows are no help.
        for (find, change) in [
            (
                "SELECT seq FROM events WHERE state = 0 AND account > x'' AND changed_at > ? \
                 AND +seq > ? AND +seq <= ? ORDER BY +seq LIMIT ?",
                "UPDATE events SET next_try = ?1, changed_at = ?1 WHERE state = 0 AND changed_at > ?1 AND seq = ?2",
            ),
            (
                "SELECT seq FROM events WHERE state = 1 AND changed_at > ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
                "UPDATE events SET changed_at = ?1 WHERE state = 1 AND changed_at > ?1 AND seq = ?2",
            ),
        ] {
            let find = move |c: &mut SqliteConnection, (after, last): Range| {
                let found = sql_query(find).bind::<BigInt, _>(now).bind::<BigInt, _>(after);
                found.bind::<BigInt, _>(last).bind::<BigInt, _>(FOUND).load(c)
            };
            let change = move |c: &mut SqliteConnection, rows: &[i64]| {
                let one = |row: &i64| sql_query(change).bind::<BigInt, _>(now).bind::<BigInt, _>(*row).execute(c);
                rows.iter().map(one).sum()
            };
            self.in_portions(find, change).await?;
        }
        Ok(())
    }
}

/// A page that has been claimed, and whose webhooks of one scope wait.
struct Claim {
    kind: SourceKind,
    external_id: String,
    scope: String,
    account: AccountId,
    source: SourceId,
}

/// Looked for by what is there to claim with, which is less than strangers can send.
fn claims(c: &mut SqliteConnection, directory: &Directory) -> QueryResult<Vec<Claim>> {
    let scopes: Vec<ScopeRow> = sql_query("SELECT DISTINCT scope FROM parked WHERE account = x''").load(c)?;
    let mut by_agency = HashMap::<_, Vec<(Scope, String)>>::new();
    for ScopeRow { scope: text } in scopes {
        let Ok(scope) = text.parse::<Scope>() else { continue };
        by_agency.entry(scope.agency()).or_default().push((scope, text));
    }
    let mut claims = Vec::new();
    let named = directory.sources_by_object.iter().filter_map(|((kind, object), id)| {
        let agency = directory.sources.get(id)?.agency;
        Some((*kind, object.as_str(), agency))
    });
    let prospecting = directory.sources.values().filter(|source| source.kind == SourceKind::Prospecting);
    // Whoever names no account is the only one.
    let nameless = prospecting.take(1).map(|source| (SourceKind::Prospecting, "", source.agency));
    for (kind, object, agency) in named.chain(nameless) {
        for (scope, text) in [None, Some(agency)].iter().filter_map(|owner| by_agency.get(owner)).flatten() {
            let Some(source) = directory.route(kind, object, *scope) else { continue };
            let (external_id, scope) = (object.to_owned(), text.clone());
            let claim = Claim { kind, external_id, scope, account: source.account, source: source.id };
            if !claim.unclaimed(c, (0, i64::MAX), 1)?.is_empty() {
                claims.push(claim);
            }
        }
    }
    Ok(claims)
}

impl Claim {
    fn unclaimed(&self, c: &mut SqliteConnection, (after, last): Range, limit: i64) -> QueryResult<Vec<Row>> {
        sql_query(
            "SELECT seq FROM events WHERE state = 3 AND account IS NULL AND external_id = ? AND source_kind = ? \
             AND scope = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
        )
        .bind::<Text, _>(&self.external_id)
        .bind::<Text, _>(self.kind.as_str())
        .bind::<Text, _>(&self.scope)
        .bind::<BigInt, _>(after)
        .bind::<BigInt, _>(last)
        .bind::<BigInt, _>(limit)
        .load(c)
    }

    /// Moves events to their new owner, each under the id that it has there: a redelivery meets the same.
    fn give(&self, c: &mut SqliteConnection, rows: &[i64]) -> QueryResult<usize> {
        let owner = self.account.to_string();
        let unclaimed: Vec<(i64, String, String)> = events::table
            .filter(sql::<Bool>("state = 3"))
            .filter(events::account.is_null())
            .filter(events::seq.eq_any(rows))
            .order(events::seq)
            .select((events::seq, events::platform_id, events::kind))
            .load(c)?;
        let mut given = 0;
        for (seq, platform_id, kind) in unclaimed {
            let id = NewEvent::key(&owner, self.kind, &platform_id, EventKind::from_text(&kind)).to_bytes().to_vec();
            let event = events::table.filter(events::seq.eq(seq));
            // The owner has it already, by a redelivery.
            if events::table.filter(events::id.eq(&id)).count().get_result::<i64>(c)? > 0 || has_key(c, &id)? {
                delete(event).execute(c)?;
                continue;
            }
            given += update(event)
                .set((
                    events::id.eq(id),
                    events::account.eq(self.account.to_bytes().to_vec()),
                    events::source.eq(self.source.to_bytes().to_vec()),
                    events::state.eq(State::Received as i32),
                    events::next_try.eq(0),
                    events::attempts.eq(1),
                    events::reason.eq(None::<String>),
                ))
                .execute(c)?;
        }
        Ok(given)
    }
}
