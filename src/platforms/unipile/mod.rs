//! Unipile: reading what its webhooks tell of conversations and of the accounts they are in.

mod event;
mod status;

#[cfg(test)]
mod tests;

pub use event::read;
pub use status::account_state;
