//! Bodies of webhooks as Unipile sends them, with the types it really uses, and posting them by hand.

use reqwest::{Client, Response};
use serde_json::{Value, json};

/// The header with the secret.
pub const HEADER: &str = "Unipile-Auth";

/// A connected account that messages come from.
#[derive(Debug, Clone)]
pub struct Connected {
    /// Unipile's id of it.
    pub id: String,
    /// `LINKEDIN`, `WHATSAPP`, `INSTAGRAM` and so on.
    pub kind: String,
}

impl Connected {
    /// An account of LinkedIn.
    #[must_use]
    pub fn linked_in(id: &str) -> Self {
        Self { id: id.to_owned(), kind: "LINKEDIN".to_owned() }
    }

    /// Somebody writes: `message_received`. `person` tells the chat, its name and who writes.
    #[must_use]
    pub fn message(&self, person: &str, message: &str, text: &str, at: &str) -> Value {
        let sender = json!({
            "attendee_id": format!("att_{person}"), "attendee_provider_id": format!("ACoAA{person}"),
            "attendee_name": person, "attendee_profile_url": format!("https://www.linkedin.com/in/ACoAA{person}"),
            "attendee_specifics": {"provider": "LINKEDIN", "member_urn": "urn:li:member:4711", "is_company": false},
            "attendee_public_identifier": null,
        });
        json!({
            "event": "message_received", "account_id": self.id, "account_type": self.kind,
            "account_info": {"type": self.kind, "feature": "classic", "user_id": "ACoAAown"},
            "webhook_name": "leadwire", "chat_id": format!("chat_{person}"), "attendees": [sender], "sender": sender,
            "subject": null, "message": text, "message_id": message, "timestamp": at, "attachments": [],
            "is_sender": false, "provider_chat_id": format!("2-{person}"), "provider_message_id": format!("2-{message}"),
            "is_event": 0, "chat_pinned": 0, "quoted": null, "reply_to": null, "is_forwarded": null,
            "chat_content_type": null, "message_type": "MESSAGE", "is_group": false, "folder": ["INBOX"],
            "event_type": null,
        })
    }

    /// The account's own message, which comes as `message_received` too.
    #[must_use]
    pub fn own_message(&self, person: &str, message: &str, text: &str, at: &str) -> Value {
        let mut body = self.message(person, message, text, at);
        body["is_sender"] = json!(true);
        body["sender"]["attendee_provider_id"] = json!("ACoAAown");
        body["sender"]["attendee_name"] = json!("Own Name");
        body
    }

    /// What became of a message: `message_edited` with its new text, `message_deleted`, `message_read`,
    /// `message_delivered`.
    #[must_use]
    pub fn change(&self, event: &str, person: &str, message: &str, text: &str, at: &str) -> Value {
        let mut body = self.message(person, message, text, at);
        body["event"] = json!(event);
        body
    }

    /// Somebody reacts to a message.
    #[must_use]
    pub fn reaction(&self, person: &str, message: &str, emoji: &str, at: &str) -> Value {
        let mut body = self.change("message_reaction", person, message, "", at);
        body["reaction"] = json!(emoji);
        body["reaction_sender"] = body["sender"].clone();
        body
    }

    /// How the account is doing: `OK`, `CREDENTIALS`, `ERROR` and so on.
    #[must_use]
    pub fn status(&self, message: &str) -> Value {
        json!({"AccountStatus": {"account_id": self.id, "message": message, "account_type": self.kind}})
    }
}

/// Posts a body as Unipile does: no JSON content type unless it was asked for.
///
/// # Errors
/// If the hub can't be reached.
pub async fn post(client: &Client, url: &str, secret: &str, body: &Value) -> reqwest::Result<Response> {
    client.post(url).header(HEADER, secret).body(body.to_string()).send().await
}
