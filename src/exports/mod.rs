//! Campaigns as files: leads as CSV and XLSX, and what they come to as JSON.
//!
//! ```text
//! campaigns that are completed ─▶ Exporter ─▶ store (campaign_exports) ─▶ whoever downloads them
//!              whoever asks ─▶ leads, page by page ─▶ CSV, XLSX, JSON
//! ```
//!
//! Leads are read page by page, so that a long list is in memory as a file only, or as CSV that is asked for, not at all.
//! Cells come from third parties: none is a formula for whoever opens the file.

mod columns;
mod csv;
mod exporter;
mod lists;
mod name;
mod tally;
mod xlsx;

use crate::{
    domain::{
        campaign::Campaign,
        prospect::{Findings, Prospect},
    },
    store::{ExportedLead, StoreError},
};

pub use columns::TITLES;
pub use csv::Csv;
pub use exporter::{Desk, Exporter};
pub use lists::{Leads, csv, tally, xlsx};
pub use name::name;
pub use tally::Tally;
pub use xlsx::Xlsx;

/// Leads of a file that is made in memory, at most.
pub const MOST: usize = 50_000;

/// A lead of a campaign with what is known of it.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The campaign that found it.
    pub campaign: &'a Campaign,
    /// The lead.
    pub prospect: &'a Prospect,
    /// What enrichment found.
    pub findings: &'a Findings,
    /// What it has cost, in units of money.
    pub cost: f64,
}

impl<'a> Row<'a> {
    /// A lead as the store has it.
    #[must_use]
    pub const fn new(campaign: &'a Campaign, lead: &'a ExportedLead) -> Self {
        Self { campaign, prospect: &lead.prospect, findings: &lead.findings, cost: lead.cost }
    }
}

/// Why a file can't be made.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// It would be too large.
    #[error("there are more than {MOST} leads: export them as CSV, or choose a higher minConfidence")]
    TooMany,
    /// It can't be written.
    #[error("the file can't be written: {0}")]
    Unwritable(String),
    /// The leads can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[cfg(test)]
mod sample;
