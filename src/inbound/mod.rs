//! Webhooks in.

pub mod providers;
