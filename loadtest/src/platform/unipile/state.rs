//! What a workspace knows: webhooks, chats, messages. No sockets and no time in here.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// How every call of the API goes from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// 502 with a page for people.
    Html,
    /// An error of Unipile's with this status.
    Status(u16),
    /// A list that is larger than anybody should read.
    Huge,
    /// Lists whose cursor never ends.
    Endless,
}

#[derive(Default)]
pub(super) struct State {
    pub key: String,
    pub webhooks: Vec<Value>,
    /// As the lists show them.
    pub chats: BTreeMap<String, Value>,
    pub attendees: BTreeMap<String, BTreeMap<String, Value>>,
    pub messages: Vec<Value>,
    pub trouble: Option<Trouble>,
    /// Things on a page at most.
    pub page: usize,
    /// `METHOD path?query` of all calls.
    pub calls: Vec<String>,
    /// Lists show all accounts', whichever is asked for.
    pub mixes_accounts: bool,
    pub made: u64,
}

/// Which things of a list to show.
pub(super) struct Filter<'a> {
    pub account: Option<&'a str>,
    pub chat: Option<&'a str>,
    pub after: Option<&'a str>,
    pub before: Option<&'a str>,
}

impl Filter<'_> {
    /// All times are in one form, so that text compares as they do.
    fn takes(&self, item: &Value, chat_key: &str) -> bool {
        let at = item["timestamp"].as_str().unwrap_or_default();
        self.account.is_none_or(|account| item["account_id"] == account)
            && self.chat.is_none_or(|chat| item[chat_key] == chat)
            && self.after.is_none_or(|after| at > after)
            && self.before.is_none_or(|before| at < before)
    }
}

impl State {
    pub(super) fn new_id(&mut self, what: &str) -> String {
        self.made += 1;
        format!("{what}_{}", self.made)
    }

    /// Registers a webhook as it is; its id.
    pub(super) fn register(&mut self, mut webhook: Value) -> String {
        let id = self.new_id("hook");
        webhook["object"] = json!("Webhook");
        webhook["id"] = json!(id);
        for (key, usual) in
            [("enabled", json!(true)), ("format", json!("json")), ("headers", json!([])), ("events", json!([]))]
        {
            if webhook.get(key).is_none() {
                webhook[key] = usual;
            }
        }
        if let Some(ids) = webhook.get_mut("account_ids").and_then(Value::as_array_mut) {
            for id in ids.iter_mut().filter(|id| id.is_string()) {
                *id = json!({"id": id, "type": "LINKEDIN"});
            }
        }
        self.webhooks.push(webhook);
        id
    }

    /// Takes a `message_received` into the lists.
    pub(super) fn keep(&mut self, body: &Value) {
        let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        let own = body["is_sender"] == true;
        let (chat, sender) = (text("chat_id"), &body["sender"]);
        self.messages.retain(|message| message["id"] != body["message_id"]);
        self.messages.push(json!({
            "object": "Message", "id": body["message_id"], "account_id": body["account_id"], "chat_id": chat,
            "chat_provider_id": body["provider_chat_id"], "provider_id": body["provider_message_id"],
            "sender_id": sender["attendee_provider_id"], "sender_attendee_id": sender["attendee_id"],
            "text": body["message"], "timestamp": body["timestamp"], "is_sender": u8::from(own),
            "attachments": body["attachments"], "reactions": [], "seen": 0, "seen_by": {}, "hidden": 0, "deleted": 0,
            "edited": 0, "is_event": 0, "delivered": 1, "behavior": null, "original": body["message"], "subject": null,
            "message_type": "MESSAGE", "attendee_type": "MEMBER", "attendee_distance": 1,
        }));
        let known = self.chats.entry(chat.clone()).or_insert_with(|| {
            json!({
                "object": "Chat", "id": chat, "account_id": body["account_id"], "account_type": body["account_type"],
                "provider_id": body["provider_chat_id"], "attendee_provider_id": null, "name": null, "type": 0,
                "timestamp": "", "unread_count": 0, "unread": 0, "archived": 0, "read_only": 0, "folder": ["INBOX"],
            })
        });
        if known["timestamp"].as_str() < body["timestamp"].as_str() {
            known["timestamp"] = body["timestamp"].clone();
        }
        if !own {
            known["unread_count"] = json!(known["unread_count"].as_i64().unwrap_or(0) + 1);
        }
        let person = |party: &Value, own: bool| {
            json!({
                "object": "ChatAttendee", "id": party["attendee_id"], "account_id": body["account_id"],
                "provider_id": party["attendee_provider_id"], "name": party["attendee_name"], "is_self": u8::from(own),
                "hidden": 0, "picture_url": null, "profile_url": party["attendee_profile_url"],
            })
        };
        let attendee = person(sender, own);
        let key = attendee["provider_id"].as_str().unwrap_or_default().to_owned();
        self.attendees.entry(chat).or_default().insert(key, attendee);
    }

    pub(super) fn list_webhooks(&self) -> Vec<Value> {
        self.webhooks.clone()
    }

    /// The newest first.
    pub(super) fn list_chats(&self, filter: &Filter<'_>) -> Vec<Value> {
        let mut found: Vec<Value> = self.chats.values().filter(|chat| filter.takes(chat, "id")).cloned().collect();
        newest_first(&mut found);
        found
    }

    /// The newest first.
    pub(super) fn list_messages(&self, filter: &Filter<'_>) -> Vec<Value> {
        let messages = self.messages.iter().rev().filter(|message| filter.takes(message, "chat_id"));
        let mut found: Vec<Value> = messages.cloned().collect();
        newest_first(&mut found);
        found
    }

    /// The registered webhooks that a body is for.
    pub(super) fn receivers(&self, body: &Value) -> Vec<Value> {
        let (about, event, account) = match (&body["AccountStatus"], body["event"].as_str()) {
            (Value::Object(status), _) => ("account_status", None, &status["account_id"]),
            (_, Some("new_relation")) => ("users", Some("new_relation"), &body["account_id"]),
            (_, event) => ("messaging", event, &body["account_id"]),
        };
        let tells = |hook: &&Value| {
            let has = |key: &str, wanted: &dyn Fn(&Value) -> bool| {
                hook[key].as_array().is_some_and(|list| list.iter().any(wanted))
            };
            let of_all = hook["account_ids"].as_array().is_none_or(Vec::is_empty);
            hook["enabled"] == true
                && hook["source"] == about
                && event.is_none_or(|event| has("events", &|one| one == event))
                && (of_all || has("account_ids", &|one| one["id"] == *account))
        };
        self.webhooks.iter().filter(tells).cloned().collect()
    }
}

fn newest_first(items: &mut [Value]) {
    items.sort_by(|one, other| other["timestamp"].as_str().cmp(&one["timestamp"].as_str()));
}
