//! Conversations: messages in any order, chats as people work on them.

mod any_order;
mod chats;
mod keeping;
mod refused;
pub(super) mod talk;
mod waiting;
