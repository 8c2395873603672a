//! The database: agencies, users and sources for the directory, and leads for reports and exports.
//!
//! Two engines, one set of queries: an embedded SQLite file, or PostgreSQL by URL. `queries/` is compiled once for each
//! (`engine::postgres`, `engine::sqlite`), so ordinary code with ordinary types serves both; the few places where they
//! differ are in each engine's `dialect`. The suite in `tests/integration/store/` runs on both.
//!
//! Nothing on the way to a dashboard waits for this. The store may be away at any time, from the start on: every call
//! is answered within the time limit, with [`StoreError::Unavailable`] if need be.
//!
//! Every query for leads takes the accounts first: what is outside of them does not exist for the caller. This module
//! does not decide who may see which account; that is `auth`.

mod agencies;
mod check;
mod directory;
mod engine;
mod error;
mod handle;
mod issuers;
mod keys;
mod leads;
mod migrate;
mod schema;
mod sources;
mod tokens;
mod types;
mod users;
mod vault;

pub use error::{Result, StoreError};
pub use handle::Store;
pub use leads::{Cursor, LeadChanges, LeadFilter, LeadPage, ParseCursorError};
pub use sources::NewSource;
pub use users::NewUser;
pub use vault::{Place, Vault};
