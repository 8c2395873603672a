//! Prospecting as other databases tell of it, and the hub's own endpoint.

use leadwire::{
    domain::{
        EndpointId, EventId, SourceId, clock,
        cost::Amount,
        directory::Account,
        event::SourceKind,
        message::Owner,
        prospecting::{
            CampaignFields, CampaignTold, CostRecorded, Lifecycle, Progress, ProspectFields, ProspectTold, RecordId,
            StatusChange,
        },
    },
    store::{Attempt, DeliveryFilter, NewSource, StoreError},
};
use serde_json::json;

use super::{
    harness::{Bench, on_both_engines},
    others::campaign,
};

on_both_engines! {
    leads_of_another_database_are_rows_whichever_way_they_are_told,
    leads_that_come_enriched_are_not_enriched_again,
    what_names_a_campaign_may_come_before_it,
    campaigns_of_another_database_are_logged_as_told_and_by_no_trigger,
    of_the_hubs_own_campaigns_it_is_noted_that_they_were_told,
    costs_are_kept_exactly_and_once,
    a_prospecting_source_comes_and_goes_with_the_hubs_own_endpoint,
    many_deliveries_are_settled_together,
    a_lead_is_never_enriched_on_the_word_of_another_account,
}

fn owner(account: &Account) -> Owner {
    Owner { agency: account.agency, account: account.id, source: SourceId::derive(&[b"source"]) }
}

fn lead(account: &Account, id: &str, status: &str, at: i64) -> ProspectTold {
    ProspectTold {
        owner: owner(account),
        id: RecordId::lead(account.id, id.to_owned()),
        campaign: None,
        fields: ProspectFields {
            name: Some("Harbor Grill".to_owned()),
            status: Some(status.to_owned()),
            confidence_score: Some(62),
            ..ProspectFields::default()
        },
        status: Some(StatusChange { old: None, new: status.to_owned() }),
        at: clock::from_micros(1_795_000_000_000_000 + at),
    }
}

fn lifecycle(account: &Account, id: &str, event: &str, status: &str, at: i64) -> CampaignTold {
    CampaignTold {
        owner: owner(account),
        id: RecordId::campaign(account.id, id.to_owned()),
        event: Some(Lifecycle {
            log_id: EventId::derive(&[event.as_bytes(), id.as_bytes()]).to_string(),
            name: event.to_owned(),
            previous_state: None,
            new_state: Some(status.to_owned()),
            payload: json!({"lifecycle_event": event}),
        }),
        fields: CampaignFields {
            name: Some("San Diego".to_owned()),
            status: Some(status.to_owned()),
            budget_limit: Some(Amount(500_000)),
            total_cost: Some(Amount(284_999)),
            ..CampaignFields::default()
        },
        progress: Some(Progress { total_leads: Some(87), stage_progress: Some(50.0), ..Progress::default() }),
        at: clock::from_micros(1_795_000_000_000_000 + at),
    }
}

async fn leads_of_another_database_are_rows_whichever_way_they_are_told(bench: Bench) {
    let (account, foreign) = (bench.account().await, bench.account().await);
    let all = [lead(&account, "1", "new", 1), lead(&account, "1", "qualified", 3), lead(&account, "1", "enriched", 2)];
    bench.store.keep_prospects(&all).await.unwrap();
    bench.store.keep_prospects(&all[..1]).await.unwrap();
    bench.store.keep_prospects(&[lead(&foreign, "1", "new", 1)]).await.unwrap();
    let rows = "SELECT external_id || ' ' || status || ' ' || confidence_score || ' ' || account_id AS line
                  FROM enhanced_leads ORDER BY status";
    assert_eq!(bench.lines(rows).await, [format!("1 new 62 {}", foreign.id), format!("1 qualified 62 {}", account.id)]);
    let own = ProspectTold { id: RecordId::own("lead_own".to_owned()), ..lead(&account, "2", "new", 1) };
    bench.store.keep_prospects(&[own]).await.unwrap();
    assert_eq!(bench.lines(rows).await.len(), 2, "of the hub's own rows nothing is written");
    let gone = Account { id: leadwire::domain::AccountId::generate(), ..account.clone() };
    let refused = bench.store.keep_prospects(&[lead(&gone, "1", "new", 1)]).await.unwrap_err();
    assert!(refused.is_rejected(), "{refused}");
}

async fn leads_that_come_enriched_are_not_enriched_again(bench: Bench) {
    let account = bench.account().await;
    let inserted = |status: &str| ProspectTold { status: None, ..lead(&account, status, status, 1) };
    let told = ["new", "pending", "discovered", "error", "enriched", "validated", "qualified"].map(inserted);
    bench.store.keep_prospects(&told).await.unwrap();
    let queued = "SELECT external_id AS line FROM enrichments JOIN enhanced_leads l ON l.id = enrichments.lead_id ORDER BY external_id";
    assert_eq!(bench.lines(queued).await, ["discovered", "error", "new", "pending"]);
    // Whoever asks for it gets it all the same.
    let qualified = &told[6].id.id;
    bench.store.enrich_again(account.agency, &[account.id], qualified).await.unwrap();
    assert_eq!(bench.lines(queued).await, ["discovered", "error", "new", "pending", "qualified"]);
}

async fn what_names_a_campaign_may_come_before_it(bench: Bench) {
    let account = bench.account().await;
    let campaign = Some(RecordId::campaign(account.id, "7".to_owned()));
    bench.store.keep_prospects(&[ProspectTold { campaign, ..lead(&account, "1", "new", 1) }]).await.unwrap();
    let names = "SELECT name || ' ' || status AS line FROM campaigns";
    assert_eq!(bench.lines(names).await, ["Campaign 7 pending"]);
    assert_eq!(
        bench.lines("SELECT id AS line FROM campaign_lifecycle_log").await,
        [""; 0],
        "nothing happened to it yet"
    );
    bench.store.keep_campaigns(&[lifecycle(&account, "7", "created", "running", 1)]).await.unwrap();
    assert_eq!(bench.lines(names).await, ["San Diego running"]);
}

async fn campaigns_of_another_database_are_logged_as_told_and_by_no_trigger(bench: Bench) {
    let (account, foreign) = (bench.account().await, bench.account().await);
    bench.endpoint(&account, None, &["campaign_lifecycle"], false).await;
    let id = RecordId::campaign(account.id, "7".to_owned()).id;
    let all = [
        lifecycle(&account, "7", "created", "running", 1),
        lifecycle(&account, "7", "completed", "completed", 3),
        lifecycle(&account, "7", "progress_update", "running", 2),
    ];
    for _ in 0..2 {
        bench.store.keep_campaigns(&all).await.unwrap();
    }
    let log = "SELECT lifecycle_event || ' ' || triggered_by AS line FROM campaign_lifecycle_log ORDER BY created_at";
    assert_eq!(bench.lines(log).await, ["created webhook", "progress_update webhook", "completed webhook"]);
    assert_eq!(bench.types().await, ["campaign_lifecycle"; 3]);
    let sent = &bench.payloads().await[1];
    assert_eq!(
        (&sent["event_id"], &sent["account_id"]),
        (&json!(all[1].event.as_ref().unwrap().log_id), &json!(account.id.to_string()))
    );
    assert_eq!((&sent["lifecycle_event"], &sent["external_id"]), (&json!("completed"), &json!("7")));
    assert_eq!((&sent["campaign_id"], &sent["campaign_info"]["name"]), (&json!(id), &json!("San Diego")));
    assert_eq!(
        (&sent["processing_status"]["total_leads"], &sent["campaign_info"]["budget_limit"]),
        (&json!(87), &json!(50.0))
    );
    assert_eq!(
        (&sent["event_data"]["new_status"], &sent["event_data"]["total_cost"]),
        (&json!("completed"), &json!(28.4999))
    );
    let row = "SELECT status || ' ' || CAST(total_cost AS TEXT) AS line FROM campaigns";
    assert_eq!(bench.lines(row).await, ["completed 28.4999"]);
    let progress = "SELECT status || ' ' || total_leads AS line FROM campaign_processing_status";
    assert_eq!(bench.lines(progress).await, ["completed 87"]);
    for named in ["7", &id] {
        let found = bench.store.lifecycle(&[account.id], named, 2).await.unwrap();
        let events: Vec<&str> = found.iter().map(|event| event.lifecycle_event.as_str()).collect();
        assert_eq!(events, ["completed", "progress_update"]);
        assert!(found[0].processed_at.is_some());
        assert!(bench.store.lifecycle(&[foreign.id], named, 2).await.unwrap().is_empty(), "it is another's");
    }
}

async fn of_the_hubs_own_campaigns_it_is_noted_that_they_were_told(bench: Bench) {
    let (account, foreign) = (bench.account().await, bench.account().await);
    bench.execute(&campaign(&account)).await;
    let id = bench.lines("SELECT id AS line FROM campaign_lifecycle_log").await.remove(0);
    let own = |account: &Account| {
        let mut told = lifecycle(account, "1", "created", "pending", 1);
        told.id = RecordId::own("cmp_1".to_owned());
        told.event.as_mut().unwrap().log_id.clone_from(&id);
        told
    };
    let noted = "SELECT CASE WHEN processed_at IS NULL THEN 'no' ELSE 'yes' END AS line FROM campaign_lifecycle_log";
    bench.store.keep_campaigns(&[own(&foreign)]).await.unwrap();
    assert_eq!(bench.lines(noted).await, ["no"], "another account can't say so");
    bench.store.keep_campaigns(&[own(&account)]).await.unwrap();
    assert_eq!(bench.lines(noted).await, ["yes"]);
    assert_eq!(bench.lines("SELECT name || ' ' || status AS line FROM campaigns").await, ["San Diego pending"]);
}

async fn costs_are_kept_exactly_and_once(bench: Bench) {
    let account = bench.account().await;
    let cost = |id: &str, amount: i64, is_change: bool| CostRecorded {
        owner: owner(&account),
        id: RecordId::cost(account.id, id.to_owned()),
        api_service: "hunter_io".to_owned(),
        cost: Amount(amount),
        campaign: Some(RecordId::campaign(account.id, "7".to_owned())),
        lead: None,
        created_at: clock::from_micros(1_795_000_000_000_000),
        is_change,
    };
    let all = [
        cost("1", 170, false),
        cost("2", 0, false),
        cost("3", -12_345, false),
        cost("4", 999_999_999_999, false),
        cost("5", 555_000, false),
        cost("5", 560_000, true),
        cost("6", 1, false),
    ];
    for _ in 0..2 {
        bench.store.keep_costs(&all).await.unwrap();
    }
    let rows = "SELECT external_id || ' ' || CAST(cost AS TEXT) AS line FROM api_costs ORDER BY external_id";
    let kept = bench.lines(rows).await;
    let kept: Vec<(i64, f64)> = kept
        .iter()
        .map(|line| {
            let (id, cost) = line.split_once(' ').unwrap();
            (id.parse().unwrap(), cost.parse().unwrap())
        })
        .collect();
    let wanted = [(1, 0.017), (2, 0.0), (3, -1.2345), (4, 99_999_999.999_9), (5, 56.0), (6, 0.0001)];
    assert_eq!(kept, wanted);
}

fn source(account: &Account) -> NewSource {
    NewSource {
        account: account.id,
        kind: SourceKind::Prospecting,
        external_id: account.id.to_string(),
        name: "Prospecting".into(),
        token: String::new().into(),
        app_secrets: vec!["token".into()],
        verify_token: None,
        api_url: None,
    }
}

async fn a_prospecting_source_comes_and_goes_with_the_hubs_own_endpoint(bench: Bench) {
    let account = bench.account().await;
    bench.execute(&campaign(&account)).await;
    assert_eq!(bench.types().await, [""; 0]);
    let id = bench.store.add_source(source(&account)).await.unwrap();
    let again = bench.store.add_source(source(&account)).await.unwrap_err();
    assert!(matches!(again, StoreError::Conflict(_)), "{again}");
    let shown = bench.store.endpoints(account.agency).await.unwrap();
    assert_eq!((shown.len(), shown[0].url.as_str()), (1, format!("leadwire:{id}").as_str()));
    assert!(shown[0].own && shown[0].ordered && shown[0].enabled && shown[0].account == Some(account.id));
    bench.execute("UPDATE campaigns SET status = 'processing'").await;
    assert_eq!(bench.types().await, ["campaign_lifecycle"]);
    bench.store.route_outbox(10).await.unwrap();
    let until = clock::now() + chrono::TimeDelta::minutes(1);
    let (target, claimed) = bench.store.claim_deliveries(shown[0].id, 10, until).await.unwrap().unwrap();
    assert_eq!((target.own, claimed.len()), (Some(id), 1));
    bench.store.remove_source(id).await.unwrap();
    assert!(bench.store.endpoints(account.agency).await.unwrap().is_empty());
    bench.execute("UPDATE campaigns SET status = 'completed'").await;
    assert_eq!(bench.types().await.len(), 1, "nobody asks any more");
}

async fn many_deliveries_are_settled_together(bench: Bench) {
    let account = bench.account().await;
    bench.store.add_source(source(&account)).await.unwrap();
    let own: EndpointId = bench.store.endpoints(account.agency).await.unwrap()[0].id;
    for number in 0..20 {
        let insert = "INSERT INTO enhanced_leads (agency_id, account_id, name)";
        bench.execute(&format!("{insert} VALUES ('{}', '{}', 'Grill {number}')", account.agency, account.id)).await;
    }
    bench.store.route_outbox(100).await.unwrap();
    let claimed = bench.claim(own, 15).await;
    let rows: Vec<i64> = claimed.iter().map(|one| one.row).collect();
    let attempt = Attempt {
        url: "leadwire:src_1".into(),
        started_at: clock::now(),
        duration_ms: 5,
        status: Some(200),
        answer: None,
        error: None,
    };
    for _ in 0..2 {
        bench.store.settle_together(own, rows.clone(), attempt.clone()).await.unwrap();
    }
    let listed = bench.store.deliveries(own, &DeliveryFilter::default(), None, 100).await.unwrap();
    let delivered: Vec<_> = listed.iter().filter(|one| one.finished_at.is_some()).collect();
    assert_eq!((delivered.len(), listed.len()), (15, 20));
    assert!(delivered.iter().all(|one| one.attempts.len() == 1 && one.attempts[0].status == Some(200)));
    assert_eq!(bench.claim(own, 100).await.len(), 5);
}

async fn a_lead_is_never_enriched_on_the_word_of_another_account(bench: Bench) {
    let (account, other) = (bench.account().await, bench.account().await);
    let columns = "INSERT INTO enhanced_leads (id, agency_id, account_id, name)";
    let (agency, id) = (account.agency, account.id);
    bench
        .execute(&format!(
            "{columns} VALUES ('lead_own', '{agency}', '{id}', 'Harbor Grill'); DELETE FROM enrichments;"
        ))
        .await;
    let told = |of: &Account| ProspectTold {
        status: None,
        id: RecordId::own("lead_own".to_owned()),
        ..lead(of, "1", "new", 1)
    };
    bench.store.keep_prospects(&[told(&other)]).await.unwrap();
    assert_eq!(bench.lines("SELECT lead_id AS line FROM enrichments").await, [""; 0]);
    bench.store.keep_prospects(&[told(&account)]).await.unwrap();
    assert_eq!(bench.lines("SELECT lead_id AS line FROM enrichments").await, ["lead_own"]);
}
