//! Keeps what sources bring whole, at platforms that can be asked: that their webhooks come here, and that what did not
//! come is fetched.
//!
//! ```text
//! directory ─▶ registration ─▶ Unipile's webhooks
//! directory, reconnected, a person ─▶ backfill ─▶ Unipile's lists ─▶ inbox ─▶ enrichment
//! ```
//!
//! It runs beside the hub and stops nothing: a platform that is away is asked again, later each time, and what is not as
//! it should be stands in the attention list.

mod ailments;
pub mod backfill;
pub mod registration;

pub use ailments::{Ailment, Ailments};
