//! Leadwire: webhooks in, dashboards first, database after.

pub mod config;
pub mod dashboard;
pub mod domain;
pub mod inbox;
