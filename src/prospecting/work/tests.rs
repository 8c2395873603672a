//! How it goes on after a stage.

use super::*;
use crate::{
    domain::{
        AgencyId,
        prospect::{PreValidation, Stage},
    },
    store::Enrichment,
};

fn case(stage: Stage) -> Case {
    let (agency, account) = (AgencyId::derive(&[b"a"]), AccountId::derive(&[b"a"]));
    let name = "Harbor Grill".to_owned();
    let prospect = Prospect::new("lead_1".to_owned(), agency, account, name, clock::from_micros(0));
    let findings = Findings::default();
    let enrichment = Enrichment { run: 1, stage, findings, cost: 0.5, finished_at: None, reason: None };
    Case { prospect, enrichment, attempts: 1, threshold: None }
}

/// After a stage with these points before it and this score.
fn concluded(stage: Stage, points: i32, score: i32, threshold: i32) -> StageDone {
    let of = case(stage);
    let prospect = Prospect { confidence_score: Some(score), ..of.prospect.clone() };
    let pre_validation = Some(PreValidation { name: points, ..PreValidation::default() });
    let findings = Findings { pre_validation, ..Findings::default() };
    let costs = vec![Cost { service: WEBSITE, amount: 0.25 }];
    conclude(of, prospect, findings, costs, threshold, clock::from_micros(9))
}

#[test]
fn enough_points_lead_from_stage_to_stage_under_the_words_of_the_system_before() {
    for (stage, word) in [
        (Stage::PreValidation, "stage_2_enrichment"),
        (Stage::Discovery, "stage_3_validation"),
        (Stage::Validation, "stage_4_scoring"),
    ] {
        let done = concluded(stage, 50, 50, 50);
        assert!(matches!(done.then, Then::Next(next, _) if Some(next) == stage.next()));
        assert_eq!(
            (done.prospect.status.as_str(), done.prospect.processing_stage.as_deref()),
            ("processing", Some(word))
        );
    }
}

#[test]
fn too_few_points_end_it_with_those_as_the_score() {
    let done = concluded(Stage::PreValidation, 49, 49, 0);
    let Then::Ended(ending) = done.then else { panic!("it goes on") };
    assert_eq!(ending.reason, Some("pre-validation-filtered"));
    assert_eq!((done.prospect.status.as_str(), done.prospect.is_qualified), ("pre-validation-filtered", Some(false)));
    assert_eq!(done.prospect.confidence_score, Some(49));
}

#[test]
fn the_threshold_decides_who_is_qualified() {
    for (score, threshold, word) in [(50, 50, "qualified"), (49, 50, "enriched"), (60, 75, "enriched")] {
        let done = concluded(Stage::Scoring, 100, score, threshold);
        assert!(matches!(done.then, Then::Ended(_)));
        assert_eq!(done.prospect.status, word);
        assert_eq!(done.prospect.is_qualified, Some(word == "qualified"));
        let Then::Ended(ending) = done.then else { panic!("it goes on") };
        assert_eq!(ending.enrichment_data["processingStats"]["cost"], 0.75);
    }
}

#[test]
fn what_the_hub_dies_of_ends_in_an_error() {
    let done = given_up(case(Stage::Discovery));
    let Then::Ended(ending) = &done.then else { panic!("it goes on") };
    assert_eq!(done.prospect.status, "error");
    assert!(ending.error.is_some() && done.findings.degraded.len() == 1);
}
