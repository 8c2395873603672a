//! Prospects: who may see, add and enrich which, and what is refused of a batch.

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Hub, Reply};
use crate::domain::Role;

impl Hub {
    async fn add_prospects(&self, key: &str, prospects: Value) -> Reply {
        let body = json!({"account_id": self.account, "prospects": prospects});
        self.by(key, Method::POST, "/api/prospects", body).await
    }

    async fn listed(&self, key: &str, query: &str) -> Vec<String> {
        let reply = self.by(key, Method::GET, &format!("/api/prospects{query}"), Value::Null).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
        let items = reply.body["items"].as_array().unwrap();
        items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    }
}

#[actix_web::test]
async fn each_of_a_batch_is_added_or_refused_on_its_own() {
    let hub = Hub::new(Role::Agent).await;
    let batch = json!([
        {"name": "Harbor Grill", "website": "harbor.example", "rating": 4.5, "review_count": 12, "unknown": 1},
        {"name": " "},
        "nothing",
        {"name": "Long", "website": "x".repeat(3_000)},
        {"name": "Rated", "rating": 7},
        {"name": "Typed", "phone": 7},
        {"name": "Hill\0Top"},
    ]);
    let reply = hub.add_prospects("lw_agent", batch).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.body);
    assert_eq!((&reply.body["added"], &reply.body["refused"]), (&json!(2), &json!(5)));
    let items = reply.body["items"].as_array().unwrap();
    for (at, word) in [(1, "name"), (2, "object"), (3, "website"), (4, "rating"), (5, "phone")] {
        assert!(items[at]["error"].as_str().is_some_and(|error| error.contains(word)), "{}", items[at]);
    }
    let mut names = hub.listed("lw_viewer", "").await;
    names.sort();
    assert_eq!(names, ["Harbor Grill", "Hill\u{FFFD}Top"]);
    let path = format!("/api/prospects/{}", items[0]["id"].as_str().unwrap());
    let read = hub.by("lw_viewer", Method::GET, &path, Value::Null).await.body;
    assert_eq!((&read["prospect"]["rating"], &read["prospect"]["source"]), (&json!(4.5), &json!("manual")), "{read}");
    assert_eq!(read["enrichment"]["next_stage"], "pre_validation");

    let none = hub.add_prospects("lw_agent", json!([{"name": ""}])).await;
    assert_eq!((none.status, none.body["items"].as_array().map(Vec::len)), (StatusCode::BAD_REQUEST, Some(1)));
    let many: Vec<Value> = (0..1_001).map(|at| json!({"name": format!("Grill {at}")})).collect();
    for prospects in [json!([]), json!(7), Value::Array(many.clone())] {
        assert_eq!(hub.add_prospects("lw_agent", prospects).await.status, StatusCode::BAD_REQUEST);
    }
    let wide: Vec<Value> =
        many[..1_000].iter().map(|one| json!({"name": one["name"], "address": "x".repeat(400)})).collect();
    assert_eq!(hub.add_prospects("lw_agent", Value::Array(wide)).await.body["added"], 1_000);
}

#[actix_web::test]
async fn pages_go_on_where_they_ended_and_filters_hold() {
    let hub = Hub::new(Role::Agent).await;
    let prospects: Vec<Value> = (0..5).map(|at| json!({"name": format!("Grill {at}")})).collect();
    hub.add_prospects("lw_agent", Value::Array(prospects)).await;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/prospects?limit=2{cursor}");
        let page = hub.by("lw_viewer", Method::GET, &path, Value::Null).await.body;
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].to_string()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let mut distinct = seen.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!((seen.len(), distinct.len()), (5, 5));
    assert_eq!(hub.listed("lw_viewer", "?status=new").await.len(), 5);
    for query in ["?status=qualified", "?campaign_id=cmp_1", &format!("?account_id={}", hub.second)] {
        assert_eq!(hub.listed("lw_viewer", query).await, [""; 0], "{query}");
    }
    for query in ["?cursor=x", "?limit=x"] {
        let path = format!("/api/prospects{query}");
        assert_eq!(hub.by("lw_viewer", Method::GET, &path, Value::Null).await.status, StatusCode::BAD_REQUEST);
    }
}

#[actix_web::test]
async fn prospects_are_there_for_those_who_see_the_account_and_changed_by_those_who_may_edit() {
    let hub = Hub::new(Role::Agent).await;
    let added = hub.add_prospects("lw_agent", json!([{"name": "Harbor Grill"}])).await.body;
    let path = format!("/api/prospects/{}", added["items"][0]["id"].as_str().unwrap());
    let enrich = format!("{path}/enrich");
    assert_eq!(hub.listed("lw_foreign", "").await, [""; 0]);
    for (key, method, path, status) in [
        ("lw_foreign", Method::GET, path.as_str(), StatusCode::NOT_FOUND),
        ("lw_foreign", Method::POST, &enrich, StatusCode::NOT_FOUND),
        ("lw_viewer", Method::GET, &path, StatusCode::OK),
        ("lw_viewer", Method::POST, &enrich, StatusCode::FORBIDDEN),
        // It has not begun yet.
        ("lw_agent", Method::POST, &enrich, StatusCode::CONFLICT),
        ("lw_agent", Method::POST, "/api/prospects/lead_x/enrich", StatusCode::NOT_FOUND),
        ("lw_agent", Method::GET, "/api/prospects/%00", StatusCode::NOT_FOUND),
    ] {
        let reply = hub.by(key, method.clone(), path, json!({})).await;
        assert_eq!(reply.status, status, "{key} {method} {path}: {}", reply.body);
    }
    assert_eq!(hub.add_prospects("lw_viewer", json!([{"name": "x"}])).await.status, StatusCode::FORBIDDEN);
    assert_eq!(hub.add_prospects("lw_foreign", json!([{"name": "x"}])).await.status, StatusCode::NOT_FOUND);
    let no_account = hub.by("lw_agent", Method::POST, "/api/prospects", json!({"prospects": [{"name": "x"}]})).await;
    assert_eq!(no_account.status, StatusCode::BAD_REQUEST);
    let body = json!({"account_id": hub.account, "campaign_id": "cmp_1", "prospects": [{"name": "x"}]});
    assert_eq!(hub.by("lw_agent", Method::POST, "/api/prospects", body).await.status, StatusCode::NOT_FOUND);
}
