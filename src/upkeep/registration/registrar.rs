//! Asks a workspace what is registered, and makes it what it should be.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use secrecy::ExposeSecret;
use url::Url;

use super::{Finding, compare, findings::wanted};
use crate::{
    domain::{
        SourceId, clock,
        directory::{Directory, Source, Watch},
        event::SourceKind,
    },
    platforms::unipile::{Remedy, UnipileClient, UnipileError, Webhook, Workspace},
    telemetry::Metrics,
    upkeep::Ailments,
};

/// What the attention list calls it.
const KIND: &str = "webhooks_missing";
/// Pages of a list that are read; each holds up to 250.
const PAGES: usize = 40;
/// Workspaces that are asked at once.
const AT_ONCE: usize = 8;
/// The first wait after a failure; each is twice the one before, up to [`LONGEST`].
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(5);
/// All are looked at again, when nothing has changed for so long.
const AGAIN: Duration = Duration::from_hours(1);

/// All webhooks of a workspace.
///
/// # Errors
/// Whatever kept them from coming; a list that never ends is none.
pub async fn registered(workspace: &Workspace) -> Result<Vec<Webhook>, UnipileError> {
    let (mut all, mut cursor) = (Vec::new(), None::<String>);
    for _ in 0..PAGES {
        let page = workspace.list_webhooks(cursor.as_deref()).await?;
        all.extend(page.items);
        match page.cursor {
            None => return Ok(all),
            Some(next) => cursor = Some(next),
        }
    }
    Err(UnipileError::endless())
}

/// Makes a feed what it should be: the new webhook first, so that nothing is missed between.
///
/// # Errors
/// What kept it from being so; doing it again goes on where it ended.
pub async fn mend(
    workspace: &Workspace,
    source: &Source,
    public_url: &Url,
    finding: &Finding,
) -> Result<(), UnipileError> {
    if finding.create {
        workspace.create_webhook(&wanted(source, finding.feed, public_url)).await?;
    }
    for id in &finding.remove {
        workspace.delete_webhook(id).await?;
    }
    Ok(())
}

/// Unipile's sources that are enabled and whose API is known, each workspace's together: it is asked once.
#[must_use]
pub fn by_workspace(directory: &Directory) -> Vec<Vec<&Source>> {
    let mut workspaces: HashMap<(&Url, &str), Vec<&Source>> = HashMap::new();
    for source in directory.sources.values() {
        if let Some(url) = source.api_url.as_ref().filter(|_| source.enabled && source.kind == SourceKind::Unipile) {
            workspaces.entry((url, source.token.expose_secret())).or_default().push(source);
        }
    }
    workspaces.into_values().collect()
}

/// Keeps the webhooks of all sources right while the hub runs.
pub struct Registrar {
    /// Asks Unipile.
    pub client: UnipileClient,
    /// Where the hub is reached from outside.
    pub public_url: Option<Url>,
    /// Who is who.
    pub directory: Watch,
    /// Where a person sees what is wrong.
    pub ailments: Ailments,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

impl Registrar {
    /// Looks at each source when the hub starts, when it changes and now and then; after a failure again, later each
    /// time. Ends with the hub.
    pub async fn run(mut self) {
        // As they were when their webhooks were found or made right.
        let mut done: HashMap<SourceId, Source> = HashMap::new();
        let mut wait = FIRST;
        loop {
            let directory = self.directory.borrow_and_update().clone();
            let is_done = match directory {
                None => true,
                Some(directory) => self.round(&directory, &mut done).await,
            };
            let pause = if is_done { AGAIN } else { wait };
            wait = if is_done { FIRST } else { (wait * 2).min(LONGEST) };
            match tokio::time::timeout(pause, self.directory.changed()).await {
                Ok(Err(_)) => return,
                // Somebody may have switched one off there.
                Err(_) if is_done && self.public_url.is_some() => done.clear(),
                Ok(Ok(())) | Err(_) => {}
            }
        }
    }

    /// True if all is right now.
    async fn round(&mut self, directory: &Directory, done: &mut HashMap<SourceId, Source>) -> bool {
        let mut due = by_workspace(directory);
        for sources in &mut due {
            sources.retain(|source| done.get(&source.id).is_none_or(|was| differs(was, source)));
        }
        due.retain(|sources| !sources.is_empty());
        let Some(public_url) = self.public_url.clone() else {
            if !due.is_empty() {
                tracing::warn!(
                    "server.public_url is empty: the hub registers no webhooks at Unipile; what is registered there \
                     by hand, and what is read every unipile.sync_interval, reaches it all the same"
                );
                done.extend(due.into_iter().flatten().map(|source| (source.id, source.clone())));
            }
            return true;
        };
        let rounds = due.into_iter().map(|sources| self.workspace(sources, &public_url));
        let outcomes: Vec<Vec<(&Source, bool)>> = stream::iter(rounds).buffer_unordered(AT_ONCE).collect().await;
        let mut all = true;
        for (source, is_right) in outcomes.into_iter().flatten() {
            all &= is_right;
            if is_right {
                done.insert(source.id, source.clone());
            }
        }
        all
    }

    /// The sources of one workspace, and whether their webhooks are right now.
    async fn workspace<'s>(&self, sources: Vec<&'s Source>, public_url: &Url) -> Vec<(&'s Source, bool)> {
        let Some(Some(url)) = sources.first().map(|source| source.api_url.as_ref()) else { return Vec::new() };
        let workspace = self.client.workspace(url, &sources[0].token);
        let listed = registered(&workspace).await;
        let mut outcomes = Vec::new();
        for source in sources {
            let outcome = match &listed {
                Ok(listed) => self.source(&workspace, source, public_url, listed).await,
                Err(error) => Err(error.clone()),
            };
            outcomes.push((source, outcome.is_ok()));
            self.note(source, outcome);
        }
        outcomes
    }

    /// Every feed for itself: one that is refused keeps no other from being made.
    async fn source(
        &self,
        workspace: &Workspace,
        source: &Source,
        public_url: &Url,
        listed: &[Webhook],
    ) -> Result<(), UnipileError> {
        let mut outcome = Ok(());
        for finding in compare(source, public_url, listed) {
            if finding.problems.is_empty() {
                Metrics::count(&self.metrics.registrations, "right");
                continue;
            }
            match mend(workspace, source, public_url, &finding).await {
                Ok(()) => {
                    Metrics::count(&self.metrics.registrations, "mended");
                    let (feed, was) = (finding.feed.about, finding.problems.join("; "));
                    tracing::info!(source = %source.id, feed, was, "a webhook was registered at Unipile");
                }
                Err(error) => outcome = Err(error),
            }
        }
        outcome
    }

    fn note(&self, source: &Source, outcome: Result<(), UnipileError>) {
        let Err(error) = outcome else {
            self.ailments.heal(source.id, KIND);
            return;
        };
        Metrics::count(&self.metrics.registrations, "failed");
        let advice = advice(error.remedy);
        let reason = format!("Its webhooks at Unipile could not be looked at or put right: {error}. {advice}");
        if self.ailments.note(source, KIND, reason, clock::now()) {
            tracing::warn!(source = %source.id, %error, advice, "webhooks at Unipile are not known to be right; tried again");
        }
    }
}

/// For people: what would help.
pub fn advice(remedy: Remedy) -> &'static str {
    match remedy {
        Remedy::Retry => "The hub tries again by itself.",
        Remedy::ReplaceToken => "Give the source another API key: `leadwire source set-token`.",
        Remedy::Reconnect => "Connect the account at Unipile again.",
        Remedy::GiveUp => "Look whether the account's id and the DSN are right: `leadwire source list`.",
    }
}

/// Whether other webhooks may be needed now.
fn differs(was: &Source, is: &Source) -> bool {
    let newest = |source: &Source| source.app_secrets.first().map(|secret| secret.expose_secret().to_owned());
    was.api_url != is.api_url
        || was.external_id != is.external_id
        || !was.same_token(&is.token)
        || newest(was) != newest(is)
}
