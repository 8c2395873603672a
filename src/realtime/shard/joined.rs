//! When a shard takes part: it has heard from the registry how far each room is.

use actix::{Handler, Message};

use super::Shard;

/// Answered once the shard takes part. A session that came before would be told that its rooms are empty.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Joined;

impl Handler<Joined> for Shard {
    type Result = ();

    /// The mailbox is closed until the registry has answered.
    fn handle(&mut self, _: Joined, _: &mut Self::Context) {}
}
