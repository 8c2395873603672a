//! The parts joined, as their users meet them. One binary, so that it links once.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod audit;
mod away;
mod campaigns;
mod client;
mod commands;
mod contrib;
mod costs;
mod crash;
mod databases;
mod erasure;
mod flow;
mod front;
mod hostile;
mod intake;
mod isolation;
mod life;
mod messages;
mod modes;
mod neighbours;
mod outbox;
mod page;
mod page_campaigns;
mod page_costs;
mod page_endpoints;
mod prospecting;
mod replies;
mod rotation;
mod secrets;
mod signing_in;
mod store;
mod strangers;
mod support;
mod tenancy;
mod trial;
mod unipile;
mod unipile_replies;
mod wire;
