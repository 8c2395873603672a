//! What people left behind, and what did not arrive, as the attention list says it.

use std::{collections::HashMap, sync::Arc};

use crate::{
    api::AttentionItem,
    domain::{
        AccountId, EndpointId,
        directory::{ApiKey, Directory},
    },
    store::{CoveredBy, LEFT_BEHIND, MOVED, ParkedDeliveries, Store, StoreError},
};

/// Endpoints that nobody answers for, and what was not delivered.
pub(super) async fn endpoints(
    store: &Store,
    directory: Option<Arc<Directory>>,
    accounts: &[AccountId],
) -> Result<Vec<AttentionItem>, StoreError> {
    let (parked, covered) = (store.parked_deliveries(accounts).await?, store.covered_by(accounts).await?);
    let (held, parked): (Vec<_>, Vec<_>) = parked.into_iter().partition(|parked| parked.reason == LEFT_BEHIND);
    let mut held: HashMap<(AccountId, EndpointId), ParkedDeliveries> =
        held.into_iter().map(|held| ((held.account, held.endpoint_id), held)).collect();
    let mut items = Vec::new();
    for one in &covered {
        let held = held.remove(&(one.cover.account, one.endpoint));
        items.extend(directory.as_ref().and_then(|directory| unanswered(directory, one, held.as_ref())));
    }
    items.extend(parked.iter().chain(held.values()).map(undelivered));
    Ok(items)
}

fn unanswered(directory: &Directory, one: &CoveredBy, held: Option<&ParkedDeliveries>) -> Option<AttentionItem> {
    let (name, cover) = (&one.name, &one.cover);
    let item = |kind: &str, reason: String| AttentionItem {
        kind: kind.to_owned(),
        account: cover.account,
        source: None,
        reason,
        count: held.map_or(1, |held| held.count),
        oldest: cover.left_at.or(held.map(|held| held.oldest)),
    };
    if held.is_some() || directory.is_left(cover) {
        let reason = format!(
            "Whoever answered for the endpoint {name} does not manage this account any more, so nothing of it is sent there: take \
             the endpoint over, stop it for this account, or remove it. What waits is kept as long as delivered events."
        );
        return Some(item(LEFT_BEHIND, reason));
    }
    let nobody = one.enabled && cover.responsible.is_none() && cover.stopped_at.is_none();
    let reason =
        || format!("Nobody answers for the endpoint {name}, which was added before this was asked: take it over.");
    nobody.then(|| item("unanswered", reason()))
}

fn undelivered(parked: &ParkedDeliveries) -> AttentionItem {
    let endpoint = &parked.endpoint;
    let reason = match parked.reason.as_str() {
        "endpoint_gone" => format!(
            "The endpoint {endpoint} answered that it is gone, so it was disabled: enable it or add another, then replay \
             these."
        ),
        MOVED => format!(
            "The endpoint {endpoint} was sent to another address while these waited: replay them if they may go there."
        ),
        LEFT_BEHIND => format!("Nobody answered for the endpoint {endpoint} when these were to go out: take it over."),
        _ => format!("The endpoint {endpoint} did not take these for too long: replay them when it works again."),
    };
    let (kind, account, oldest) = ("undelivered".to_owned(), parked.account, Some(parked.oldest));
    AttentionItem { kind, account, source: None, reason, count: parked.count, oldest }
}

/// Keys that open nothing because whoever answered for them is gone. One for all accounts stands under the first of these.
pub(super) fn keys(directory: &Directory, accounts: &[AccountId]) -> Vec<AttentionItem> {
    let item = |key: &ApiKey| {
        let mut reach = accounts.iter().filter(|account| directory.agency_of(**account) == Some(key.agency));
        let account = *reach.find(|account| key.account.is_none_or(|only| only == **account))?;
        let opens = directory.accounts.keys().any(|account| directory.role_of_key(key, *account).is_some());
        let is_left = key.responsible.is_some() && !opens;
        let (name, id) = (&key.name, key.id);
        is_left.then(|| AttentionItem {
            kind: "key_left_behind".to_owned(),
            account,
            source: None,
            reason: format!(
                "Whoever answered for the API key {name} is gone, so it opens nothing: somebody takes it over with `leadwire key \
                 take-over {id}`, or removes it."
            ),
            count: 1,
            oldest: None,
        })
    };
    let mut keys: Vec<&ApiKey> = directory.api_keys.values().collect();
    keys.sort_by_key(|key| key.id);
    keys.into_iter().filter_map(item).collect()
}
