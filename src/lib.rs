//! Leadwire: webhooks in, dashboards first, database after.

pub mod config;
pub mod domain;
pub mod inbound;
pub mod platforms;
