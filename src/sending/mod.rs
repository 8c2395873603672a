//! Replies to a platform: kept first, sent once, in the order of their chat.
//!
//! ```text
//! api ─▶ Desk ─▶ store (pending) ─▶ Sender ─▶ platform's API
//!          │ message:pending           │ message:sent, message:failed
//!          ▼                           ├─▶ registry ─▶ dashboards
//!      registry                        └─▶ inbox (as the platform's own echo) ─▶ supervisors ─▶ message:new
//! ```
//!
//! What was read here is told to the platform as well, but not kept for that: once at best.
//!
//! The store is the queue: what is in memory is only whose turn it is. A send is marked before the platform is asked, so
//! one whose outcome is not known is never sent again: the platform's echo of it is awaited, and without one a person has
//! to look.

mod attempt;
mod desk;
mod echo;
mod line;
mod platform;
mod reasons;
mod seen;
mod sender;

pub use desk::{Desk, Refused, Submitted};
pub use platform::Clients;
pub use seen::Read;
pub use sender::{Context, Sender, Wake};
