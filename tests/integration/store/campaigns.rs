//! Campaigns: made, begun, ended, counted, and exported once.

use std::sync::Arc;

use leadwire::{
    domain::{
        AccountId, AgencyId,
        campaign::{Campaign, Step},
        clock,
        cost::Amount,
        directory::Account,
    },
    store::{CampaignFilter, Cost, ExportFile, ExportFilter, NewCampaign, Stepped, Store, StoreError},
};
use serde_json::json;

use super::{
    harness::{Bench, on_both_engines},
    prospects::{done, ended, soon},
};

on_both_engines! {
    a_campaign_is_made_listed_and_seen_within_its_account_only,
    leads_of_a_pending_campaign_wait_until_somebody_starts_it,
    a_step_is_taken_once_and_only_from_where_it_may,
    a_cancelled_campaign_takes_back_what_is_under_way,
    a_campaign_that_has_spent_its_budget_is_completed_and_says_why,
    stages_of_one_campaign_are_kept_at_once_whatever_they_cost,
    files_of_a_completed_campaign_are_kept_once,
    leads_are_read_page_by_page_as_the_filter_chooses,
    campaigns_are_counted_once_whatever_happened_to_them,
}

impl Bench {
    async fn made(&self, account: &Account, name: &str) -> Campaign {
        self.store.add_campaign(new(account, name)).await.unwrap()
    }

    async fn step(&self, account: &Account, id: &str, step: Step) -> Option<Stepped> {
        self.store.step_campaign(account.agency, &[account.id], id, step).await.unwrap()
    }

    pub(super) async fn started(&self, account: &Account, name: &str) -> Campaign {
        let made = self.made(account, name).await;
        taken(self.step(account, &made.id, Step::Start).await)
    }

    /// A campaign that is to be exported.
    pub(super) async fn completed(&self, account: &Account) -> Campaign {
        let id = self.started(account, "First").await.id;
        taken(self.step(account, &id, Step::Complete).await)
    }

    async fn page(&self, account: &Account, status: Option<&str>, limit: u32) -> Vec<String> {
        let (mut names, mut cursor) = (Vec::new(), None);
        loop {
            let filter = CampaignFilter { status: status.map(str::to_owned), limit, cursor };
            let page = self.store.campaigns(account.agency, &[account.id], &filter).await.unwrap();
            names.extend(page.campaigns.into_iter().map(|campaign| campaign.name));
            cursor = page.next;
            if cursor.is_none() {
                return names;
            }
        }
    }
}

fn new(account: &Account, name: &str) -> NewCampaign {
    NewCampaign {
        agency: account.agency,
        account: account.id,
        name: name.to_owned(),
        user_id: "usr_1".to_owned(),
        search_query: Some("restaurants".to_owned()),
        location: Some("San Diego, CA".to_owned()),
        business_type: None,
        target_count: None,
        budget_limit: Some(Amount(10_000)),
    }
}

fn taken(stepped: Option<Stepped>) -> Campaign {
    match stepped {
        Some(Stepped::Taken(campaign)) => *campaign,
        other => panic!("it was not taken: {other:?}"),
    }
}

async fn a_campaign_is_made_listed_and_seen_within_its_account_only(bench: Bench) {
    let (account, other) = (bench.account().await, bench.account().await);
    let made = bench.made(&account, "First").await;
    for name in ["Second", "Third"] {
        bench.made(&account, name).await;
    }
    let known = bench.store.campaign(account.agency, &[account.id], &made.id).await.unwrap().unwrap();
    assert_eq!(
        (known.status.as_str(), known.budget_limit, known.progress.is_none()),
        ("pending", Some(Amount(10_000)), true)
    );
    for (agency, accounts) in [
        (other.agency, vec![other.id]),
        (other.agency, vec![account.id]),
        (account.agency, vec![other.id]),
        (account.agency, Vec::<AccountId>::new()),
    ] {
        assert_eq!(bench.store.campaign(agency, &accounts, &made.id).await.unwrap(), None);
        let stepped = bench.store.step_campaign(agency, &accounts, &made.id, Step::Start).await.unwrap();
        assert_eq!(stepped, None);
    }
    assert!(bench.page(&other, None, 10).await.is_empty());
    bench.step(&account, &made.id, Step::Start).await.unwrap();
    for limit in [1, 2, 10] {
        assert_eq!(bench.page(&account, None, limit).await, ["Third", "Second", "First"]);
    }
    assert_eq!(bench.page(&account, Some("processing"), 10).await, ["First"]);
    assert_eq!(bench.events().await[..3], ["created"; 3]);
    let foreign = NewCampaign { agency: other.agency, ..new(&account, "Foreign") };
    assert_eq!(bench.store.add_campaign(foreign).await.unwrap_err(), StoreError::NotFound("account"));
    assert!(bench.store.add_campaign(new(&account, " ")).await.unwrap_err().is_rejected());
}

async fn leads_of_a_pending_campaign_wait_until_somebody_starts_it(bench: Bench) {
    let account = bench.account().await;
    let (first, second) = (bench.made(&account, "First").await, bench.made(&account, "Second").await);
    bench.add(&account, &["lead_1", "lead_2"], Some(&first.id)).await;
    bench.add(&account, &["lead_3"], Some(&second.id)).await;
    bench.add(&account, &["lead_free"], None).await;
    bench.end_next(account.id, "enriched").await;
    assert!(bench.store.accounts_to_enrich().await.unwrap().is_empty());
    assert_eq!(bench.claim_next(account.id).await, None, "only the one without a campaign was begun");

    let begun = taken(bench.step(&account, &first.id, Step::Start).await);
    let progress = begun.progress.unwrap();
    assert_eq!((begun.status.as_str(), progress.total_leads), ("processing", 2));
    assert!(progress.started_at.is_some());
    assert_eq!(bench.store.accounts_to_enrich().await.unwrap(), [account.id]);
    bench.end_next(account.id, "qualified").await;
    bench.end_next(account.id, "enriched").await;
    assert_eq!(bench.claim_next(account.id).await, None, "the other campaign's waits");
    // Another program begins it.
    bench.execute(&format!("UPDATE campaigns SET status = 'processing' WHERE id = '{}'", second.id)).await;
    bench.end_next(account.id, "qualified").await;
    assert_eq!(bench.page(&account, Some("completed"), 10).await, ["Second", "First"]);
    // What is added to one that is over is enriched at once.
    bench.add(&account, &["lead_late"], Some(&first.id)).await;
    bench.end_next(account.id, "enriched").await;
}

async fn a_step_is_taken_once_and_only_from_where_it_may(bench: Bench) {
    let account = bench.account().await;
    let id = bench.made(&account, "First").await.id;
    let not_now = |status: &str| Some(Stepped::NotNow(status.to_owned()));
    assert_eq!(bench.step(&account, &id, Step::Complete).await, not_now("pending"));
    bench.add(&account, &["lead_1", "lead_2"], Some(&id)).await;
    let other = bench.reopened([7; 32]).await;
    let starts = [&bench.store, &other]
        .map(|store: &Store| store.step_campaign(account.agency, std::slice::from_ref(&account.id), &id, Step::Start));
    let starts: Vec<_> = futures_util::future::join_all(starts).await.into_iter().map(Result::unwrap).collect();
    let begun = starts.iter().filter(|it| matches!(it, Some(Stepped::Taken(_)))).count();
    assert_eq!((begun, starts.contains(&not_now("processing"))), (1, true), "{starts:?}");
    bench.end_next(account.id, "qualified").await;
    let completed = taken(bench.step(&account, &id, Step::Complete).await);
    assert_eq!((completed.status.as_str(), completed.leads_found), ("completed", 2));
    assert!(completed.progress.is_some_and(|progress| progress.completed_at.is_some()));
    assert_eq!(bench.claim_next(account.id).await, None, "what was not begun is not wanted any more");
    for step in [Step::Start, Step::Complete, Step::Cancel] {
        assert_eq!(bench.step(&account, &id, step).await, not_now("completed"));
    }
    let events = bench.events().await;
    assert_eq!(events, ["created", "processing_started", "progress_update", "completed"]);
    let told = bench.lines("SELECT CAST(event_data AS TEXT) AS line FROM campaign_lifecycle_log").await;
    assert!(told.iter().any(|told| told.contains("processing_started") && told.contains("\"total_leads\"")));

    bench.execute(&format!("UPDATE campaigns SET external_id = '7', status = 'pending' WHERE id = '{id}'")).await;
    assert_eq!(bench.step(&account, &id, Step::Start).await, Some(Stepped::OfAnother));
}

async fn a_cancelled_campaign_takes_back_what_is_under_way(bench: Bench) {
    let account = bench.account().await;
    let id = bench.started(&account, "First").await.id;
    bench.add(&account, &["lead_1", "lead_2", "lead_3"], Some(&id)).await;
    let begun = bench.claim_next(account.id).await.unwrap();
    let cancelled = taken(bench.step(&account, &id, Step::Cancel).await);
    assert_eq!((cancelled.status.as_str(), cancelled.progress.unwrap().status.as_str()), ("cancelled", "cancelled"));
    assert_eq!(bench.store.settle_stage(done(begun, |_| (), ended())).await.unwrap(), None);
    assert_eq!(bench.claim_next(account.id).await, None);
    let reasons = "SELECT coalesce(reason, '') AS line FROM enrichments";
    assert_eq!(bench.lines(reasons).await, ["campaign_cancelled"; 3]);
    assert_eq!(bench.lines("SELECT status AS line FROM enhanced_leads").await, ["new"; 3]);
    assert!(bench.store.campaigns_to_export("").await.unwrap().is_empty());
}

async fn a_campaign_that_has_spent_its_budget_is_completed_and_says_why(bench: Bench) {
    let account = bench.account().await;
    let id = bench.started(&account, "First").await.id;
    bench.add(&account, &["lead_1", "lead_2", "lead_3", "lead_4"], Some(&id)).await;
    let cases = [bench.claim_next(account.id).await.unwrap(), bench.claim_next(account.id).await.unwrap()];
    let under_way = bench.claim_next(account.id).await.unwrap();
    for case in cases {
        let mut stage = done(case, |it| "qualified".clone_into(&mut it.status), ended());
        Arc::make_mut(&mut stage).costs = vec![Cost { service: "website", amount: 0.5 }];
        bench.store.settle_stage(stage).await.unwrap().unwrap();
    }
    let known = bench.store.campaign(account.agency, &[account.id], &id).await.unwrap().unwrap();
    assert_eq!((known.status.as_str(), known.status_reason.as_deref()), ("completed", Some("budget_reached")));
    assert_eq!((known.total_cost, known.leads_found), (Amount(10_000), 4));
    assert_eq!(bench.claim_next(account.id).await, None);
    let told =
        "SELECT CAST(event_data AS TEXT) AS line FROM campaign_lifecycle_log WHERE lifecycle_event = 'completed'";
    assert!(bench.lines(told).await[0].contains("budget_reached"));
    // Its files wait for what is under way, which goes on to its end.
    assert_eq!(bench.store.campaigns_to_export("").await.unwrap(), std::slice::from_ref(&id));
    assert_eq!(bench.store.campaign_to_export(&id).await.unwrap(), None);
    let last = done(under_way, |it| "qualified".clone_into(&mut it.status), ended());
    bench.store.settle_stage(last).await.unwrap().unwrap();
    let ready = bench.store.campaign_to_export(&id).await.unwrap().unwrap();
    assert_eq!(ready.progress.map(|progress| progress.qualified_leads), Some(3));
}

async fn stages_of_one_campaign_are_kept_at_once_whatever_they_cost(bench: Bench) {
    let account = bench.account().await;
    let id = bench.started(&account, "First").await.id;
    bench.execute("UPDATE campaigns SET budget_limit = NULL").await;
    let names: Vec<String> = (0..24).map(|at| format!("lead_{at:02}")).collect();
    bench.add(&account, &names.iter().map(String::as_str).collect::<Vec<_>>(), Some(&id)).await;
    let mut stages = Vec::new();
    while let Some(case) = bench.store.claim_enrichment(account.id, soon()).await.unwrap() {
        let mut stage = done(case, |it| "qualified".clone_into(&mut it.status), ended());
        Arc::make_mut(&mut stage).costs = vec![Cost { service: "website", amount: 0.25 }];
        stages.push(stage);
    }
    assert_eq!(stages.len(), 24);
    let other = bench.reopened([7; 32]).await;
    let kept = stages.into_iter().enumerate().map(|(at, stage)| {
        let store = if at % 2 == 0 { &bench.store } else { &other };
        store.settle_stage(stage)
    });
    for kept in futures_util::future::join_all(kept).await {
        assert!(kept.unwrap().is_some(), "nobody waits for anybody crosswise");
    }
    let known = bench.store.campaign(account.agency, &[account.id], &id).await.unwrap().unwrap();
    assert_eq!((known.status.as_str(), known.total_cost), ("completed", Amount(60_000)));
}

fn file(name: &str) -> ExportFile {
    ExportFile { name: name.to_owned(), content: name.as_bytes().to_vec() }
}

async fn files_of_a_completed_campaign_are_kept_once(bench: Bench) {
    let (account, other) = (bench.account().await, bench.account().await);
    let id = bench.started(&account, "First").await.id;
    bench.made(&account, "Second").await;
    assert!(bench.store.campaigns_to_export("").await.unwrap().is_empty());
    bench.step(&account, &id, Step::Complete).await;
    assert_eq!(bench.store.campaigns_to_export("").await.unwrap(), std::slice::from_ref(&id));
    assert!(bench.store.campaigns_to_export(&id).await.unwrap().is_empty(), "there is no other page");
    let campaign = bench.store.campaign_to_export(&id).await.unwrap().unwrap();
    let second = bench.reopened([7; 32]).await;
    let keep = |store: &Store, name: &str| {
        let (store, campaign, files) = (store.clone(), campaign.clone(), vec![file(name), file("same.json")]);
        let metadata = json!({"qualified_leads_exported": 1, "by": name});
        async move { store.keep_exports(&campaign, files, metadata, clock::now()).await.unwrap() }
    };
    let (one, two) = futures_util::join!(keep(&bench.store, "one.csv"), keep(&second, "two.csv"));
    assert_ne!(one, two, "one hub's are kept");
    let name = if one { "one.csv" } else { "two.csv" };
    let files = bench.store.campaign_files(account.agency, &[account.id], &id).await.unwrap();
    assert_eq!(
        files.iter().map(|file| (file.name.as_str(), file.size)).collect::<Vec<_>>(),
        [(name, 7), ("same.json", 9)]
    );
    let content = async |agency: AgencyId, of: AccountId| bench.store.campaign_file(agency, &[of], &id, name).await;
    assert_eq!(content(account.agency, account.id).await.unwrap().as_deref(), Some(name.as_bytes()));
    assert_eq!(content(other.agency, other.id).await.unwrap(), None);
    assert_eq!(content(other.agency, account.id).await.unwrap(), None);
    let known = bench.store.campaign(account.agency, &[account.id], &id).await.unwrap().unwrap();
    assert!(known.exported_at.is_some() && known.export_metadata.is_some_and(|it| it["by"] == name));
    assert!(bench.store.campaigns_to_export("").await.unwrap().is_empty());
    assert_eq!(bench.store.campaign_to_export(&id).await.unwrap(), None);
}

async fn leads_are_read_page_by_page_as_the_filter_chooses(bench: Bench) {
    let (account, other) = (bench.account().await, bench.account().await);
    let id = bench.started(&account, "First").await.id;
    let values: Vec<String> = (0..1_203)
        .map(|at| {
            let status = if at % 3 == 0 { "qualified" } else { "enriched" };
            let score = if at % 2 == 0 { "80" } else { "NULL" };
            format!(
                "('lead_{at:04}', '{}', '{}', '{id}', 'Grill {at}', '{status}', {score})",
                account.agency, account.id
            )
        })
        .collect();
    bench
        .execute(&format!(
            "INSERT INTO enhanced_leads (id, agency_id, account_id, campaign_id, name, status, confidence_score)
             VALUES {}; UPDATE enhanced_leads SET is_qualified = {} WHERE id = 'lead_0001'",
            values.join(", "),
            if bench.is_sqlite() { "1" } else { "TRUE" }
        ))
        .await;
    for (filter, wanted) in [
        (ExportFilter::default(), 1_203),
        (ExportFilter { qualified: true, ..ExportFilter::default() }, 402),
        (ExportFilter { min_confidence: Some(80), qualified: false }, 602),
        (ExportFilter { min_confidence: Some(81), qualified: false }, 0),
    ] {
        let (mut read, mut after, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = bench.store.campaign_leads(account.agency, &[account.id], &id, filter, &after).await.unwrap();
            let Some(last) = page.last() else { break };
            (after, pages) = (last.prospect.id.clone(), pages + 1);
            read.extend(page.into_iter().map(|lead| lead.prospect.id));
        }
        assert!(read.is_sorted() && pages == usize::div_ceil(wanted, 500), "{pages} pages of {filter:?}");
        assert_eq!(read.len(), wanted, "{filter:?}");
        let count = bench.store.count_campaign_leads(account.agency, &[account.id], &id, filter).await.unwrap();
        assert_eq!(usize::try_from(count).unwrap(), wanted);
    }
    for (agency, of) in [(other.agency, other.id), (other.agency, account.id), (account.agency, other.id)] {
        let leads = bench.store.campaign_leads(agency, &[of], &id, ExportFilter::default(), "").await.unwrap();
        assert!(leads.is_empty());
    }
}

async fn campaigns_are_counted_once_whatever_happened_to_them(bench: Bench) {
    let (account, other) = (bench.account().await, bench.account().await);
    let endpoint = bench.endpoint(&account, None, &["campaign_lifecycle"], false).await;
    let first = bench.started(&account, "First").await.id;
    bench.started(&account, "Second").await;
    bench.started(&other, "Another's").await;
    bench.add(&account, &["lead_1", "lead_2", "lead_3", "lead_4"], Some(&first)).await;
    for at in 0..4 {
        let case = bench.claim_next(account.id).await.unwrap();
        let mut stage = done(case, |it| "qualified".clone_into(&mut it.status), ended());
        let amount = if at == 0 { 0.7501 } else { 0.0 };
        Arc::make_mut(&mut stage).costs = vec![Cost { service: "website", amount }];
        bench.store.settle_stage(stage).await.unwrap().unwrap();
    }
    bench.store.route_outbox(100).await.unwrap();
    bench
        .execute(&format!(
            "UPDATE deliveries SET state = 'delivered', finished_at = since WHERE endpoint_id = '{endpoint}' AND outbox_id % 2 = 0;
             UPDATE deliveries SET state = 'parked', finished_at = since WHERE endpoint_id = '{endpoint}' AND outbox_id % 2 = 1"
        ))
        .await;
    let summary = bench.store.processing_summary(account.agency, &[account.id], None).await.unwrap().to_json();
    let events = bench.lines("SELECT id AS line FROM campaign_lifecycle_log").await.len();
    assert!(events > 8, "{events}: more happened than there are campaigns");
    assert_eq!(
        (&summary["total_campaigns"], &summary["active_campaigns"], &summary["completed_campaigns"]),
        (&json!(2), &json!(1), &json!(1)),
        "{summary}"
    );
    assert_eq!((&summary["total_processing_cost"], &summary["error_campaigns"]), (&json!(0.7501), &json!(0)));
    assert!(summary["avg_completion_time"].as_f64().is_some_and(|seconds| (0.0..60.0).contains(&seconds)), "{summary}");
    assert!(summary["webhook_success_rate"].as_f64().is_some_and(|rate| rate > 30.0 && rate < 70.0), "{summary}");
    let one = bench.store.processing_summary(account.agency, &[account.id], Some(&first)).await.unwrap().to_json();
    assert_eq!((&one["total_campaigns"], &one["total_processing_cost"]), (&json!(1), &json!(0.7501)), "{one}");
    let none = bench.store.processing_summary(other.agency, &[account.id], None).await.unwrap().to_json();
    assert_eq!((&none["total_campaigns"], &none["webhook_success_rate"]), (&json!(0), &json!(null)), "{none}");

    let view = format!(
        "SELECT campaign_status || ' ' || processed_leads || ' ' || CAST(completion_percentage AS INTEGER) || ' '
                || CAST(qualification_rate AS INTEGER) || ' ' || CASE WHEN recent_events_count > 3 THEN 'many' ELSE 'few' END
                || ' ' || CASE WHEN last_webhook_successful IS NULL THEN 'none' ELSE 'told' END AS line
           FROM campaign_lifecycle_dashboard WHERE account_id = '{}' ORDER BY campaign_name",
        account.id
    );
    assert_eq!(bench.lines(&view).await, ["completed 4 100 100 many told", "processing 0 0 0 few told"]);
    for view in ["webhook_logs", "cost_alert_history", "cost_monitoring_summary", "cost_alert_thresholds"] {
        bench.lines(&format!("SELECT 'x' AS line FROM {view}")).await;
    }
}
