//! Leadwire: webhooks in, dashboards first, database after.

pub mod domain;
pub mod store;
