//! Costs are held against thresholds: which alerts come of it, each once, and none is missed.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use futures_util::future::join_all;
use leadwire::{
    domain::{
        AccountId, AlertId, Timestamp, clock,
        cost::{
            Amount, CallLimits,
            Comparison::{self, Above, AtLeast, AtMost, Below, Equal},
            CostAlert, Severity, ThresholdKind,
        },
        directory::Account,
    },
    store::{AlertFilter, StoreError, ThresholdChange},
};
use tokio_postgres::NoTls;

use super::{
    harness::{Bench, on_both_engines},
    others::campaign,
};

on_both_engines! {
    every_account_has_the_usual_thresholds_also_one_that_is_older_than_they_are,
    one_cost_raises_the_daily_alert_and_the_anomaly,
    within_its_quiet_time_a_threshold_is_silent_and_looked_at_again_when_that_ends,
    fifty_costs_at_once_raise_one_alert_whoever_looks,
    a_cost_that_is_committed_late_is_not_missed,
    a_cost_that_changes_is_looked_at_again_and_one_that_was_looked_at_has_not_changed,
    all_operators_and_types_hold_and_an_unknown_one_fails_nothing,
    nothing_crosses_accounts,
    an_alert_is_unannounced_until_it_is_and_open_until_a_person_resolves_it,
    sums_are_exact_by_account_and_day,
}

/// What others write.
struct Cost<'a> {
    service: &'a str,
    price: &'a str,
    ago: TimeDelta,
    lead: Option<&'a str>,
    campaign: Option<&'a str>,
}

fn cost<'a>(service: &'a str, price: &'a str) -> Cost<'a> {
    Cost { service, price, ago: TimeDelta::zero(), lead: None, campaign: None }
}

impl Bench {
    fn moment(&self, at: Timestamp) -> String {
        if self.is_sqlite() { at.timestamp_micros().to_string() } else { format!("'{}'", at.to_rfc3339()) }
    }

    fn insert(&self, account: &Account, cost: &Cost<'_>) -> String {
        let quoted = |text: Option<&str>| text.map_or("NULL".to_owned(), |text| format!("'{text}'"));
        format!(
            "INSERT INTO api_costs (agency_id, account_id, api_service, cost, created_at, lead_id, campaign_id)
             VALUES ('{}', '{}', '{}', {}, {}, {}, {});",
            account.agency,
            account.id,
            cost.service,
            cost.price,
            self.moment(clock::now() - cost.ago),
            quoted(cost.lead),
            quoted(cost.campaign),
        )
    }

    async fn spend(&self, account: &Account, costs: &[Cost<'_>]) {
        let inserts: String = costs.iter().map(|cost| self.insert(account, cost)).collect();
        self.execute(&inserts).await;
    }

    /// The types of the alerts that come of it now.
    async fn evaluate(&self, account: &Account) -> Vec<String> {
        types(&self.evaluate_at(account, clock::now()).await)
    }

    async fn evaluate_at(&self, account: &Account, at: Timestamp) -> Vec<CostAlert> {
        self.store.evaluate_costs(account.agency, account.id, &limits(), at).await.unwrap()
    }

    async fn put(&self, account: &Account, name: &str, kind: ThresholdKind, comparison: Comparison, value: &str) {
        let change = ThresholdChange {
            kind: Some(kind),
            value: Some(value.parse().unwrap()),
            comparison: Some(comparison),
            ..ThresholdChange::default()
        };
        self.store.put_threshold(account.agency, account.id, name, change).await.unwrap();
    }

    async fn is_due(&self, account: &Account) -> bool {
        self.store.costs_due().await.unwrap().accounts.contains(&(account.agency, account.id))
    }

    async fn alerts(&self, account: &Account, filter: &AlertFilter) -> Vec<CostAlert> {
        let filter = AlertFilter { limit: 100, ..filter.clone() };
        self.store.cost_alerts(account.agency, &[account.id], &filter).await.unwrap().alerts
    }
}

fn limits() -> CallLimits {
    CallLimits::from([("hunter_io".to_owned(), 4)])
}

fn types(alerts: &[CostAlert]) -> Vec<String> {
    let mut types: Vec<String> = alerts.iter().map(|alert| alert.threshold_type.clone()).collect();
    types.sort_unstable();
    types
}

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

async fn every_account_has_the_usual_thresholds_also_one_that_is_older_than_they_are(bench: Bench) {
    while bench.store.revert(1).await.unwrap() != ["2026-11-22-101000_costs"] {}
    let old = bench.account().await;
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

async fn one_cost_raises_the_daily_alert_and_the_anomaly(bench: Bench) {
    let account = bench.account().await;
    let earlier = |hours| Cost { ago: TimeDelta::hours(hours), ..cost("hunter_io", "0.5") };
    bench.spend(&account, &[earlier(2), earlier(30), earlier(100), earlier(24 * 8)]).await;
    assert_eq!(bench.evaluate(&account).await, [""; 0]);
    bench.spend(&account, &[cost("google_places", "55.0")]).await;
    assert!(bench.is_due(&account).await);
    let alerts = bench.evaluate_at(&account, clock::now()).await;
    assert_eq!(types(&alerts), ["anomaly", "daily_spend"]);
    let [anomaly, daily] =
        ["anomaly", "daily_spend"].map(|kind| alerts.iter().find(|it| it.threshold_type == kind).unwrap());
    assert_eq!((anomaly.alert_value, anomaly.severity), (amount("110"), Severity::Critical));
    assert_eq!(anomaly.alert_data["average_value"].as_f64(), Some(0.5));
    assert!(daily.alert_value >= amount("55") && daily.alert_value <= amount("55.5"), "{daily:?}");
    assert_eq!((daily.threshold_name.as_str(), daily.severity), ("daily_spend_limit", Severity::Warning));
    assert!(!bench.is_due(&account).await);
    let mut kept = bench.alerts(&account, &AlertFilter::default()).await;
    kept.sort_unstable_by_key(|alert| alert.threshold_type.clone());
    let mut raised = alerts.clone();
    raised.sort_unstable_by_key(|alert| alert.threshold_type.clone());
    assert_eq!(kept, raised);
    let listed = bench.lines("SELECT threshold_type || ' ' || alert_value AS line FROM cost_alert_history WHERE threshold_type = 'anomaly'").await;
    assert!(listed[0].starts_with("anomaly 110.0"), "{listed:?}");
}

async fn within_its_quiet_time_a_threshold_is_silent_and_looked_at_again_when_that_ends(bench: Bench) {
    let account = bench.account().await;
    bench.spend(&account, &[cost("google_places", "55")]).await;
    let began = clock::now();
    assert_eq!(types(&bench.evaluate_at(&account, began).await), ["daily_spend"]);
    bench.spend(&account, &[cost("google_places", "5")]).await;
    for minutes in [1, 59] {
        assert_eq!(bench.evaluate_at(&account, began + TimeDelta::minutes(minutes)).await, []);
    }
    assert!(!bench.is_due(&account).await, "its time has not come");
    bench
        .execute(&format!(
            "UPDATE cost_alert_thresholds SET look_again_at = {} WHERE look_again_at IS NOT NULL",
            bench.moment(began)
        ))
        .await;
    assert!(bench.is_due(&account).await);
    let at = began + TimeDelta::minutes(60);
    let alerts = bench.evaluate_at(&account, at).await;
    // Unless midnight is between them.
    if at.date_naive() == began.date_naive() {
        assert_eq!((types(&alerts), alerts[0].alert_value), (vec!["daily_spend".to_owned()], amount("60")));
        assert_eq!(bench.alerts(&account, &AlertFilter::default()).await.len(), 2);
    }
    assert!(!bench.is_due(&account).await, "it is told, and not looked at again without a cost");
}

async fn fifty_costs_at_once_raise_one_alert_whoever_looks(bench: Bench) {
    let account = bench.account().await;
    let other = bench.reopened([7; 32]).await;
    let spend = (0..50).map(|_| async {
        bench.spend(&account, &[cost("google_places", "2")]).await;
    });
    let look = (0..50).map(|number| {
        let (store, account) = (if number % 2 == 0 { &bench.store } else { &other }, &account);
        async move { store.evaluate_costs(account.agency, account.id, &limits(), clock::now()).await.unwrap().len() }
    });
    let (_, found) = tokio::join!(join_all(spend), join_all(look));
    let last = bench.evaluate(&account).await.len();
    assert_eq!(found.into_iter().sum::<usize>() + last, 1);
    assert_eq!(bench.alerts(&account, &AlertFilter::default()).await.len(), 1);
    assert!(!bench.is_due(&account).await);
}

async fn a_cost_that_is_committed_late_is_not_missed(bench: Bench) {
    // The embedded database has one writer, so nothing is committed in another order than it is written in.
    if bench.is_sqlite() {
        return;
    }
    let account = bench.account().await;
    let (client, connection) = tokio_postgres::connect(&bench.url, NoTls).await.unwrap();
    let driver = tokio::spawn(connection);
    client.batch_execute(&format!("BEGIN; {}", bench.insert(&account, &cost("google_places", "60")))).await.unwrap();
    bench.spend(&account, &[cost("google_places", "1")]).await;
    assert_eq!(bench.evaluate(&account).await, [""; 0]);
    assert!(!bench.is_due(&account).await);
    client.batch_execute("COMMIT").await.unwrap();
    assert!(bench.is_due(&account).await);

    // Nor does an evaluation wait for who changes a cost.
    client.batch_execute("BEGIN; UPDATE api_costs SET cost = 40 WHERE cost = 1").await.unwrap();
    assert_eq!(bench.evaluate(&account).await, ["daily_spend"]);
    client.batch_execute("COMMIT").await.unwrap();
    assert!(bench.is_due(&account).await);
    drop(client);
    driver.await.unwrap().unwrap();
}

async fn a_cost_that_changes_is_looked_at_again_and_one_that_was_looked_at_has_not_changed(bench: Bench) {
    let account = bench.account().await;
    bench.endpoint(&account, None, &["cost_recorded"], false).await;
    bench.spend(&account, &[cost("google_places", "5")]).await;
    assert_eq!(bench.evaluate(&account).await, [""; 0]);
    assert_eq!(bench.types().await, ["cost_recorded"]);
    bench.execute("UPDATE api_costs SET cost = 5").await;
    assert!(!bench.is_due(&account).await);
    bench.execute("UPDATE api_costs SET cost = 55").await;
    assert!(bench.is_due(&account).await);
    assert_eq!(bench.evaluate(&account).await, ["daily_spend"]);
    assert_eq!(bench.types().await, ["cost_recorded"; 2]);
}

async fn all_operators_and_types_hold_and_an_unknown_one_fails_nothing(bench: Bench) {
    let account = bench.account().await;
    bench.execute(&campaign(&account)).await;
    bench.execute("DELETE FROM cost_alert_thresholds").await;
    bench
        .execute(&format!(
            "INSERT INTO cost_alert_thresholds (agency_id, account_id, threshold_name, threshold_type, threshold_value)
         VALUES ('{}', '{}', 'nonsense', 'moon_phase', 1)",
            account.agency, account.id
        ))
        .await;
    let spend = [
        Cost { lead: Some("lead_1"), campaign: Some("cmp_1"), ..cost("google_places", "0.1") },
        Cost { lead: Some("lead_1"), ..cost("hunter_io", "0.2") },
        Cost { lead: Some("lead_2"), ..cost("hunter_io", "0.2") },
        Cost { campaign: Some("cmp_1"), ..cost("hunter_io", "5") },
    ];
    bench.spend(&account, &spend).await;
    let (daily, per_lead, rate) = (ThresholdKind::DailySpend, ThresholdKind::CostPerLead, ThresholdKind::RateLimit);
    for (name, kind, comparison, value) in [
        ("equal", daily, Equal, "5.5"),
        ("not equal", daily, Equal, "5.4999"),
        ("below", daily, Below, "5.5001"),
        ("not below", daily, Below, "5.5"),
        ("at most", daily, AtMost, "5.5"),
        ("per lead", per_lead, Equal, "0.25"),
        ("not per lead", per_lead, Above, "0.25"),
        ("rate", rate, AtLeast, "75"),
        ("not rate", rate, Above, "75"),
        ("nothing usual", ThresholdKind::Anomaly, AtLeast, "0"),
    ] {
        bench.put(&account, name, kind, comparison, value).await;
    }
    let alerts = bench.evaluate_at(&account, clock::now()).await;
    let mut names: Vec<&str> = alerts.iter().map(|alert| alert.threshold_name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["at most", "below", "equal", "per lead", "rate"]);
    let rate = alerts.iter().find(|alert| alert.threshold_name == "rate").unwrap();
    assert_eq!((rate.api_service.as_deref(), rate.campaign_id.as_deref()), (Some("hunter_io"), Some("cmp_1")));
    let lead = &alerts.iter().find(|alert| alert.threshold_name == "per lead").unwrap().alert_data["alert_data"];
    assert_eq!((lead["leads"].as_i64(), lead["recent_cost_per_campaign"].as_f64()), (Some(2), Some(5.1)));
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
    assert_eq!(all[&sibling.id], leadwire::store::SpendingSummary::default());
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
