//! What is past its time goes, and what is not over stays however old it is.

use chrono::TimeDelta;
use leadwire::{domain::clock, store::Kept};

use super::{
    harness::{Bench, on_both_engines},
    others::campaign,
};

on_both_engines! {
    what_is_past_its_time_goes_and_what_is_not_over_stays,
}

async fn what_is_past_its_time_goes_and_what_is_not_over_stays(bench: Bench) {
    let account = bench.account().await;
    let (agency, id) = (account.agency, account.id);
    let [old, young] = [500, 1].map(|days| bench.moment(clock::now() - TimeDelta::days(days)));
    let byte = if bench.is_sqlite() { "x'00'" } else { "'\\x00'" };
    let cost = |at: &str, evaluated: &str| {
        format!(
            "INSERT INTO api_costs (agency_id, account_id, api_service, cost, created_at, evaluated_at)
             VALUES ('{agency}', '{id}', 'maps', 1, {at}, {evaluated});"
        )
    };
    let file = |name: &str, at: &str| {
        format!("INSERT INTO campaign_exports VALUES ('cmp_1', '{agency}', '{id}', '{name}', {byte}, 1, {at});")
    };
    let alert = |name: &str, resolved: &str| {
        format!(
            "INSERT INTO cost_alert_history (id, agency_id, account_id, threshold_name, threshold_type, threshold_value,
                 alert_value, severity, time_period, alert_data, created_at, resolved_at)
             VALUES ('{name}', '{agency}', '{id}', 'x', 'daily_spend', 1, 2, 'warning', 'daily', '{{}}', {old}, {resolved});"
        )
    };
    let rows = [
        campaign(&account),
        cost(&old, &old),
        cost(&young, &young),
        cost(&old, "NULL"),
        file("old", &old),
        file("young", &young),
        alert("alr_1", &old),
        alert("alr_2", &young),
        alert("alr_3", "NULL"),
    ];
    bench.execute(&rows.concat()).await;
    bench.execute("UPDATE campaigns SET status = 'processing' WHERE id = 'cmp_1'").await;
    let told = bench.lines("SELECT id AS line FROM campaign_lifecycle_log ORDER BY id").await;
    bench.execute(&format!("UPDATE campaign_lifecycle_log SET created_at = {old} WHERE id = '{}'", told[0])).await;

    let before = clock::now() - TimeDelta::days(400);
    for (kept, table, left) in [
        (Kept::Costs, "api_costs", 2),
        (Kept::Lifecycle, "campaign_lifecycle_log", told.len() - 1),
        (Kept::Alerts, "cost_alert_history", 2),
        (Kept::Files, "campaign_exports", 1),
    ] {
        assert_eq!(bench.store.prune(kept, before).await.unwrap(), 1, "{kept:?}");
        assert_eq!(bench.store.prune(kept, before).await.unwrap(), 0, "{kept:?}");
        let count = bench.lines(&format!("SELECT CAST(count(*) AS TEXT) AS line FROM {table}")).await;
        assert_eq!(count, [left.to_string()], "{kept:?}");
    }
}
