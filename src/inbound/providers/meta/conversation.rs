//! What happens in Messenger and Instagram conversations, as far as telling one happening from another needs.
//!
//! Reading messages themselves is not done here: they are kept as they came, and `platforms` reads them.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::raw::{is_id, read, text};
use crate::domain::message::Flag;

/// One item of `messaging` or `standby`, or the value of a change in `messages`. Exactly one of the members after the
/// timestamp says what it is; kinds that are not listed here come too.
#[derive(Deserialize, Default)]
pub struct Happening<'a> {
    #[serde(borrow)]
    sender: Option<&'a RawValue>,
    #[serde(borrow)]
    recipient: Option<&'a RawValue>,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    message_edit: Option<&'a RawValue>,
    #[serde(borrow)]
    reaction: Option<&'a RawValue>,
    #[serde(borrow)]
    read: Option<&'a RawValue>,
    #[serde(borrow)]
    delivery: Option<&'a RawValue>,
    #[serde(borrow)]
    postback: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Party<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
}

/// The members of all kinds together: each kind has some of them.
#[derive(Deserialize)]
struct Detail<'a> {
    #[serde(borrow)]
    mid: Option<&'a RawValue>,
    #[serde(borrow)]
    is_echo: Option<&'a RawValue>,
    #[serde(borrow)]
    is_deleted: Option<&'a RawValue>,
    #[serde(borrow)]
    num_edit: Option<&'a RawValue>,
    #[serde(borrow)]
    action: Option<&'a RawValue>,
    #[serde(borrow)]
    watermark: Option<&'a RawValue>,
}

impl<'a> Happening<'a> {
    /// Whether anybody speaks to anybody; the test button's payload has nobody in it.
    pub const fn has_people(&self) -> bool {
        self.sender.is_some() || self.recipient.is_some()
    }

    /// Whether it says something of a message. Everything else (consent, linked accounts, who owns the conversation, where
    /// somebody came from) is of no use to the hub.
    pub fn is_of_messages(&self) -> bool {
        [self.message, self.message_edit, self.reaction, self.read, self.delivery, self.postback]
            .iter()
            .flatten()
            .any(|kind| kind.get().starts_with('{'))
    }

    /// The page's own side: who is written to, or who writes when it is the page's own message that comes back.
    pub fn page(&self) -> Option<Cow<'a, str>> {
        let echo = detail(self.message).is_some_and(|message| holds(message.is_echo));
        party(if echo { self.sender } else { self.recipient })
    }

    /// What is the same whenever this is delivered again, and never for anything else on the page: the message's id,
    /// or for what has none of its own a composite. `None` where a part is missing or is none.
    pub fn platform_id(&self, page: &str) -> Option<String> {
        self.composite(page).filter(|id| is_id(id))
    }

    fn composite(&self, page: &str) -> Option<String> {
        if let Some(message) = detail(self.message) {
            // Unsending a message comes with the id of the message.
            let mid = text(message.mid)?;
            return Some(if holds(message.is_deleted) { format!("deleted|{mid}") } else { mid.into_owned() });
        }
        if let Some(edit) = detail(self.message_edit) {
            return Some(format!("edit|{}|{}", text(edit.mid)?, text(edit.num_edit)?));
        }
        if let Some(reaction) = detail(self.reaction) {
            let (mid, sender, action) = (text(reaction.mid)?, party(self.sender)?, text(reaction.action)?);
            return Some(format!("reaction|{mid}|{sender}|{action}|{}", text(self.timestamp)?));
        }
        if let Some(read) = detail(self.read) {
            return self.receipt("read", page, &read);
        }
        if let Some(delivery) = detail(self.delivery) {
            return self.receipt("delivery", page, &delivery);
        }
        let postback = detail(self.postback)?;
        Some(format!("postback|{}", text(postback.mid)?))
    }

    /// Messenger's receipts say up to when, Instagram's say which message.
    fn receipt(&self, kind: &str, page: &str, receipt: &Detail<'_>) -> Option<String> {
        let person = party(self.sender).filter(|sender| sender != page).or_else(|| party(self.recipient))?;
        let mark = text(receipt.watermark).or_else(|| text(receipt.mid))?;
        Some(format!("{kind}|{page}|{person}|{mark}"))
    }
}

fn detail(raw: Option<&RawValue>) -> Option<Detail<'_>> {
    read(raw?.get())
}

fn party(raw: Option<&RawValue>) -> Option<Cow<'_, str>> {
    text(read::<Party<'_>>(raw?.get())?.id)
}

fn holds(raw: Option<&RawValue>) -> bool {
    raw.is_some_and(|raw| serde_json::from_str::<Flag>(raw.get()).is_ok_and(|flag| flag.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(json: &str) -> Option<String> {
        read::<Happening<'_>>(json).unwrap().platform_id("20")
    }

    #[test]
    fn a_message_is_its_mid_and_taking_it_back_is_something_else() {
        assert_eq!(id(r#"{"message":{"mid":"m_1","text":"hi"}}"#).as_deref(), Some("m_1"));
        assert_eq!(id(r#"{"message":{"mid":"m_1","is_deleted":true}}"#).as_deref(), Some("deleted|m_1"));
        assert_eq!(id(r#"{"message":{"mid":"m_1","is_deleted":false}}"#).as_deref(), Some("m_1"));
    }

    #[test]
    fn edits_of_one_message_differ_by_their_number_however_it_is_written() {
        assert_eq!(id(r#"{"message_edit":{"mid":"m_1","num_edit":1}}"#).as_deref(), Some("edit|m_1|1"));
        assert_eq!(id(r#"{"message_edit":{"mid":"m_1","num_edit":"2"}}"#).as_deref(), Some("edit|m_1|2"));
    }

    #[test]
    fn reactions_differ_by_who_what_and_when() {
        let json = r#"{"sender":{"id":"5"},"timestamp":"7","reaction":{"action":"react","mid":"m_1"}}"#;
        assert_eq!(id(json).as_deref(), Some("reaction|m_1|5|react|7"));
        assert_eq!(id(&json.replace("react\"", "unreact\"")).as_deref(), Some("reaction|m_1|5|unreact|7"));
    }

    #[test]
    fn receipts_differ_by_kind_person_and_mark() {
        let read = r#"{"sender":{"id":"5"},"recipient":{"id":"20"},"read":{"watermark":9}}"#;
        assert_eq!(id(read).as_deref(), Some("read|20|5|9"));
        assert_eq!(id(&read.replace("read", "delivery")).as_deref(), Some("delivery|20|5|9"));
        let seen_on_instagram = r#"{"sender":{"id":"5"},"recipient":{"id":"20"},"read":{"mid":"m_1"}}"#;
        assert_eq!(id(seen_on_instagram).as_deref(), Some("read|20|5|m_1"));
    }

    #[test]
    fn what_lacks_a_part_or_is_of_an_unknown_kind_has_no_id_of_its_own() {
        for json in [
            r#"{"message":{"text":"hi"}}"#,
            r#"{"message":"hi"}"#,
            r#"{"reaction":{"mid":"m_1"}}"#,
            r#"{"read":{"watermark":9}}"#,
            r#"{"postback":{"payload":"x"}}"#,
            r#"{"sender":{"id":"5"},"pass_thread_control":{}}"#,
            r#"{"message":{"mid":"a\u0000b"}}"#,
            "{}",
        ] {
            assert_eq!(id(json), None, "{json}");
        }
        assert_eq!(id(&format!(r#"{{"message":{{"mid":"{}"}}}}"#, "m".repeat(256))), None);
    }

    #[test]
    fn the_page_is_who_is_written_to_or_who_wrote_an_echo() {
        let json = r#"{"sender":{"id":"5"},"recipient":{"id":20},"message":{"mid":"m","is_echo":false}}"#;
        assert_eq!(read::<Happening<'_>>(json).unwrap().page().as_deref(), Some("20"));
        let echo = json.replace("false", "true");
        assert_eq!(read::<Happening<'_>>(&echo).unwrap().page().as_deref(), Some("5"));
    }
}
