//! What a client asks and what it is told, on whatever transport.

use std::rc::Rc;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use serde_json::Value;

use super::super::{
    actions::Action,
    close::Close,
    encode::Encoding,
    limits::Seat,
    protocol::{Asked, ClientFrame, Refusal, ServerFrame, Since},
    rooms::{ANY_TYPE, MESSAGES, type_bit},
    shard::{Acked, JoinError, RoomName, ShardState, Subscribe, may_see},
    wire::Wire,
};
use crate::{
    auth::{AuthError, Credentials, Principal},
    domain::Room,
};

/// The name that stands for every account the user may see.
pub const DASHBOARD: &str = "dashboard";
/// The name that stands for the operators' rooms of every account the user may run.
const OPERATORS: &str = "operators";
/// What the position of a room takes in a frame, in bytes: its name, and two numbers.
const PLACE: usize = 96;

/// One session's side of its shard; the session is over when it is dropped.
pub struct Conversation {
    key: usize,
    shard: Rc<ShardState>,
    wire: Rc<Wire>,
    bucket: DefaultDirectRateLimiter,
}

/// Somebody says who they are: the transport asks, and gives the answer to [`Conversation::authenticated`]. What comes
/// meanwhile must wait.
pub struct Introduction {
    /// What they show.
    pub credentials: Credentials,
    /// What the reply is to refer to.
    pub reference: Option<Value>,
}

impl Conversation {
    /// Enters the shard.
    #[must_use]
    pub fn open(shard: &Rc<ShardState>, wire: Rc<Wire>, address: Seat) -> Self {
        let one = std::num::NonZeroU32::MIN;
        let quota = Quota::per_second(shard.settings.frames_per_second.try_into().unwrap_or(one))
            .allow_burst(shard.settings.frame_burst.try_into().unwrap_or(one));
        let key = shard.enter(Rc::clone(&wire), address);
        let bucket = RateLimiter::direct(quota);
        Self { key, shard: Rc::clone(shard), wire, bucket }
    }

    /// The thread's state.
    #[must_use]
    pub fn shard(&self) -> &Rc<ShardState> {
        &self.shard
    }

    /// The writing side.
    #[must_use]
    pub fn wire(&self) -> &Rc<Wire> {
        &self.wire
    }

    /// Something came from the client.
    pub fn heard(&self) {
        self.shard.heard(self.key);
    }

    /// Whether the client may send another frame now; if not, the session is closed.
    #[must_use]
    pub fn admit(&self) -> bool {
        let admitted = self.bucket.check().is_ok();
        if !admitted {
            self.close(Close::Protocol);
        }
        admitted
    }

    /// Ends the session.
    pub fn close(&self, ending: Close) {
        self.shard.close(&self.wire, ending);
    }

    /// The client's cookie did not count, because of the page that it came from. A token may still come; if none does, that
    /// is why the session is closed.
    pub fn cookie_refused(&self) {
        self.shard.cookie_refused(self.key);
    }

    /// Whether it is known who the client is.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.shard.principal(self.key).is_some()
    }

    /// How large a frame of the client may be: where it is in each room that it may see has to fit into one.
    #[must_use]
    pub fn max_frame(&self) -> usize {
        let settled = usize::try_from(self.shard.settings.max_frame.as_u64()).unwrap_or(usize::MAX);
        let rooms = self.shard.principal(self.key).map_or(0, |principal| principal.grants.len());
        settled.max(rooms.saturating_mul(PLACE))
    }

    /// Answers a frame of JSON text.
    pub fn text(&self, payload: &[u8]) -> Option<Introduction> {
        if let Some(asked) = Asked::read(payload) {
            return self.asked(asked);
        }
        self.close(Close::Protocol);
        None
    }

    /// Answers a frame, unless the transport has to find out first who sent it.
    pub fn asked(&self, Asked { reference, frame }: Asked) -> Option<Introduction> {
        match frame {
            Ok(ClientFrame::Auth { token }) => {
                return Some(Introduction { credentials: Credentials::token(token), reference });
            }
            _ if !self.is_known() => self.close(Close::Unauthenticated),
            Ok(ClientFrame::Subscribe { room, since, types }) => {
                self.later(reference, |reference| self.subscribe(room, since, types.as_deref(), reference));
            }
            Ok(ClientFrame::Unsubscribe { room }) => {
                let outcome = read_room(&room).map(|room| self.shard.unsubscribe(self.key, room));
                self.reply(reference, outcome);
            }
            Ok(ClientFrame::Ack { room: None, .. }) => self.reply(reference, Ok(())),
            Ok(ClientFrame::Ack { room: Some(room), position, read, device }) => {
                let acked = read_logged_room(&room).and_then(|room| {
                    let message = || "an ack of a room names a position".to_owned();
                    let position = position.ok_or_else(|| Refusal { code: "bad_frame", message: message() })?;
                    Ok(Acked { room, position, read, device })
                });
                self.later(reference, |reference| self.shard.ack(self.key, acked?, reference));
            }
            Ok(ClientFrame::Watermarks { room }) => {
                let room = read_logged_room(&room);
                self.later(reference, |reference| self.shard.watermarks(self.key, room?, reference));
            }
            Ok(ClientFrame::Presence { room }) => {
                let outcome = read_one_room(&room).and_then(|room| self.shard.who(self.key, room));
                self.shard.reply(&self.wire, reference, outcome.map(Some));
            }
            Ok(ClientFrame::Typing { room, state }) => {
                let outcome = read_one_room(&room).and_then(|room| self.shard.typing(self.key, room, state));
                self.reply(reference, outcome);
            }
            Ok(ClientFrame::MessageSend { chat, text, client_id }) => {
                self.act(Action::Send { chat, text, client_id }, reference);
            }
            Ok(ClientFrame::ChatRead { chat }) => self.act(Action::Read { chat }, reference),
            Ok(ClientFrame::LeadUpdate { lead, status, notes }) => {
                self.act(Action::UpdateLead { lead, status, notes }, reference);
            }
            Err(refusal) => self.reply(reference, Err(refusal)),
        }
        None
    }

    /// What became of an introduction. `false`: it is still not known who the client is, and the session is closed.
    pub fn authenticated(&self, outcome: Result<Principal, AuthError>, reference: Option<Value>) -> bool {
        let known = self.is_known();
        match outcome {
            Ok(principal) => match self.shard.identify(self.key, principal) {
                Ok(()) => {
                    if !known {
                        self.welcome();
                    }
                    self.reply(reference, Ok(()));
                    known || self.follows_messages()
                }
                Err(ending) => {
                    self.close(ending);
                    false
                }
            },
            // The token it has may still be good.
            Err(error) if known => {
                self.reply(reference, Err(Refusal { code: "unauthenticated", message: error.to_string() }));
                true
            }
            Err(error) => {
                self.close(Close::from_code(error.close_code()));
                false
            }
        }
    }

    /// Subscribes to a room by its name; the answer comes as a frame.
    ///
    /// # Errors
    /// If it is refused: it is then for the caller to say so.
    pub fn subscribe(
        &self,
        name: String,
        since: Option<Since>,
        types: Option<&[String]>,
        reference: Option<Value>,
    ) -> Result<(), Refusal> {
        let room = read_room(&name)?;
        let types = types.map_or(ANY_TYPE, |types| types.iter().fold(0, |mask, name| mask | type_bit(name)));
        if types == 0 {
            return Err(Refusal { code: "bad_frame", message: "none of these types is known".to_owned() });
        }
        self.shard.subscribe(self.key, Subscribe { name, room, types, since, reference }).map_err(refused)
    }

    /// A client of plain envelopes asks for nothing: it gets the messages of every account that it may see. `false`: it
    /// can't have them, and the session is closed.
    fn follows_messages(&self) -> bool {
        if self.wire.encoding() != Encoding::Plain {
            return true;
        }
        let (name, room) = (DASHBOARD.to_owned(), RoomName::Dashboard);
        let asked = Subscribe { name, room, types: MESSAGES, since: None, reference: None };
        let Err(refused) = self.shard.subscribe(self.key, asked) else { return true };
        self.close(match refused {
            JoinError::Forbidden => Close::Forbidden,
            JoinError::TooManyRooms | JoinError::AccountFull | JoinError::Busy => Close::TooMany,
        });
        false
    }

    fn send(&self, frame: &ServerFrame<'_>) {
        self.shard.send(&self.wire, frame);
    }

    /// Answers a frame, if it asks for an answer.
    pub fn reply(&self, reference: Option<Value>, outcome: Result<(), Refusal>) {
        self.shard.reply(&self.wire, reference, outcome.map(|()| None));
    }

    /// Asks for what is not realtime's business.
    fn act(&self, action: Action, reference: Option<Value>) {
        self.later(reference, |reference| self.shard.act(self.key, action, reference));
    }

    /// Asks for something whose answer comes by itself, unless it is refused.
    fn later(&self, reference: Option<Value>, ask: impl FnOnce(Option<Value>) -> Result<(), Refusal>) {
        let outcome = ask(reference.clone());
        if outcome.is_err() {
            self.reply(reference, outcome);
        }
    }

    fn welcome(&self) {
        let Some(principal) = self.shard.principal(self.key) else { return };
        let Some(session) = self.shard.session(self.key) else { return };
        let of = |account| [Room::Account(account), Room::Operators(account)];
        let seen = principal.accounts().into_iter().flat_map(of).filter(|room| may_see(&principal, *room));
        let seen: Vec<Room> = seen.collect();
        let mut rooms = vec![DASHBOARD.to_owned()];
        rooms.extend(seen.iter().any(|room| matches!(room, Room::Operators(_))).then(|| OPERATORS.to_owned()));
        rooms.extend(seen.iter().map(Room::to_string));
        self.send(&ServerFrame::Welcome {
            session,
            user: principal.subject.to_string(),
            heartbeat: self.shard.settings.heartbeat.as_secs(),
            rooms: &rooms,
            resume: true,
        });
    }
}

impl Drop for Conversation {
    /// However it ended, a panic included.
    fn drop(&mut self) {
        self.shard.exit(self.key);
    }
}

fn read_room(name: &str) -> Result<RoomName, Refusal> {
    match name {
        DASHBOARD => Ok(RoomName::Dashboard),
        OPERATORS => Ok(RoomName::Operators),
        name => name.parse().map(RoomName::One).map_err(|error: crate::domain::room::ParseRoomError| Refusal {
            code: "no_such_room",
            message: error.to_string(),
        }),
    }
}

/// The name of one room.
fn read_one_room(name: &str) -> Result<Room, Refusal> {
    match read_room(name)? {
        RoomName::One(room) => Ok(room),
        RoomName::Dashboard | RoomName::Operators => {
            Err(Refusal { code: "no_such_room", message: format!("name one room: `{name}` stands for several") })
        }
    }
}

/// The name of a room that envelopes have their positions in.
fn read_logged_room(name: &str) -> Result<Room, Refusal> {
    let room = read_one_room(name)?;
    if matches!(room, Room::Chat(..)) {
        let message = "a chat has no positions of its own: name its account's room".to_owned();
        return Err(Refusal { code: "no_such_room", message });
    }
    Ok(room)
}

fn refused(error: JoinError) -> Refusal {
    let (code, message) = match error {
        JoinError::Forbidden => ("forbidden", "this room is not yours to see"),
        JoinError::TooManyRooms => ("too_many_rooms", "leave a room first"),
        JoinError::Busy => ("busy", "read what is on its way first: too many subscriptions wait to catch up"),
        JoinError::AccountFull => ("account_full", "the account has too many sessions: try again later"),
    };
    Refusal { code, message: message.to_owned() }
}
