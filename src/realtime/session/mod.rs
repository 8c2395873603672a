//! `Session`: one connected dashboard on its upgraded socket. Reads frames, asks the shard, answers.
//!
//! The only folder that names `actix-web-actors` (its WebSocket types). Writing is the [`Wire`]'s business, so a client
//! that does not read stops nothing here.

mod conversation;
mod frames;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;

use std::{cell::Cell, rc::Rc};

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, StreamHandler, WrapFuture, dev::ContextFutureSpawner,
};
use bytes::BytesMut;

use super::{
    close::Close,
    encode::{self, Encoding},
    limits::Seat,
    shard::ShardState,
    wire::Wire,
};
use crate::auth::Credentials;

pub use conversation::{Conversation, DASHBOARD, Introduction};
pub use frames::{Frames, Inbound};

/// The actor.
pub struct Session {
    conversation: Conversation,
    head: Credentials,
    max_frame: Rc<Cell<usize>>,
}

impl Session {
    /// Starts a session on an upgraded socket. `read`: bytes that came along with the request; `head`: what the
    /// request says about who sent it.
    pub fn open(shard: &Rc<ShardState>, wire: Rc<Wire>, read: BytesMut, head: Credentials, address: Seat) {
        let conversation = Conversation::open(shard, Rc::clone(&wire), address);
        let max_frame = Rc::new(Cell::new(conversation.max_frame()));
        Self::create(|ctx| {
            ctx.set_mailbox_capacity(1);
            ctx.add_stream(Frames::new(wire, read, Rc::clone(&max_frame)));
            if head.cookie_refused {
                conversation.cookie_refused();
            }
            Self { conversation, head, max_frame }
        });
    }

    fn close(&self, ending: Close) {
        self.conversation.close(ending);
    }

    fn is_plain(&self) -> bool {
        self.conversation.wire().encoding() == Encoding::Plain
    }

    /// One whole message; only text is of the protocol.
    fn message(&mut self, text: Option<&str>, ctx: &mut Context<Self>) {
        if self.is_plain() && self.conversation.is_known() {
            // Its client may say what it likes; nobody listened to it before.
            return;
        }
        let Some(text) = text else { return self.close(Close::Protocol) };
        if let Some(introduction) = self.conversation.text(text.as_bytes()) {
            self.authenticate(introduction, ctx);
        }
    }

    /// Further frames wait until it is known who the session is.
    fn authenticate(&self, Introduction { credentials, reference }: Introduction, ctx: &mut Context<Self>) {
        let auth = self.conversation.shard().auth.clone();
        let on_compat = self.is_plain();
        async move {
            if on_compat {
                auth.authenticate_on_compat(credentials).await
            } else {
                auth.authenticate(credentials).await
            }
        }
        .into_actor(self)
        .map(|outcome, session, _| {
            session.conversation.authenticated(outcome, reference);
            session.max_frame.set(session.conversation.max_frame());
        })
        .wait(ctx);
    }

    fn hear(&mut self, inbound: Inbound, ctx: &mut Context<Self>) {
        // Whatever it is costs the same to read: a flood of pongs or of empty fragments is a flood of frames.
        if !matches!(inbound, Inbound::Close | Inbound::Broken(_)) && !self.conversation.admit() {
            return;
        }
        match inbound {
            Inbound::Text(text) => self.message(Some(&text), ctx),
            Inbound::Binary(_) => self.message(None, ctx),
            Inbound::Part | Inbound::Pong => {}
            Inbound::Ping(payload) => {
                self.conversation.shard().write(self.conversation.wire(), &encode::pong(&payload));
            }
            Inbound::Close => {
                self.conversation.wire().end_answered();
                ctx.stop();
            }
            Inbound::Broken(ending) => self.close(ending),
        }
    }
}

impl Actor for Session {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let shard = self.conversation.shard();
        if !self.head.is_empty() || (self.is_plain() && shard.auth.takes_for_anonymous(&self.head)) {
            let credentials = self.head.take();
            self.authenticate(Introduction { credentials, reference: None }, ctx);
        }
    }
}

impl StreamHandler<Inbound> for Session {
    fn handle(&mut self, inbound: Inbound, ctx: &mut Self::Context) {
        self.conversation.heard();
        // After the end was announced only the client's own close frame matters.
        if !self.conversation.wire().is_over() || inbound == Inbound::Close {
            self.hear(inbound, ctx);
        }
    }

    fn finished(&mut self, ctx: &mut Self::Context) {
        ctx.stop();
    }
}
