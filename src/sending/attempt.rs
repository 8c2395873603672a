//! One turn of one send: marked, sent, settled, told.

use std::{future::Future, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    echo,
    line::wait_after,
    platform::{Outcome, ask},
    reasons,
    sender::Context,
};
use crate::{
    domain::{
        EventId, clock,
        directory::Source,
        envelope::{Body, Envelope},
        message::Chat,
        send::{Outgoing, Reason, SendState},
    },
    enrichment::Arrived,
    realtime::Publish,
    store::{OpenSend, Result, StoreError},
    telemetry::Metrics,
};

/// Between two looks for an echo.
const POLL: Duration = Duration::from_millis(500);
/// Between two tries while the database is away.
const AWAY: Duration = Duration::from_secs(1);

/// Does what is to be done with a send whose turn it is; when it returns, the next of its chat may go.
pub(super) async fn attempt(context: &Context, open: OpenSend) {
    if open.state == SendState::Sending {
        // Left over from a hub that died: it may have gone out.
        let account = [open.account];
        let Some(send) = patiently(|| context.store.send(&account, open.id)).await else { return };
        let why = "the hub was stopped while it was being sent";
        return confirm(context, send, why).await;
    }
    match context.store.claim_send(open.account, open.id).await {
        Ok(Some(send)) => go(context, send).await,
        Ok(None) => {}
        Err(error) => {
            tracing::warn!(%error, send = %open.id, "a send could not be marked, so it waits");
            sleep(AWAY).await;
        }
    }
}

async fn go(context: &Context, send: Outgoing) {
    let stale = (clock::now() - send.created_at).to_std().is_ok_and(|age| age > context.settings.stale_after);
    if stale {
        return fail(context, send, reasons::stale()).await;
    }
    let (source, chat) = match whereto(context, &send).await {
        Ok(found) => found,
        Err(reason) => return fail(context, send, reason).await,
    };
    match ask(context, &source, &chat, &send.text).await {
        Outcome::Sent(platform_id) => sent(context, send, &source, &chat, platform_id).await,
        Outcome::NotNow { reason, wait } => put_off(context, send, reason, wait).await,
        Outcome::Refused(reason) => fail(context, send, reason).await,
        Outcome::Unknown(why) => confirm(context, send, &why).await,
    }
}

/// The source that a send goes through, and the chat that it is for.
async fn whereto(context: &Context, send: &Outgoing) -> Result<(Source, Chat), Reason> {
    let directory = context.directory.borrow().clone();
    let source = directory.and_then(|directory| directory.sources.get(&send.source).cloned());
    let source = reasons::usable(source.as_ref()).cloned()?;
    let (account, name) = ([send.account], send.chat.to_string());
    let chat = patiently(|| context.store.chat(send.agency, &account, &name)).await;
    Ok((source, chat.ok_or_else(reasons::chat_gone)?))
}

/// The platform has it. As a message it goes the way that the platform's own echo goes, under the same key, so that
/// whichever comes first is shown and kept, and the other is not.
async fn sent(context: &Context, send: Outgoing, source: &Source, chat: &Chat, platform_id: Option<String>) {
    let now = clock::now();
    let mut send = Outgoing { state: SendState::Sent, reason: None, updated_at: now, ..send };
    if let Some(platform_id) = platform_id {
        send.message = Some(echo::owner(source).message(&platform_id));
        send.platform_id = Some(platform_id);
        if let Some(delivery) = echo::delivery(&send, source, chat) {
            match context.inbox.accept(vec![delivery]).await {
                Ok(accepted) => {
                    let work = accepted.into_iter().flat_map(|accepted| accepted.work).collect();
                    // Full: the sweep finds it in the inbox.
                    let _ = context.arrived.try_send(Arrived(work));
                }
                Err(error) => {
                    tracing::error!(%error, send = %send.id, "a sent message was not kept; the platform's echo brings it");
                }
            }
        }
    }
    settle(context, send, "sent").await;
}

/// It has certainly not gone out, and may later.
async fn put_off(context: &Context, send: Outgoing, reason: Reason, asked: Option<Duration>) {
    let patience = context.settings.give_up_after;
    let wait = wait_after(send.attempts, patience).map(|wait| wait.max(asked.unwrap_or_default()));
    let Some(wait) = wait.filter(|wait| *wait <= patience) else { return fail(context, send, reason).await };
    let now = clock::now();
    let send =
        Outgoing { state: SendState::Pending, reason: Some(reason), next_try: now + wait, updated_at: now, ..send };
    settle(context, send, "put_off").await;
}

async fn fail(context: &Context, send: Outgoing, reason: Reason) {
    let what = if reason.code == reasons::UNCONFIRMED { "unconfirmed" } else { "failed" };
    let send = Outgoing { state: SendState::Failed, reason: Some(reason), updated_at: clock::now(), ..send };
    settle(context, send, what).await;
}

/// Nobody knows whether it went out: the platform's echo says so, or its absence says nothing.
async fn confirm(context: &Context, send: Outgoing, why: &str) {
    let deadline = Instant::now() + context.settings.confirm_within;
    loop {
        let at_end = Instant::now() >= deadline;
        match patiently(|| context.store.echo_of(&send)).await {
            Some((message, platform_id)) => {
                let (message, platform_id) = (Some(message), Some(platform_id));
                let updated_at = clock::now();
                let send = Outgoing { state: SendState::Sent, reason: None, message, platform_id, updated_at, ..send };
                return settle(context, send, "sent").await;
            }
            None if at_end => return fail(context, send, reasons::unconfirmed(why)).await,
            None => sleep(POLL.min(deadline.saturating_duration_since(Instant::now()))).await,
        }
    }
}

/// Some of which nobody knew have been shown by the platform since.
pub(super) async fn confirm_late(context: &Context) {
    let found = match context.store.confirm_sends().await {
        Ok(found) => found,
        Err(error) => return tracing::warn!(%error, "late echoes could not be looked for; tried again soon"),
    };
    for send in found {
        Metrics::count(&context.metrics.sends, "confirmed_late");
        publish(context, &send).await;
    }
}

/// Keeps what became of it, then tells.
async fn settle(context: &Context, mut send: Outgoing, what: &'static str) {
    loop {
        match context.store.settle_send(&send).await {
            Ok(()) => break,
            // The echo of this one was taken for another's: which of the two it was nobody can tell any more.
            Err(StoreError::Conflict(_)) if send.message.is_some() => (send.message, send.platform_id) = (None, None),
            Err(error) => {
                tracing::error!(%error, send = %send.id, "what became of a send could not be kept; tried again soon");
                sleep(AWAY).await;
            }
        }
    }
    Metrics::count(&context.metrics.sends, what);
    publish(context, &send).await;
    // Nobody may be waiting.
    let _ = context.outcomes.send(send);
}

/// Tells dashboards how far a send is. What is told twice after a crash has the same id.
async fn publish(context: &Context, send: &Outgoing) {
    let envelope = envelope(send);
    match context.publish.send(Publish { envelope, event: None }).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::error!(%error, send = %send.id, "what became of a send was not published"),
        Err(error) => tracing::error!(%error, send = %send.id, "what became of a send was not published"),
    }
}

/// The envelope that says how far a send is.
pub(super) fn envelope(send: &Outgoing) -> Envelope {
    let state = send.state.as_str().as_bytes();
    Envelope {
        id: EventId::derive(&[&send.id.to_bytes(), state, &send.attempts.to_be_bytes()]),
        account: send.account,
        timestamp: send.updated_at,
        body: Body::Send(Box::new(send.clone())),
    }
}

/// Asks the store until it answers.
async fn patiently<T, F: Future<Output = Result<T>>>(ask: impl Fn() -> F) -> T
where
    T: Default,
{
    loop {
        match ask().await {
            Ok(found) => return found,
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, "sending waits for the database");
                sleep(AWAY).await;
            }
            Err(error) => {
                tracing::error!(%error, "what is to be sent can't be read");
                return T::default();
            }
        }
    }
}
