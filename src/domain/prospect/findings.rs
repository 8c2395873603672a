//! What each stage finds; kept after it, so that a restart goes on at the next.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Degraded, Stage};

/// All that was found so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Findings {
    /// Stage 1.
    pub pre_validation: Option<PreValidation>,
    /// Stage 2.
    pub discovery: Option<Discovery>,
    /// Stage 3.
    pub validation: Option<Validation>,
    /// Stage 4.
    pub scores: Option<Scores>,
    /// What could not be done.
    pub degraded: Vec<Degraded>,
    /// How long each stage took, in milliseconds.
    pub took_ms: BTreeMap<Stage, u64>,
    /// Requests to websites.
    pub website_calls: u32,
}

impl Findings {
    /// Notes what a stage could not do.
    pub fn degrade(&mut self, stage: Stage, what: &str, why: &impl ToString) {
        let degraded = Degraded { stage, what: what.to_owned(), why: why.to_string() };
        // One that is done again after a crash says it once.
        if !self.degraded.contains(&degraded) {
            self.degraded.push(degraded);
        }
    }
}

/// Points for what is known, before anything is looked for; 100 together at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the points of what they name")]
pub struct PreValidation {
    pub name: i32,
    pub address: i32,
    pub phone: i32,
    pub rating: i32,
    pub website: i32,
}

impl PreValidation {
    /// All points.
    #[must_use]
    pub const fn total(self) -> i32 {
        self.name + self.address + self.phone + self.rating + self.website
    }
}

/// What the business's own pages say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Discovery {
    /// Where it was found to be, after redirects.
    pub url: Option<String>,
    /// The status of its first page.
    pub status: Option<u16>,
    /// It answers, and asks not to be read.
    pub forbidden: bool,
    /// Pages that were read.
    pub pages: Vec<String>,
    /// The likeliest first.
    pub emails: Vec<FoundEmail>,
    /// In E.164 where that can be told; the likeliest first.
    pub phones: Vec<String>,
    /// Who is said to own or lead it.
    pub owner: Option<Owner>,
}

/// An address that stood on a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundEmail {
    /// In lower case, its domain in ASCII.
    pub address: String,
    /// `info`, `sales` and the like: nobody in particular.
    pub generic: bool,
    /// How sure it is, of 100.
    pub confidence: i32,
}

/// A person that a page names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Their name.
    pub name: String,
    /// What they are there.
    pub title: Option<String>,
    /// Their own address.
    pub email: Option<String>,
}

/// What became of the addresses and the website.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Validation {
    /// Those that were looked at, the likeliest first.
    pub emails: Vec<CheckedEmail>,
    /// `None` if there is no website.
    pub website: Option<WebsiteCheck>,
}

/// Whether an address takes mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Its domain takes mail.
    Deliverable,
    /// It is none, or its domain takes no mail.
    Undeliverable,
    /// One that is thrown away.
    Disposable,
    /// Nobody could be asked.
    Unknown,
}

/// An address that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckedEmail {
    /// As it was given or found.
    pub address: String,
    /// Whether it takes mail.
    pub verdict: Verdict,
    /// Nobody in particular reads it.
    pub role: bool,
    /// How sure it is, of 100.
    pub confidence: i32,
}

/// Whether a website answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebsiteCheck {
    /// A status from 200 to 399.
    pub accessible: bool,
    /// `None` if there was no answer.
    pub status: Option<u16>,
    /// How sure it is, of 100: 95, 10 if it answers otherwise, 5 if it does not.
    pub confidence: i32,
}

/// The parts of the score; 0: nothing is known, and it does not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the scores of what they name")]
pub struct Scores {
    pub name: i32,
    pub address: i32,
    pub phone: i32,
    pub website: i32,
    pub email: i32,
    pub registration: i32,
    pub property: i32,
    pub foursquare: i32,
    pub nonprofit: i32,
    /// All of them, weighted.
    pub total: i32,
}
