//! What sessions may see follows the directory, at once.

use std::rc::Rc;

use super::ShardState;
use crate::{auth::Principal, realtime::close::Close, telemetry::lasting};

impl ShardState {
    /// Looks at every session again when the directory changes, as long as there is one.
    pub(super) fn follow_directory(self: &Rc<Self>) {
        let (state, mut directory) = (Rc::clone(self), self.directory.clone());
        lasting("a shard's watch on the directory", async move {
            while directory.changed().await.is_ok() {
                state.keys().into_iter().for_each(|key| state.refresh(key));
            }
        });
    }

    /// Applies the newest directory to one session: what it lost it leaves, what it gained its dashboard sees.
    pub(super) fn refresh(&self, key: usize) {
        let Some(directory) = self.directory.borrow().clone() else { return };
        let mut members = self.members.borrow_mut();
        let Some(member) = members.get_mut(key) else { return };
        let Some(principal) = member.principal.clone() else { return };
        let Some(grants) = principal.recheck(&directory) else {
            self.close(&member.wire, Close::Forbidden);
            return;
        };
        if grants == principal.grants {
            return;
        }
        let principal = Rc::new(Principal { grants, ..(*principal).clone() });
        member.principal = Some(Rc::clone(&principal));
        let changes = member.membership.follow(&principal, &self.limits);
        for room in changes.touched {
            self.reseat(member, key, room);
        }
        if changes.lost || principal.grants.is_empty() {
            self.close(&member.wire, Close::Forbidden);
        } else if changes.full {
            // Rather than that an account is missing and nobody knows.
            self.close(&member.wire, Close::TooMany);
        }
    }

    pub(super) fn keys(&self) -> Vec<usize> {
        self.members.borrow().iter().map(|(key, _)| key).collect()
    }
}
