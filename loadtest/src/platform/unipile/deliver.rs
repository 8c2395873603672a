//! Sending webhooks: with the headers that were registered, and five times more when the answer is not 200.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use reqwest::Client;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use crate::platform::wire::near;

/// As Unipile waits for an answer.
const PATIENCE: Duration = Duration::from_secs(30);
const RETRIES: u32 = 5;
/// Before the first retry; each wait is twice the one before. Unipile's own are not published.
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// A webhook to be sent: the registration and the body.
pub(super) type Post = (Value, Value);

/// What is under way, and how much was given up.
#[derive(Default)]
pub(super) struct Progress {
    pub under_way: watch::Sender<usize>,
    pub lost: AtomicUsize,
}

/// Sends what comes, each on its own, until nobody can add more.
pub(super) async fn run(mut posts: mpsc::Receiver<Post>, progress: Arc<Progress>) {
    let client = near(PATIENCE);
    while let Some((webhook, body)) = posts.recv().await {
        let (client, progress) = (client.clone(), Arc::clone(&progress));
        actix_web::rt::spawn(async move {
            if !deliver(&client, &webhook, body).await {
                progress.lost.fetch_add(1, Ordering::Relaxed);
            }
            progress.under_way.send_modify(|count| *count -= 1);
        });
    }
}

async fn deliver(client: &Client, webhook: &Value, mut body: Value) -> bool {
    if body.get("event").is_some() {
        body["webhook_name"] = webhook["name"].clone();
    }
    let url = webhook["request_url"].as_str().unwrap_or_default();
    let empty = json!([]);
    let headers = webhook["headers"].as_array().or(empty.as_array()).into_iter().flatten();
    let headers: Vec<(&str, &str)> =
        headers.filter_map(|header| Some((header["key"].as_str()?, header["value"].as_str()?))).collect();
    let mut wait = FIRST_WAIT;
    for attempt in 0..=RETRIES {
        let mut request = client.post(url).body(body.to_string());
        for (name, value) in &headers {
            request = request.header(*name, *value);
        }
        if request.send().await.is_ok_and(|answer| answer.status() == 200) {
            return true;
        }
        if attempt < RETRIES {
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
    }
    false
}
