//! `Session`: one connected dashboard on its upgraded socket. Reads frames, asks the shard, answers.
//!
//! The only folder that names `actix-web-actors` (its WebSocket types). Writing is the [`Wire`]'s business, so a client
//! that does not read stops nothing here.

mod conversation;
mod frames;

use std::rc::Rc;

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, StreamHandler, WrapFuture, dev::ContextFutureSpawner,
};
use actix_web_actors::ws::{Frame, ProtocolError};
use bytes::{Bytes, BytesMut};

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
    /// A message whose fragments are still coming: whether it is text, and what came.
    fragments: Option<(bool, BytesMut)>,
}

impl Session {
    /// Starts a session on an upgraded socket. `read`: bytes that came along with the request; `head`: what the
    /// request says about who sent it.
    pub fn open(shard: &Rc<ShardState>, wire: Rc<Wire>, read: BytesMut, head: Credentials, address: Seat) {
        let limit = usize::try_from(shard.settings.max_frame.as_u64()).unwrap_or(usize::MAX);
        let conversation = Conversation::open(shard, Rc::clone(&wire), address);
        Self::create(|ctx| {
            ctx.set_mailbox_capacity(1);
            ctx.add_stream(Frames::new(wire, read, limit));
            Self { conversation, head, fragments: None }
        });
    }

    fn close(&self, ending: Close) {
        self.conversation.close(ending);
    }

    /// One whole message, from one frame or several.
    fn message(&mut self, text: bool, payload: &[u8], ctx: &mut Context<Self>) {
        if self.conversation.wire().encoding() == Encoding::Plain && self.conversation.is_known() {
            // Its client may say what it likes; nobody listened to it before.
            return;
        }
        if !text {
            return self.close(Close::Protocol);
        }
        if std::str::from_utf8(payload).is_err() {
            return self.close(Close::NotUtf8);
        }
        if let Some(introduction) = self.conversation.text(payload) {
            self.authenticate(introduction, ctx);
        }
    }

    /// Further frames wait until it is known who the session is.
    fn authenticate(&self, Introduction { credentials, reference }: Introduction, ctx: &mut Context<Self>) {
        let auth = self.conversation.shard().auth.clone();
        async move { auth.authenticate(credentials).await }
            .into_actor(self)
            .map(|outcome, session, _| {
                session.conversation.authenticated(outcome, reference);
            })
            .wait(ctx);
    }

    fn fragment(&mut self, text: Option<bool>, data: &Bytes) {
        let (_, so_far) = match (text, &mut self.fragments) {
            (Some(text), fragments) => fragments.insert((text, BytesMut::new())),
            (None, Some(fragments)) => fragments,
            (None, None) => return self.close(Close::WebSocket),
        };
        if (so_far.len() + data.len()) as u64 > self.conversation.shard().settings.max_frame.as_u64() {
            self.fragments = None;
            return self.close(Close::TooLarge);
        }
        so_far.extend_from_slice(data);
    }

    fn frame(&mut self, frame: Frame, ctx: &mut Context<Self>) {
        use actix_http::ws::Item;
        // Whatever it is costs the same to read: a flood of pongs or of empty fragments is a flood of frames.
        if !matches!(frame, Frame::Close(_)) && !self.conversation.admit() {
            return;
        }
        match frame {
            Frame::Text(payload) => self.message(true, &payload, ctx),
            Frame::Binary(payload) => self.message(false, &payload, ctx),
            Frame::Continuation(Item::FirstText(data)) => self.fragment(Some(true), &data),
            Frame::Continuation(Item::FirstBinary(data)) => self.fragment(Some(false), &data),
            Frame::Continuation(Item::Continue(data)) => self.fragment(None, &data),
            Frame::Continuation(Item::Last(data)) => {
                self.fragment(None, &data);
                if let Some((text, payload)) = self.fragments.take() {
                    self.message(text, &payload, ctx);
                }
            }
            Frame::Ping(payload) => {
                self.conversation.shard().write(self.conversation.wire(), &encode::pong(&payload));
            }
            Frame::Pong(_) => {}
            Frame::Close(_) => {
                self.conversation.wire().end_answered();
                ctx.stop();
            }
        }
    }
}

impl Actor for Session {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if !self.head.is_empty() {
            let credentials = std::mem::take(&mut self.head);
            self.authenticate(Introduction { credentials, reference: None }, ctx);
        }
    }
}

impl StreamHandler<Inbound> for Session {
    fn handle(&mut self, inbound: Inbound, ctx: &mut Self::Context) {
        self.conversation.heard();
        match inbound {
            // After the end was announced only the client's own close frame matters.
            Inbound::Frame(frame) if !self.conversation.wire().is_over() || matches!(frame, Frame::Close(_)) => {
                self.frame(frame, ctx);
            }
            Inbound::Frame(_) => {}
            Inbound::TooLarge => self.close(Close::TooLarge),
            Inbound::Broken(error) => self.close(ending_for(&error)),
        }
    }

    fn finished(&mut self, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

fn ending_for(error: &ProtocolError) -> Close {
    match error {
        ProtocolError::Overflow => Close::TooLarge,
        _ => Close::WebSocket,
    }
}
