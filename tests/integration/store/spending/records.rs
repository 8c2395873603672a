//! Thresholds, alerts and sums, as people ask for them.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use leadwire::{
    domain::{
        AccountId, AgencyId, AlertId, clock,
        cost::{Amount, ThresholdKind},
        directory::Account,
    },
    store::{AlertFilter, SpendingSummary, StoreError, ThresholdChange},
};

use super::{Cost, amount, cost, limits};
use crate::store::{
    harness::{Bench, on_both_engines},
    others::campaign,
};

on_both_engines! {
    every_account_has_the_usual_thresholds_also_one_that_is_older_than_they_are,
    nothing_crosses_accounts,
    an_alert_is_unannounced_until_it_is_and_open_until_a_person_resolves_it,
    sums_are_exact_by_account_and_day,
}

async fn every_account_has_the_usual_thresholds_also_one_that_is_older_than_they_are(bench: Bench) {
    while bench.store.revert(1).await.unwrap() != ["2026-11-22-101000_costs"] {}
    let old = Account { id: AccountId::generate(), agency: AgencyId::generate(), name: "Old".into() };
    let now = if bench.is_sqlite() { "0" } else { "now()" };
    let rows = format!(
        "INSERT INTO agencies (id, name, created_at) VALUES ('{0}', 'Old', {now});
         INSERT INTO accounts (id, agency_id, name, created_at) VALUES ('{1}', '{0}', 'Old', {now})",
        old.agency, old.id
    );
    bench.execute(&rows).await;
    bench.store.migrate().await.unwrap();
    let new = bench.store.add_account(old.agency, "New").await.unwrap();
    for account in [&old, &new] {
        let thresholds = bench.store.thresholds(account.agency, &[account.id]).await.unwrap();
        let shown: Vec<String> = thresholds
            .iter()
            .map(|it| {
                format!("{} {} {} {} {} {}", it.name, it.kind, it.comparison, it.value, it.quiet_minutes, it.is_active)
            })
            .collect();
        let wanted = [
            "anomaly_spike anomaly > 3 60 true",
            "cost_per_lead_limit cost_per_lead > 0.25 60 true",
            "daily_spend_limit daily_spend > 50 60 true",
            "rate_limit_warning rate_limit >= 80 60 true",
        ];
        assert_eq!(shown, wanted);
    }
}

async fn nothing_crosses_accounts(bench: Bench) {
    let account = bench.account().await;
    let sibling = bench.store.add_account(account.agency, "Ottawa").await.unwrap();
    let foreign = bench.account().await;
    bench.spend(&account, &[cost("google_places", "30")]).await;
    bench.spend(&foreign, &[cost("google_places", "30")]).await;
    bench.spend(&sibling, &[cost("google_places", "55")]).await;
    assert_eq!(bench.evaluate(&account).await, [""; 0]);
    assert!(bench.is_due(&sibling).await && bench.is_due(&foreign).await);
    let refused = bench.store.evaluate_costs(foreign.agency, sibling.id, &limits(), clock::now()).await.unwrap_err();
    assert_eq!(refused, StoreError::NotFound("account"));
    assert_eq!(bench.evaluate(&sibling).await, ["daily_spend"]);
    let [alert] = &bench.alerts(&sibling, &AlertFilter::default()).await[..] else { panic!() };
    for (agency, accounts) in
        [(account.agency, [account.id]), (foreign.agency, [sibling.id]), (foreign.agency, [foreign.id])]
    {
        let page = bench
            .store
            .cost_alerts(agency, &accounts, &AlertFilter { limit: 9, ..AlertFilter::default() })
            .await
            .unwrap();
        assert_eq!(page.alerts, []);
        assert!(!bench.store.resolve_alert(agency, &accounts, alert.id, "", "usr").await.unwrap());
    }
    let threshold = bench.store.thresholds(sibling.agency, &[sibling.id]).await.unwrap().remove(0);
    assert_eq!(bench.store.threshold(foreign.agency, threshold.id).await.unwrap(), None);
    let refused = bench.store.remove_threshold(foreign.agency, threshold.id).await.unwrap_err();
    assert_eq!(refused, StoreError::NotFound("threshold"));
    let change = || ThresholdChange {
        value: Some(amount("1")),
        kind: Some(ThresholdKind::Anomaly),
        ..ThresholdChange::default()
    };
    let refused = bench.store.put_threshold(foreign.agency, sibling.id, "new", change()).await.unwrap_err();
    assert_eq!(refused, StoreError::NotFound("account"));
    let lacking = ThresholdChange { kind: None, ..change() };
    let refused = bench.store.put_threshold(sibling.agency, sibling.id, "new", lacking).await.unwrap_err();
    assert!(refused.is_rejected(), "{refused}");
    assert!(bench.store.put_threshold(sibling.agency, sibling.id, "new", change()).await.unwrap().1);
    assert!(!bench.store.put_threshold(sibling.agency, sibling.id, "new", change()).await.unwrap().1);
    bench.store.remove_threshold(sibling.agency, threshold.id).await.unwrap();
    assert_eq!(bench.store.thresholds(sibling.agency, &[sibling.id]).await.unwrap().len(), 4);
    assert_eq!(bench.alerts(&sibling, &AlertFilter::default()).await.len(), 1, "what it raised stays");
}

async fn an_alert_is_unannounced_until_it_is_and_open_until_a_person_resolves_it(bench: Bench) {
    let account = bench.account().await;
    bench.spend(&account, &[cost("google_places", "55")]).await;
    let alerts = bench.evaluate_at(&account, clock::now()).await;
    assert!(bench.store.costs_due().await.unwrap().untold);
    assert_eq!(bench.store.unannounced_alerts().await.unwrap(), alerts);
    bench.store.mark_announced(&[alerts[0].id]).await.unwrap();
    assert!(!bench.store.costs_due().await.unwrap().untold);
    let open = AlertFilter { resolved: Some(false), ..AlertFilter::default() };
    let shown = bench.alerts(&account, &open).await;
    assert!(shown[0].announced_at.is_some() && shown[0].resolved_at.is_none());
    let mine = [account.id];
    let resolve = |id| bench.store.resolve_alert(account.agency, &mine, id, "paid by mistake", "usr_1");
    assert!(resolve(shown[0].id).await.unwrap());
    assert!(!resolve(shown[0].id).await.unwrap() && !resolve(AlertId::generate()).await.unwrap());
    assert_eq!(bench.alerts(&account, &open).await, []);
    let done = bench.alerts(&account, &AlertFilter { resolved: Some(true), ..AlertFilter::default() }).await.remove(0);
    assert_eq!(
        (done.resolution_note.as_deref(), done.resolved_by.as_deref()),
        (Some("paid by mistake"), Some("usr_1"))
    );

    bench.execute("UPDATE cost_alert_thresholds SET comparison_operator = '<=', threshold_value = 1000").await;
    for minutes in [61, 122] {
        bench.evaluate_at(&account, clock::now() + TimeDelta::minutes(minutes)).await;
    }
    let page = |before| AlertFilter { before, limit: 2, ..AlertFilter::default() };
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = bench.store.cost_alerts(account.agency, &[account.id], &page(before)).await.unwrap();
        seen.extend(page.alerts.iter().map(|alert| alert.id));
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert!(seen.len() == 7 && seen.is_sorted_by(|a, b| a > b), "{seen:?}");
}

async fn sums_are_exact_by_account_and_day(bench: Bench) {
    let account = bench.account().await;
    let sibling = bench.store.add_account(account.agency, "Ottawa").await.unwrap();
    bench.execute(&campaign(&account)).await;
    let tenths: Vec<Cost<'_>> = (0..1000).map(|_| Cost { lead: Some("lead_1"), ..cost("hunter_io", "0.1") }).collect();
    bench.spend(&account, &tenths).await;
    let more = [
        Cost { lead: Some("lead_2"), campaign: Some("cmp_1"), ..cost("google_places", "0.017") },
        Cost { ago: TimeDelta::days(3), ..cost("google_places", "7.0001") },
        Cost { ago: TimeDelta::days(40), ..cost("google_places", "1000") },
    ];
    bench.spend(&account, &more).await;
    bench.evaluate(&account).await;
    let all = bench.store.spending(&[account.id, sibling.id]).await.unwrap();
    let one = &all[&account.id];
    assert_eq!(
        (one.daily_spend, one.hourly_spend, one.lead_spend),
        (amount("100.017"), amount("100.017"), amount("100.017"))
    );
    assert_eq!(
        (one.leads, one.cost_per_lead(), one.cost_per_campaign()),
        (2, Some(amount("50.0085")), Some(amount("0.017")))
    );
    let services =
        BTreeMap::from([("google_places".to_owned(), amount("0.017")), ("hunter_io".to_owned(), amount("100"))]);
    assert_eq!((one.active_alerts, &one.top_services), (4, &services), "each threshold has one");
    assert_eq!(all[&sibling.id], SpendingSummary::default());
    assert_eq!(all[&sibling.id].cost_per_lead(), None);

    let days = bench.store.daily_costs(account.agency, &[account.id, sibling.id], 30).await.unwrap();
    let of = |account: AccountId| &days[&account];
    assert_eq!((of(account.id).len(), of(sibling.id).len()), (30, 30));
    let (today, total) = (&of(account.id)[29], of(account.id).iter().map(|day| day.total).sum::<Amount>());
    assert_eq!((today.day, today.total, &today.services), (clock::now().date_naive(), amount("100.017"), &services));
    assert_eq!((total, of(account.id)[26].total), (amount("107.0171"), amount("7.0001")));
    assert!(of(sibling.id).iter().all(|day| day.total == Amount::default()));

    // What comes late or changes has its hour summed again, also when nobody has looked for long.
    bench.spend(&account, &[Cost { ago: TimeDelta::days(3), ..cost("google_places", "1") }]).await;
    bench.execute("UPDATE api_costs SET cost = 8 WHERE cost > 7 AND cost < 8").await;
    bench.evaluate(&account).await;
    let day_of = async |ago: usize| {
        let days = bench.store.daily_costs(account.agency, &[account.id], 30).await.unwrap();
        days[&account.id][29 - ago].total
    };
    assert_eq!((day_of(3).await, day_of(0).await), (amount("9"), amount("100.017")));
    bench.execute("UPDATE cost_hours_until SET hour = hour - 2000; DELETE FROM cost_hours").await;
    bench.spend(&account, &[cost("google_places", "1")]).await;
    bench.evaluate(&account).await;
    assert_eq!((day_of(3).await, day_of(0).await), (amount("9"), amount("101.017")));
    bench.execute("UPDATE api_costs SET cost = 0.2 WHERE cost > 0.09 AND cost < 0.11").await;
    let shown = bench
        .lines("SELECT CAST(cost_per_lead_24h AS TEXT) AS line FROM cost_monitoring_summary WHERE leads_24h > 0")
        .await;
    assert_eq!(shown, ["100.0085"]);
}
