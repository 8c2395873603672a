//! The store's suite: every test runs on SQLite and on PostgreSQL.
//!
//! PostgreSQL is used when `LEADWIRE_TEST_POSTGRES` names a server on which databases may be made
//! (`postgres://user:password@127.0.0.1:5432/postgres`); each test makes a database of its own and drops it.

mod audit;
mod campaigns;
mod conversations;
mod cost;
mod cover;
mod directory;
mod erasure;
mod harness;
mod leads;
mod listing;
mod migrations;
mod others;
mod outage;
mod outbox;
mod prospecting;
mod prospects;
mod resealing;
mod retention;
mod sends;
mod spending;
