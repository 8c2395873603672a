//! Leadwire: webhooks in, dashboards first, database after.

pub mod api;
pub mod auth;
pub mod cli;
pub mod config;
pub mod domain;
pub mod inbox;
pub mod realtime;
pub mod store;
pub mod telemetry;
