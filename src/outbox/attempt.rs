//! One attempt: signed, posted, judged.

use std::time::Instant;

use serde::Deserialize;

use super::{
    client::{Client, Post},
    schedule::{self, Verdict},
    signature::sign,
};
use crate::{
    config::Outbox,
    domain::clock,
    store::{Attempt, Claimed, Outcome, Settled, Target},
};

/// An attempt that was made.
pub(super) struct Made {
    /// What the endpoint said.
    pub verdict: Verdict,
    /// What is to be kept.
    pub settled: Settled,
}

/// Posts a delivery once, and says what becomes of it.
pub(super) async fn make(client: &Client, settings: &Outbox, target: &Target, claimed: Claimed) -> Made {
    let (started_at, began) = (clock::now(), Instant::now());
    let (id, timestamp) = (claimed.event.to_string(), started_at.timestamp());
    let mut headers = vec![
        ("webhook-signature", sign(&target.secrets, &id, timestamp, claimed.payload.as_bytes())),
        ("webhook-timestamp", timestamp.to_string()),
        ("webhook-id", id),
        ("x-webhook-type", claimed.kind.clone()),
        ("x-webhook-attempt", claimed.attempt.to_string()),
    ];
    headers.extend(Named::of(&claimed).headers());
    let url = &target.endpoint.url;
    let post = Post { url, headers: &headers, token: target.token.as_ref(), body: &claimed.payload };
    let answer = client.post(post).await;
    let duration_ms = i32::try_from(began.elapsed().as_millis()).unwrap_or(i32::MAX);
    let now = clock::now();
    let mut attempt = Attempt { url: url.clone(), started_at, duration_ms, status: None, answer: None, error: None };
    let mut verdict = Verdict { status: None, retry_after: None };
    match answer {
        Ok(answer) => {
            verdict.status = Some(answer.status.as_u16());
            verdict.retry_after = answer.retry_after.and_then(|value| schedule::retry_after(&value, now));
            attempt.status = verdict.status;
            attempt.answer = Some(answer.begins);
            attempt.error = answer.status.is_redirection().then(|| "redirects are not followed".to_owned());
        }
        Err(why) => attempt.error = Some(why),
    }
    let shift = 2.0 * fastrand::f64() - 1.0;
    let outcome = schedule::after(verdict, &claimed, now, shift, settings);
    Made { verdict, settled: Settled { endpoint: target.endpoint.id, claimed, attempt: Some(attempt), outcome } }
}

/// What receivers of the origin's webhooks know an event by, besides its type.
#[derive(Default, Deserialize)]
struct Named {
    alert_id: Option<String>,
    campaign_id: Option<String>,
    lifecycle_event: Option<String>,
}

impl Named {
    fn of(claimed: &Claimed) -> Self {
        match claimed.kind.as_str() {
            "cost_alert" | "campaign_lifecycle" => serde_json::from_str(&claimed.payload).unwrap_or_default(),
            _ => Self::default(),
        }
    }

    /// The campaign is named there of what happened to one, not of its leads and costs.
    fn headers(self) -> impl Iterator<Item = (&'static str, String)> {
        let campaign = self.campaign_id.filter(|_| self.lifecycle_event.is_some());
        let named =
            [("x-alert-id", self.alert_id), ("x-campaign-id", campaign), ("x-lifecycle-event", self.lifecycle_event)];
        // Ids of rows that other programs write may be anything.
        let fits = |value: &String| value.bytes().all(|byte| byte.is_ascii_graphic());
        named.into_iter().filter_map(move |(name, value)| Some((name, value.filter(fits)?)))
    }
}

/// What became of it, as metrics count it.
pub(super) const fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Delivered => "delivered",
        Outcome::Retry(_) => "failed",
        Outcome::PutOff(_) => "put_off",
        Outcome::Parked(_) => "parked",
        Outcome::Cancelled(_) => "cancelled",
        Outcome::Gone => "gone",
    }
}
