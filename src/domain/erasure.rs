//! Erasure: what was deleted, the texts that tell where else it stands, and what is left in their place.

use std::{fmt, str::FromStr, sync::Arc};

use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use super::{AccountId, AgencyId, ChatId, EventId, Timestamp, event::EventKind};

/// What can be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Thing {
    /// A lead.
    Lead,
    /// A prospect.
    Prospect,
    /// A chat with its messages.
    Chat,
    /// A message.
    Message,
    /// A campaign with its prospects and files.
    Campaign,
}

impl Thing {
    /// The word used in SQL and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Prospect => "prospect",
            Self::Chat => "chat",
            Self::Message => "message",
            Self::Campaign => "campaign",
        }
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names nothing that can be deleted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` can't be deleted")]
pub struct ParseThingError(String);

impl FromStr for Thing {
    type Err = ParseThingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::Lead, Self::Prospect, Self::Chat, Self::Message, Self::Campaign];
        all.into_iter().find(|thing| thing.as_str() == text).ok_or_else(|| ParseThingError(text.to_owned()))
    }
}

/// Something that was deleted, by its id and its traces: no text of a person is in here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// The tenant.
    pub agency: AgencyId,
    /// Whose it was.
    pub account: AccountId,
    /// What it was.
    pub thing: Thing,
    /// Its id.
    pub id: String,
    /// A chat: its messages that were written until then; what is written later begins it anew. `None`: for ever.
    pub until: Option<Timestamp>,
    /// Where else it stands.
    pub traces: Traces,
}

impl Erasure {
    /// The kinds of events that bring such a thing.
    #[must_use]
    pub const fn kinds(&self) -> &'static [EventKind] {
        match self.thing {
            Thing::Lead => &[EventKind::Lead],
            Thing::Prospect => &[EventKind::Prospect],
            Thing::Chat | Thing::Message => &[EventKind::Message],
            Thing::Campaign => &[EventKind::Campaign, EventKind::Prospect],
        }
    }

    /// Whether something that was written then is part of it. What tells no time is.
    #[must_use]
    pub fn covers(until: Option<Timestamp>, written: Option<Timestamp>) -> bool {
        until.is_none_or(|until| written.is_none_or(|written| written <= until))
    }
}

/// What tells where something stands that was deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Traces {
    /// Ids, the hub's and platforms'. They stand on their own: a longer id that has one of them in it is another.
    pub names: Vec<String>,
    /// Regular expressions over JSON text, for what no id tells.
    pub patterns: Vec<String>,
    /// The events that brought it.
    pub events: Vec<EventId>,
}

/// Names in one expression: more of them make it slow.
const TOGETHER: usize = 2_000;
/// Bytes that one takes at most.
const LARGEST: usize = 256 * 1024 * 1024;

impl Traces {
    /// Of these ids.
    #[must_use]
    pub fn of<T: ToString>(names: impl IntoIterator<Item = T>) -> Self {
        Self { names: names.into_iter().map(|name| name.to_string()).collect(), ..Self::default() }
    }

    /// Also where a chat is told of with this as the beginning of its newest message.
    pub fn add_glimpse(&mut self, chat: ChatId, last_message: &str) {
        let glimpse = regex::escape(&serde_json::Value::from(last_message).to_string());
        self.patterns.push(format!(r#"(?s)"type":"chat:updated".*"id":"{chat}".*"last_message":{glimpse}[,}}]"#));
    }

    /// Finds them; `None` if there are none.
    ///
    /// # Errors
    /// In words, if a pattern is none.
    pub fn matcher(&self) -> Result<Option<Matcher>, String> {
        let names: Vec<String> =
            self.names.iter().filter(|name| !name.is_empty()).flat_map(|name| written(name)).collect();
        let alone = |some: &[String]| format!(r"(?:^|[^0-9A-Za-z_])(?:{})(?:[^0-9A-Za-z_]|$)", some.join("|"));
        let together = names.chunks(TOGETHER).map(alone);
        let build = |pattern: String| {
            let mut builder = RegexBuilder::new(&pattern);
            builder.unicode(false).size_limit(LARGEST).build().map_err(|error| error.to_string())
        };
        let all: Vec<Regex> = together.chain(self.patterns.iter().cloned()).map(build).collect::<Result<_, _>>()?;
        Ok(Some(Matcher(all.into())).filter(|matcher| !matcher.0.is_empty()))
    }
}

/// As it stands in plain text and in JSON strings.
fn written(name: &str) -> Vec<String> {
    let json = serde_json::Value::from(name).to_string();
    let mut written = vec![name.to_owned(), json[1..json.len() - 1].to_owned(), name.replace('/', "\\/")];
    written.sort_unstable();
    written.dedup();
    written.iter().map(|text| regex::escape(text)).collect()
}

/// Finds traces in bytes.
#[derive(Debug, Clone)]
pub struct Matcher(Arc<[Regex]>);

impl Matcher {
    /// Whether one of them stands there.
    #[must_use]
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        self.0.iter().any(|pattern| pattern.is_match(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matcher(names: &[&str]) -> Matcher {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Traces { names, ..Traces::default() }.matcher().unwrap().unwrap()
    }

    #[test]
    fn a_name_is_found_on_its_own_and_not_within_a_longer_one() {
        let found = matcher(&["1234", "a\"b", "wa.1/x"]);
        for text in [r#"{"id":"1234"}"#, r#"{"id":1234}"#, "1234", r#"["a\"b"]"#, r#""wa.1\/x""#, "wa.1/x"] {
            assert!(found.is_in(text.as_bytes()), "{text}");
        }
        for text in ["12345", "91234", "x1234", "wa11/x", "", "_1234"] {
            assert!(!found.is_in(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn nothing_is_found_by_no_name() {
        assert!(Traces::default().matcher().unwrap().is_none());
        assert!(Traces { names: vec![String::new()], ..Traces::default() }.matcher().unwrap().is_none());
        assert!(Traces { patterns: vec!["(".to_owned()], ..Traces::default() }.matcher().is_err());
    }

    #[test]
    fn what_was_written_after_the_deletion_of_a_chat_is_not_part_of_it() {
        use crate::domain::clock::from_micros;
        let at = |micros| Some(from_micros(micros));
        assert!(Erasure::covers(None, at(9)) && Erasure::covers(at(5), at(5)) && Erasure::covers(at(5), None));
        assert!(!Erasure::covers(at(5), at(6)));
    }
}
