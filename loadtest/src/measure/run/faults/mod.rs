//! What breaks during a run, and comes back.

mod breaker;
mod menu;

pub(super) use breaker::{Breaker, Platform};
pub(super) use menu::{Broken, Fault, Part, Storm};
