//! Endpoints: who may see and change which, what is never shown, and what a replay takes.

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{Hub, Reply};
use crate::{auth::keys, domain::Role, store::Outcome};

impl Hub {
    async fn add_endpoint(&self, key: &str, fields: Value) -> Reply {
        let mut body = json!({"url": "https://crm.example/hook", "types": ["new_lead"], "token": "crm-token"});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.by(key, Method::POST, "/api/endpoints", body).await
    }

    async fn added(&self, fields: Value) -> String {
        let reply = self.add_endpoint("lw_manager", fields).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.body);
        reply.body["endpoint"]["id"].as_str().unwrap().to_owned()
    }
}

#[actix_web::test]
async fn a_secret_is_shown_when_it_is_made_and_a_token_never() {
    let hub = Hub::new(Role::Manager).await;
    let added = hub.add_endpoint("lw_manager", json!({"account": hub.account})).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.body);
    let first = added.body["secret"].as_str().unwrap().to_owned();
    assert!(first.starts_with("whsec_"));
    let path = format!("/api/endpoints/{}", added.body["endpoint"]["id"].as_str().unwrap());
    let rotated = hub.by("lw_manager", Method::POST, &format!("{path}/rotate"), Value::Null).await;
    let second = rotated.body["secret"].as_str().unwrap().to_owned();
    assert!(second.starts_with("whsec_") && second != first);
    assert!(rotated.body["endpoint"]["previous_secret_until"].is_string());
    for path in ["/api/endpoints", &path] {
        let shown = hub.by("lw_manager", Method::GET, path, Value::Null).await.body.to_string();
        assert!(shown.contains("has_token") && !shown.contains("whsec_") && !shown.contains("crm-token"), "{shown}");
    }
}

#[actix_web::test]
async fn an_endpoint_is_there_for_those_who_manage_all_of_its_accounts() {
    let hub = Hub::new(Role::Manager).await;
    hub.state
        .store
        .add_api_key(hub.agency, Some(hub.account), Role::Manager, "one", keys::hash("lw_one"))
        .await
        .unwrap();
    hub.reload().await;
    let (wide, narrow, second) = (
        hub.added(json!({})).await,
        hub.added(json!({"account": hub.account})).await,
        hub.added(json!({"account": hub.second})).await,
    );
    let seen = |body: Value| -> Vec<String> {
        body["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };
    let all = seen(hub.by("lw_manager", Method::GET, "/api/endpoints", Value::Null).await.body);
    assert_eq!(all, [wide.clone(), narrow.clone(), second.clone()]);
    assert_eq!(
        seen(hub.by("lw_one", Method::GET, "/api/endpoints", Value::Null).await.body),
        std::slice::from_ref(&narrow)
    );
    for key in ["lw_foreign", "lw_agent", "lw_viewer"] {
        assert!(seen(hub.by(key, Method::GET, "/api/endpoints", Value::Null).await.body).is_empty(), "{key}");
    }
    for (key, id) in [("lw_one", &wide), ("lw_one", &second), ("lw_foreign", &narrow), ("lw_agent", &narrow)] {
        let path = format!("/api/endpoints/{id}");
        for (method, end) in [
            (Method::GET, ""),
            (Method::PUT, ""),
            (Method::DELETE, ""),
            (Method::POST, "/rotate"),
            (Method::POST, "/test"),
            (Method::GET, "/deliveries"),
            (Method::POST, "/replay"),
        ] {
            let reply = hub.by(key, method.clone(), &format!("{path}{end}"), json!({})).await;
            assert_eq!(reply.status, StatusCode::NOT_FOUND, "{key} {method} {end}");
        }
    }
    assert_eq!(hub.add_endpoint("lw_one", json!({})).await.status, StatusCode::FORBIDDEN);
    assert_eq!(hub.add_endpoint("lw_one", json!({"account": hub.second})).await.status, StatusCode::NOT_FOUND);
    assert_eq!(hub.add_endpoint("lw_agent", json!({"account": hub.account})).await.status, StatusCode::FORBIDDEN);
    assert_eq!(hub.add_endpoint("lw_manager", json!({"account": hub.foreign})).await.status, StatusCode::NOT_FOUND);
}

#[actix_web::test]
async fn what_can_not_be_delivered_to_is_refused_in_words() {
    let hub = Hub::new(Role::Manager).await;
    for (fields, word) in [
        (json!({"url": "http://169.254.169.254/latest"}), "not public"),
        (json!({"url": "http://[::1]/"}), "not public"),
        (json!({"url": "ftp://crm.example/"}), "https"),
        (json!({"url": "https://joe:pw@crm.example/"}), "token"),
        (json!({"url": "crm"}), "URL"),
        (json!({"types": ["everything"]}), "new_lead"),
        (json!({"types": []}), "new_lead"),
        (json!({"ordered": "yes"}), "ordered"),
        (json!({"token": 7}), "token"),
    ] {
        let reply = hub.add_endpoint("lw_manager", fields.clone()).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{fields}");
        assert!(reply.body["detail"].as_str().unwrap().contains(word), "{fields}: {}", reply.body);
    }
    let id = hub.added(json!({})).await;
    let path = format!("/api/endpoints/{id}");
    let moved = hub.by("lw_manager", Method::PUT, &path, json!({"account": hub.account})).await;
    assert_eq!(moved.status, StatusCode::BAD_REQUEST);
    let changed = hub.by("lw_manager", Method::PUT, &path, json!({"token": null, "enabled": false})).await;
    let endpoint = &changed.body["endpoint"];
    assert_eq!((&endpoint["has_token"], &endpoint["enabled"]), (&json!(false), &json!(false)), "{endpoint}");
    assert_eq!(hub.by("lw_manager", Method::DELETE, &path, Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(hub.by("lw_manager", Method::GET, &path, Value::Null).await.status, StatusCode::NOT_FOUND);
}

#[actix_web::test]
async fn a_test_goes_the_way_of_events_and_answers_what_the_endpoint_says() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let receiver = actix_rt::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let length = socket.read(&mut request).await.unwrap();
        socket.write_all(b"HTTP/1.1 418 Teapot\r\ncontent-length: 5\r\nconnection: close\r\n\r\nshort").await.unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    let hub = Hub::new(Role::Manager).await;
    let id = hub.added(json!({"url": url})).await;
    let tested = hub.by("lw_manager", Method::POST, &format!("/api/endpoints/{id}/test"), Value::Null).await.body;
    let (status, answer) = (&tested["status"], &tested["answer"]);
    assert_eq!((status, answer, &tested["delivered"]), (&json!(418), &json!("short"), &json!(false)), "{tested}");
    let request = receiver.await.unwrap().to_lowercase();
    for word in
        ["authorization: bearer crm-token", "webhook-signature: v1,", "x-webhook-type: test", "x-webhook-attempt: 1"]
    {
        assert!(request.contains(word), "{word} is not in {request}");
    }
    let path = format!("/api/endpoints/{id}/deliveries");
    let listed = hub.by("lw_manager", Method::GET, &path, Value::Null).await.body;
    let delivery = &listed["items"][0];
    assert_eq!((&delivery["state"], &delivery["id"]), (&json!("cancelled"), &tested["id"]), "{listed}");
    assert_eq!(delivery["attempts"][0]["status"], 418);
    assert!(hub.state.store.outbox_due().await.unwrap().endpoints.is_empty(), "a test is not tried again");
    let shown = hub.by("lw_manager", Method::GET, &format!("/api/endpoints/{id}"), Value::Null).await.body;
    let health = &shown["endpoint"]["health"];
    assert_eq!((&health["state"], &health["last_attempt"]["status"]), (&json!("failing"), &json!(418)), "{shown}");
    assert_eq!((&health["pending"], &health["parked"], &health["paused_until"]), (&json!(0), &json!(0), &Value::Null));
}

#[actix_web::test]
async fn a_replay_counts_first_then_makes_again_what_is_over_and_can_be_stopped() {
    let hub = Hub::new(Role::Manager).await;
    let id = hub.added(json!({"account": hub.account})).await;
    for name in ["Ann", "Bob", "Cid"] {
        hub.create(json!({"name": name})).await;
    }
    let store = &hub.state.store;
    assert_eq!(store.route_outbox(100).await.unwrap().0, 3);
    let endpoint = id.parse().unwrap();
    let until = crate::domain::clock::now() + chrono::TimeDelta::minutes(1);
    let (_, claimed) = store.claim_deliveries(endpoint, 2, until).await.unwrap().unwrap();
    let settled = claimed.into_iter().map(|claimed| crate::store::Settled {
        endpoint,
        claimed,
        attempt: None,
        outcome: Outcome::Delivered,
    });
    store.settle_deliveries(settled.collect()).await.unwrap();

    let path = format!("/api/endpoints/{id}/replay");
    let all = json!({"since": "2020-01-01T00:00:00Z"});
    assert_eq!(hub.by("lw_manager", Method::POST, &path, json!({})).await.status, StatusCode::BAD_REQUEST);
    let mut dry = all.clone();
    dry["dry_run"] = json!(true);
    assert_eq!(hub.by("lw_manager", Method::POST, &path, dry.clone()).await.body["total"], 2, "the third waits");
    let replay = hub.by("lw_manager", Method::POST, &path, all).await;
    assert_eq!(
        (replay.status, &replay.body["replay"]["pending"]),
        (StatusCode::ACCEPTED, &json!(2)),
        "{}",
        replay.body
    );
    let progress = format!("/api/endpoints/{id}/replays/{}", replay.body["replay"]["id"].as_str().unwrap());
    let other = hub.by("lw_foreign", Method::GET, &progress, Value::Null).await;
    assert_eq!(other.status, StatusCode::NOT_FOUND);
    let stopped = hub.by("lw_manager", Method::POST, &format!("{progress}/cancel"), Value::Null).await.body;
    assert_eq!(
        (&stopped["replay"]["cancelled"], &stopped["replay"]["pending"]),
        (&json!(true), &json!(0)),
        "{stopped}"
    );
    let page = hub.by("lw_manager", Method::GET, &format!("/api/endpoints/{id}/deliveries?limit=2"), Value::Null).await;
    assert_eq!(page.body["items"].as_array().unwrap().len(), 2);
    let next = format!("/api/endpoints/{id}/deliveries?cursor={}", page.body["next"].as_str().unwrap());
    let rest = hub.by("lw_manager", Method::GET, &next, Value::Null).await.body;
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next"]), (1, &Value::Null), "{rest}");
}
