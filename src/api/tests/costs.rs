//! Costs: who may see and change what, and what is refused in words.

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Hub, Reply};
use crate::domain::{AlertId, Role};

impl Hub {
    async fn put_threshold(&self, key: &str, fields: Value) -> Reply {
        let mut body = json!({"account": self.account, "threshold_name": "daily_spend_limit"});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.by(key, Method::PUT, "/api/cost-thresholds", body).await
    }

    async fn shown(&self, key: &str, path: &str) -> Value {
        let reply = self.by(key, Method::GET, path, Value::Null).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
        reply.body
    }
}

fn count(body: &Value) -> usize {
    body["items"].as_array().unwrap().len()
}

#[actix_web::test]
async fn thresholds_are_for_those_who_manage_the_account() {
    let hub = Hub::new(Role::Manager).await;
    let all = hub.shown("lw_manager", "/api/cost-thresholds").await;
    assert_eq!((count(&all), &all["operators"]), (8, &json!([">", ">=", "<", "<=", "="])));
    assert_eq!(all["types"], json!(["daily_spend", "cost_per_lead", "rate_limit", "anomaly"]));
    assert_eq!(count(&hub.shown("lw_manager", &format!("/api/cost-thresholds?account={}", hub.second)).await), 4);
    assert_eq!(count(&hub.shown("lw_agent", "/api/cost-thresholds").await), 0);

    let changed = hub.put_threshold("lw_manager", json!({"threshold_value": 20, "is_active": false})).await;
    let threshold = &changed.body["threshold"];
    assert_eq!((changed.status, &threshold["threshold_value"]), (StatusCode::OK, &json!(20.0)), "{threshold}");
    assert_eq!((&threshold["is_active"], &threshold["comparison_operator"]), (&json!(false), &json!(">")));
    let new = json!({
        "threshold_name": "quiet day", "threshold_type": "daily_spend", "threshold_value": "0.05",
        "comparison_operator": "<=", "alert_frequency_minutes": 1440,
    });
    let added = hub.put_threshold("lw_manager", new).await;
    let threshold = &added.body["threshold"];
    assert_eq!((added.status, &threshold["threshold_value"]), (StatusCode::CREATED, &json!(0.05)), "{threshold}");
    let path = format!("/api/cost-thresholds/{}", threshold["id"].as_str().unwrap());
    for key in ["lw_viewer", "lw_narrow", "lw_foreign"] {
        let refused = hub.put_threshold(key, json!({"threshold_value": 1})).await.status;
        let wanted = if key == "lw_foreign" { StatusCode::NOT_FOUND } else { StatusCode::FORBIDDEN };
        assert_eq!(refused, wanted, "{key}");
        assert_eq!(hub.by(key, Method::DELETE, &path, Value::Null).await.status, StatusCode::NOT_FOUND, "{key}");
    }
    for status in [StatusCode::NO_CONTENT, StatusCode::NOT_FOUND] {
        assert_eq!(hub.by("lw_manager", Method::DELETE, &path, Value::Null).await.status, status);
    }
}

#[actix_web::test]
async fn a_threshold_that_makes_no_sense_is_refused_in_words() {
    let hub = Hub::new(Role::Manager).await;
    for (fields, word) in [
        (json!({"threshold_type": "weekly_spend"}), "daily_spend, cost_per_lead"),
        (json!({"comparison_operator": "=>"}), ">, >=, <"),
        (json!({"threshold_value": "much"}), "threshold_value"),
        (json!({"threshold_value": 1e9}), "hundred million"),
        (json!({"is_active": "yes"}), "true or false"),
        (json!({"alert_frequency_minutes": -1}), "alert_frequency_minutes"),
        (json!({"alert_frequency_minutes": 1.5}), "whole number"),
        (json!({"threshold_name": " "}), "empty"),
        (json!({"threshold_name": "x".repeat(101)}), "100 characters"),
        (json!({"threshold_name": "new", "threshold_value": 1}), "threshold_type"),
    ] {
        let reply = hub.put_threshold("lw_manager", fields.clone()).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{fields}");
        let said = reply.body["detail"].as_str().unwrap();
        assert!(said.to_lowercase().contains(word), "{fields}: {said}");
    }
}

#[actix_web::test]
async fn what_is_spent_is_seen_by_members_and_alerts_are_resolved_by_those_who_work_there() {
    let hub = Hub::new(Role::Agent).await;
    let foreign = format!("/api/costs/summary?account={}", hub.foreign);
    assert_eq!(hub.by("lw_viewer", Method::GET, &foreign, Value::Null).await.status, StatusCode::NOT_FOUND);
    let summary = hub.shown("lw_viewer", "/api/costs/summary").await;
    let one = &summary["items"][0];
    assert_eq!((count(&summary), one["days"].as_array().unwrap().len()), (2, 30), "{one}");
    assert_eq!((&one["daily_spend"], &one["cost_per_lead_24h"]), (&json!(0.0), &Value::Null), "{one}");
    assert_eq!((&one["active_alerts_count"], &one["top_spending_services_today"]), (&json!(0), &json!({})));
    let status = hub.shown("lw_narrow", "/api/webhooks/cost-alert/status").await;
    assert_eq!((&status["status"], &status["metrics_integration"]), (&json!("operational"), &json!("enabled")));
    assert_eq!((&status["active_alerts"], &status["cost_summary"]["hourly_spend"]), (&json!([]), &json!(0.0)));
    let alerts = hub.shown("lw_viewer", "/api/cost-alerts?resolved=false&limit=5").await;
    assert_eq!(alerts, json!({"items": [], "next": null}));
    for query in ["resolved=perhaps", "limit=many", "cursor=3"] {
        let reply = hub.by("lw_viewer", Method::GET, &format!("/api/cost-alerts?{query}"), Value::Null).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{query}");
    }
    for id in ["3".to_owned(), AlertId::generate().to_string()] {
        let path = format!("/api/webhooks/cost-alert/resolve/{id}");
        let note = json!({"resolution_note": "fine"});
        let refused = hub.by("lw_agent", Method::POST, &path, note.clone()).await;
        let wanted = json!({"status": "not_found", "alert_id": id, "message": "Alert not found or already resolved"});
        assert_eq!((refused.status, refused.body), (StatusCode::NOT_FOUND, wanted));
        assert_eq!(hub.by("lw_viewer", Method::POST, &path, note).await.status, StatusCode::FORBIDDEN);
    }
}
