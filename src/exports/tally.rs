//! What a campaign's leads come to: a summary for whoever paid, an analysis for whoever wants the next one better.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    Row,
    columns::{checked, grade},
};
use crate::domain::{Timestamp, campaign::Campaign, clock, prospect::Stage};

/// Names of a list that are shown; the rest is counted together.
const SHOWN: usize = 20;

/// Counts leads one by one.
#[derive(Debug, Default)]
pub struct Tally {
    leads: u64,
    qualified: u64,
    failed: u64,
    cost: f64,
    scored: u64,
    score: i64,
    with: BTreeMap<&'static str, u64>,
    grades: BTreeMap<&'static str, u64>,
    /// By the tens of the score.
    scores: [u64; 10],
    sources: BTreeMap<String, u64>,
    categories: BTreeMap<String, u64>,
    cities: BTreeMap<String, u64>,
    statuses: BTreeMap<String, u64>,
    verdicts: BTreeMap<String, u64>,
    degraded: BTreeMap<String, u64>,
    /// Stage: how often it was done, and milliseconds together.
    stages: BTreeMap<Stage, (u64, u64)>,
}

impl Tally {
    /// Counts a lead.
    pub fn add(&mut self, row: Row<'_>) {
        let Row { prospect, findings, cost, .. } = row;
        self.leads += 1;
        self.cost += cost;
        self.qualified += u64::from(prospect.qualifies());
        self.failed += u64::from(prospect.status == crate::domain::prospect::status::ERROR);
        if let Some(score) = prospect.confidence_score {
            self.scored += 1;
            self.score += i64::from(score);
            *self.grades.entry(grade(score)).or_default() += 1;
            self.scores[usize::try_from(score / 10).unwrap_or(0).min(9)] += 1;
        }
        let known = [
            ("email", prospect.email.is_some()),
            ("owner", prospect.owner_name.is_some()),
            ("phone", prospect.phone.is_some()),
            ("website", prospect.website.is_some()),
        ];
        for (what, _) in known.iter().filter(|(_, known)| *known) {
            *self.with.entry(what).or_default() += 1;
        }
        let count = |counts: &mut BTreeMap<String, u64>, name: Option<&str>| {
            *counts.entry(name.unwrap_or("unknown").to_owned()).or_default() += 1;
        };
        count(&mut self.sources, prospect.source.as_deref());
        count(&mut self.categories, prospect.category.as_deref());
        count(&mut self.cities, prospect.city.as_deref());
        count(&mut self.statuses, Some(&prospect.status));
        if let Some(checked) = checked(row) {
            let verdict = json!(checked.verdict);
            count(&mut self.verdicts, verdict.as_str());
        }
        for degraded in &findings.degraded {
            count(&mut self.degraded, Some(&format!("{}: {}", degraded.what, degraded.why)));
        }
        for (stage, took) in &findings.took_ms {
            let (times, together) = self.stages.entry(*stage).or_default();
            *times += 1;
            *together += took;
        }
    }

    /// How many there are, and how many are qualified.
    #[must_use]
    pub const fn counts(&self) -> [u64; 2] {
        [self.leads, self.qualified]
    }

    /// `…-summary.json`.
    #[must_use]
    pub fn summary(&self, campaign: &Campaign, now: Timestamp) -> Value {
        json!({
            "campaign": campaign,
            "made_at": clock::rfc3339(now),
            "leads": self.leads,
            "qualified_leads": self.qualified,
            "error_leads": self.failed,
            "qualification_rate": percent(self.qualified, self.leads),
            "average_score": ratio(self.score, self.scored),
            "grades": self.grades,
            "with": self.with,
            "total_cost": rounded(self.cost),
            "cost_per_lead": each(self.cost, self.leads),
            "cost_per_qualified_lead": each(self.cost, self.qualified),
        })
    }

    /// `…-analysis.json`.
    #[must_use]
    pub fn analysis(&self, campaign: &Campaign, now: Timestamp) -> Value {
        let scores: BTreeMap<String, u64> = (0..)
            .zip(self.scores)
            .map(|(ten, count)| (format!("{:03}-{:03}", ten * 10, if ten == 9 { 100 } else { ten * 10 + 9 }), count))
            .collect();
        let stages: BTreeMap<&str, Value> = self
            .stages
            .iter()
            .map(|(stage, (times, together))| {
                let average = ratio(i64::try_from(*together).unwrap_or(i64::MAX), *times);
                (stage.as_str(), json!({"leads": times, "average_ms": average}))
            })
            .collect();
        json!({
            "campaign_id": campaign.id,
            "made_at": clock::rfc3339(now),
            "leads": self.leads,
            "scores": scores,
            "statuses": self.statuses,
            "email_verdicts": self.verdicts,
            "sources": most(&self.sources),
            "categories": most(&self.categories),
            "cities": most(&self.cities),
            "degraded": most(&self.degraded),
            "stages": stages,
        })
    }
}

/// The most frequent, the most frequent first.
fn most(counts: &BTreeMap<String, u64>) -> Value {
    let mut all: Vec<_> = counts.iter().collect();
    all.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), *name));
    let rest: u64 = all.iter().skip(SHOWN).map(|(_, count)| **count).sum();
    let shown: Vec<Value> = all.iter().take(SHOWN).map(|(name, count)| json!({"name": name, "leads": count})).collect();
    json!({"most": shown, "others": rest})
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn ratio(sum: i64, of: u64) -> Option<f64> {
    (of > 0).then(|| (sum as f64 / of as f64 * 100.0).round() / 100.0)
}

fn percent(part: u64, of: u64) -> Option<f64> {
    ratio(i64::try_from(part).unwrap_or(i64::MAX).saturating_mul(100), of)
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn each(cost: f64, of: u64) -> Option<f64> {
    (of > 0).then(|| rounded(cost / of as f64))
}

/// To a hundredth of a hundredth.
fn rounded(cost: f64) -> f64 {
    (cost * 10_000.0).round() / 10_000.0
}

#[cfg(test)]
mod tests {
    use super::{super::sample, *};

    #[test]
    fn leads_are_counted_and_costs_are_for_each() {
        let (campaign, mut prospect, findings) = sample::lead();
        let mut tally = Tally::default();
        tally.add(Row { campaign: &campaign, prospect: &prospect, findings: &findings, cost: 0.03 });
        "enriched".clone_into(&mut prospect.status);
        (prospect.is_qualified, prospect.confidence_score, prospect.email) = (Some(false), Some(40), None);
        prospect.city = Some("La Jolla".to_owned());
        tally.add(Row { campaign: &campaign, prospect: &prospect, findings: &findings, cost: 0.01 });
        assert_eq!(tally.counts(), [2, 1]);
        let summary = tally.summary(&campaign, campaign.created_at);
        assert_eq!((&summary["qualification_rate"], &summary["average_score"]), (&json!(50.0), &json!(60.5)));
        assert_eq!((&summary["cost_per_lead"], &summary["cost_per_qualified_lead"]), (&json!(0.02), &json!(0.04)));
        assert_eq!(summary["grades"], json!({"B": 1, "F": 1}));
        assert_eq!(summary["with"], json!({"email": 1, "owner": 2, "phone": 2, "website": 2}));
        let analysis = tally.analysis(&campaign, campaign.created_at);
        assert_eq!((&analysis["scores"]["080-089"], &analysis["scores"]["040-049"]), (&json!(1), &json!(1)));
        assert_eq!(analysis["email_verdicts"], json!({"deliverable": 1}));
        assert_eq!(analysis["stages"]["discovery"], json!({"leads": 2, "average_ms": 120.0}));
        assert_eq!(analysis["cities"]["most"][0]["leads"], 1);
    }

    #[test]
    fn nothing_is_divided_by_no_leads() {
        let (campaign, ..) = sample::lead();
        let summary = Tally::default().summary(&campaign, campaign.created_at);
        assert!(summary["cost_per_lead"].is_null() && summary["qualification_rate"].is_null());
    }
}
