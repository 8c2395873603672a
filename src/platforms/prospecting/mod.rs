//! Prospecting databases: what their webhooks say. They have no API of their own that the hub calls.
//!
//! A payload comes in one of these shapes, told by what it has: flat, as the origin's triggers write it and as the hub's own
//! do (those have an `event_id`); nested in `lead_data`, as the origin's document has it; or a whole row, as Supabase's
//! webhooks bring it (`{type, table, schema, record, old_record}`). Any column may be missing.

mod campaign;
mod cost;
mod lead;
mod shape;

#[cfg(test)]
mod tests;

use super::Unreadable;
use crate::domain::{Timestamp, message::Owner, prospecting::Told};
use shape::{Item, Subject};

/// What a payload says. `received_at` is the time of what tells none.
///
/// # Errors
/// If it says nothing of a lead, a campaign or a cost, or not which.
pub fn read(item: &str, owner: Owner, received_at: Timestamp) -> Result<Told, Unreadable> {
    let item = Item::of(item, owner, received_at)?;
    match item.subject() {
        Some(Subject::Lead) => lead::read(&item).map(|told| Told::Prospect(Box::new(told))),
        Some(Subject::Campaign) => campaign::read(&item).map(|told| Told::Campaign(Box::new(told))),
        Some(Subject::Cost) => cost::read(&item).map(|told| Told::Cost(Box::new(told))),
        Some(Subject::Alert) => cost::alert(&item).map(|told| Told::Alert(Box::new(told))),
        None => Err(Unreadable::because("it says nothing of a lead, a campaign or a cost")),
    }
}
