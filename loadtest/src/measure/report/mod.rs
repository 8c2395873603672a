//! What a measurement found: tables for people, a page with plots, JSON for machines, and what is wrong.
//!
//! - `record`: the report itself, which the measurements fill in; what it is made of is in `parts`
//! - `file`: the report as JSON, written and read back
//! - `table`: the report on a terminal
//! - `html`, `charts`, `plot`, `scale`: the report as one page, and the drawing of its plots
//! - `compare`: two reports beside each other, with `spread` telling noise from change

mod charts;
mod compare;
mod file;
mod html;
mod parts;
mod plot;
mod record;
mod scale;
mod spread;
mod table;

#[cfg(test)]
mod example;

pub use self::compare::{Compare, run as compare};
pub(in crate::measure) use parts::{LedgerRow, Mark, Sample, Timeline};
pub use record::Report;
