//! Keeps the directory snapshot current: loads it, then asks for its version at short intervals.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{SetOnce, watch},
    time::Instant,
};

use crate::{
    config::KeyError,
    domain::{
        directory::{Directory, Unreadable, Watch},
        secret::is_unfit,
    },
    store::{Hold, Schema, Store, StoreError},
    telemetry::{Metrics, lasting},
};

/// Why the hub can't go on.
pub(super) type Fatal = Arc<SetOnce<KeyError>>;

/// First wait while the database is away; each is twice the one before, up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);
/// Sources named in one line of the log.
const NAMED_SOURCES: usize = 20;

/// Brings the database up to date and loads the directory; if the database is away, goes on trying in the background.
/// Until then the watch holds `None`, and whoever needs the directory answers that the hub is not ready.
///
/// `fatal` is set when trying again can't help.
pub(super) async fn load(store: Store, interval: Duration, metrics: Arc<Metrics>, fatal: Fatal) -> Watch {
    let (sender, watch) = watch::channel(None);
    let directory = first(&store).await;
    let loaded = directory.is_ok();
    match directory {
        Ok((directory, _)) if directory.wrong_key => {
            let _ = fatal.set(KeyError::Wrong);
            return watch;
        }
        Ok((directory, hold)) => {
            lasting("the hold on the database", keep(store.clone(), hold));
            name_unsafe_issuers(&directory);
            replace(&sender, directory, &metrics);
        }
        Err(error) => tracing::error!(%error, "the database can't be used yet; the hub is not ready until it can"),
    }
    actix_rt::spawn(async move {
        if !loaded {
            let mut wait = FIRST;
            loop {
                tokio::time::sleep(wait).await;
                match first(&store).await {
                    Ok((directory, _)) if directory.wrong_key => return drop(fatal.set(KeyError::Wrong)),
                    Ok((directory, hold)) => {
                        lasting("the hold on the database", keep(store.clone(), hold));
                        name_unsafe_issuers(&directory);
                        break replace(&sender, directory, &metrics);
                    }
                    Err(error) => tracing::warn!(%error, ?wait, "the database is still away"),
                }
                wait = (wait * 2).min(LONGEST);
            }
            tracing::info!("the database is there; the hub is ready");
        }
        lasting("the directory", async move { follow(&store, interval, &sender, &metrics).await });
    });
    watch
}

/// Says which issuers let nobody in any more, and what to do: their people only read that a credential is not valid.
fn name_unsafe_issuers(directory: &Directory) {
    for issuer in directory.issuers.values().filter(|issuer| !issuer.is_safe()) {
        tracing::error!(
            issuer = %issuer.id, agency = %issuer.agency, iss = issuer.iss,
            "tokens of an issuer that publishes its keys are refused, since it was added without an audience: remove it \
             (leadwire issuer remove) and add it anew with --audience"
        );
    }
}

/// Makes a snapshot the one that everybody sees, and says which of its rows can't be read.
fn replace(sender: &watch::Sender<Option<Arc<Directory>>>, directory: Directory, metrics: &Metrics) {
    metrics.directory_unreadable.set(i64::try_from(directory.unreadable.len()).unwrap_or(i64::MAX));
    let before = sender.send_replace(Some(Arc::new(directory)));
    let known = |row: &Unreadable| before.as_ref().is_some_and(|before| before.unreadable.contains(row));
    let Some(now) = sender.borrow().clone() else { return };
    for row in now.unreadable.iter().filter(|row| !known(row)) {
        let Unreadable { table, id, why, .. } = row;
        tracing::error!(table, id, why, "a row can't be read: it does nothing until its secrets are set again");
    }
}

async fn first(store: &Store) -> Result<(Directory, Hold), StoreError> {
    // Before the tables are looked at: whoever takes some away is waited for, or finds that a hub is here.
    let hold = store.hold_for_hub().await?;
    let done = store.migrate().await?;
    if !done.is_empty() {
        tracing::info!(migrations = done.len(), "the database was brought up to date");
    }
    if let Schema { version: Some(version), unknown: 1.., .. } = store.schema().await? {
        tracing::error!(version, "a newer version of the hub has changed the tables: use that, this one is not ready");
    }
    let directory = store.load_directory().await?;
    name_unfit_secrets(&directory);
    Ok((directory, hold))
}

/// Holds the database for this hub as long as it runs, whatever happens to connections.
async fn keep(store: Store, mut hold: Hold) {
    loop {
        hold.lost().await;
        hold = loop {
            tokio::time::sleep(FIRST).await;
            if let Ok(hold) = store.hold_for_hub().await {
                break hold;
            }
        };
    }
}

/// The command line refuses such secrets, but did not always.
fn name_unfit_secrets(directory: &Directory) {
    let unfit = directory.sources.values().filter(|source| source.app_secrets.iter().any(is_unfit));
    let unfit: Vec<String> = unfit.map(|source| source.id.to_string()).collect();
    if !unfit.is_empty() {
        tracing::warn!(
            count = unfit.len(),
            sources = unfit[..unfit.len().min(NAMED_SOURCES)].join(", "),
            "webhooks of these sources are opened by a secret of less than 32 characters, or of more than 512: replace it \
             with `leadwire source set-app-secret`"
        );
    }
}

async fn follow(store: &Store, interval: Duration, sender: &watch::Sender<Option<Arc<Directory>>>, metrics: &Metrics) {
    let mut current = Instant::now();
    let mut away = false;
    while !sender.is_closed() {
        tokio::time::sleep(interval).await;
        // Read apart: a guard inside the `match` would live as long as it, and the sender would wait for itself.
        let version = sender.borrow().as_ref().map_or(-1, |directory| directory.version);
        match newer(store, version).await {
            Ok(newer) => {
                if let Some(directory) = newer {
                    replace(sender, directory, metrics);
                }
                if std::mem::take(&mut away) {
                    tracing::info!("the database is back");
                }
                current = Instant::now();
            }
            Err(error) if !std::mem::replace(&mut away, true) => {
                tracing::warn!(%error, "the directory can't be read again; it stays as it is");
            }
            Err(_) => {}
        }
        metrics.directory_age.set(i64::try_from(current.elapsed().as_secs()).unwrap_or(i64::MAX));
    }
}

async fn newer(store: &Store, version: i64) -> Result<Option<Directory>, StoreError> {
    if store.directory_version().await? == version {
        return Ok(None);
    }
    match store.load_directory().await? {
        // All at once: the key has changed, not the rows. What is known goes on.
        directory if directory.wrong_key => Err(StoreError::Corrupt(KeyError::Wrong.to_string())),
        directory => Ok(Some(directory)),
    }
}
