//! Keeps each agency to its share of the inbox, and tells of those who are over it.

use std::time::{Duration, Instant};

use super::Hub;
use crate::{
    api::AttentionItem,
    config::Settings,
    domain::{
        AccountId, clock,
        directory::{Directory, Source},
        event::{Scope, SourceKind},
    },
    inbox::{Inbox, Shares},
    telemetry::{Labelled, Metrics},
};

/// Between two looks at least; and a look takes a twentieth of the time at most.
const PAUSE: Duration = Duration::from_secs(5);

/// Looks again and again, as long as the hub runs.
pub(super) fn keep(settings: &Settings, hub: &Hub) -> impl Future<Output = ()> + use<> {
    let max_size = settings.inbox.max_size.as_u64();
    let shares = Shares {
        unrouted: share(max_size, settings.inbox.unrouted_share),
        waiting: share(max_size, settings.inbox.waiting_share),
    };
    let (inbox, directory, metrics) = (hub.inbox.clone(), hub.directory.clone(), hub.metrics.clone());
    async move {
        loop {
            let (began, newest) = (Instant::now(), directory.borrow().clone());
            if let Some(newest) = newest {
                look(&inbox, &newest, shares, &metrics).await;
            }
            tokio::time::sleep(PAUSE.max(began.elapsed() * 20)).await;
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share between 0 and 1 of a size, to the nearest kilobyte or so"
)]
fn share(max_size: u64, part: f64) -> u64 {
    (max_size as f64 * part) as u64
}

async fn look(inbox: &Inbox, directory: &Directory, shares: Shares, metrics: &Metrics) {
    let weighed = match inbox.keep_shares(clock::now(), directory, shares).await {
        Ok(weighed) => weighed,
        Err(error) => {
            return tracing::error!(%error, "what agencies take of the inbox can't be weighed; tried again soon");
        }
    };
    for (what, count) in &weighed.dropped {
        metrics.dropped_events.get_or_create(&Labelled { what }).inc_by(*count);
    }
    let dropped: u64 = weighed.dropped.iter().map(|(_, count)| count).sum();
    if dropped > 0 {
        tracing::warn!(dropped, "parked events went because their owner was over its share of the inbox");
    }
    let refused = i64::try_from(weighed.refused).unwrap_or(i64::MAX);
    if metrics.agencies_over_share.set(refused) != refused {
        tracing::warn!(refused, "agencies over their share of the inbox: their webhooks get 503, the others' do not");
    }
}

/// A source of the agency whose secret opened the door.
pub(super) fn carrier(directory: &Directory, scope: Scope) -> Option<&Source> {
    let kinds = [SourceKind::Meta, SourceKind::Unipile, SourceKind::Prospecting];
    match scope {
        Scope::Hub => None,
        Scope::Agency(agency) => {
            directory.sources.values().filter(|source| source.agency == agency).min_by_key(|s| s.id)
        }
        Scope::Secret { agency, secret } => {
            let mut ids = kinds.iter().flat_map(|kind| directory.carriers(*kind, secret));
            ids.find_map(|id| directory.sources.get(id).filter(|source| source.agency == agency))
        }
    }
}

/// Agencies whose webhooks are refused; each stands under the first of these accounts that is its own.
pub(super) fn refused(inbox: &Inbox, directory: &Directory, accounts: &[AccountId]) -> Vec<AttentionItem> {
    let item = |(agency, bytes): (_, u64)| {
        let account = *accounts.iter().find(|account| directory.agency_of(**account) == Some(agency))?;
        let reason = format!(
            "What waits of the agency's accounts takes {} of the inbox, which is more than its share, so its webhooks get 503 \
             and platforms send them again: do what the other items ask for, and replay what is parked.",
            bytesize::ByteSize(bytes)
        );
        Some(AttentionItem { kind: "over_share".to_owned(), account, source: None, reason, count: 1, oldest: None })
    };
    inbox.over_share().into_iter().filter_map(item).collect()
}
