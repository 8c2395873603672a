//! A hub process under test: settings in a directory of its own, started, stopped, killed, and started again on the same
//! data. It is filled and asked only through its command line and its HTTP interface.

mod process;
mod provision;
mod setup;

pub use process::Hub;
pub use provision::Tenant;
pub use setup::{APP_SECRET, PASSWORD, Setup, VERIFY_TOKEN};
