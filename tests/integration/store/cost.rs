//! What a trigger adds to an insert: a figure, so it is measured when it is asked for.
//!
//! `cargo test --test integration -- store::cost --ignored --nocapture --test-threads 1`

use std::{
    future::ready,
    sync::Arc,
    time::{Duration, Instant},
};

use diesel::{Connection, ExpressionMethods, RunQueryDsl, SqliteConnection, connection::SimpleConnection, insert_into};
use futures_util::{FutureExt, future::BoxFuture};
use leadwire::domain::directory::Account;
use tokio_postgres::NoTls;

use super::harness::{Bench, on_postgres, on_sqlite};

/// Of each kind.
const ROWS: usize = 3_000;
/// What an insert may cost against one without a trigger.
const MOST: f64 = 1.5;

/// The tables, prepared once and written row by row, as programs do that write many.
macro_rules! tables {
    ($($table:ident)*) => {$(
        diesel::table! {
            $table (id) {
                id -> Text,
                agency_id -> Text,
                account_id -> Text,
                name -> Text,
                city -> Text,
                phone -> Text,
                website -> Text,
            }
        }

        impl $table::table {
            fn insert(self, c: &mut SqliteConnection, of: &Account) {
                let row = (
                    $table::agency_id.eq(of.agency.to_string()),
                    $table::account_id.eq(of.id.to_string()),
                    $table::name.eq("Harbor Grill"),
                    $table::city.eq("San Diego"),
                    $table::phone.eq("+16195550100"),
                    $table::website.eq("https://harbor.example"),
                );
                insert_into(self).values(row).execute(c).unwrap();
            }
        }
    )*};
}
tables! { bare enhanced_leads }

#[tokio::test]
#[ignore = "a figure of a quiet machine"]
async fn an_insert_with_its_trigger_costs_half_more_at_most_on_sqlite() {
    on_sqlite(|bench| async move {
        let accounts = prepare(&bench).await;
        let mut other = SqliteConnection::establish(bench.url.strip_prefix("sqlite://").unwrap()).unwrap();
        other.batch_execute("PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL").unwrap();
        let insert = move |is_bare, account: &Account| {
            if is_bare {
                bare::table.insert(&mut other, account);
            } else {
                enhanced_leads::table.insert(&mut other, account);
            }
            ready(()).boxed()
        };
        compare(accounts, insert).await;
    })
    .await;
}

#[tokio::test]
#[ignore = "a figure of a quiet machine"]
async fn an_insert_with_its_trigger_costs_half_more_at_most_on_postgresql() {
    on_postgres(|bench| async move {
        let accounts = prepare(&bench).await;
        let (client, connection) = tokio_postgres::connect(&bench.url, NoTls).await.unwrap();
        tokio::spawn(connection);
        let statement = |table| {
            format!(
                "INSERT INTO {table} (agency_id, account_id, name, city, phone, website)
                 VALUES ($1, $2, 'Harbor Grill', 'San Diego', '+16195550100', 'https://harbor.example')"
            )
        };
        let bare = client.prepare(&statement("bare")).await.unwrap();
        let whole = client.prepare(&statement("enhanced_leads")).await.unwrap();
        let client = Arc::new(client);
        let insert = move |is_bare, account: &Account| {
            let (client, statement) = (Arc::clone(&client), if is_bare { bare.clone() } else { whole.clone() });
            let (agency, account) = (account.agency.to_string(), account.id.to_string());
            async move { assert_eq!(client.execute(&statement, &[&agency, &account]).await.unwrap(), 1) }.boxed()
        };
        compare(accounts, insert).await;
    })
    .await;
}

/// An account whose prospects nobody wants, and one of which somebody does; and the table without its trigger, and all
/// that it is otherwise.
async fn prepare(bench: &Bench) -> [Account; 2] {
    let account = bench.account().await;
    let wanted = bench.store.add_account(account.agency, "Wanted").await.unwrap();
    bench.endpoint(&wanted, Some(wanted.id), &["lead_enrichment"], false).await;
    let bare = if bench.is_sqlite() {
        let made = bench.lines("SELECT sql AS line FROM sqlite_master WHERE name = 'enhanced_leads'").await.remove(0);
        format!(
            "{};
             CREATE INDEX bare_newest ON bare (account_id, agency_id, created_at DESC, id DESC);
             CREATE INDEX bare_of_campaign ON bare (campaign_id) WHERE campaign_id IS NOT NULL",
            made.replace("TABLE enhanced_leads", "TABLE bare")
        )
    } else {
        "CREATE TABLE bare (LIKE enhanced_leads INCLUDING ALL,
             FOREIGN KEY (account_id, agency_id) REFERENCES accounts (id, agency_id) ON DELETE CASCADE,
             FOREIGN KEY (campaign_id, account_id, agency_id) REFERENCES campaigns (id, account_id, agency_id))"
            .to_owned()
    };
    bench.execute(&bare).await;
    [account, wanted]
}

/// The kinds of insert take turns: without the trigger, with it and nobody who wants anything, and with it writing. Single
/// rows, each durable on its own; medians, for a commit waits for the disk.
async fn compare([unwanted, wanted]: [Account; 2], mut insert: impl FnMut(bool, &Account) -> BoxFuture<'static, ()>) {
    let kinds = [(true, &unwanted), (false, &unwanted), (false, &wanted)];
    let mut times: [Vec<Duration>; 3] = Default::default();
    for _ in 0..ROWS {
        for ((is_bare, account), times) in kinds.iter().zip(&mut times) {
            let began = Instant::now();
            insert(*is_bare, account).await;
            times.push(began.elapsed());
        }
    }
    let [bare, unwanted, wanted] = times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64()
    });
    println!("bare {:.0} µs, unwanted {:.2} x, wanted {:.2} x", bare * 1e6, unwanted / bare, wanted / bare);
    assert!(unwanted <= MOST * bare && wanted <= MOST * bare);
}
