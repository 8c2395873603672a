//! Tables of the inbox's own file. Changed by adding a step to [`STEPS`]; `user_version` counts the steps done.

use diesel::{
    QueryResult, QueryableByName, RunQueryDsl, SqliteConnection,
    connection::SimpleConnection,
    sql_query,
    sql_types::{BigInt, Integer},
};

use super::InboxError;
use crate::domain::Timestamp;

/// Where an event stands. The numbers are in the file: never change one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum State {
    /// Accepted; to be enriched and published.
    Received = 0,
    /// Pushed and in the envelope log; to be stored.
    Published = 1,
    /// Finished.
    Stored = 2,
    /// Waits for a person or a fix.
    Parked = 3,
    /// Kept as a record; nothing is to be done.
    Recorded = 4,
}

diesel::table! {
    deliveries (seq) {
        seq -> BigInt,
        received_at -> BigInt,
        provider -> Text,
        path -> Text,
        remote -> Text,
        headers -> Text,
        body -> Binary,
    }
}

diesel::table! {
    events (seq) {
        seq -> BigInt,
        id -> Binary,
        delivery -> BigInt,
        account -> Nullable<Binary>,
        source -> Nullable<Binary>,
        scope -> Nullable<Text>,
        kind -> Text,
        source_kind -> Text,
        external_id -> Text,
        platform_id -> Text,
        item -> Text,
        state -> Integer,
        attempts -> Integer,
        next_try -> BigInt,
        reason -> Nullable<Text>,
        detail -> Nullable<Text>,
        received_at -> BigInt,
        changed_at -> BigInt,
        replayed -> Bool,
        epoch -> Nullable<BigInt>,
        count -> Nullable<BigInt>,
        weight -> BigInt,
    }
}

diesel::table! {
    keys (id) {
        id -> Binary,
        hour -> BigInt,
    }
}

diesel::table! {
    log (seq) {
        seq -> BigInt,
        account -> Binary,
        epoch -> BigInt,
        count -> BigInt,
        room -> Text,
        logged_at -> BigInt,
        envelope -> Binary,
    }
}

diesel::table! {
    quarantine (seq) {
        seq -> BigInt,
        received_at -> BigInt,
        path -> Text,
        remote -> Text,
        headers -> Text,
        body -> Binary,
    }
}

diesel::table! {
    refusals (path) {
        path -> Text,
        refused -> BigInt,
        first_at -> BigInt,
        last_at -> BigInt,
    }
}

diesel::table! {
    synced (source) {
        source -> Binary,
        up_to -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(deliveries, events, log);

const STEPS: [&str; 8] = [
    "
    CREATE TABLE meta (epoch INTEGER NOT NULL) STRICT;
    INSERT INTO meta VALUES (0);

    CREATE TABLE deliveries (
        seq INTEGER PRIMARY KEY, received_at INTEGER NOT NULL, provider TEXT NOT NULL, path TEXT NOT NULL,
        remote TEXT NOT NULL, headers TEXT NOT NULL, body BLOB NOT NULL
    ) STRICT;

    CREATE TABLE events (
        seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, delivery INTEGER NOT NULL, account BLOB, source BLOB,
        scope TEXT, kind TEXT NOT NULL, source_kind TEXT NOT NULL, external_id TEXT NOT NULL,
        platform_id TEXT NOT NULL, item TEXT NOT NULL, state INTEGER NOT NULL, attempts INTEGER NOT NULL,
        next_try INTEGER NOT NULL, reason TEXT, detail TEXT, received_at INTEGER NOT NULL, changed_at INTEGER NOT NULL,
        replayed INTEGER NOT NULL, epoch INTEGER, count INTEGER
    ) STRICT;
    -- Partial, so that finished events cost nothing; queries must name the state as a literal to use them.
    CREATE INDEX events_due ON events (account, next_try) WHERE state = 0;
    CREATE INDEX events_unstored ON events (seq) WHERE state = 1;
    CREATE INDEX events_parked ON events (reason, external_id) WHERE state = 3;

    CREATE TABLE log (
        seq INTEGER PRIMARY KEY, account BLOB NOT NULL, epoch INTEGER NOT NULL, count INTEGER NOT NULL,
        room TEXT NOT NULL, logged_at INTEGER NOT NULL, envelope BLOB NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX log_position ON log (account, epoch, count);

    CREATE TABLE quarantine (
        seq INTEGER PRIMARY KEY, received_at INTEGER NOT NULL, path TEXT NOT NULL, remote TEXT NOT NULL,
        headers TEXT NOT NULL, body BLOB NOT NULL
    ) STRICT;
    CREATE TABLE refusals (
        path TEXT PRIMARY KEY, refused INTEGER NOT NULL, first_at INTEGER NOT NULL, last_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
",
    // The newest position of every room as of log row `folded`: it outlives the envelopes, and a start need not read all.
    "CREATE TABLE tops (room TEXT PRIMARY KEY, epoch INTEGER NOT NULL, count INTEGER NOT NULL) STRICT, WITHOUT ROWID;
     ALTER TABLE meta ADD COLUMN folded INTEGER NOT NULL DEFAULT 0;",
    // How far each user is on each device; how far a room was read by anybody; and what of it is still to be looked at.
    "CREATE TABLE watermarks (
        room TEXT NOT NULL, subject TEXT NOT NULL, device TEXT NOT NULL, delivered_epoch INTEGER NOT NULL,
        delivered_count INTEGER NOT NULL, read_epoch INTEGER NOT NULL, read_count INTEGER NOT NULL,
        changed_at INTEGER NOT NULL, PRIMARY KEY (room, subject, device)
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX watermarks_unused ON watermarks (changed_at);
     CREATE TABLE read_tops (room TEXT PRIMARY KEY, epoch INTEGER NOT NULL, count INTEGER NOT NULL) STRICT, WITHOUT ROWID;
     CREATE TABLE seen (
        room TEXT NOT NULL, to_epoch INTEGER NOT NULL, to_count INTEGER NOT NULL, after_epoch INTEGER NOT NULL,
        after_count INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (room, to_epoch, to_count)
     ) STRICT, WITHOUT ROWID;",
    "CREATE TABLE synced (source BLOB PRIMARY KEY, up_to INTEGER NOT NULL) STRICT, WITHOUT ROWID;",
    // What was deleted, by account and id, and the events that brought it: they outlive retention, and name nobody.
    "CREATE TABLE erased (subject TEXT PRIMARY KEY, until INTEGER, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
     CREATE TABLE erased_events (id BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
     CREATE TRIGGER events_erased BEFORE INSERT ON events
     WHEN EXISTS (SELECT 1 FROM erased_events e WHERE e.id = NEW.id)
     BEGIN SELECT RAISE(IGNORE); END;",
    // What is parked, counted with each change (new events where they are accepted): a list of it costs the same however many events there are. `account` and
    // `source` are empty for what nobody has claimed, `scope` for all else. An event weighs what it takes in the file, with
    // its part of the raw webhook. `releases`: sources whose events are being let go on.
    "ALTER TABLE events ADD COLUMN weight INTEGER NOT NULL DEFAULT 0;
     UPDATE events SET weight = 512 + 2 * octet_length(item) WHERE state = 3;
     DROP INDEX events_parked;
     CREATE INDEX events_parked ON events (delivery) WHERE state = 3;
     CREATE INDEX events_held ON events (account, source, reason) WHERE state = 3 AND account IS NOT NULL;
     CREATE INDEX events_unclaimed ON events (external_id, source_kind, scope) WHERE state = 3 AND account IS NULL;
     CREATE INDEX events_unclaimed_by_scope ON events (scope) WHERE state = 3 AND account IS NULL;
     CREATE TABLE releases (
        reason TEXT NOT NULL, source BLOB NOT NULL, PRIMARY KEY (reason, source)
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE parked (
        account BLOB NOT NULL, source BLOB NOT NULL, scope TEXT NOT NULL, reason TEXT NOT NULL, events INTEGER NOT NULL,
        bytes INTEGER NOT NULL, detail TEXT, PRIMARY KEY (account, source, scope, reason)
     ) STRICT, WITHOUT ROWID;
     INSERT INTO parked SELECT coalesce(account, x''), coalesce(source, x''), iif(account IS NULL, coalesce(scope, ''), ''),
        coalesce(reason, ''), count(*), sum(weight), max(detail) FROM events WHERE state = 3 GROUP BY 1, 2, 3, 4;
     CREATE VIEW parking AS SELECT * FROM parked;
     CREATE TRIGGER parking_in INSTEAD OF INSERT ON parking BEGIN
        INSERT INTO parked VALUES (coalesce(NEW.account, x''), coalesce(NEW.source, x''),
            iif(NEW.account IS NULL, coalesce(NEW.scope, ''), ''), coalesce(NEW.reason, ''), NEW.events, NEW.bytes, NEW.detail)
        ON CONFLICT DO UPDATE SET events = events + excluded.events, bytes = bytes + excluded.bytes,
            detail = coalesce(excluded.detail, detail);
        DELETE FROM parked WHERE NEW.events < 0 AND events = 0 AND account = coalesce(NEW.account, x'')
            AND source = coalesce(NEW.source, x'') AND reason = coalesce(NEW.reason, '')
            AND scope = iif(NEW.account IS NULL, coalesce(NEW.scope, ''), '');
     END;
     CREATE TRIGGER events_parked_new AFTER INSERT ON events WHEN NEW.state = 3 BEGIN
        INSERT INTO parking VALUES (NEW.account, NEW.source, NEW.scope, NEW.reason, 1, NEW.weight, NEW.detail);
     END;
     CREATE TRIGGER events_parked_gone AFTER DELETE ON events WHEN OLD.state = 3 BEGIN
        INSERT INTO parking VALUES (OLD.account, OLD.source, OLD.scope, OLD.reason, -1, -OLD.weight, NULL);
     END;
     CREATE TRIGGER events_parked_changed AFTER UPDATE OF state, account, source, scope, reason, weight, detail ON events
     WHEN OLD.state = 3 OR NEW.state = 3 BEGIN
        INSERT INTO parking SELECT OLD.account, OLD.source, OLD.scope, OLD.reason, -1, -OLD.weight, NULL WHERE OLD.state = 3;
        INSERT INTO parking SELECT NEW.account, NEW.source, NEW.scope, NEW.reason, 1, NEW.weight, NEW.detail
        WHERE NEW.state = 3;
     END;",
    // Parked events that were removed because their owner was over its share; `account` is empty for unrouted ones.
    "CREATE TABLE dropped (
        account BLOB NOT NULL, scope TEXT NOT NULL, reason TEXT NOT NULL, events INTEGER NOT NULL, first_at INTEGER NOT NULL,
        last_at INTEGER NOT NULL, PRIMARY KEY (account, scope, reason)
     ) STRICT, WITHOUT ROWID;",
    // What stays of an event when its record is gone: what a redelivery is known by, and the hour (since 1970) in which it was
    // finished; of an erased one an hour that never comes to be old. `space` is how much room the file has left.
    "CREATE TABLE keys (id BLOB PRIMARY KEY, hour INTEGER NOT NULL) STRICT, WITHOUT ROWID;
     INSERT INTO keys SELECT id, 1 << 40 FROM erased_events;
     DROP TRIGGER events_erased;
     CREATE TRIGGER events_known BEFORE INSERT ON events
     WHEN EXISTS (SELECT 1 FROM keys k WHERE k.id = NEW.id)
     BEGIN SELECT RAISE(IGNORE); END;
     CREATE INDEX events_of_delivery ON events (delivery);
     -- Leads and all else are worked on in lines of their own.
     DROP INDEX events_due;
     CREATE INDEX events_due ON events (account, kind = 'lead', next_try) WHERE state = 0;
     DROP INDEX events_unstored;
     CREATE INDEX events_unstored ON events (account) WHERE state = 1;
     -- What is new is counted where it is accepted.
     DROP TRIGGER events_parked_new;
     ALTER TABLE meta ADD COLUMN space INTEGER NOT NULL DEFAULT 0;
     ALTER TABLE meta ADD COLUMN space_since INTEGER NOT NULL DEFAULT 0;",
];

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = Integer)]
    user_version: i32,
}

/// Brings the file to this version's tables.
pub(super) fn prepare(connection: &mut SqliteConnection) -> Result<(), InboxError> {
    connection.immediate_transaction::<_, InboxError, _>(|c| {
        let version = sql_query("PRAGMA user_version").get_result::<Version>(c)?.user_version;
        let done = usize::try_from(version).unwrap_or(usize::MAX);
        if done > STEPS.len() {
            return Err(InboxError::Unusable("it was written by a later version of the hub".to_owned()));
        }
        for step in &STEPS[done..] {
            c.batch_execute(step)?;
        }
        c.batch_execute(&format!("PRAGMA user_version = {}", STEPS.len()))?;
        Ok(())
    })
}

#[derive(QueryableByName)]
struct Last {
    #[diesel(sql_type = BigInt)]
    seq: i64,
}

/// The highest number a delivery ever had: of those that are left, or that their events still name.
pub(super) fn last_delivery(connection: &mut SqliteConnection) -> Result<i64, InboxError> {
    let last: Last = sql_query(
        "SELECT max(coalesce((SELECT max(seq) FROM deliveries), 0), \
                    coalesce((SELECT max(delivery) FROM events), 0)) AS seq",
    )
    .get_result(connection)?;
    Ok(last.seq)
}

#[derive(QueryableByName)]
struct Epoch {
    #[diesel(sql_type = BigInt)]
    epoch: i64,
}

/// Events that may have been handed on in memory when the last boot ended; older ones are due by themselves.
const UNDER_WAY: i64 = 200_000;

/// Begins a new boot: the next epoch, and what was under way when the last one ended is due at once.
///
/// An epoch is the second in which it began, unless the one before was later: so another folder, or an older copy of this one,
/// gives out no position that a client has seen already.
pub(super) fn next_epoch(connection: &mut SqliteConnection, now: Timestamp) -> Result<u32, InboxError> {
    connection.immediate_transaction::<_, InboxError, _>(|c| {
        sql_query(
            "UPDATE events SET next_try = 0 WHERE +state = 0 AND attempts = 0 AND seq > (SELECT max(seq) FROM events) - ?",
        )
        .bind::<BigInt, _>(UNDER_WAY)
        .execute(c)?;
        let epoch: QueryResult<Epoch> = sql_query("UPDATE meta SET epoch = max(epoch + 1, ?) RETURNING epoch")
            .bind::<BigInt, _>(now.timestamp().clamp(0, i64::from(u32::MAX) / 2))
            .get_result(c);
        u32::try_from(epoch?.epoch).map_err(|_| InboxError::Unusable("its epoch ran out".to_owned()))
    })
}
