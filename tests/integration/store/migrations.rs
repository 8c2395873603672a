//! The schema goes up and down on both engines.

use std::{collections::BTreeSet, fs};

use leadwire::store::StoreError;

use super::harness::{Bench, on_both_engines};

on_both_engines! {
    migrations_go_up_down_and_up_again,
    nodes_that_start_together_migrate_once,
}

async fn migrations_go_up_down_and_up_again(bench: Bench) {
    let store = &bench.store;
    let names = folders("sqlite");
    assert_eq!(store.pending_migrations().await.unwrap(), [""; 0]);
    store.add_agency("Gone tomorrow").await.unwrap();

    let last = store.revert(1).await.unwrap();
    assert_eq!(last, [names.last().unwrap().clone()]);
    assert_eq!(store.pending_migrations().await.unwrap(), last);
    assert_eq!(store.revert(100).await.unwrap().len(), names.len() - 1);
    let refused = store.directory_version().await.unwrap_err();
    assert!(matches!(refused, StoreError::Unavailable(_)), "a table that is not there yet is no data fault: {refused}");

    assert_eq!(store.migrate().await.unwrap(), Vec::from_iter(names));
    assert_eq!(store.migrate().await.unwrap(), [""; 0]);
    assert!(store.load_directory().await.unwrap().agencies.is_empty());
}

async fn nodes_that_start_together_migrate_once(bench: Bench) {
    bench.store.revert(100).await.unwrap();
    let other = bench.reopened([7; 32]).await;
    let (one, two) = tokio::join!(bench.store.migrate(), other.migrate());
    assert_eq!(one.unwrap().len() + two.unwrap().len(), folders("sqlite").len());
    assert_eq!(other.directory_version().await.unwrap(), 0);
}

#[test]
fn both_engines_have_the_same_migrations() {
    assert_eq!(folders("sqlite"), folders("postgres"));
    for engine in ["sqlite", "postgres"] {
        for name in folders(engine) {
            for file in ["up.sql", "down.sql"] {
                let path = format!("{}/migrations/{engine}/{name}/{file}", env!("CARGO_MANIFEST_DIR"));
                assert!(!fs::read_to_string(&path).unwrap().trim().is_empty(), "{path}");
            }
        }
    }
}

fn folders(engine: &str) -> BTreeSet<String> {
    let path = format!("{}/migrations/{engine}", env!("CARGO_MANIFEST_DIR"));
    // Files beside the folders are for databases that are not ours.
    let folders = fs::read_dir(path).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_dir());
    folders.map(|entry| entry.file_name().into_string().unwrap()).collect()
}
