//! Webhooks at Unipile: what there should be, what there is, and making it so.
//!
//! Unipile can't change a webhook: the right one is made first and the wrong one removed after, so that nothing is
//! missed between. Webhooks that are not this source's are never touched.

mod findings;
mod registrar;
#[cfg(test)]
mod tests;

pub use findings::{FEEDS, Feed, Finding, compare};
pub(super) use registrar::advice;
pub use registrar::{Registrar, by_workspace, mend, registered};
