//! One Socket.IO client on its Engine.IO session: the namespaces that it is in, and packets whose attachments are still
//! coming.

use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Map, Value};

use super::packet::{Body, Packet};

/// The reference implementation takes as many.
const MOST_ATTACHMENTS: usize = 10;

/// What clients are held to.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The namespaces that there are.
    pub namespaces: &'static [&'static str],
    /// How long a client may be in none of them.
    pub connect_timeout: Duration,
    /// The most bytes that the attachments of one packet may have.
    pub max_attached: usize,
}

/// The client.
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    places: Vec<(String, Place)>,
    /// In no namespace since; over at this time.
    connect_by: Option<Instant>,
    incomplete: Option<(Packet, Vec<Bytes>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Asked,
    Joined,
}

/// What a client wants.
#[derive(Debug, PartialEq)]
pub enum Wish {
    /// Nothing yet, or nothing that is to be answered.
    Nothing,
    /// To be let into a namespace: [`Client::admit`] or [`Client::turn_away`] it, and tell it.
    Join {
        /// Which.
        namespace: String,
        /// Who it says it is.
        auth: Map<String, Value>,
    },
    /// To be let into one that there is not: tell it.
    JoinUnknown {
        /// Its name.
        namespace: String,
    },
    /// It has left a namespace.
    Leave {
        /// Which.
        namespace: String,
    },
    /// Something happened.
    Event(Event),
}

/// Something that a client says has happened.
#[derive(Debug, PartialEq)]
pub struct Event {
    /// Where.
    pub namespace: String,
    /// What.
    pub name: String,
    /// The rest; attachments are placeholders.
    pub arguments: Vec<Value>,
    /// In the order of their numbers.
    pub attachments: Vec<Bytes>,
    /// Under which number it is to be acknowledged.
    pub id: Option<u64>,
}

/// The client broke the protocol: the whole session is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Violation;

impl Client {
    /// A client that is in no namespace yet.
    #[must_use]
    pub fn new(settings: Settings, now: Instant) -> Self {
        Self { settings, places: Vec::new(), connect_by: Some(now + settings.connect_timeout), incomplete: None }
    }

    /// Until when it must have been let into a namespace; the session is closed then.
    #[must_use]
    pub const fn connect_by(&self) -> Option<Instant> {
        self.connect_by
    }

    /// Whether it is in the namespace.
    #[must_use]
    pub fn is_in(&self, namespace: &str) -> bool {
        self.place(namespace) == Some(Place::Joined)
    }

    /// A text message came.
    ///
    /// # Errors
    /// If it is none that may come now.
    pub fn text(&mut self, text: &str, now: Instant) -> Result<Wish, Violation> {
        if self.incomplete.is_some() {
            return Err(Violation);
        }
        let packet = Packet::read(text).map_err(|_| Violation)?;
        if packet.attachments > MOST_ATTACHMENTS {
            return Err(Violation);
        }
        if packet.attachments > 0 {
            self.incomplete = Some((packet, Vec::new()));
            return Ok(Wish::Nothing);
        }
        self.complete(packet, Vec::new(), now)
    }

    /// A binary message came.
    ///
    /// # Errors
    /// If none may come now, or it makes the packet too large.
    pub fn binary(&mut self, bytes: &[u8], now: Instant) -> Result<Wish, Violation> {
        let (packet, mut attachments) = self.incomplete.take().ok_or(Violation)?;
        let so_far: usize = attachments.iter().map(Bytes::len).sum();
        if so_far + bytes.len() > self.settings.max_attached {
            return Err(Violation);
        }
        attachments.push(Bytes::copy_from_slice(bytes));
        if attachments.len() < packet.attachments {
            self.incomplete = Some((packet, attachments));
            return Ok(Wish::Nothing);
        }
        self.complete(packet, attachments, now)
    }

    /// Lets it into a namespace that it asked for.
    pub fn admit(&mut self, namespace: &str) {
        if let Some((_, place)) = self.places.iter_mut().find(|(name, _)| name == namespace) {
            *place = Place::Joined;
            self.connect_by = None;
        }
    }

    /// Does not let it in, or puts it out again.
    pub fn turn_away(&mut self, namespace: &str, now: Instant) {
        self.places.retain(|(name, _)| name != namespace);
        // Who waits to be let in for the first time has no more time than before.
        if self.connect_by.is_none() && !self.places.iter().any(|(_, place)| *place == Place::Joined) {
            self.connect_by = Some(now + self.settings.connect_timeout);
        }
    }

    fn place(&self, namespace: &str) -> Option<Place> {
        self.places.iter().find(|(name, _)| name == namespace).map(|(_, place)| *place)
    }

    fn complete(&mut self, packet: Packet, attachments: Vec<Bytes>, now: Instant) -> Result<Wish, Violation> {
        let Packet { namespace, body, .. } = packet;
        Ok(match (body, self.place(&namespace)) {
            (Body::Connect(_), None) if !self.settings.namespaces.contains(&&*namespace) => {
                Wish::JoinUnknown { namespace }
            }
            (Body::Connect(auth), None) => {
                self.places.push((namespace.clone(), Place::Asked));
                Wish::Join { namespace, auth }
            }
            (Body::Connect(_), Some(_)) | (_, None | Some(Place::Asked)) => return Err(Violation),
            (Body::Disconnect, _) => {
                self.turn_away(&namespace, now);
                Wish::Leave { namespace }
            }
            (Body::Event { name, arguments, id }, _) => {
                Wish::Event(Event { namespace, name, arguments, attachments, id })
            }
            // The hub asks for no acknowledgement; a client that sends one does no harm.
            (Body::Ack { .. }, _) => Wish::Nothing,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SETTINGS: Settings =
        Settings { namespaces: &["/", "/custom"], connect_timeout: Duration::from_secs(1), max_attached: 6 };

    fn client() -> (Client, Instant) {
        let now = Instant::now();
        (Client::new(SETTINGS, now), now)
    }

    fn connected() -> (Client, Instant) {
        let (mut client, now) = client();
        assert!(matches!(client.text("0", now), Ok(Wish::Join { .. })));
        client.admit("/");
        (client, now)
    }

    #[test]
    fn a_client_is_let_into_a_namespace_that_there_is() {
        let (mut client, now) = client();
        let Ok(Wish::Join { namespace, auth }) = client.text(r#"0/custom,{"token":"abc"}"#, now) else { panic!() };
        assert_eq!((&*namespace, &auth["token"]), ("/custom", &json!("abc")));
        assert!(!client.is_in("/custom"));
        client.admit("/custom");
        assert!(client.is_in("/custom") && !client.is_in("/"));
        assert_eq!(client.text("0/random", now), Ok(Wish::JoinUnknown { namespace: "/random".into() }));
        assert_eq!(client.text("0/custom", now), Err(Violation), "it is there already");
    }

    #[test]
    fn a_client_that_is_not_in_the_namespace_has_nothing_to_say_there() {
        for text in [r#"2["a"]"#, "1", "37[]", "2{}", "abc"] {
            let (mut client, now) = client();
            assert_eq!(client.text(text, now), Err(Violation), "{text}");
        }
        let (mut client, now) = client();
        assert!(client.text("0", now).is_ok());
        assert_eq!(client.text(r#"2["a"]"#, now), Err(Violation), "it was not let in yet");
        let (mut client, now) = connected();
        assert_eq!(client.text(r#"2/custom,["a"]"#, now), Err(Violation));
    }

    #[test]
    fn a_client_in_no_namespace_has_a_while_to_ask_for_one() {
        let (mut client, now) = client();
        assert_eq!(client.connect_by(), Some(now + SETTINGS.connect_timeout));
        assert!(client.text("0", now).is_ok());
        client.turn_away("/", now + Duration::from_millis(900));
        assert_eq!(client.connect_by(), Some(now + SETTINGS.connect_timeout), "asking in vain puts nothing off");
        assert!(client.text("0", now).is_ok());
        client.admit("/");
        assert_eq!(client.connect_by(), None);
        let later = now + Duration::from_mins(1);
        assert_eq!(client.text("1", later), Ok(Wish::Leave { namespace: "/".into() }));
        assert_eq!(client.connect_by(), Some(later + SETTINGS.connect_timeout));
    }

    #[test]
    fn events_come_with_their_arguments_number_and_attachments() {
        let (mut client, now) = connected();
        let event = |arguments: &[Value], attachments: &[&'static [u8]], id| {
            Wish::Event(Event {
                namespace: "/".into(),
                name: "message".into(),
                arguments: arguments.to_vec(),
                attachments: attachments.iter().map(|bytes| Bytes::from_static(bytes)).collect(),
                id,
            })
        };
        assert_eq!(client.text(r#"2["message",1,"2"]"#, now), Ok(event(&[json!(1), json!("2")], &[], None)));
        let placeholder = json!({"_placeholder": true, "num": 0});
        let head = r#"52-789["message",{"_placeholder":true,"num":0}]"#;
        assert_eq!(client.text(head, now), Ok(Wish::Nothing));
        assert_eq!(client.binary(&[1, 2, 3], now), Ok(Wish::Nothing));
        assert_eq!(client.binary(&[4, 5, 6], now), Ok(event(&[placeholder], &[&[1, 2, 3], &[4, 5, 6]], Some(789))));
        assert_eq!(client.text("37[]", now), Ok(Wish::Nothing));
    }

    #[test]
    fn attachments_come_after_their_packet_are_few_and_small() {
        let (mut client, now) = connected();
        assert_eq!(client.binary(&[1], now), Err(Violation), "nothing was announced");
        for text in [r#"2["a"]"#, r#"51-["a"]"#, "1"] {
            let (mut client, now) = connected();
            assert!(client.text(r#"51-["a"]"#, now).is_ok());
            assert_eq!(client.text(text, now), Err(Violation), "{text} instead of an attachment");
        }
        assert!(client.text(r#"510-["a"]"#, now).is_ok());
        assert_eq!(client.binary(&[0; 6], now), Ok(Wish::Nothing));
        assert_eq!(client.binary(&[0; 1], now), Err(Violation), "too large together");
        assert_eq!(client.text(r#"511-["a"]"#, now), Err(Violation), "too many");
    }

    #[test]
    fn a_client_that_left_one_namespace_is_still_in_the_other() {
        let (mut client, now) = connected();
        assert!(client.text("0/custom", now).is_ok());
        client.admit("/custom");
        assert_eq!(client.text("1/custom", now), Ok(Wish::Leave { namespace: "/custom".into() }));
        assert_eq!(client.connect_by(), None);
        assert!(matches!(client.text(r#"2["message","to main"]"#, now), Ok(Wish::Event(_))));
        assert!(matches!(client.text("0/custom", now), Ok(Wish::Join { .. })), "it may come back");
    }
}
