//! What was read here, told to the platform, so that the person sees it: once at best, for it is no more than a courtesy.

use std::collections::VecDeque;

use actix::Message;

use super::{platform::mark_read, reasons, sender::Context};
use crate::{
    domain::{ChatId, SourceId, message::Chat},
    telemetry::Metrics,
};

/// Chats of a source that may wait to be told of; more are not told.
const WAITING: usize = 100;

/// A chat was read here.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct Read {
    pub(super) chat: ChatId,
    pub(super) source: SourceId,
    pub(super) platform_id: String,
}

impl From<&Chat> for Read {
    fn from(chat: &Chat) -> Self {
        Self { chat: chat.id, source: chat.source, platform_id: chat.platform_id.clone() }
    }
}

/// A source's chats that were read; one is told at a time.
#[derive(Debug, Default)]
pub(super) struct Seen {
    waiting: VecDeque<Read>,
    telling: bool,
}

impl Seen {
    /// Takes a chat in; `false` if there is no room for it. One that waits already needs to be told once.
    pub(super) fn admit(&mut self, read: Read) -> bool {
        if self.waiting.iter().any(|waiting| waiting.chat == read.chat) {
            return true;
        }
        if self.waiting.len() >= WAITING {
            return false;
        }
        self.waiting.push_back(read);
        true
    }

    /// The next to be told, unless one is being told.
    pub(super) fn next(&mut self) -> Option<Read> {
        if self.telling {
            return None;
        }
        let next = self.waiting.pop_front();
        self.telling = next.is_some();
        next
    }

    /// It was told, or not taken.
    pub(super) fn done(&mut self) {
        self.telling = false;
    }
}

/// Tells the platform of one chat.
pub(super) async fn tell(context: &Context, read: &Read) {
    let directory = context.directory.borrow().clone();
    let source = directory.and_then(|directory| directory.sources.get(&read.source).cloned());
    // Nothing can be told through it: who writes is told why.
    let Ok(source) = reasons::usable(source.as_ref()) else { return };
    let what = match mark_read(context, source, &read.platform_id).await {
        Ok(()) => "read",
        Err(why) => {
            tracing::debug!(why, chat = %read.chat, "the platform was not told that a chat was read");
            "read_failed"
        }
    };
    Metrics::count(&context.metrics.platform_calls, what);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(number: usize) -> Read {
        let (chat, source) = (ChatId::derive(&[&number.to_be_bytes()]), SourceId::derive(&[]));
        Read { chat, source, platform_id: number.to_string() }
    }

    #[test]
    fn one_is_told_at_a_time_and_a_chat_that_waits_is_told_once() {
        let mut seen = Seen::default();
        for number in [1, 2, 1] {
            assert!(seen.admit(read(number)));
        }
        assert_eq!(seen.next(), Some(read(1)));
        assert_eq!(seen.next(), None);
        seen.done();
        assert_eq!(seen.next(), Some(read(2)));
        seen.done();
        assert_eq!(seen.next(), None);
    }

    #[test]
    fn there_is_room_for_so_many() {
        let mut seen = Seen::default();
        assert!((0..WAITING).all(|number| seen.admit(read(number))));
        assert!(!seen.admit(read(WAITING)));
    }
}
