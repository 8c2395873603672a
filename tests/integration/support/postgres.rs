//! The PostgreSQL of the tests: a database of its own for each test.

use std::{env, future::Future, panic::AssertUnwindSafe};

use anyhow::Result;
use futures_util::FutureExt;
use loadtest::fault::Database;
use tokio_postgres::NoTls;

use super::left_out;

/// Where databases can be made; says so when that is nowhere.
pub fn server() -> Option<String> {
    let server = env::var("LEADWIRE_TEST_POSTGRES").ok().filter(|server| !server.is_empty());
    if server.is_none() {
        left_out("there is no PostgreSQL: LEADWIRE_TEST_POSTGRES is not set");
    }
    server
}

/// Runs a test on a database that goes when it ends, in whatever way.
pub async fn with_database<F: Future<Output = Result<()>>>(test: impl FnOnce(Database) -> F) -> Result<()> {
    let Some(server) = server() else { return Ok(()) };
    let database = Database::create(&server).await?;
    let outcome = AssertUnwindSafe(test(database.clone())).catch_unwind().await;
    database.remove().await?;
    outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Runs a statement on the server, outside of the store.
pub async fn admin(url: &str, statement: &str) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let driver = tokio::spawn(connection);
    client.batch_execute(statement).await.unwrap();
    drop(client);
    driver.await.unwrap().unwrap();
}
