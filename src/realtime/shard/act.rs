//! Hands on what a session asks for that is not realtime's business, and answers it.

use std::rc::Rc;

use serde_json::Value;

use super::ShardState;
use crate::realtime::{actions::Action, protocol::Refusal};

impl ShardState {
    /// Has something done for a session's user; the answer comes when it is.
    ///
    /// # Errors
    /// If it is refused: it is then for the caller to say so.
    pub fn act(self: &Rc<Self>, key: usize, action: Action, reference: Option<Value>) -> Result<(), Refusal> {
        let who = self.principal(key);
        let who = who.ok_or_else(|| Refusal { code: "forbidden", message: "sign in first".to_owned() })?;
        let (wire, session) = self.begin_waiting(key)?;
        let acting = self.actions.act((*who).clone(), action);
        let shard = Rc::clone(self);
        actix_rt::spawn(async move {
            let outcome = acting.await;
            shard.end_waiting(key, session);
            shard.reply(&wire, reference, outcome.map(Some));
        });
        Ok(())
    }
}
