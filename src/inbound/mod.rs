//! Webhooks in: one HTTP path for every platform.
//!
//! [`receive`] verifies the signature over the raw bytes, lets the [`providers`] take the body apart, hands it to the
//! [`ingester`], and answers when it is durable. It calls no platform and reads no store. Bodies wait in the [`intake`],
//! where no stranger keeps out others.

mod doors;
pub mod ingester;
pub mod intake;
pub mod providers;
pub mod receive;
mod refused;
mod request;
mod senders;

pub use ingester::{Accept, Ingester, WebhookIngester};
pub use intake::Intake;
pub use receive::{Receiver, configure};
