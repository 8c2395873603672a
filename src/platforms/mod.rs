//! Clients of the platforms' own APIs: what they can be asked, what their errors mean, and how much is left to ask.
//!
//! No retrying and no waiting in here: an error says what would help, the caller decides when.

pub mod meta;
