//! Meta's webhooks: their bodies as they come in real traffic, their signature, and a client that posts them.

mod sign;
mod test_button;
mod webhook;

pub use sign::{post, proof, sign};
pub use test_button::{TEST_BUTTON_ID, test_button_leadgen, test_button_messages};
pub use webhook::{Change, Message, Webhook};
