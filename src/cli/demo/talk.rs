//! What people write in the demo: through Unipile with their names, and to a page in Messenger, where only a number is
//! known of them.

use std::{net::SocketAddr, time::Duration};

use loadtest::platform::{
    meta::{self, Message, Webhook},
    unipile::{Connected, HEADER, Workspace},
};
use serde_json::json;
use tokio::time::sleep;

use crate::domain::clock;

const PEOPLE: [&str; 5] = ["Priya Natarajan", "Tomás Rivera", "Mei Sato", "Zoë van der Berg", "<b>Bobby</b> O'Neill"];
const LINES: [&str; 8] = [
    "Hi! Do you still have an appointment this week?",
    "What would whitening cost for two of us?",
    "Thursday after four would be perfect 🙏",
    "Is parking near the practice possible?",
    "My insurance asks for an offer in writing. Could you send one?",
    "Great, thank you!",
    "I saw your ad. Is the first check-up really free?",
    "Sorry, I have to move my appointment to next week.",
];
const ANSWERS: [&str; 3] = ["Hello, and thanks for asking!", "Of course, I'll send it over.", "See you then 👋"];

/// Who posts to the hub.
pub(super) struct Talk {
    pub(super) client: reqwest::Client,
    pub(super) address: SocketAddr,
    /// Of the hub's Meta app.
    pub(super) app_secret: String,
    /// The page that is written to in Messenger.
    pub(super) page: u64,
    /// The account at Unipile.
    pub(super) connected: Connected,
    /// The simulated Unipile, which tells the hub what happens.
    pub(super) workspace: Workspace,
}

impl Talk {
    /// Has the simulated Unipile tell the hub. It knows the chats of earlier runs, whose messages nobody needs again.
    pub(super) fn tell_hub(&self, secret: &str) {
        for person in PEOPLE {
            let first = self.connected.message(person, &format!("demo_first_{person}"), "", "2020-01-01T00:00:00.000Z");
            self.workspace.keep(&first);
        }
        let changes = ["read", "delivered", "reaction", "edited", "deleted"].map(|change| format!("message_{change}"));
        let events: Vec<_> = changes.into_iter().chain(["message_received".to_owned()]).collect();
        let _ = self.workspace.register(json!({
            "source": "messaging", "name": "demo", "enabled": true, "format": "json", "events": events,
            "request_url": format!("http://{}/api/webhooks/unipile/messages", self.address),
            "headers": [{"key": HEADER, "value": secret}], "account_ids": [{"id": self.connected.id}],
        }));
    }

    /// Goes on until the hub stops.
    pub(super) async fn flow(self) {
        let mut last = None::<(&str, String)>;
        for round in 0_usize.. {
            sleep(Duration::from_millis(2500 + fastrand::u64(..4000))).await;
            let (person, line) = (PEOPLE[fastrand::usize(..PEOPLE.len())], LINES[fastrand::usize(..LINES.len())]);
            let (id, now) = (format!("demo_{}", clock::now().timestamp_micros()), clock::rfc3339(clock::now()));
            let connected = &self.connected;
            match (round % 6, last.take()) {
                (2, Some((person, _))) => {
                    let answer = ANSWERS[fastrand::usize(..ANSWERS.len())];
                    self.workspace.happen(&connected.own_message(person, &id, answer, &now));
                }
                (4, Some((person, message))) if round % 4 == 0 => {
                    self.workspace.happen(&connected.reaction(person, &message, "👍", &now));
                }
                (4, Some((person, message))) => {
                    let text = format!("{line} (I meant the other office)");
                    self.workspace.happen(&connected.change("message_edited", person, &message, &text, &now));
                }
                (5, _) => self.messenger(line).await,
                _ => {
                    self.workspace.happen(&connected.message(person, &id, line, &now));
                    last = Some((person, id));
                }
            }
        }
    }

    async fn messenger(&self, line: &str) {
        let now = clock::now();
        let message = Message {
            page_id: self.page,
            psid: 7_100_000_000_000_001 + fastrand::u64(..3),
            mid: format!("m_demo_{}", now.timestamp_micros()),
            text: line.to_owned(),
            timestamp: now.timestamp_millis(),
        };
        let body = Webhook::new(now.timestamp()).with_message(message).body();
        let url = format!("http://{}/webhook", self.address);
        if let Err(error) = meta::post(&self.client, &url, body, &self.app_secret).await {
            tracing::warn!(%error, "the simulated Messenger got no answer");
        }
    }
}
