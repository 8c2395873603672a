//! `Desk`: what the API asks of this module.

use actix::Recipient;

use super::prospector::Wake;

/// Wakes the prospector. Cheap to clone.
#[derive(Clone)]
pub struct Desk {
    /// The prospector.
    pub wake: Recipient<Wake>,
}

impl Desk {
    /// Prospects were added.
    pub fn wake(&self) {
        // Full: it is awake.
        let _ = self.wake.try_send(Wake);
    }
}
