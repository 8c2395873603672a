//! A store of its own for each test, on either engine.

use std::{future::Future, time::Duration};

use leadwire::{
    domain::{AccountId, AgencyId, clock, directory::Account, lead::Lead},
    store::{Store, Vault},
};
use loadtest::fault::Database;
use serde_json::json;
use tempfile::TempDir;

use crate::support::postgres::server;

/// Names each test and makes it two: `sqlite::name` and `postgres::name`.
macro_rules! on_both_engines {
    ($($name:ident,)*) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                $crate::store::harness::on_sqlite(super::$name).await;
            })*
        }

        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                $crate::store::harness::on_postgres(super::$name).await;
            })*
        }
    };
}
pub(super) use on_both_engines;

/// Calls in tests end within this time.
pub(super) const LIMIT: Duration = Duration::from_secs(10);

/// The master key of the tests.
pub(super) const KEY: [u8; 32] = [7; 32];

/// An open, migrated store, and where it is.
pub(super) struct Bench {
    pub store: Store,
    pub url: String,
    /// On PostgreSQL.
    pub database: Option<Database>,
    dir: Option<TempDir>,
}

impl Bench {
    async fn new(url: String, dir: Option<TempDir>, database: Option<Database>) -> Self {
        let store = open(&url, LIMIT).await;
        store.migrate().await.unwrap();
        Self { store, url, database, dir }
    }

    /// The same database under another master key.
    pub async fn reopened(&self, key: [u8; 32]) -> Store {
        Store::open(&self.url, 2, LIMIT, Vault::new(key)).await.unwrap()
    }

    pub fn is_sqlite(&self) -> bool {
        self.dir.is_some()
    }

    /// A new agency with an account.
    pub async fn account(&self) -> Account {
        let agency = self.store.add_agency("Harbour Insurance").await.unwrap();
        self.store.add_account(agency.id, "Toronto").await.unwrap()
    }
}

pub(super) async fn open(url: &str, limit: Duration) -> Store {
    Store::open(url, 2, limit, Vault::new(KEY)).await.unwrap()
}

pub(super) async fn on_sqlite<F: Future<Output = ()>>(test: impl FnOnce(Bench) -> F) {
    let dir = TempDir::new().unwrap();
    let url = format!("sqlite://{}", dir.path().join("folder/store.sqlite3").display());
    test(Bench::new(url, Some(dir), None).await).await;
}

pub(super) async fn on_postgres<F>(test: impl FnOnce(Bench) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let Some(server) = server() else { return };
    let database = Database::create(&server).await.unwrap();
    let bench = Bench::new(database.url().to_owned(), None, Some(database.clone())).await;
    let outcome = tokio::spawn(test(bench)).await;
    database.remove().await.unwrap();
    if let Err(failed) = outcome {
        std::panic::resume_unwind(failed.into_panic());
    }
}

/// A lead as a webhook brings it, `number` seconds after the others began.
pub(super) fn lead(account: &Account, number: i64) -> Lead {
    lead_of(account.agency, account.id, number)
}

pub(super) fn lead_of(agency: AgencyId, account: AccountId, number: i64) -> Lead {
    let platform_id = format!("leadgen-{number}");
    let created_at = clock::from_micros(1_795_000_000_000_000 + number * 1_000_000);
    serde_json::from_value(json!({
        "id": Lead::id_for(account, &platform_id), "agency_id": agency, "account_id": account,
        "meta_lead_id": platform_id, "name": format!("Person {number}"), "phone": "+1 555 0100",
        "email": format!("person{number}@example.com"), "type": "Auto", "status": "New Lead",
        "potential_status": "Not Qualified", "sync_status": "Not Synced",
        "created_at": created_at, "updated_at": created_at,
        "meta_data": {"id": platform_id, "field_data": [{"name": "full_name", "values": ["Person"]}]},
    }))
    .unwrap()
}
