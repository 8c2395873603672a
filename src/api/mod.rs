//! What dashboards and programs ask for over HTTP: signing in, leads, chats, prospects, campaigns, endpoints, costs, what needs
//! attention, who did what.
//!
//! The routes under `/api/leads` keep the shapes of the lead dashboard that agencies switch over from, those under
//! `/api/chats` what the message inbox answers, two under
//! `/api/webhooks/cost-alert` those of the prospecting system; everything but the leads answers errors as RFC 9457 problem details.
//! Webhooks, sockets, `/ready` and `/metrics` are not here. The origins' health routes are for the listener of `/metrics`.

mod attention;
mod audit;
mod campaign_files;
mod campaigns;
mod chat_query;
mod chats;
mod costs;
mod deliveries;
mod endpoint_access;
mod endpoint_body;
mod endpoints;
mod extract;
mod health;
mod lead_body;
mod lead_query;
mod leads;
mod login;
mod me;
mod people;
mod problem;
mod prospecting;
mod prospects;
mod router;
mod sends;
mod state;
mod sync;
#[cfg(test)]
mod tests;

pub use attention::{AttentionItem, AttentionSource};
pub use chats::mark_as_read;
pub use extract::Caller;
pub use leads::update_status;
pub use problem::ApiError;
pub use router::{configure, configure_health};
pub use sends::submit;
pub use state::{ApiState, Publisher, Unpublished};
pub use sync::{NotSynced, SyncStats, Syncer};
