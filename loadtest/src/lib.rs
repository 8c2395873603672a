//! What stands in for the outside world when Leadwire is shown, tested and measured.
//!
//! - [`platform`]: a simulator of the platforms that send webhooks and answer API calls. Always there; the demo and the
//!   tests of the hub use it.
//! - `fault` (feature `harness`): a proxy that plays a failing network or server, a database that one run has to itself, a
//!   full disk and a clock that jumps.
//! - `hub`, `client` (feature `harness`): a hub process under test, and clients for its transports.
//! - `measure` (feature `harness`): the commands of the `loadtest` binary and what they count with.
//!
//! Nothing here depends on the hub's own code: what it believes about the hub is only what the hub documents. The
//! benchmarks in `benches/` alone call it, for they measure it part by part.

#[cfg(feature = "harness")]
pub mod client;
#[cfg(feature = "harness")]
pub mod fault;
#[cfg(feature = "harness")]
pub mod hub;
#[cfg(feature = "harness")]
pub mod measure;
pub mod platform;
