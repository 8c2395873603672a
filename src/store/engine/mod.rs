//! The two engines, and the macro that runs a piece of work on whichever is open.

pub(super) mod address;
mod bulk;
pub(super) mod postgres;
pub(super) mod sqlite;
mod tls;

use deadpool::managed::{PoolError, TimeoutType};

use crate::store::StoreError;

/// The engine that is open.
#[derive(Clone)]
pub(super) enum Engine {
    /// A server.
    Postgres(postgres::Pool),
    /// An embedded file.
    Sqlite(sqlite::Files),
}

impl Engine {
    /// The same database, by connections for work that no person waits for.
    pub(super) fn in_background(&self) -> Self {
        match self {
            Self::Postgres(pool) => Self::Postgres(pool.in_background()),
            Self::Sqlite(files) => Self::Sqlite(files.in_background()),
        }
    }
}

/// What a piece of work needs of its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// Only reads; may be done again when the connection turns out to be dead.
    Read,
    /// Writes what may be written twice without harm; may be done again as well.
    Append,
    /// Writes what must not be done twice: the connection is tried out first.
    Change,
}

impl Lane {
    /// How often the work may be begun.
    pub(super) const fn tries(self) -> u8 {
        match self {
            Self::Read | Self::Append => 2,
            Self::Change => 1,
        }
    }
}

/// Why a pool gave no connection.
fn no_connection(error: PoolError<diesel_async::pooled_connection::PoolError>) -> StoreError {
    StoreError::Unavailable(match error {
        PoolError::Backend(error) => error.to_string(),
        PoolError::Timeout(TimeoutType::Wait) => "all connections are busy".into(),
        PoolError::Timeout(_) => "it took too long to connect".into(),
        other => other.to_string(),
    })
}

/// `run!(store, Read, |c, q| q::table::query(c, &argument).await)`: runs the body on the open engine, in a task of its
/// own and within the store's time limit. The body is compiled once for each engine, with `q` standing for the
/// engine's queries; it owns what it names and may run twice, so it borrows what it passes on.
macro_rules! run {
    ($store:expr, $lane:ident, |$c:ident, $q:ident| $body:expr) => {{
        use $crate::store::engine::{Engine, Lane};
        match $store.engine() {
            Engine::Postgres(pool) => {
                let (pool, limit) = (pool.clone(), $store.limit());
                let work = async move {
                    let mut tries = Lane::$lane.tries();
                    loop {
                        use $crate::store::engine::postgres::queries as $q;
                        let mut connection = pool.checkout(Lane::$lane).await?;
                        let $c = &mut *connection;
                        let outcome: $crate::store::Result<_> = async { $body }.await;
                        tries -= 1;
                        let may_repeat =
                            tries > 0 && outcome.as_ref().is_err_and($crate::store::StoreError::is_transient);
                        if !may_repeat || !pool.is_lost(connection).await {
                            break outcome;
                        }
                    }
                };
                $store.finish($crate::store::engine::postgres::within(limit, work)).await
            }
            Engine::Sqlite(files) => {
                let files = files.clone();
                let work = async move {
                    use $crate::store::engine::sqlite::queries as $q;
                    let mut connection = files.checkout(Lane::$lane).await?;
                    let $c = &mut *connection;
                    let outcome: $crate::store::Result<_> = async { $body }.await;
                    outcome
                };
                $store.finish(work).await
            }
        }
    }};
}
pub(super) use run;
