//! The database: agencies, users and sources for the directory, leads for reports and exports,
//! conversations, the replies on their way, the outbox, prospects with how far their enrichment is, what costs are held
//! against, and the record of who did what.
//!
//! Two engines, one set of queries: an embedded SQLite file, or PostgreSQL by URL. `queries/` is compiled once for each
//! (`engine::postgres`, `engine::sqlite`), so ordinary code with ordinary types serves both; the few places where they
//! differ are in each engine's `dialect`. The suite in `tests/integration/store/` runs on both.
//!
//! Nothing on the way to a dashboard waits for this. The store may be away at any time, from the start on: every call
//! is answered within the time limit, with [`StoreError::Unavailable`] if need be.
//!
//! Every query for leads, chats and messages takes the accounts first: what is outside of them does not exist for the caller. This module
//! does not decide who may see which account; that is `auth`.

mod agencies;
mod audit;
mod campaigns;
mod chats;
mod check;
mod costs;
mod cover;
mod deliveries;
mod directory;
mod endpoints;
mod engine;
mod enrichments;
mod erasures;
mod error;
mod handle;
mod hubs;
mod issuers;
mod keys;
mod leads;
mod messages;
mod migrate;
mod outbox;
mod persons;
mod prospecting;
mod prospects;
mod reseal;
mod retention;
mod schema;
mod sends;
mod sources;
mod tokens;
mod types;
mod users;
mod vault;
mod waits;

pub use audit::{AuditDraft, AuditFilter, AuditPage, AuditScope};
pub use campaigns::{
    CampaignFilter, CampaignPage, ExportFile, ExportFilter, ExportedLead, ListedFile, NewCampaign, ProcessingSummary,
    Stepped,
};
pub use chats::{Changed, ChatChange, ChatFilter, ChatPage};
pub use costs::{AlertFilter, AlertPage, CostsDue, DailyCosts, NewCost, SpendingSummary, ThresholdChange};
pub use cover::CoveredBy;
pub use deliveries::{Delivery, DeliveryFilter, ListedAttempt, ParkedDeliveries, Replay, Traffic, Whose};
pub use endpoints::{ChangedEndpoint, EndpointChange, NewEndpoint, Target};
pub use enrichments::{Case, Cost, Ending, Enrichment, StageDone, Then, Threshold};
pub use erasures::{ErasedMessage, OpenErasure};
pub use error::{Result, StoreError};
pub use handle::Store;
pub use hubs::Hold;
pub use issuers::NewIssuer;
pub use leads::{Cursor, LeadChanges, LeadFilter, LeadPage, ParseCursorError};
pub use messages::{Attendee, MessageFilter, MessagePage};
pub use migrate::{Preview, Schema};
pub use outbox::{Attempt, Claimed, Consent, Due, LEFT_BEHIND, MOVED, Outcome, Settled};
pub use persons::Found;
pub use prospecting::LoggedLifecycle;
pub use prospects::{Again, KnownProspect, PageCursor, ProspectFilter, ProspectPage};
pub use reseal::Resealing;
pub use retention::Kept;
pub use sends::{Admission, OpenSend};
pub use sources::NewSource;
pub use users::NewUser;
pub use vault::{Place, Vault};
