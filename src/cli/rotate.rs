//! `leadwire key rotate-master`: a new master key for all that is sealed, while hubs run.
//!
//! In steps that may be cut off at any instant and gone on with: a key is announced, so that every hub can open with it; it
//! becomes the first, so that they seal and sign with it; what older keys sealed is sealed again; and when logins of the older
//! keys have run out, these are forgotten.

use std::time::{Duration, SystemTime};

use anyhow::bail;
use clap::Args;
use secrecy::ExposeSecret;

use super::{BadInput, database};
use crate::{
    config::{KeyFile, MasterKey, Rotation, Settings},
    domain::{
        Timestamp,
        audit::{Action, Event},
        clock,
    },
    store::{Resealing, Store},
};

/// Hubs look at the file every second.
const NOTICED: Duration = Duration::from_secs(3);
/// Tokens are taken a little longer than they last.
const LEEWAY: Duration = Duration::from_mins(5);

/// What to do about the master key.
#[derive(Debug, Args)]
pub struct Rotate {
    /// Every node has the file with the key that was announced. On PostgreSQL, where there may be several, the rotation waits
    /// for this word.
    #[arg(long)]
    all_nodes: bool,
    /// Forget the older keys, once nothing is sealed with them and logins that they signed have run out.
    #[arg(long)]
    finish: bool,
    /// With --finish: at once, which ends these logins; for a key that leaked.
    #[arg(long, requires = "finish")]
    now: bool,
}

impl Rotate {
    pub(super) async fn run(self, settings: &Settings) -> anyhow::Result<()> {
        let keys = settings.master_keys()?;
        let Some(path) = keys.file() else { return from_settings(settings, keys.keys().len(), self.finish).await };
        let file = KeyFile::take(path)?;
        if self.finish { self.finish(settings, &file).await } else { self.rotate(settings, &file).await }
    }

    async fn rotate(&self, settings: &Settings, file: &KeyFile<'_>) -> anyhow::Result<()> {
        let store = database::ready(settings).await?;
        // A key that does not open what is there must not get another beside it.
        let before = store.sealed().await?;
        warn_of(&before)?;
        if file.rotation()? == Rotation::Switched && before.older > 0 {
            eprintln!("A rotation was begun: going on with it.");
        } else {
            self.switch(&store, file).await?;
        }
        drop(store);
        let store = database::ready(settings).await?;
        let done = store.reseal().await?;
        warn_of(&done)?;
        store.record(Event::nobodys(Action::MasterKeyRotated).with("resealed", done.resealed)).await?;
        eprintln!(
            "{} secrets are sealed with the new key, {} were already.",
            done.resealed,
            done.newest - done.resealed
        );
        eprintln!("Older keys still open and verify: `leadwire key rotate-master --finish` forgets them.");
        Ok(())
    }

    /// Announces a key, and makes it the first when all know it.
    async fn switch(&self, store: &Store, file: &KeyFile<'_>) -> anyhow::Result<()> {
        if file.rotation()? != Rotation::Announced {
            store.record(Event::nobodys(Action::MasterKeyRotated).with("step", "announced")).await?;
            file.announce()?;
        }
        if store.is_shared() && !self.all_nodes {
            let words = "the new key is in the file, marked `next`. Copy the file to every other node, which reads it within a \
                         second, and run this again with --all-nodes";
            return Err(BadInput(words.to_owned()).into());
        }
        tokio::time::sleep(NOTICED).await;
        store.record(Event::nobodys(Action::MasterKeyRotated).with("step", "switched")).await?;
        file.switch()?;
        tokio::time::sleep(NOTICED).await;
        if store.is_shared() {
            eprintln!("Copy the file to every other node again: the new key is the first now.");
        }
        Ok(())
    }

    async fn finish(&self, settings: &Settings, file: &KeyFile<'_>) -> anyhow::Result<()> {
        match file.rotation()? {
            Rotation::None => {
                return Err(BadInput("there is one key only: nothing is to be forgotten".to_owned()).into());
            }
            Rotation::Announced => {
                let words = "the new key is not the first yet: run `leadwire key rotate-master` without --finish";
                return Err(BadInput(words.to_owned()).into());
            }
            Rotation::Switched => {}
        }
        let store = database::ready(settings).await?;
        warn_of(&store.reseal().await?)?;
        if !self.now
            && let Some(end) = logins_end(settings, file.changed_at()?)
            && end > clock::now()
        {
            let words =
                "logins that the older key signed may last until then: run this again, or with --now, which ends them";
            return Err(BadInput(format!("not before {}: {words}", clock::rfc3339(end))).into());
        }
        if store.sealed().await?.older > 0 {
            bail!("a hub has sealed with an older key meanwhile: see that all have the file, and run this again");
        }
        store.record(Event::nobodys(Action::MasterKeyRotated).with("step", "finished")).await?;
        let forgotten = file.forget_older()?;
        eprintln!("{forgotten} older keys are forgotten. Keep a copy of the file as it is now.");
        Ok(())
    }
}

/// The file is not the hub's to change: says what to set, and seals again.
async fn from_settings(settings: &Settings, keys: usize, finish: bool) -> anyhow::Result<()> {
    if keys == 1 {
        let new = MasterKey::generate(&settings.data.dir)?;
        eprintln!(
            "The master key is from data.master_key. First put this key behind it, `OLD,NEW`, and start all hubs again; then \
             in front, `NEW,OLD`, and start them again; then run this again."
        );
        println!("{}", new.text().expose_secret());
        return Ok(());
    }
    let store = database::ready(settings).await?;
    let done = store.reseal().await?;
    warn_of(&done)?;
    store.record(Event::nobodys(Action::MasterKeyRotated).with("resealed", done.resealed)).await?;
    eprintln!("{} secrets are sealed with the first key now; none is under another.", done.resealed);
    let wait = humantime_serde::re::humantime::format_duration(settings.auth.token_ttl);
    let when = if finish { "Now" } else { "Later" };
    eprintln!(
        "{when} leave the first key alone in data.master_key, no sooner than {wait} after it became the first: logins that \
         the others signed end with them."
    );
    Ok(())
}

/// When the last login has run out that an older key signed; `None` if master keys sign none.
fn logins_end(settings: &Settings, switched: SystemTime) -> Option<Timestamp> {
    if !settings.auth.signing_key_file.is_empty() {
        return None;
    }
    let end = switched.checked_add(settings.auth.token_ttl)?.checked_add(LEEWAY)?;
    Some(end.into())
}

/// One damaged row must not keep a leaked key in use; a key that opens nothing is the wrong one.
fn warn_of(found: &Resealing) -> anyhow::Result<()> {
    for why in &found.unreadable {
        eprintln!("It can't be opened with any key at hand, and stays as it is: {why}");
    }
    if found.newest + found.older == 0 && !found.unreadable.is_empty() {
        bail!("the master key opens nothing in this database: restore the right one first");
    }
    Ok(())
}
