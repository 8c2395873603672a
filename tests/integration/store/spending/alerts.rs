//! Which alerts come of costs, each once, and none is missed.

use chrono::TimeDelta;
use futures_util::future::join_all;
use leadwire::{
    domain::{
        clock,
        cost::{
            Comparison::{Above, AtLeast, AtMost, Below, Equal},
            Severity, ThresholdKind,
        },
    },
    store::AlertFilter,
};
use tokio_postgres::NoTls;

use super::{Cost, amount, cost, limits, types};
use crate::store::{
    harness::{Bench, on_both_engines},
    others::campaign,
};

on_both_engines! {
    one_cost_raises_the_daily_alert_and_the_anomaly,
    within_its_quiet_time_a_threshold_is_silent_and_looked_at_again_when_that_ends,
    fifty_costs_at_once_raise_one_alert_whoever_looks,
    a_service_whose_name_is_pages_long_ends_no_alerts,
    a_cost_that_is_committed_late_is_not_missed,
    a_cost_that_changes_is_looked_at_again_and_one_that_was_looked_at_has_not_changed,
    all_operators_and_types_hold_and_an_unknown_one_fails_nothing,
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
    bench.execute("UPDATE cost_alert_thresholds SET alert_frequency_minutes = 2").await;
    // All of it is on one day.
    while (clock::now() + TimeDelta::minutes(3)).date_naive() != clock::now().date_naive() {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    bench.spend(&account, &[cost("google_places", "55")]).await;
    let began = clock::now();
    assert_eq!(types(&bench.evaluate_at(&account, began).await), ["daily_spend"]);
    bench.spend(&account, &[cost("google_places", "5")]).await;
    for seconds in [1, 119] {
        assert_eq!(bench.evaluate_at(&account, began + TimeDelta::seconds(seconds)).await, []);
    }
    assert!(!bench.is_due(&account).await, "its time has not come");
    bench
        .execute(&format!(
            "UPDATE cost_alert_thresholds SET look_again_at = {} WHERE look_again_at IS NOT NULL",
            bench.moment(began)
        ))
        .await;
    assert!(bench.is_due(&account).await);
    let alerts = bench.evaluate_at(&account, began + TimeDelta::minutes(2)).await;
    assert_eq!((types(&alerts), alerts[0].alert_value), (vec!["daily_spend".to_owned()], amount("60")));
    assert_eq!(bench.alerts(&account, &AlertFilter::default()).await.len(), 2);
    assert!(!bench.is_due(&account).await, "it is told, and not looked at again without a cost");
}

async fn a_service_whose_name_is_pages_long_ends_no_alerts(bench: Bench) {
    let account = bench.account().await;
    // Nothing that a database could pack.
    let letter = |at: u32| char::from(b'a' + u8::try_from((at.wrapping_mul(2_654_435_761) >> 13) % 26).unwrap());
    let name: String = (0..9000).map(letter).collect();
    bench.spend(&account, &[Cost { ago: TimeDelta::hours(5), ..cost(&name, "1") }]).await;
    bench.evaluate(&account).await;
    bench.spend(&account, &[cost("maps", "60")]).await;
    assert!(bench.evaluate(&account).await.contains(&"daily_spend".to_owned()));
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
