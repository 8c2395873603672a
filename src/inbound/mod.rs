//! Webhooks in: one HTTP path for every platform.
//!
//! [`receive`] verifies the signature over the raw bytes, lets the [`providers`] take the body apart, hands it to the
//! [`ingester`], and answers when it is durable. It calls no platform and reads no store.

mod doors;
pub mod ingester;
pub mod providers;
pub mod receive;
mod receiving;

pub use ingester::{Accept, Ingester, WebhookIngester};
pub use receive::{Receiver, configure};
pub use receiving::Receiving;
