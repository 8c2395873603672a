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

fn seen(body: &Value) -> Vec<String> {
    body["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

impl Hub {
    /// A key `lw_one` that manages the first account only.
    async fn add_narrow_manager(&self) {
        let hash = keys::hash("lw_one");
        let (store, account) = (&self.state.store, Some(self.account));
        store.add_api_key(self.agency, account, Role::Manager, "one", hash, None).await.unwrap();
        self.reload().await;
    }
}

#[actix_web::test]
async fn an_endpoint_is_there_for_those_who_manage_one_of_its_accounts_and_changed_by_those_who_manage_all() {
    let hub = Hub::new(Role::Manager).await;
    hub.add_narrow_manager().await;
    let (wide, narrow, second) = (
        hub.added(json!({})).await,
        hub.added(json!({"account": hub.account})).await,
        hub.added(json!({"accounts": [hub.second]})).await,
    );
    let all = seen(&hub.by("lw_manager", Method::GET, "/api/endpoints", Value::Null).await.body);
    assert_eq!(all, [wide.clone(), narrow.clone(), second.clone()]);
    let theirs = hub.by("lw_one", Method::GET, "/api/endpoints", Value::Null).await.body;
    assert_eq!(seen(&theirs), [wide.clone(), narrow.clone()]);
    let shown = &theirs["items"][0];
    assert_eq!((&shown["accounts"], &shown["whole"]), (&json!([hub.account]), &json!(false)), "{shown}");
    assert!(!shown.to_string().contains(&hub.second.to_string()), "{shown}");
    assert!(shown["created_by"].as_str().unwrap().starts_with("key_") && shown["created_by_name"] == "test", "{shown}");
    for key in ["lw_foreign", "lw_agent", "lw_viewer"] {
        assert!(seen(&hub.by(key, Method::GET, "/api/endpoints", Value::Null).await.body).is_empty(), "{key}");
    }
    let changes = [
        (Method::PUT, ""),
        (Method::DELETE, ""),
        (Method::POST, "/rotate"),
        (Method::POST, "/test"),
        (Method::POST, "/replay"),
        (Method::GET, "/replays/rpl_1"),
        (Method::POST, "/replays/rpl_1/cancel"),
    ];
    let views = [(Method::GET, ""), (Method::GET, "/deliveries")];
    let shares = [(Method::POST, "/stop"), (Method::POST, "/resume"), (Method::POST, "/take-over")];
    for (key, id) in [("lw_one", &second), ("lw_foreign", &narrow), ("lw_agent", &narrow)] {
        for (method, end) in changes.iter().chain(&views).chain(&shares) {
            let reply = hub.by(key, method.clone(), &format!("/api/endpoints/{id}{end}"), json!({})).await;
            assert_eq!(reply.status, StatusCode::NOT_FOUND, "{key} {method} {end}");
        }
    }
    for (method, end) in &changes {
        let reply = hub.by("lw_one", method.clone(), &format!("/api/endpoints/{wide}{end}"), json!({})).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{method} {end}");
    }
    assert_eq!(hub.add_endpoint("lw_one", json!({})).await.status, StatusCode::FORBIDDEN);
    assert_eq!(hub.add_endpoint("lw_one", json!({"account": hub.second})).await.status, StatusCode::NOT_FOUND);
    let both = json!({"accounts": [hub.account, hub.second]});
    assert_eq!(hub.add_endpoint("lw_one", both.clone()).await.status, StatusCode::NOT_FOUND);
    assert_eq!(hub.add_endpoint("lw_agent", json!({"account": hub.account})).await.status, StatusCode::FORBIDDEN);
    assert_eq!(hub.add_endpoint("lw_manager", json!({"account": hub.foreign})).await.status, StatusCode::NOT_FOUND);
    let path = format!("/api/endpoints/{narrow}");
    assert_eq!(hub.by("lw_one", Method::PUT, &path, both).await.status, StatusCode::NOT_FOUND);
}

#[actix_web::test]
async fn whoever_manages_a_covered_account_stops_the_endpoint_there_and_sees_nothing_of_the_others() {
    let hub = Hub::new(Role::Manager).await;
    hub.add_narrow_manager().await;
    let id = hub.added(json!({})).await;
    let path = format!("/api/endpoints/{id}");
    for account in [hub.account, hub.second] {
        hub.by("lw_manager", Method::POST, "/api/leads/create", json!({"name": "Joe", "account": account})).await;
    }
    hub.state.store.route_outbox(100).await.unwrap();
    let deliveries = format!("{path}/deliveries");
    let all = hub.by("lw_manager", Method::GET, &deliveries, Value::Null).await.body;
    let theirs = hub.by("lw_one", Method::GET, &deliveries, Value::Null).await.body;
    assert_eq!(all["items"].as_array().unwrap().len(), 2, "{all}");
    assert_eq!(theirs["items"].as_array().unwrap().len(), 1, "{theirs}");
    assert_eq!(theirs["items"][0]["account_id"], json!(hub.account));
    let shown = hub.by("lw_one", Method::GET, &path, Value::Null).await.body;
    assert_eq!(shown["endpoint"]["health"]["pending"], 1, "{shown}");

    let stop = format!("{path}/stop");
    let other = hub.by("lw_one", Method::POST, &stop, json!({"account": hub.second})).await;
    assert_eq!(other.status, StatusCode::NOT_FOUND);
    let stopped = hub.by("lw_one", Method::POST, &stop, json!({"account": hub.account})).await.body;
    assert!(stopped["endpoint"]["cover"][0]["stopped_at"].is_string(), "{stopped}");
    hub.create(json!({"name": "Ann"})).await;
    assert_eq!(hub.state.store.route_outbox(100).await.unwrap().1, [], "nothing of it is kept any more");
    let resumed = hub.by("lw_one", Method::POST, &format!("{path}/resume"), json!({"account": hub.account})).await.body;
    assert!(resumed["endpoint"]["cover"][0]["stopped_at"].is_null(), "{resumed}");
}

#[actix_web::test]
async fn what_a_key_left_behind_is_neither_tested_nor_replayed_until_somebody_takes_it_over() {
    let hub = Hub::new(Role::Manager).await;
    hub.add_narrow_manager().await;
    let added = hub.add_endpoint("lw_one", json!({"account": hub.account})).await.body;
    let path = format!("/api/endpoints/{}", added["endpoint"]["id"].as_str().unwrap());
    let key = added["endpoint"]["created_by"].as_str().unwrap().parse().unwrap();
    hub.state.store.remove_api_key(key).await.unwrap();
    hub.reload().await;
    let shown = hub.by("lw_manager", Method::GET, &path, Value::Null).await.body;
    let endpoint = &shown["endpoint"];
    assert_eq!(
        (&endpoint["health"]["state"], &endpoint["cover"][0]["paused_reason"]),
        (&json!("left_behind"), &json!("left_behind"))
    );
    for (end, body) in [("test", json!({})), ("replay", json!({"state": "parked"}))] {
        let refused = hub.by("lw_manager", Method::POST, &format!("{path}/{end}"), body).await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{end}: {}", refused.body);
    }
    let taken = hub.by("lw_manager", Method::POST, &format!("{path}/take-over"), json!({})).await;
    let cover = &taken.body["endpoint"]["cover"][0];
    assert_eq!((&cover["paused_reason"], &cover["responsible_name"]), (&Value::Null, &json!("test")), "{}", taken.body);
    assert_eq!(taken.body["endpoint"]["health"]["state"], "healthy");
}

#[actix_web::test]
async fn a_test_of_a_moved_endpoint_never_tells_the_old_token() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/attacker", listener.local_addr().unwrap());
    let receiver = actix_rt::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let length = socket.read(&mut request).await.unwrap();
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await.unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    let hub = Hub::new(Role::Manager).await;
    let added = hub.add_endpoint("lw_manager", json!({})).await.body;
    let path = format!("/api/endpoints/{}", added["endpoint"]["id"].as_str().unwrap());
    let kept = hub.by("lw_manager", Method::PUT, &path, json!({"url": "https://crm.example/other"})).await.body;
    assert_eq!((&kept["endpoint"]["has_token"], &kept["secret"]), (&json!(true), &Value::Null), "{kept}");
    let moved = hub.by("lw_manager", Method::PUT, &path, json!({"url": url})).await.body;
    assert_eq!(moved["endpoint"]["has_token"], false, "{moved}");
    assert!(moved["secret"].as_str().unwrap().starts_with("whsec_") && moved["secret"] != added["secret"]);
    let tested = hub.by("lw_manager", Method::POST, &format!("{path}/test"), Value::Null).await.body;
    assert_eq!(tested["status"], 200, "{tested}");
    let request = receiver.await.unwrap().to_lowercase();
    assert!(request.starts_with("post /attacker") && !request.contains("authorization"), "{request}");
}

#[actix_web::test]
async fn what_can_not_be_delivered_to_is_refused_in_words() {
    let hub = Hub::new(Role::Manager).await;
    for (fields, word) in [
        (json!({"url": "http://169.254.169.254/latest"}), "not public"),
        (json!({"url": "http://[::1]/"}), "not public"),
        (json!({"url": "ftp://crm.example/"}), "https"),
        (json!({"url": "http://crm.example/"}), "outbox.allow_http"),
        (json!({"accounts": []}), "accounts"),
        (json!({"accounts": "all"}), "accounts"),
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
