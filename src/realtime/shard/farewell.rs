//! How a shard sends its sessions away when the hub stops.

use std::{rc::Rc, time::Duration};

use super::ShardState;
use crate::realtime::{close::Close, protocol::ServerFrame, wire::Wire};

/// How long sessions have to leave when the hub stops. Longer than a wire lingers, so that none has to be left behind.
const FAREWELL: Duration = Duration::from_secs(1);
/// The first session may come back after this long, the last after `SPREAD` more: not all at once.
const COME_BACK: Duration = Duration::from_millis(500);
const SPREAD: Duration = Duration::from_secs(5);

impl ShardState {
    /// Whether the hub stops: a socket that comes now is sent away again.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// Sends away a socket that came while the hub stops.
    pub fn turn_away(&self, wire: &Rc<Wire>) {
        self.say_goodbye(wire, COME_BACK + SPREAD.mul_f64(fastrand::f64()));
    }

    fn say_goodbye(&self, wire: &Rc<Wire>, come_back: Duration) {
        let (code, reason) = (Close::Restart.code(), Close::Restart.reason());
        let reconnect_after_ms = u64::try_from(come_back.as_millis()).unwrap_or(u64::MAX);
        self.send(wire, &ServerFrame::Goodbye { code, reason, reconnect_after_ms });
        self.close(wire, Close::Restart);
    }

    /// Says goodbye to all sessions and waits until they have left, for as long as that should take.
    pub(super) async fn drain(&self) {
        self.draining.set(true);
        {
            let members = self.members.borrow();
            let total = u32::try_from(members.len()).unwrap_or(u32::MAX).max(1);
            for (place, (_, member)) in (0..total).zip(members.iter()) {
                self.say_goodbye(&member.wire, COME_BACK + SPREAD * place / total);
            }
        }
        let all_left = async {
            while !self.members.borrow().is_empty() {
                self.left.notified().await;
            }
        };
        if tokio::time::timeout(FAREWELL, all_left).await.is_err() {
            tracing::debug!("some sessions did not leave in time");
        }
    }
}
