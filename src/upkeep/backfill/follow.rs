//! When a source is read: at the start, when it changes, when it is connected again, and now and then.

use std::{collections::HashMap, time::Duration};

use tokio::{
    sync::{Semaphore, mpsc},
    time::{Instant, MissedTickBehavior, interval_at},
};

use super::{Backfill, SyncError, locked};
use crate::{
    domain::{SourceId, clock, directory::Source, event::SourceKind},
    platforms::unipile::Remedy,
    upkeep::registration::advice,
};

/// What the attention list calls it.
const KIND: &str = "sync_failing";
/// The first wait after a failure; each is twice the one before, up to [`LONGEST`].
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(5);
/// Sources that are read at once.
static AT_ONCE: Semaphore = Semaphore::const_new(8);

impl Backfill {
    /// Reads sources when it is time. Ends with the hub.
    pub async fn run(self, mut reconnected: mpsc::Receiver<SourceId>) {
        let mut directory = self.parts.directory.clone();
        directory.mark_changed();
        let every = self.parts.settings.sync_interval;
        let mut tick = interval_at(Instant::now() + every, every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut known = HashMap::new();
        loop {
            tokio::select! {
                changed = directory.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let sources = self.sources();
                    for source in sources.values() {
                        if known.get(&source.id).is_none_or(|was| differs(was, source)) {
                            self.begin(source.id);
                        }
                    }
                    known = sources;
                }
                Some(source) = reconnected.recv() => self.begin(source),
                _ = tick.tick() => self.sources().keys().for_each(|source| self.begin(*source)),
            }
        }
    }

    /// Those that can be read.
    fn sources(&self) -> HashMap<SourceId, Source> {
        let directory = self.parts.directory.borrow().clone();
        let all = directory.iter().flat_map(|directory| directory.sources.values());
        let readable =
            all.filter(|source| source.enabled && source.kind == SourceKind::Unipile && source.api_url.is_some());
        readable.map(|source| (source.id, source.clone())).collect()
    }

    /// Has a source read until that succeeds; once more if it is being read now.
    fn begin(&self, source: SourceId) {
        if let Some(again) = locked(&self.followed).get_mut(&source) {
            *again = true;
            return;
        }
        locked(&self.followed).insert(source, false);
        actix_rt::spawn(self.clone().follow(source));
    }

    async fn follow(self, id: SourceId) {
        let mut wait = FIRST;
        loop {
            let source = self.sources().remove(&id);
            let goes_on = match &source {
                Some(source) => {
                    let Ok(permit) = AT_ONCE.acquire().await else { return };
                    let outcome = self.sync(source, None, false).await;
                    drop(permit);
                    self.note(source, outcome)
                }
                None => false,
            };
            if goes_on {
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(LONGEST);
                continue;
            }
            let mut followed = locked(&self.followed);
            let again = followed.get_mut(&id).is_some_and(std::mem::take);
            if !again {
                followed.remove(&id);
                return;
            }
        }
    }

    /// Says how it went; true if it is to be tried again.
    fn note(&self, source: &Source, outcome: Result<super::Stats, SyncError>) -> bool {
        match outcome {
            Ok(stats) => {
                self.parts.ailments.heal(source.id, KIND);
                if stats.new_messages > 0 {
                    let (new, listed) = (stats.new_messages, stats.messages);
                    tracing::info!(source = %source.id, new, listed, "messages that no webhook had brought were read");
                }
                false
            }
            // Somebody asked for it in between; what came since is read after.
            Err(SyncError::Busy) => true,
            Err(error) => {
                let advice = advice(error.remedy());
                let reason = format!("What its webhooks missed could not be read: {error}. {advice}");
                if self.parts.ailments.note(source, KIND, reason, clock::now()) {
                    tracing::warn!(source = %source.id, %error, advice, "a source could not be read");
                }
                error.remedy() == Remedy::Retry
            }
        }
    }
}

/// Whether what could not be read before may be readable now.
fn differs(was: &Source, is: &Source) -> bool {
    was.api_url != is.api_url
        || was.external_id != is.external_id
        || was.account != is.account
        || !was.same_token(&is.token)
}
