//! How the parts reach what they must not know: the API the registry and the inbox, sessions what the API does.

use actix::Recipient;
use futures_util::future::{BoxFuture, LocalBoxFuture, join_all};
use serde_json::{Map, Value, json};

use super::{left, shares};
use crate::{
    api::{
        self, ApiError, ApiState, AttentionItem, AttentionSource, NotSynced, Publisher, SyncStats, Syncer, Unpublished,
    },
    auth::Principal,
    domain::{
        AccountId, EventId, SourceId, clock,
        directory::Watch,
        envelope::{Body, Envelope},
        message::Chat,
    },
    inbox::{Attention, Inbox},
    outbox,
    persistence::Announce,
    realtime::{Action, Actions, Publish, protocol::Refusal},
    store::Store,
    upkeep::{
        Ailment, Ailments,
        backfill::{Backfill, Stats, SyncError},
    },
};

/// Publishes what the API changed.
pub(super) struct ToRegistry(pub(super) Recipient<Publish>);

impl Publisher for ToRegistry {
    fn publish(&self, envelope: Envelope) -> BoxFuture<'_, Result<(), Unpublished>> {
        Box::pin(async move {
            match self.0.send(Publish { envelope, event: None }).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => Err(Unpublished(error.to_string())),
                Err(error) => Err(Unpublished(error.to_string())),
            }
        })
    }
}

/// Tells of what the persister has kept.
pub(super) struct OfWhatIsKept {
    pub(super) dashboards: ToRegistry,
    pub(super) outbox: Recipient<outbox::Wake>,
}

impl Announce for OfWhatIsKept {
    fn written(&self) {
        // Full: it is awake.
        let _ = self.outbox.try_send(outbox::Wake);
    }

    fn chats(&self, chats: Vec<Chat>) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let tell = async |chat: Chat| {
                let (id, account, timestamp) = (EventId::generate(), chat.account, clock::now());
                let envelope = Envelope { id, account, timestamp, body: Body::ChatUpdated(Box::new(chat)) };
                if let Err(error) = self.dashboards.publish(envelope).await {
                    tracing::warn!(%error, "a chat's newest state was not published; it comes with its next change");
                }
            };
            // Each waits until it is in the log: together they share a commit.
            join_all(chats.into_iter().map(tell)).await;
        })
    }
}

/// Does what sessions ask for as the REST routes do it.
pub(super) struct ThroughApi(pub(super) ApiState);

impl Actions for ThroughApi {
    fn act(&self, who: Principal, action: Action) -> LocalBoxFuture<'static, Result<Value, Refusal>> {
        let state = self.0.clone();
        Box::pin(async move { act(&state, &who, action).await.map_err(|error| refusal(&error)) })
    }
}

async fn act(state: &ApiState, who: &Principal, action: Action) -> Result<Value, ApiError> {
    Ok(match action {
        Action::Send { chat, text, client_id } => {
            let (_, submitted) = api::submit(state, who, &chat, &text, client_id).await?;
            json!({"send": submitted.send})
        }
        Action::Read { chat } => json!({"chat": api::mark_as_read(state, who, &chat).await?}),
        Action::UpdateLead { lead, status, notes } => {
            let given = [("status", status), ("notes", notes)];
            let fields: Map<String, Value> =
                given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect();
            json!({"lead": api::update_status(state, who, &lead, &fields).await?})
        }
    })
}

/// The words are those of the REST routes.
fn refusal(error: &ApiError) -> Refusal {
    let code = match error.status().as_u16() {
        400 => "bad_request",
        403 => "forbidden",
        404 => "not_found",
        409 => "conflict",
        429 => "busy",
        503 => "unavailable",
        _ => "failed",
    };
    Refusal { code, message: error.to_string() }
}

/// Has sources read.
pub(super) struct ToBackfill {
    pub(super) backfill: Backfill,
    pub(super) directory: Watch,
}

impl Syncer for ToBackfill {
    fn sync(&self, source: SourceId, chat: Option<String>, full: bool) -> BoxFuture<'_, Result<SyncStats, NotSynced>> {
        let directory = self.directory.borrow().clone();
        let source = directory.and_then(|directory| directory.sources.get(&source).filter(|s| s.enabled).cloned());
        let backfill = self.backfill.clone();
        let reading = async move {
            let Some(source) = source else { return Err(NotSynced::NotNow("the source is disabled".to_owned())) };
            match backfill.sync(&source, chat.as_deref(), full).await {
                Ok(Stats { messages, new_messages }) => Ok(SyncStats { messages, new_messages }),
                Err(error @ (SyncError::Busy | SyncError::ReceivesOnly)) => Err(NotSynced::NotNow(error.to_string())),
                Err(error) => Err(NotSynced::Failed(error.to_string())),
            }
        };
        // In a task of its own: who asked may hang up, and what was begun is ended.
        let task = tokio::spawn(reading);
        Box::pin(async move { task.await.unwrap_or_else(|error| Err(NotSynced::Failed(error.to_string()))) })
    }

    fn sources(&self, accounts: &[AccountId]) -> Vec<SourceId> {
        let Some(directory) = self.directory.borrow().clone() else { return Vec::new() };
        let of_accounts = directory.sources.values().filter(|source| accounts.contains(&source.account));
        of_accounts.filter(|source| source.enabled && source.api_url.is_some()).map(|source| source.id).collect()
    }
}

/// Puts the attention list together.
pub(super) struct Attentive {
    pub(super) inbox: Inbox,
    pub(super) store: Store,
    pub(super) directory: Watch,
    pub(super) ailments: Ailments,
}

impl Attentive {
    /// What an item is about. A bad signature names the source whose address was used; what nobody has claimed is not
    /// for accounts to see. What is about the hub stands under the first of the accounts.
    fn owner(&self, attention: &Attention, accounts: &[AccountId]) -> Option<(AccountId, Option<SourceId>)> {
        if let Some(account) = attention.account {
            return Some((account, attention.source));
        }
        if attention.reason.starts_with("inbox_") {
            return Some((*accounts.first()?, None));
        }
        let (about, directory) = (attention.external_id.as_ref()?, self.directory.borrow().clone()?);
        let source = match about.parse::<SourceId>() {
            Ok(id) => directory.sources.get(&id)?,
            // What was dropped is told to who has the secret that signed it.
            Err(_) => shares::carrier(&directory, about.parse().ok()?)?,
        };
        Some((source.account, Some(source.id)))
    }
}

impl Attentive {
    /// Sources that do not bring what they should, if they are still there.
    fn ailing(&self) -> Vec<AttentionItem> {
        let Some(directory) = self.directory.borrow().clone() else { return Vec::new() };
        let mut ailments = self.ailments.list();
        ailments.retain(|ailment| directory.sources.get(&ailment.source).is_some_and(|source| source.enabled));
        let item = |ailment: Ailment| AttentionItem {
            kind: ailment.kind.to_owned(),
            account: ailment.account,
            source: Some(ailment.source),
            reason: ailment.reason,
            count: 1,
            oldest: Some(ailment.since),
        };
        let unreadable = directory.unreadable.iter().filter_map(|row| {
            let source: SourceId = row.id.parse().ok()?;
            Some(AttentionItem {
                kind: "source_unreadable".to_owned(),
                account: row.account?,
                source: Some(source),
                reason: "The source's secrets can't be read, so it does nothing: remove it and connect it again."
                    .to_owned(),
                count: 1,
                oldest: None,
            })
        });
        ailments.into_iter().map(item).chain(unreadable).collect()
    }
}

impl AttentionSource for Attentive {
    fn items(&self, accounts: Vec<AccountId>) -> BoxFuture<'_, Result<Vec<AttentionItem>, String>> {
        Box::pin(async move {
            let all = self.inbox.attention(clock::now()).await.map_err(|error| error.to_string())?;
            let item = |attention: Attention| {
                let (account, source) = self.owner(&attention, &accounts)?;
                accounts.contains(&account).then(|| AttentionItem {
                    reason: explain(&attention),
                    kind: attention.reason,
                    account,
                    source,
                    count: attention.count,
                    oldest: Some(attention.oldest),
                })
            };
            let mut items: Vec<AttentionItem> = all.into_iter().filter_map(item).collect();
            items.extend(self.ailing().into_iter().filter(|ailing| accounts.contains(&ailing.account)));
            let directory = self.directory.borrow().clone();
            items.extend(directory.iter().flat_map(|directory| left::keys(directory, &accounts)));
            items.extend(directory.iter().flat_map(|directory| shares::refused(&self.inbox, directory, &accounts)));
            match left::endpoints(&self.store, directory, &accounts).await {
                Ok(outgoing) => items.extend(outgoing),
                // The rest does not need the database, and its absence is no secret.
                Err(error) => tracing::warn!(%error, "the attention list lacks what was not delivered"),
            }
            Ok(items)
        })
    }
}

/// For people: why, and what to do.
fn explain(attention: &Attention) -> String {
    let advice = match attention.reason.as_str() {
        "token_invalid" => "The platform refuses the page's token: replace it, and these go on by themselves.",
        "denied" => {
            "The platform does not let the hub read these: grant the app access to the page's leads, then replay them."
        }
        "source_gone" => "Their source was removed or disabled: enable it, and these go on by themselves.",
        "impossible" => "The platform says these can't be had.",
        "gave_up" => "Tried until they were too old: replay them when the platform works again.",
        "not_storable" => "Shown, but the database refuses the row.",
        "dropped_unrouted" => {
            "Webhooks about pages or accounts that no source stands for took more than the agency's share of the inbox, and \
             the oldest were dropped: connect these as sources, or stop their webhooks at the platform."
        }
        "dropped_impossible" => {
            "The platform says that these can't be had, they took the agency's share of the inbox, and the oldest were dropped."
        }
        "inbox_nearly_full" => {
            "The hub's inbox can't hold the envelopes of a day any more: whoever runs the hub should raise inbox.max_size, or \
             see to what is parked and not stored."
        }
        "inbox_full" => {
            "The hub's inbox is full of what is not finished, so all webhooks get 503: whoever runs the hub must raise \
             inbox.max_size, or see to what is parked and not stored."
        }
        "late" => "Waiting for another try.",
        "unstored" => "Shown, but not in the database yet.",
        "bad_signature" => "Webhooks with a wrong signature came to this source's address: check the app secret.",
        _ => "",
    };
    match &attention.detail {
        Some(detail) if attention.reason != "token_invalid" => format!("{advice} {detail}").trim().to_owned(),
        _ => advice.to_owned(),
    }
}
