//! Plain data and rules: what an account, a room, an event, an envelope, a lead, a prospect, a send, a delivery, a cost and
//! an audited act are, and what is left of what was deleted.
//!
//! Nothing here talks to a socket, a database or a clock other than [`clock`]; every other module may use it and it
//! uses none of them.

pub mod audit;
pub mod campaign;
pub mod clock;
pub mod cost;
pub mod delivery;
pub mod directory;
pub mod envelope;
pub mod erasure;
pub mod event;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
pub mod ids;
pub mod lead;
pub mod message;
pub mod person;
pub mod prospect;
pub mod prospecting;
pub mod reach;
pub mod role;
pub mod room;
pub mod secret;
pub mod send;

pub use clock::Timestamp;
pub use ids::{
    AccountId, AgencyId, AlertId, ApiKeyId, AuditId, CampaignId, ChatId, CostId, EndpointId, EventId, IssuerId, LeadId,
    MessageId, ReplayId, SendId, SessionId, SourceId, ThresholdId, UserId,
};
pub use role::Role;
pub use room::Room;
pub use secret::SecretDigest;
