//! The handle that the rest of the house holds.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use tokio::runtime::Handle;

use crate::config::data_folder;

use super::{
    audit::Trail,
    engine::{Engine, address::Address, postgres, run, sqlite},
    error::{Result, StoreError},
    vault::Vault,
};
use crate::domain::audit::Author;

/// The database. Cheap to clone.
///
/// The work runs on the runtime that opened the store, which must outlive it, in tasks of its own: a caller who stops
/// waiting, because a client hung up, does not stop a change half-way.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
    trail: Trail,
}

struct Inner {
    engine: Engine,
    limit: Duration,
    vault: Vault,
    runtime: Handle,
}

impl Store {
    /// Opens `sqlite://path` (made if it isn't there) or `postgres://user:password@host/database?sslmode=…`, with
    /// `pool` connections to the server or readers of the file. Every operation ends within `timeout`. The secrets of
    /// sources and issuers are sealed in `vault`.
    ///
    /// A server need not be there yet. A host that is not this machine is spoken to in TLS unless the URL says
    /// `sslmode=disable`; `sslrootcert=file.pem` names an authority that the system does not trust.
    ///
    /// # Errors
    /// [`StoreError::Address`] if the URL can't be used, [`StoreError::Unavailable`] if the file can't be opened.
    pub async fn open(url: &str, pool: usize, timeout: Duration, vault: Vault) -> Result<Self> {
        let engine = match Address::parse(url, timeout)? {
            Address::Sqlite(path) => Engine::Sqlite(sqlite::Files::open(&path, pool, timeout).await?),
            Address::Postgres(server) => Engine::Postgres(postgres::Pool::new(*server, pool, timeout)?),
        };
        let trail = Trail { author: Author::HUB, retention: Trail::RETENTION };
        Ok(Self { inner: Arc::new(Inner { engine, limit: timeout, vault, runtime: Handle::current() }), trail })
    }

    /// A handle for work that no person waits for: what people look for takes none of its connections, nor it theirs.
    #[must_use]
    pub fn in_background(&self) -> Self {
        let Inner { engine, limit, vault, runtime } = &*self.inner;
        let (engine, vault) = (engine.in_background(), vault.clone());
        let inner = Inner { engine, limit: *limit, vault, runtime: runtime.clone() };
        Self { inner: Arc::new(inner), trail: self.trail.clone() }
    }

    /// Whether [`Self::open`] would take the URL: its form, the certificates that it names, the file's permissions. Connects
    /// to nothing and makes nothing.
    ///
    /// # Errors
    /// [`StoreError::Address`].
    pub fn check(url: &str, timeout: Duration) -> Result<()> {
        match Address::parse(url, timeout)? {
            Address::Sqlite(path) => {
                data_folder::inspect_file(&path).map_err(|error| StoreError::Address(error.to_string()))
            }
            Address::Postgres(_) => Ok(()),
        }
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it does not.
    pub async fn ping(&self) -> Result<()> {
        run!(self, Read, |c, q| q::ping(c).await)
    }

    /// Whether other nodes may have the same database.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self.engine(), Engine::Postgres(_))
    }

    /// Connections to the database, idle ones as well.
    #[must_use]
    pub fn connections(&self) -> usize {
        match self.engine() {
            Engine::Postgres(pool) => pool.connections(),
            Engine::Sqlite(files) => files.connections(),
        }
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    pub(super) fn limit(&self) -> Duration {
        self.inner.limit
    }

    pub(super) fn vault(&self) -> &Vault {
        &self.inner.vault
    }

    pub(super) fn trail(&self) -> &Trail {
        &self.trail
    }

    pub(super) fn with_trail(&self, trail: Trail) -> Self {
        Self { inner: Arc::clone(&self.inner), trail }
    }

    /// Runs work in a task of its own and waits for it, but no longer than the limit.
    pub(super) async fn finish<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let limit = self.inner.limit;
        match tokio::time::timeout(limit, self.inner.runtime.spawn(work)).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(cut_off)) => Err(StoreError::Unavailable(format!("the work was cut off: {cut_off}"))),
            Err(_) => Err(StoreError::Unavailable(format!("no answer within {limit:?}"))),
        }
    }

    /// The same without a limit: migrations take as long as they take.
    pub(super) async fn finish_patiently<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let cut_off = |error| StoreError::Unavailable(format!("the work was cut off: {error}"));
        self.inner.runtime.spawn(work).await.map_err(cut_off)?
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.inner.engine {
            Engine::Postgres(_) => "Store(postgres)",
            Engine::Sqlite(_) => "Store(sqlite)",
        })
    }
}
