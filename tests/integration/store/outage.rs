//! The database goes away and comes back.

use std::time::{Duration, Instant};

use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use leadwire::store::{Store, StoreError, Vault};
use loadtest::fault::{Mode, Proxy};
use tokio::net::TcpListener;

use super::harness::{Bench, KEY, lead, on_both_engines, on_postgres, on_sqlite, open};
use crate::support::postgres::admin;

on_both_engines! {
    a_caller_who_stops_waiting_does_no_harm,
}

async fn a_caller_who_stops_waiting_does_no_harm(bench: Bench) {
    let account = bench.account().await;
    for round in 0..40 {
        let leads: Vec<_> = (0..20).map(|number| lead(&account, round * 20 + number)).collect();
        let wait = Duration::from_micros(u64::try_from(round).unwrap() * 50);
        let _ = tokio::time::timeout(wait, bench.store.insert_leads(&leads)).await;
        let _ = tokio::time::timeout(wait, bench.store.load_directory()).await;
        let _ = tokio::time::timeout(wait, bench.store.add_account(account.agency, "Another")).await;
        assert!(bench.store.ping().await.is_ok());
        assert!(bench.store.insert_leads(&leads).await.is_ok());
    }
}

fn is_unavailable<T>(outcome: Result<T, StoreError>) -> bool {
    matches!(outcome, Err(error @ StoreError::Unavailable(_)) if error.is_transient())
}

#[tokio::test]
async fn a_server_that_goes_away_and_comes_back_is_used_again() {
    on_postgres(|bench| async move {
        let account = bench.account().await;
        let database = bench.database.as_ref().unwrap();
        let line = Proxy::start(database.address()).unwrap();
        let url = database.through(line.address());
        let store = open(&url, Duration::from_secs(2)).await;
        assert_eq!(store.insert_leads(&[lead(&account, 1)]).await.unwrap(), 1);

        line.set(Mode::Refuse);
        assert!(is_unavailable(store.insert_leads(&[lead(&account, 2)]).await));
        assert!(is_unavailable(store.directory_version().await));
        assert!(is_unavailable(store.add_account(account.agency, "x").await));
        assert!(is_unavailable(store.migrate().await));
        assert!(is_unavailable(store.ping().await));

        line.set(Mode::Pass);
        assert_eq!(store.insert_leads(&[lead(&account, 2)]).await.unwrap(), 1);
        store.add_account(account.agency, "x").await.unwrap();

        // Mended before anybody noticed: nobody does.
        for _ in 0..3 {
            line.set(Mode::Refuse);
            line.set(Mode::Pass);
            assert_eq!(store.insert_leads(&[lead(&account, 2)]).await.unwrap(), 0);
            store.load_directory().await.unwrap();
            line.set(Mode::Refuse);
            line.set(Mode::Pass);
            store.add_account(account.agency, "x").await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_that_ends_its_sessions_is_used_again() {
    on_postgres(|bench| async move {
        let account = bench.account().await;
        let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                      WHERE pid <> pg_backend_pid() AND datname = current_database()";
        for number in 0..5 {
            admin(&bench.url, others).await;
            assert_eq!(bench.store.insert_leads(&[lead(&account, number)]).await.unwrap(), 1);
            admin(&bench.url, others).await;
            bench.store.add_account(account.agency, "x").await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_that_says_nothing_is_unavailable_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://u:hunter2@{}/d", silent.local_addr().unwrap());
    let store = open(&url, Duration::from_millis(200)).await;
    let began = Instant::now();
    let refused = store.ping().await.unwrap_err();
    assert!(matches!(refused, StoreError::Unavailable(_)) && began.elapsed() < Duration::from_secs(5), "{refused}");
    assert!(is_unavailable(store.migrate().await));
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(!format!("{store:?} {refused} {refused:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_server_that_is_not_there_does_not_keep_the_store_from_opening() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let store = open(&format!("postgres://u:hunter2@127.0.0.1:{port}/d"), Duration::from_secs(2)).await;
    for refused in [store.ping().await.unwrap_err(), store.migrate().await.unwrap_err()] {
        assert!(refused.is_transient() && !refused.to_string().contains("hunter2"), "{refused}");
    }
}

#[tokio::test]
async fn a_server_that_offers_no_tls_is_refused_when_tls_is_asked_for() {
    on_postgres(|bench| async move {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let store = open(&format!("{}?sslmode=require", bench.url), Duration::from_secs(2)).await;
        assert!(is_unavailable(store.ping().await), "run the server without TLS, or with a certificate nobody signed");
    })
    .await;
}

#[tokio::test]
async fn a_file_that_somebody_else_writes_is_waited_for_and_then_unavailable() {
    on_sqlite(|bench| async move {
        let store = open(&bench.url, Duration::from_millis(200)).await;
        let account = bench.account().await;
        let mut other = SqliteConnection::establish(bench.url.strip_prefix("sqlite://").unwrap()).unwrap();
        other.batch_execute("BEGIN IMMEDIATE").unwrap();
        let began = Instant::now();
        assert!(is_unavailable(store.insert_leads(&[lead(&account, 1)]).await));
        assert!(began.elapsed() < Duration::from_secs(5));
        assert!(store.directory_version().await.is_ok(), "readers don't wait for the writer");
        other.batch_execute("ROLLBACK").unwrap();
        store.insert_leads(&[lead(&account, 1)]).await.unwrap();
        assert!(store.lead(&[account.id], lead(&account, 1).id).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn what_is_no_database_is_unavailable_and_not_overwritten() {
    let dir = tempfile::TempDir::new().unwrap();
    let path = dir.path().join("notes.txt");
    std::fs::write(&path, "not a database, but somebody's notes".repeat(100)).unwrap();
    let url = format!("sqlite://{}", path.display());
    let refused = Store::open(&url, 1, Duration::from_secs(1), Vault::new(KEY)).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unavailable(_)), "{refused}");
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("not a database"));
    let folder = format!("sqlite://{}", dir.path().display());
    let refused = Store::open(&folder, 1, Duration::from_secs(1), Vault::new(KEY)).await.unwrap_err();
    assert!(matches!(refused, StoreError::Address(_)), "{refused}");
}
