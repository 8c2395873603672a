//! Finding out about businesses: four stages, each kept when it is done.
//!
//! ```text
//! enhanced_leads ─▶ enrichments (the queue, in the store) ─▶ Prospector ─▶ stage ─▶ dashboards ─▶ store
//!                                                                 └── websites, name servers
//! ```
//!
//! A module of its own and not a part of `enrichment`, which never waits for the store: here the queue is rows of the store.
//! What a stage can't do it says and goes on without; only a prospect that is gone ends it early. Whatever strangers'
//! pages say is believed to be hostile: it is short, printable, and read apart from everything else.

mod desk;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use stages::fuzz;
mod prospector;
mod stages;
mod turns;
mod work;

pub use desk::Desk;
pub use prospector::{Context, Prospector, Wake};
