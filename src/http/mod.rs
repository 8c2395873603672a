//! What every HTTP route and socket shares: the client's address behind proxies, bodies that have to come in time, and
//! connections counted by address.
//!
//! Nothing here knows a route, an account or a secret.

mod body;
mod connections;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod problem;
mod proxies;
pub mod routes;

pub use body::{Body, BodyError, Pace};
pub use connections::{Connection, Connections};
pub use problem::problem;
pub use proxies::{Proxies, network_of};
pub use routes::Routes;
