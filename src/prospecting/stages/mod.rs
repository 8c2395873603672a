//! The stages, in the order of [`Stage::ALL`], one file each. A stage changes what is known of the prospect and notes what
//! it found; what it can't do it says. Each has a budget of time: what it has found until then stands.

mod discovery;
mod email;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod page;
mod phone;
mod pre_validation;
mod scoring;
#[cfg(test)]
mod tests;
mod validation;

use std::cell::Cell;

use tokio::time::timeout;

pub(super) use pre_validation::ENOUGH;
pub(super) use validation::validated;

use crate::{
    config::Prospecting,
    domain::prospect::{Findings, Prospect, Stage},
    platforms::{mail::MailDomains, website::Websites},
};

/// What stages work with.
#[derive(Clone, Copy)]
pub(super) struct Tools<'a> {
    pub settings: &'a Prospecting,
    pub websites: &'a Websites,
    pub mail: &'a MailDomains,
}

/// What stages work on.
pub(super) struct Work {
    pub prospect: Prospect,
    pub findings: Findings,
    /// Requests to websites.
    pub calls: Cell<u32>,
}

/// Does one stage.
pub(super) async fn run(stage: Stage, tools: &Tools<'_>, work: &mut Work) {
    let in_time = match stage {
        Stage::PreValidation => {
            pre_validation::score(work);
            true
        }
        Stage::Discovery => {
            let in_time = timeout(tools.settings.stage_timeout, discovery::look(tools, work)).await.is_ok();
            discovery::apply(work);
            in_time
        }
        Stage::Validation => {
            let in_time = timeout(tools.settings.stage_timeout, validation::look(tools, work)).await.is_ok();
            validation::apply(work);
            in_time
        }
        Stage::Scoring => {
            scoring::score(work);
            true
        }
    };
    if !in_time {
        work.findings.degrade(stage, "stage", &"it took too long, and goes on with what was found until then");
    }
}
