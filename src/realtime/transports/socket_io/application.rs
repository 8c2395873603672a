//! What speaks through Engine.IO sessions: the hub's own Socket.IO, or an echo for a test suite.

use std::{net::IpAddr, rc::Rc, time::Instant};

use futures_util::future::LocalBoxFuture;

use super::super::super::{close::Close, wire::Wire};
use crate::auth::Credentials;

/// One client's side of it; the session is over when it is dropped. It writes to the wire itself, WebSocket frames of one
/// Engine.IO packet each.
pub trait Application: Sized + Unpin + 'static {
    /// What all of a thread share.
    type Shared: 'static;
    /// What it had to look up.
    type Found: 'static;

    /// A client came from this address; `head`: what its request says about who sent it.
    ///
    /// # Errors
    /// If it is turned away.
    fn open(shared: &Self::Shared, wire: &Rc<Wire>, head: Credentials, address: IpAddr) -> Result<Self, Close>;

    /// A later request of the client came; what it says about who sent it may be nothing.
    fn met(&mut self, _head: Credentials) {}

    /// Whether the client may send another packet; if not, the session was ended.
    fn admit(&mut self) -> bool {
        true
    }

    /// A text message came.
    ///
    /// # Errors
    /// How to end the session, if it is none that the client may send.
    fn text(&mut self, text: &str, now: Instant) -> Result<Lookup<Self::Found>, Close>;

    /// A binary message came.
    ///
    /// # Errors
    /// How to end the session, if it is none that the client may send.
    fn binary(&mut self, bytes: &[u8], now: Instant) -> Result<Lookup<Self::Found>, Close>;

    /// It was looked up.
    fn found(&mut self, _found: Self::Found, _now: Instant) {}

    /// When the session is to end, unless something happens.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Ends the session, unless it is over.
    fn close(&mut self, ending: Close);
}

/// Something to look up; what the client sends meanwhile waits.
pub type Lookup<Found> = Option<LocalBoxFuture<'static, Found>>;
