//! Meta's webhooks: their bodies as they come in real traffic, their signature, a client that posts them, and the order in which
//! they come.

mod deliveries;
mod sign;
mod test_button;
mod webhook;

pub use deliveries::Deliveries;
pub use sign::{post, proof, sign};
pub use test_button::{TEST_BUTTON_ID, test_button_leadgen, test_button_messages};
pub use webhook::{Change, Message, Webhook};
