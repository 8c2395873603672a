//! Prospects and their enrichments: whose turn it is, what a stage leaves, and how far campaigns are.

use std::{collections::BTreeSet, sync::Arc};

use chrono::TimeDelta;
use leadwire::{
    domain::{
        AccountId, Timestamp, clock,
        directory::Account,
        lead::Lead,
        prospect::{Findings, PreValidation, Prospect, Stage},
    },
    store::{Again, Case, Cost, Ending, ProspectFilter, StageDone, StoreError, Then, Threshold},
};
use serde_json::json;

use super::harness::{Bench, lead, on_both_engines};

on_both_engines! {
    prospects_are_claimed_once_in_their_order_and_a_lease_ends,
    a_stage_is_kept_with_its_costs_and_goes_on_at_the_next,
    whoever_comes_late_changes_nothing,
    a_prospect_is_enriched_again_only_when_it_is_done_and_counted_once,
    a_campaign_passes_its_marks_and_is_completed_when_all_are_done,
    a_cancelled_campaign_ends_what_waits,
    a_campaign_that_wants_more_goes_on,
    leads_that_name_a_business_become_prospects_if_their_account_wants_it,
    prospects_are_listed_by_account_and_go_with_it,
}

pub(super) fn soon() -> Timestamp {
    clock::now() + TimeDelta::minutes(1)
}

fn prospect(account: &Account, id: &str) -> Prospect {
    Prospect::new(id.to_owned(), account.agency, account.id, format!("Grill {id}"), clock::now())
}

pub(super) fn done(of: impl Into<Box<Case>>, change: impl FnOnce(&mut Prospect), then: Then) -> Arc<StageDone> {
    let of = *of.into();
    let mut prospect = of.prospect.clone();
    change(&mut prospect);
    let findings = Findings {
        pre_validation: Some(PreValidation { name: 25, ..PreValidation::default() }),
        ..of.enrichment.findings.clone()
    };
    Arc::new(StageDone { of, prospect, findings, costs: Vec::new(), then })
}

pub(super) fn ended() -> Then {
    Then::Ended(Box::new(Ending {
        error: None,
        reason: None,
        enrichment_data: json!({"final": 1}),
        website_validated: Some(true),
        email_validated: None,
    }))
}

impl Bench {
    pub(super) async fn add(&self, account: &Account, ids: &[&str], campaign: Option<&str>) {
        let of = |id: &&str| Prospect { campaign: campaign.map(str::to_owned), ..prospect(account, id) };
        self.store.add_prospects(&ids.iter().map(of).collect::<Vec<_>>()).await.unwrap();
    }

    pub(super) async fn claim_next(&self, account: AccountId) -> Option<Case> {
        self.store.claim_enrichment(account, soon()).await.unwrap()
    }

    /// Claims the account's next and ends it with this status.
    pub(super) async fn end_next(&self, account: AccountId, status: &str) {
        let case = self.claim_next(account).await.unwrap();
        let kept = self.store.settle_stage(done(case, |it| status.clone_into(&mut it.status), ended())).await.unwrap();
        assert!(kept.unwrap().enrichment.finished_at.is_some());
    }

    async fn campaign(&self, account: &Account, target: Option<u32>) {
        let target = target.map_or("NULL".to_owned(), |target| target.to_string());
        self.execute(&format!(
            "INSERT INTO campaigns (id, agency_id, account_id, name, target_count, status)
             VALUES ('cmp_1', '{}', '{}', 'San Diego', {target}, 'processing')",
            account.agency, account.id
        ))
        .await;
    }

    pub(super) async fn events(&self) -> Vec<String> {
        self.lines("SELECT lifecycle_event AS line FROM campaign_lifecycle_log ORDER BY created_at, id").await
    }
}

async fn prospects_are_claimed_once_in_their_order_and_a_lease_ends(bench: Bench) {
    let account = bench.account().await;
    let ids: Vec<String> = (0..20).map(|at| format!("lead_{at:02}")).collect();
    let names: Vec<&str> = ids.iter().map(String::as_str).collect();
    bench.add(&account, &names, None).await;
    assert_eq!(bench.store.accounts_to_enrich().await.unwrap(), [account.id]);
    let other = bench.reopened([7; 32]).await;
    let claims = (0..20).map(|at| {
        let store = if at % 2 == 0 { &bench.store } else { &other };
        store.claim_enrichment(account.id, soon())
    });
    let mut claimed = Vec::new();
    for claim in futures_util::future::join_all(claims).await {
        claimed.extend(claim.unwrap().map(|case| case.prospect.id));
    }
    // Two that look at once may both pass over what the other has just taken.
    while let Some(case) = bench.claim_next(account.id).await {
        claimed.push(case.prospect.id);
    }
    let distinct: BTreeSet<String> = claimed.iter().cloned().collect();
    assert_eq!((claimed.len(), distinct), (20, ids.into_iter().collect()));
    assert!(bench.store.accounts_to_enrich().await.unwrap().is_empty());

    bench.add(&account, &["lead_x"], None).await;
    let ago = clock::now() - TimeDelta::seconds(1);
    let first = bench.store.claim_enrichment(account.id, ago).await.unwrap().unwrap();
    let second = bench.claim_next(account.id).await.unwrap();
    assert_eq!((first.prospect.id, first.attempts, second.attempts), (second.prospect.id, 1, 2));
    assert_eq!(second.prospect.status, "processing");
    assert_eq!(second.prospect.processing_stage.as_deref(), Some("stage_1_discovery"));
}

async fn a_stage_is_kept_with_its_costs_and_goes_on_at_the_next(bench: Bench) {
    let account = bench.account().await;
    bench.store.set_account_enrichment(account.id, None, Some(Threshold::Own(70))).await.unwrap();
    bench.add(&account, &["lead_1"], None).await;
    let case = bench.claim_next(account.id).await.unwrap();
    assert_eq!((case.enrichment.stage, case.threshold), (Stage::PreValidation, Some(70)));
    // Another program knows something meanwhile; the stage, which found nothing of it, leaves that alone.
    bench.execute("UPDATE enhanced_leads SET owner_name = 'Ann', website = 'harbor.example'").await;
    let mut stage = done(case, |it| it.phone = Some("+16198675309".to_owned()), Then::Next(Stage::Discovery, soon()));
    Arc::make_mut(&mut stage).costs = vec![Cost { service: "website", amount: 0.0125 }];
    let kept = bench.store.settle_stage(stage).await.unwrap().unwrap();
    assert_eq!((kept.enrichment.stage, kept.attempts, kept.enrichment.run), (Stage::Discovery, 0, 1));

    // A hub that died leaves it to the next, which goes on there.
    let ago = clock::now() - TimeDelta::seconds(1);
    let kept = bench.store.settle_stage(done(kept, |_| (), Then::Next(Stage::Validation, ago))).await.unwrap().unwrap();
    assert_eq!(kept.enrichment.stage, Stage::Validation);
    let case = bench.claim_next(account.id).await.unwrap();
    assert_eq!((case.enrichment.stage, case.attempts), (Stage::Validation, 1));
    assert_eq!(case.enrichment.findings.pre_validation.map(PreValidation::total), Some(25));
    let kept = bench.store.settle_stage(done(case, |_| (), Then::Next(Stage::Scoring, soon()))).await.unwrap().unwrap();
    let last = done(kept, |it| "qualified".clone_into(&mut it.status), ended());
    let kept = bench.store.settle_stage(last).await.unwrap().unwrap();
    assert!(kept.enrichment.finished_at.is_some());
    assert_eq!(bench.claim_next(account.id).await, None);

    let accounts = [account.id];
    let known = bench.store.prospect(account.agency, &accounts, "lead_1").await.unwrap().unwrap();
    assert_eq!((known.prospect.status.as_str(), known.prospect.phone.as_deref()), ("qualified", Some("+16198675309")));
    let (owner, website) = (known.prospect.owner_name.as_deref(), known.prospect.website.as_deref());
    assert_eq!((owner, website), (Some("Ann"), Some("harbor.example")));
    assert_eq!(known.enrichment_data, Some(json!({"final": 1})));
    assert!((known.enrichment.unwrap().cost - 0.0125).abs() < 1e-9);
    let costs = bench.lines("SELECT api_service || ' ' || lead_id || ' ' || cost AS line FROM api_costs").await;
    assert_eq!(costs, ["website lead_1 0.0125"]);
    let columns =
        "SELECT CASE WHEN website_validated AND email_validated IS NULL AND enrichment_completed_at IS NOT NULL
                   THEN processing_cost || '' ELSE '' END AS line FROM enhanced_leads";
    assert_eq!(bench.lines(columns).await, ["0.0125"]);
}

async fn whoever_comes_late_changes_nothing(bench: Bench) {
    let account = bench.account().await;
    bench.add(&account, &["lead_1", "lead_2"], None).await;
    let ago = clock::now() - TimeDelta::seconds(1);
    let slow = bench.store.claim_enrichment(account.id, ago).await.unwrap().unwrap();
    let fast = bench.claim_next(account.id).await.unwrap();
    assert_eq!(slow.prospect.id, fast.prospect.id);
    let of_slow = done(slow, |it| it.phone = Some("slow".to_owned()), Then::Next(Stage::Discovery, soon()));
    assert_eq!(bench.store.settle_stage(of_slow.clone()).await.unwrap(), None);
    let of_fast = done(fast, |it| it.phone = Some("fast".to_owned()), Then::Next(Stage::Discovery, soon()));
    let kept = bench.store.settle_stage(of_fast).await.unwrap().unwrap();
    assert_eq!(bench.store.settle_stage(of_slow).await.unwrap(), None);
    assert_eq!(kept.prospect.phone.as_deref(), Some("fast"));

    let gone = bench.claim_next(account.id).await.unwrap();
    bench.execute("DELETE FROM enhanced_leads WHERE id = 'lead_2'").await;
    assert_eq!(bench.store.settle_stage(done(gone, |_| (), ended())).await.unwrap(), None);
    assert_eq!(bench.lines("SELECT lead_id AS line FROM enrichments").await, ["lead_1"]);
}

async fn a_prospect_is_enriched_again_only_when_it_is_done_and_counted_once(bench: Bench) {
    let account = bench.account().await;
    let accounts = [account.id];
    bench.campaign(&account, Some(100)).await;
    bench.add(&account, &["lead_1"], Some("cmp_1")).await;
    let again = |id: &'static str| bench.store.enrich_again(account.agency, &accounts, id);
    assert_eq!(again("lead_1").await.unwrap(), Some(Again::UnderWay));
    assert_eq!(again("lead_2").await.unwrap(), None);
    bench.end_next(account.id, "qualified").await;
    let Some(Again::Begun(begun)) = again("lead_1").await.unwrap() else { panic!("it did not begin") };
    assert_eq!((begun.status.as_str(), begun.processing_stage), ("new", None));
    let case = bench.claim_next(account.id).await.unwrap();
    assert_eq!((case.enrichment.run, case.enrichment.stage), (2, Stage::PreValidation));
    assert_eq!(case.enrichment.findings, Findings::default());
    bench.store.settle_stage(done(case, |it| "enriched".clone_into(&mut it.status), ended())).await.unwrap().unwrap();
    let counts = "SELECT processed_leads || '/' || total_leads || ' ' || qualified_leads AS line FROM campaign_processing_status";
    assert_eq!(bench.lines(counts).await, ["1/1 0"]);
    // One that others wrote, and that was never enriched.
    bench
        .execute(&format!(
            "INSERT INTO enhanced_leads (id, agency_id, account_id, name) VALUES ('x1', '{}', '{}', 'Hill')",
            account.agency, account.id
        ))
        .await;
    assert!(matches!(again("x1").await.unwrap(), Some(Again::Begun(_))));
    assert_eq!(bench.claim_next(account.id).await.unwrap().prospect.id, "x1");
}

async fn a_campaign_passes_its_marks_and_is_completed_when_all_are_done(bench: Bench) {
    let account = bench.account().await;
    bench.campaign(&account, None).await;
    let ids: Vec<String> = (0..8).map(|at| format!("lead_{at}")).collect();
    bench.add(&account, &ids.iter().map(String::as_str).collect::<Vec<_>>(), Some("cmp_1")).await;
    for at in 0..8 {
        let case = bench.claim_next(account.id).await.unwrap();
        let status = ["qualified", "enriched", "error", "pre-validation-filtered"][at % 4].to_owned();
        let mut stage = done(case, |it| it.status = status, ended());
        Arc::make_mut(&mut stage).costs = vec![Cost { service: "website", amount: 0.5 }];
        bench.store.settle_stage(stage).await.unwrap().unwrap();
    }
    let progress = "progress_update".to_owned();
    let wanted = [vec!["created".to_owned()], vec![progress; 4], vec!["completed".to_owned()]].concat();
    assert_eq!(bench.events().await, wanted);
    let counts =
        "SELECT status || ' ' || total_leads || ' ' || processed_leads || ' ' || qualified_leads || ' ' || error_leads
                  || ' ' || CAST(processing_cost AS INTEGER) || ' ' || CAST(stage_progress AS INTEGER) AS line
                  FROM campaign_processing_status";
    assert_eq!(bench.lines(counts).await, ["completed 8 8 2 2 4 100"]);
    let campaign = "SELECT status || ' ' || leads_found || ' ' || CAST(total_cost AS INTEGER) AS line FROM campaigns";
    assert_eq!(bench.lines(campaign).await, ["completed 8 4"]);
    // One that is enriched again begins nothing anew.
    bench.store.enrich_again(account.agency, &[account.id], "lead_1").await.unwrap();
    bench.end_next(account.id, "qualified").await;
    assert_eq!(bench.lines(counts).await, ["completed 8 8 3 2 4 100"]);
    assert_eq!(
        bench.lines("SELECT 'x' AS line FROM campaign_processing_status WHERE completed_at IS NULL").await,
        [""; 0]
    );
    assert_eq!(bench.events().await, wanted);
}

async fn a_cancelled_campaign_ends_what_waits(bench: Bench) {
    let account = bench.account().await;
    bench.campaign(&account, None).await;
    bench.add(&account, &["lead_1", "lead_2", "lead_3"], Some("cmp_1")).await;
    let begun = bench.claim_next(account.id).await.unwrap();
    bench.execute("UPDATE campaigns SET status = 'cancelled'").await;
    bench.add(&account, &["lead_9"], None).await;
    assert_eq!(bench.claim_next(account.id).await.unwrap().prospect.id, "lead_9");
    assert_eq!(bench.claim_next(account.id).await, None);
    assert_eq!(bench.store.settle_stage(done(begun, |_| (), ended())).await.unwrap(), None);
    let reasons = "SELECT coalesce(reason, '') AS line FROM enrichments ORDER BY lead_id";
    assert_eq!(bench.lines(reasons).await, ["campaign_cancelled", "campaign_cancelled", "campaign_cancelled", ""]);
    let statuses = "SELECT status AS line FROM enhanced_leads ORDER BY id";
    assert_eq!(bench.lines(statuses).await, ["new", "new", "new", "processing"]);
}

async fn a_campaign_that_wants_more_goes_on(bench: Bench) {
    let account = bench.account().await;
    bench.campaign(&account, Some(3)).await;
    bench.add(&account, &["lead_1", "lead_2"], Some("cmp_1")).await;
    bench.end_next(account.id, "qualified").await;
    bench.end_next(account.id, "qualified").await;
    assert_eq!(bench.lines("SELECT status AS line FROM campaigns").await, ["processing"]);
    bench.add(&account, &["lead_3"], Some("cmp_1")).await;
    bench.end_next(account.id, "enriched").await;
    assert_eq!(bench.lines("SELECT status AS line FROM campaigns").await, ["completed"]);
}

async fn leads_that_name_a_business_become_prospects_if_their_account_wants_it(bench: Bench) {
    let (account, other) = (bench.account().await, bench.account().await);
    let at_work = |account: &Account, number| {
        let fields = json!({"field_data": [{"name": "company_name", "values": ["Harbor Grill"]}]});
        Lead { meta_data: fields, ..lead(account, number) }
    };
    bench.store.insert_leads(&[at_work(&account, 1)]).await.unwrap();
    assert_eq!(bench.store.set_account_enrichment(account.id, Some(true), None).await.unwrap(), (true, None));
    let private = Lead { email: "joe@gmail.com".to_owned(), ..lead(&account, 3) };
    let batch = [at_work(&account, 2), private, at_work(&other, 4)];
    for stored in [3, 0] {
        assert_eq!(bench.store.insert_leads(&batch).await.unwrap(), stored);
    }
    let made = "SELECT name || ' ' || source || ' ' || lead_id AS line FROM enhanced_leads";
    assert_eq!(bench.lines(made).await, [format!("Harbor Grill meta {}", batch[0].id)]);
    let case = bench.claim_next(account.id).await.unwrap();
    assert_eq!((case.prospect.lead, bench.claim_next(account.id).await), (Some(batch[0].id), None));
    // One that is known under another id is not stored, and makes no prospect.
    let twin = Lead { id: Lead::id_for(other.id, "twin"), ..at_work(&account, 2) };
    assert_eq!(bench.store.insert_leads(&[twin]).await.unwrap(), 0);
    assert_eq!(bench.lines(made).await.len(), 1);
    bench.store.erase_lead(&[account.id], batch[0].id, true).await.unwrap().unwrap();
    assert_eq!(bench.lines(made).await, [""; 0], "what was made of a person goes with them");
}

async fn prospects_are_listed_by_account_and_go_with_it(bench: Bench) {
    let (account, other) = (bench.account().await, bench.account().await);
    bench.add(&account, &["lead_1"], None).await;
    bench.add(&other, &["lead_2"], None).await;
    let filter = ProspectFilter { limit: 10, ..ProspectFilter::default() };
    let both = [account.id, other.id];
    let seen = bench.store.prospects(account.agency, &both, &filter).await.unwrap();
    assert_eq!(seen.prospects.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), ["lead_1"]);
    assert_eq!(bench.store.prospect(account.agency, &both, "lead_2").await.unwrap(), None);
    bench.campaign(&account, None).await;
    let stray = Prospect { campaign: Some("cmp_1".to_owned()), ..prospect(&other, "lead_3") };
    assert_eq!(bench.store.add_prospects(&[stray]).await, Err(StoreError::NotFound("campaign")));
    let unfit = Prospect { name: "a\0b".to_owned(), ..prospect(&account, "lead_4") };
    assert!(bench.store.add_prospects(&[unfit]).await.is_err_and(|error| error.is_rejected()));
    bench.execute(&format!("DELETE FROM accounts WHERE id = '{}'", account.id)).await;
    assert_eq!(bench.lines("SELECT lead_id AS line FROM enrichments").await, ["lead_2"]);
}
