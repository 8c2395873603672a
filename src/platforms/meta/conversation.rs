//! Messenger and Instagram: from an item of `messaging` or `standby` to a message, or to what became of one.
//!
//! Shapes: Messenger Platform reference, "Webhook Events". Names of people are not in there.

use serde_json::{Map, Value};

use super::super::{
    Unreadable,
    item::{arrived, flag, happened, id, list, object, text},
};
use crate::domain::{
    Timestamp,
    message::{Arrival, ChangeKind, Details, Flag, Happening, Message, MessageChange, MessageObject, Owner, Reaction},
};

/// What an item says. `own_id` is the source's page or Instagram account, `received_at` the time of what tells none.
///
/// # Errors
/// If it is of another kind, or doesn't say which message or whose conversation it is about.
pub fn read(
    item: &str,
    owner: Owner,
    own_id: &str,
    received_at: Timestamp,
    arrival: Arrival,
) -> Result<Happening, Unreadable> {
    let item = object(item)?;
    let arrival = arrived(&item, arrival);
    let [sender, recipient] = ["sender", "recipient"].map(|side| id(item.get(side).and_then(|side| side.get("id"))));
    let kind = |name: &str| item.get(name).and_then(Value::as_object);
    let message = kind("message");
    let echo = message.is_some_and(|message| flag(message.get("is_echo")));
    let own = echo || sender.as_deref() == Some(own_id);
    let told = Told {
        owner,
        instagram: is_instagram(own_id),
        own,
        person: if own { recipient } else { sender.clone() },
        sender,
        at: happened(item.get("timestamp"), received_at),
        received_at,
    };
    let change = if let Some(message) = message {
        if !flag(message.get("is_deleted")) {
            let text = text(message.get("text"));
            return told.message(message, id(message.get("mid")), text, arrival);
        }
        told.about(ChangeKind::Deleted, message)?
    } else if let Some(edit) = kind("message_edit") {
        let new = edit.get("text").and_then(Value::as_str).map(str::to_owned);
        let text = Some(new.ok_or_else(|| Unreadable::because("an edit without a text"))?);
        MessageChange { text, ..told.about(ChangeKind::Edited, edit)? }
    } else if let Some(reaction) = kind("reaction") {
        MessageChange { reaction: Some(told.reaction(reaction)), ..told.about(ChangeKind::Reaction, reaction)? }
    } else if let Some(read) = kind("read") {
        told.receipt(ChangeKind::Read, read)?
    } else if let Some(delivery) = kind("delivery") {
        told.receipt(ChangeKind::Delivered, delivery)?
    } else if let Some(postback) = kind("postback") {
        let mid = id(postback.get("mid")).or_else(|| told.postback_id());
        return told.message(postback, mid, text(postback.get("title")), arrival);
    } else {
        return Err(Unreadable::because("it is of a kind that says nothing of a message"));
    };
    Ok(Happening::Change(Box::new(change)))
}

/// Items don't say which messenger they are of, but a source's id does: an Instagram professional account has 17 digits
/// that begin with 17841; a page has fewer. So all chats of a source are of one kind, whatever is read from them first.
pub(super) fn is_instagram(own_id: &str) -> bool {
    own_id.len() == 17 && own_id.starts_with("17841")
}

/// What all kinds share.
struct Told {
    owner: Owner,
    instagram: bool,
    /// The account itself did it.
    own: bool,
    sender: Option<String>,
    /// The other side.
    person: Option<String>,
    at: Option<Timestamp>,
    received_at: Timestamp,
}

impl Told {
    fn message(
        &self,
        message: &Map<String, Value>,
        mid: Option<String>,
        text: Option<String>,
        arrival: Arrival,
    ) -> Result<Happening, Unreadable> {
        let mid = mid.ok_or_else(|| Unreadable::because("a message without an id"))?;
        let person = self.person.clone().ok_or_else(|| Unreadable::because("a message that nobody is part of"))?;
        let attachments = list(message.get("attachments"));
        let details = Details { reply_to: message.get("reply_to").cloned().unwrap_or_default(), ..Details::default() };
        Ok(Happening::Message(Box::new(Message {
            object: MessageObject::Message,
            id: self.owner.message(&mid),
            agency: self.owner.agency,
            account: self.owner.account,
            source: self.owner.source,
            chat: self.owner.chat(&person),
            account_type: if self.instagram { "INSTAGRAM" } else { "MESSENGER" }.to_owned(),
            platform_id: mid.clone(),
            chat_platform_id: person.clone(),
            provider_id: mid,
            chat_provider_id: person,
            chat_name: None,
            sender_id: self.sender.clone(),
            sender_attendee_id: self.sender.clone(),
            sender_name: None,
            original: text.clone(),
            text,
            timestamp: self.timestamp(),
            is_sender: Flag(self.own),
            attachments,
            reactions: Vec::new(),
            seen: Flag(false),
            seen_by: Value::Object(Map::new()),
            hidden: Flag(false),
            deleted: Flag(false),
            edited: Flag(false),
            is_event: Flag(false),
            delivered: Flag(!self.own),
            sent_by_autopilot: false,
            arrival,
            details,
            created_at: self.received_at,
        })))
    }

    /// A change of the message that `kind` names by its id.
    fn about(&self, change: ChangeKind, kind: &Map<String, Value>) -> Result<MessageChange, Unreadable> {
        let mid = id(kind.get("mid")).ok_or_else(|| Unreadable::because("a change of a message without an id"))?;
        Ok(self.change(change, Some(&mid)))
    }

    /// A page's own receipts (`sender` is the page) are of the person's messages, a person's are of the page's.
    fn receipt(&self, change: ChangeKind, receipt: &Map<String, Value>) -> Result<MessageChange, Unreadable> {
        let is_sender = Some(Flag(!self.own));
        if let Some(up_to) = happened(receipt.get("watermark"), self.received_at) {
            if self.person.is_none() {
                return Err(Unreadable::because("a receipt of nobody"));
            }
            return Ok(MessageChange { up_to: Some(up_to), is_sender, ..self.change(change, None) });
        }
        // Instagram names the message; Messenger lists some, the last of which stands for them.
        let listed = receipt.get("mids").and_then(Value::as_array).and_then(|mids| mids.last());
        let mid = id(receipt.get("mid")).or_else(|| id(listed));
        let mid = mid.ok_or_else(|| Unreadable::because("a receipt that says neither until when nor of what"))?;
        Ok(MessageChange { is_sender, ..self.change(change, Some(&mid)) })
    }

    /// The emoji, or the word for it; nothing when it was taken back.
    fn reaction(&self, reaction: &Map<String, Value>) -> Reaction {
        let taken_back = reaction.get("action").and_then(Value::as_str) == Some("unreact");
        let value = text(reaction.get("emoji")).or_else(|| text(reaction.get("reaction")));
        Reaction {
            value: value.filter(|_| !taken_back).unwrap_or_default(),
            sender_id: self.sender.clone().unwrap_or_default(),
            is_sender: Flag(self.own),
        }
    }

    fn change(&self, change: ChangeKind, mid: Option<&str>) -> MessageChange {
        MessageChange {
            change,
            id: mid.map(|mid| self.owner.message(mid)),
            platform_id: mid.map(str::to_owned),
            agency: self.owner.agency,
            account: self.owner.account,
            source: self.owner.source,
            chat: self.person.as_deref().map(|person| self.owner.chat(person)),
            timestamp: self.timestamp(),
            text: None,
            reaction: None,
            up_to: None,
            is_sender: None,
        }
    }

    fn timestamp(&self) -> Timestamp {
        self.at.unwrap_or(self.received_at)
    }

    /// While another app owns the conversation, postbacks come without an id; nobody presses twice at one time.
    fn postback_id(&self) -> Option<String> {
        Some(format!("postback|{}|{}", self.person.as_deref()?, self.at?.timestamp_millis()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::{AccountId, AgencyId, SourceId, clock};

    const PAGE: &str = "987987987";
    const INSTAGRAM_ACCOUNT: &str = "17841400000000001";
    const MESSENGER: &str = include_str!("../../inbound/providers/meta/samples/messenger.json");
    const INSTAGRAM: &str = include_str!("../../inbound/providers/meta/samples/instagram.json");

    /// Members of a message that are the same in all of them.
    const USUAL: &str = r#"{"object":"Message","attachments":[],"reactions":[],"seen":0,"seen_by":{},"hidden":0,"deleted":0,
    "edited":0,"is_event":0,"delivered":1,"is_sender":0,"sent_by_autopilot":false,"behavior":null,"quoted":null,
    "reply_to":null,"event_type":null,"replies":null,"reply_by":null,"parent":null,"subject":null,"message_type":null,
    "attendee_type":null,"attendee_distance":null,"sender_urn":null,"created_at":"2026-12-31T00:00:00.000Z"}"#;

    fn owner() -> Owner {
        Owner {
            agency: AgencyId::derive(&[b"agency"]),
            account: AccountId::derive(&[b"account"]),
            source: SourceId::derive(&[b"source"]),
        }
    }

    /// The end of the year 2026.
    fn received_at() -> Timestamp {
        clock::from_micros(1_798_675_200_000_000)
    }

    fn try_read(item: &Value, own_id: &str) -> Result<Value, Unreadable> {
        Ok(match read(&item.to_string(), owner(), own_id, received_at(), Arrival::Replay)? {
            Happening::Message(message) => serde_json::to_value(message).unwrap(),
            Happening::Change(change) => serde_json::to_value(change).unwrap(),
        })
    }

    fn items(sample: &str) -> Vec<Value> {
        let body: Value = serde_json::from_str(sample).unwrap();
        let entries = body["entry"].as_array().unwrap();
        let all = |entry: &Value| {
            let changed = list(entry.get("changes")).into_iter().map(|change| change["value"].clone());
            [list(entry.get("messaging")), list(entry.get("standby")), changed.collect()].concat()
        };
        entries.iter().flat_map(all).collect()
    }

    /// An object with some members more, or in place of its own.
    fn changed(mut object: Value, mut members: Value) -> Value {
        object.as_object_mut().unwrap().append(members.as_object_mut().unwrap());
        object
    }

    /// From the person `5` (`6` on Instagram), changed by `members`.
    fn message(mid: &str, members: Value) -> Value {
        let expected: Value = serde_json::from_str(USUAL).unwrap();
        let named = json!({
            "id": owner().message(mid), "agency_id": owner().agency, "account_id": owner().account,
            "source_id": owner().source, "chat_id": owner().chat("5"), "account_type": "MESSENGER", "platform_id": mid,
            "chat_platform_id": "5", "provider_id": mid, "chat_provider_id": "5", "chat_name": null, "sender_id": "5",
            "sender_attendee_id": "5", "sender_name": null, "text": null, "original": null,
            "timestamp": "2016-03-23T00:25:52.478Z", "arrival": "replay",
        });
        changed(changed(expected, named), members)
    }

    fn change(kind: &str, mid: Option<&str>, person: &str, at: &str, members: Value) -> Value {
        let expected = json!({
            "change": kind, "id": mid.map(|mid| owner().message(mid)), "platform_id": mid, "agency_id": owner().agency,
            "account_id": owner().account, "source_id": owner().source, "chat_id": owner().chat(person),
            "timestamp": at,
        });
        changed(expected, members)
    }

    #[test]
    fn messenger_is_read_item_by_item() {
        let (items, at) = (items(MESSENGER), "2016-03-22T17:47:36.463Z");
        let attachment = json!({"type": "image", "payload": {"url": "https://scontent.example/i", "sticker_id": 369_239_263_222_822_i64}});
        let up_to = json!({"up_to": "2016-03-22T17:47:36.253Z", "is_sender": 1});
        let reaction = |value: &str| json!({"reaction": {"value": value, "sender_id": "5", "is_sender": 0}});
        let expected = [
            message(
                "mid.1457764197618:41d102a3e1ae206a38",
                json!({"text": "hello, world!", "original": "hello, world!"}),
            ),
            message("m_2", json!({"timestamp": "2016-03-23T00:25:52.479Z", "attachments": [attachment]})),
            message(
                "m_3",
                json!({"timestamp": "2016-03-12T06:29:57.627Z", "is_sender": 1, "delivered": 0,
                "sender_id": PAGE, "sender_attendee_id": PAGE, "text": "hello", "original": "hello"}),
            ),
            change("delivered", None, "5", "2026-12-31T00:00:00.000Z", up_to.clone()),
            change("read", None, "5", at, up_to),
            change("reaction", Some("m_3"), "5", at, reaction("\u{2764}\u{fe0f}")),
            change("reaction", Some("m_3"), "5", "2016-03-22T17:47:36.464Z", reaction("")),
            change("edited", Some("m_2"), "5", at, json!({"text": "edited text"})),
            message("m_4", json!({"text": "Get Started", "original": "Get Started"})),
        ];
        for (item, expected) in items.iter().zip(&expected) {
            assert_eq!(try_read(item, PAGE).as_ref(), Ok(expected), "{item}");
        }
        assert!(try_read(&items[9], PAGE).is_err(), "a policy is no message");
        let standby =
            json!({"text": "Get Started", "original": "Get Started", "timestamp": "2016-03-23T00:25:52.481Z"});
        assert_eq!(try_read(&items[10], PAGE), Ok(message("postback|5|1458692752481", standby)));
        assert_eq!(items.len(), 11);
    }

    #[test]
    fn instagram_is_known_by_its_account() {
        let items = items(INSTAGRAM);
        let deleted = change("deleted", Some("ig_1"), "6", "2019-09-23T18:14:45.349Z", json!({}));
        assert_eq!(try_read(&items[0], INSTAGRAM_ACCOUNT), Ok(deleted));
        let members = json!({"account_type": "INSTAGRAM", "chat_id": owner().chat("6"), "chat_platform_id": "6",
            "chat_provider_id": "6", "sender_id": "6", "sender_attendee_id": "6", "text": "hi", "original": "hi",
            "timestamp": "2019-09-23T18:14:45.349Z"});
        assert_eq!(try_read(&items[1], INSTAGRAM_ACCOUNT), Ok(message("ig_2", members)));
        for page in [PAGE, "178414000000000", "27841400000000001"] {
            assert!(!is_instagram(page));
        }
    }

    fn from_person(kind: Value) -> Value {
        changed(json!({"sender": {"id": 5}, "recipient": {"id": INSTAGRAM_ACCOUNT}}), kind)
    }

    #[test]
    fn instagrams_own_shapes_are_read() {
        let read = |kind: Value| try_read(&from_person(kind), INSTAGRAM_ACCOUNT).unwrap();
        let seen = read(json!({"read": {"mid": "ig_1"}}));
        let expected = change("read", Some("ig_1"), "5", "2026-12-31T00:00:00.000Z", json!({"is_sender": 1}));
        assert_eq!(seen, expected);
        let unsupported = read(json!({"message": {"mid": "ig_3", "is_unsupported": true}}));
        assert_eq!((&unsupported["text"], &unsupported["attachments"]), (&json!(null), &json!([])));
        let story = json!({"story": {"url": "https://cdn.example/s", "id": "1"}});
        assert_eq!(read(json!({"message": {"mid": "ig_4", "text": " :)\n", "reply_to": story}}))["reply_to"], story);
        let word = read(json!({"reaction": {"mid": "ig_4", "action": "react", "reaction": "love"}}));
        assert_eq!(word["reaction"]["value"], "love");
        let echo = json!({"sender": {"id": "x"}, "recipient": {"id": "5"}, "message": {"mid": "m", "is_echo": 1}});
        let echo = try_read(&echo, INSTAGRAM_ACCOUNT).unwrap();
        assert_eq!((&echo["is_sender"], &echo["chat_platform_id"]), (&json!(1), &json!("5")));
    }

    #[test]
    fn a_page_that_reads_tells_of_the_persons_messages() {
        let item = json!({"sender": {"id": PAGE}, "recipient": {"id": "5"}, "read": {"watermark": "1458668856253"}});
        let read = try_read(&item, PAGE).unwrap();
        assert_eq!((&read["is_sender"], &read["chat_id"]), (&json!(0), &json!(owner().chat("5"))));
    }

    #[test]
    fn what_lacks_its_message_or_its_person_is_unreadable_and_says_why() {
        for (item, reason) in [
            (from_person(json!({"message": {"text": "hi"}})), "a message without an id"),
            (json!({"message": {"mid": "m"}}), "a message that nobody is part of"),
            (from_person(json!({"message_edit": {"mid": "m", "num_edit": 0}})), "an edit without a text"),
            (from_person(json!({"reaction": {"action": "react"}})), "a change of a message without an id"),
            (json!({"read": {"watermark": 1_458_668_856_253_i64}}), "a receipt of nobody"),
            (from_person(json!({"read": {"watermark": 0}})), "a receipt that says neither until when nor of what"),
            (from_person(json!({"postback": {"title": "x"}})), "a message without an id"),
            (from_person(json!({"optin": {}})), "it is of a kind that says nothing of a message"),
        ] {
            assert_eq!(try_read(&item, INSTAGRAM_ACCOUNT).unwrap_err().to_string(), reason, "{item}");
        }
    }
}
