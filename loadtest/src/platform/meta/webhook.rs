//! Bodies of webhook POSTs, built entry by entry.

use serde_json::{Value, json};

use crate::platform::wire;

/// One `leadgen` change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The page; also the entry's id.
    pub page_id: u64,
    /// The lead, and the key by which a second delivery is known.
    pub leadgen_id: u64,
    /// The form.
    pub form_id: u64,
    /// The ad; none for an organic lead, whose change then lacks `ad_id` and `adgroup_id`.
    pub ad_id: Option<u64>,
    /// Seconds since 1970.
    pub created_time: i64,
}

impl Change {
    /// An organic lead.
    #[must_use]
    pub const fn new(page_id: u64, leadgen_id: u64, created_time: i64) -> Self {
        Self { page_id, leadgen_id, form_id: 456_456_456_456_456, ad_id: None, created_time }
    }

    fn value(&self, id: fn(u64) -> Value) -> Value {
        let mut value = json!({
            "created_time": self.created_time, "leadgen_id": id(self.leadgen_id), "page_id": id(self.page_id),
            "form_id": id(self.form_id),
        });
        if let Some(ad) = self.ad_id {
            value["ad_id"] = id(ad);
            value["adgroup_id"] = id(ad);
        }
        value
    }
}

/// One text message from a person to a page, as Messenger delivers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The page it was sent to; also the entry's id.
    pub page_id: u64,
    /// The sender's id, which is good for this page only.
    pub psid: u64,
    /// The message's id, and the key by which a second delivery is known.
    pub mid: String,
    /// What was written.
    pub text: String,
    /// Milliseconds since 1970.
    pub timestamp: i64,
}

#[derive(Debug, Clone)]
enum Item {
    Change(Change),
    Other { page_id: u64, field: String, value: Value },
    Message(Message),
}

impl Item {
    const fn page_id(&self) -> u64 {
        match self {
            Self::Change(change) => change.page_id,
            Self::Other { page_id, .. } => *page_id,
            Self::Message(message) => message.page_id,
        }
    }
}

/// A webhook POST, built up with the methods that consume it. Neighbouring changes of the same page share an entry.
#[derive(Debug, Clone)]
pub struct Webhook {
    sent_at: i64,
    numbers: bool,
    items: Vec<Item>,
}

impl Webhook {
    /// An empty POST, sent at this time (seconds since 1970).
    #[must_use]
    pub const fn new(sent_at: i64) -> Self {
        Self { sent_at, numbers: false, items: Vec::new() }
    }

    /// A POST with one lead, sent a second after the lead was created.
    #[must_use]
    pub fn lead(change: Change) -> Self {
        Self::new(change.created_time + 1).with(change)
    }

    /// A POST with many leads, as Meta batches them; up to 1,000 in real traffic.
    #[must_use]
    pub fn batch(sent_at: i64, changes: impl IntoIterator<Item = Change>) -> Self {
        changes.into_iter().fold(Self::new(sent_at), Self::with)
    }

    /// Adds a lead.
    #[must_use]
    pub fn with(mut self, change: Change) -> Self {
        self.items.push(Item::Change(change));
        self
    }

    /// Adds a message.
    #[must_use]
    pub fn with_message(mut self, message: Message) -> Self {
        self.items.push(Item::Message(message));
        self
    }

    /// Adds a change of another field, or one that is broken on purpose.
    #[must_use]
    pub fn with_change(mut self, page_id: u64, field: &str, value: Value) -> Self {
        self.items.push(Item::Other { page_id, field: field.to_owned(), value });
        self
    }

    /// Ids as JSON numbers, as in Meta's documented sample; real traffic has strings.
    #[must_use]
    pub const fn ids_as_numbers(mut self) -> Self {
        self.numbers = true;
        self
    }

    /// The same again, sent later: what Meta does while it gets no 200.
    #[must_use]
    pub fn redelivered(&self, sent_at: i64) -> Self {
        Self { sent_at, ..self.clone() }
    }

    /// The body, in ASCII with the escapes of real traffic.
    #[must_use]
    pub fn body(&self) -> String {
        let id: fn(u64) -> Value = if self.numbers { |id| id.into() } else { |id| id.to_string().into() };
        let mut entries = Vec::new();
        let together = |a: &Item, b: &Item| {
            a.page_id() == b.page_id() && matches!(a, Item::Message(_)) == matches!(b, Item::Message(_))
        };
        for items in self.items.chunk_by(together) {
            entries.push(self.entry(items, id));
        }
        wire::ascii(&json!({"object": "page", "entry": entries}))
    }

    fn entry(&self, items: &[Item], id: fn(u64) -> Value) -> Value {
        let page_id = items.first().map_or(0, Item::page_id);
        let mut messaging = Vec::new();
        let mut changes = Vec::new();
        for item in items {
            match item {
                Item::Change(change) => changes.push(json!({"value": change.value(id), "field": "leadgen"})),
                Item::Other { field, value, .. } => changes.push(json!({"value": value, "field": field})),
                Item::Message(message) => messaging.push(json!({
                    "sender": {"id": message.psid.to_string()}, "recipient": {"id": message.page_id.to_string()},
                    "timestamp": message.timestamp, "message": {"mid": message.mid, "text": message.text},
                })),
            }
        }
        if messaging.is_empty() {
            json!({"id": id(page_id), "time": self.sent_at, "changes": changes})
        } else {
            json!({"id": id(page_id), "time": self.sent_at * 1000, "messaging": messaging})
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(webhook: &Webhook) -> Value {
        serde_json::from_str(&webhook.body()).unwrap()
    }

    #[test]
    fn an_organic_lead_has_string_ids_and_no_ad() {
        let body = parse(&Webhook::lead(Change::new(123_123_123, 321_321_321, 1_630_087_926)));
        assert_eq!(
            body,
            json!({"object": "page", "entry": [{"id": "123123123", "time": 1_630_087_927, "changes": [{"field": "leadgen",
                "value": {"form_id": "456456456456456", "leadgen_id": "321321321", "created_time": 1_630_087_926,
                          "page_id": "123123123"}}]}]})
        );
    }

    #[test]
    fn numbers_stay_exact_beyond_what_a_double_holds() {
        let change = Change { ad_id: Some(5), ..Change::new(1, 9_007_199_254_740_993, 2) };
        let body = Webhook::lead(change).ids_as_numbers().body();
        assert!(body.contains(r#""leadgen_id":9007199254740993"#) && body.contains(r#""adgroup_id":5"#), "{body}");
    }

    #[test]
    fn a_batch_over_pages_has_an_entry_for_each_run_of_a_page() {
        let changes = [(1, 10), (1, 11), (2, 12), (1, 13)].map(|(page, lead)| Change::new(page, lead, 5));
        let body = parse(&Webhook::batch(9, changes));
        let pages: Vec<_> = body["entry"].as_array().unwrap().iter().map(|entry| entry["id"].clone()).collect();
        assert_eq!(pages, ["1", "2", "1"]);
        assert_eq!(body["entry"][0]["changes"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn messages_come_as_messaging_in_milliseconds() {
        let message = Message { page_id: 1, psid: 2, mid: "m_1".into(), text: "grüß dich".into(), timestamp: 5001 };
        let body = Webhook::new(5).with_message(message).with(Change::new(1, 3, 4)).body();
        assert!(body.contains(r"gr\u00fc\u00df dich"));
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["entry"][0]["time"], 5000);
        assert_eq!(body["entry"][0]["messaging"][0]["message"]["mid"], "m_1");
        assert_eq!(body["entry"][1]["changes"][0]["field"], "leadgen");
    }

    #[test]
    fn a_redelivery_differs_in_nothing_but_when_it_was_sent() {
        let webhook = Webhook::lead(Change::new(1, 3, 4));
        let mut again = parse(&webhook.redelivered(99));
        assert_eq!(again["entry"][0]["time"], 99);
        again["entry"][0]["time"] = 5.into();
        assert_eq!(again, parse(&webhook));
    }
}
