//! Leads: who may do what, in which shapes, and what dashboards hear of it.

use actix_web::{
    http::{Method, header},
    test,
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{Hub, PASSWORD};
use crate::{
    auth::Attempt,
    domain::{
        Role,
        envelope::{Body, Envelope},
    },
};

#[actix_web::test]
async fn nobody_reads_leads_without_signing_in() {
    let hub = Hub::new(Role::Agent).await;
    let reply = hub.ask(test::TestRequest::get().uri("/api/leads")).await;
    assert!(reply.refusal(401).starts_with("Sign in first"));
    assert_eq!(reply.header(header::WWW_AUTHENTICATE), "Bearer");
    let in_the_query = hub.ask(test::TestRequest::get().uri("/api/leads?token=lw_agent&access_token=lw_agent")).await;
    in_the_query.refusal(401);
}

#[actix_web::test]
async fn a_created_lead_is_stored_listed_and_told() {
    let hub = Hub::new(Role::Agent).await;
    let lead = hub.create(json!({"name": "Joe\u{0} <b>", "premium": "12.50", "trip_start": "", "stray": 1})).await;
    assert_eq!(lead["name"], "Joe\u{FFFD} <b>");
    assert_eq!(
        (&lead["premium"], &lead["status"], &lead["type"]),
        (&json!(12.5), &json!("New Lead"), &json!("general"))
    );
    assert_eq!((&lead["is_manual"], &lead["sync_signal"]), (&json!(true), &json!("green")));
    let told = hub.told();
    let [Envelope { account, body: Body::NewLead(new), .. }] = &told[..] else { panic!("{told:?}") };
    assert_eq!((*account, new.lead.id.to_string()), (hub.account, lead["id"].as_str().unwrap().to_owned()));
    assert_eq!(serde_json::to_value(new).unwrap()["source"], "manual");

    let list = hub.by("lw_viewer", Method::GET, "/api/leads", Value::Null).await;
    assert_eq!(list.body, json!({"success": true, "data": [lead], "count": 1, "next": null}));
    let path = format!("/api/leads/{}", lead["id"].as_str().unwrap());
    assert_eq!(hub.by("lw_viewer", Method::GET, &path, Value::Null).await.body["data"], lead);
}

#[actix_web::test]
async fn a_bad_field_is_named() {
    let hub = Hub::new(Role::Agent).await;
    let create = async |body| hub.by("lw_narrow", Method::POST, "/api/leads/create", body).await.refusal(400);
    assert_eq!(create(json!({"name": ""})).await, "`name` is missing or empty.");
    assert!(create(json!({"name": "Joe", "premium": "much"})).await.starts_with("`premium`: "));
    assert!(create(json!({"name": "Joe", "trip_end": "soon"})).await.starts_with("`trip_end`: "));
    assert!(create(json!(["name"])).await.contains("JSON object"));
    let text = test::TestRequest::post().uri("/api/leads/create").set_payload("{").append_header(bearer("lw_narrow"));
    assert!(hub.ask(text).await.refusal(400).starts_with("The body is not JSON"));
    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(300 * 1024));
    let large =
        test::TestRequest::post().uri("/api/leads/create").set_payload(large).append_header(bearer("lw_narrow"));
    hub.ask(large).await.refusal(413);
    for (query, field) in
        [("limit=many", "`limit`"), ("since=x", "`since`"), ("manual=1", "`manual`"), ("cursor=x", "`cursor`")]
    {
        let reply = hub.by("lw_viewer", Method::GET, &format!("/api/leads?{query}"), Value::Null).await;
        assert!(reply.refusal(400).starts_with(field));
    }
    assert!(hub.told().is_empty());
}

fn bearer(key: &str) -> (header::HeaderName, String) {
    (header::AUTHORIZATION, format!("Bearer {key}"))
}

#[actix_web::test]
async fn a_change_answers_the_lead_and_tells_only_what_changed() {
    let hub = Hub::new(Role::Agent).await;
    let lead = hub.create(json!({"name": "Joe", "policy_term": "12"})).await;
    let path = format!("/api/leads/{}", lead["id"].as_str().unwrap());
    hub.told();
    let change = json!({"status": "Called", "policy_term": null, "id": "other", "account_id": hub.second});
    let reply = hub.by("lw_agent", Method::PUT, &path, change).await;
    assert_eq!((reply.status.as_u16(), &reply.body["data"]["status"]), (200, &json!("Called")));
    assert_eq!(reply.body["data"]["account_id"], json!(hub.account));
    let told = serde_json::to_value(&hub.told()[0].body).unwrap();
    let updated_at = &reply.body["data"]["updated_at"];
    let expected = json!({"id": lead["id"], "status": "Called", "policy_term": null, "updated_at": updated_at});
    assert_eq!(told, json!({"lead": expected}));

    let nothing = hub.by("lw_agent", Method::PUT, &path, json!({"stray": 1})).await;
    assert_eq!((nothing.status.as_u16(), &nothing.body["data"]), (200, &reply.body["data"]));
    assert!(hub.told().is_empty());
}

#[actix_web::test]
async fn the_signal_route_sets_both_columns_in_the_origins_shape() {
    let hub = Hub::new(Role::Agent).await;
    let lead = hub.create(json!({"name": "Joe"})).await;
    let path = format!("/api/leads/{}/signal", lead["id"].as_str().unwrap());
    hub.told();
    let reply = hub.by("lw_agent", Method::POST, &path, json!({"signal": "red"})).await;
    assert_eq!(reply.body, json!({"success": true, "message": "Signal updated to red"}));
    let told = serde_json::to_value(&hub.told()[0].body).unwrap();
    assert_eq!(
        (&told["lead"]["potential_status"], &told["lead"]["sync_signal"]),
        (&json!("not-qualified"), &json!("red"))
    );
    hub.by("lw_agent", Method::POST, &path, json!({"signal": "blue"})).await.refusal(400);
    hub.by("lw_agent", Method::POST, &path, json!({})).await.refusal(400);
}

#[actix_web::test]
async fn a_deleted_lead_is_gone_and_told() {
    let hub = Hub::new(Role::Agent).await;
    let lead = hub.create(json!({"name": "Joe"})).await;
    let path = format!("/api/leads/{}", lead["id"].as_str().unwrap());
    hub.told();
    let reply = hub.by("lw_manager", Method::DELETE, &path, Value::Null).await;
    assert_eq!(reply.body["success"], true);
    let said = reply.body["message"].as_str().unwrap();
    assert!(said.contains("from now on") && said.contains("backups"), "what is left is said: {said}");
    assert_eq!(
        serde_json::to_value(&hub.told()[0].body).unwrap(),
        json!({"lead": {"id": lead["id"]}, "deleted": true})
    );
    hub.by("lw_manager", Method::DELETE, &path, Value::Null).await.refusal(404);
    hub.by("lw_manager", Method::GET, &path, Value::Null).await.refusal(404);
    assert!(hub.told().is_empty());
}

#[actix_web::test]
async fn a_role_that_is_too_low_is_refused_and_changes_nothing() {
    let hub = Hub::new(Role::Agent).await;
    let lead = hub.create(json!({"name": "Joe"})).await;
    let path = format!("/api/leads/{}", lead["id"].as_str().unwrap());
    hub.told();
    let put = hub.by("lw_viewer", Method::PUT, &path, json!({"status": "Called"})).await;
    assert_eq!(put.refusal(403), "Your role in this account, viewer, may not change leads.");
    let create = json!({"name": "Eve", "account": hub.account});
    hub.by("lw_viewer", Method::POST, "/api/leads/create", create).await.refusal(403);
    hub.by("lw_viewer", Method::POST, "/api/leads/create", json!({"name": "Eve"})).await.refusal(403);
    hub.by("lw_agent", Method::DELETE, &path, Value::Null).await.refusal(403);
    hub.by("lw_viewer", Method::POST, &format!("{path}/signal"), json!({"signal": "red"})).await.refusal(403);
    assert_eq!(hub.by("lw_viewer", Method::GET, &path, Value::Null).await.body["data"], lead);
    assert!(hub.told().is_empty());
}

#[actix_web::test]
async fn another_agencys_lead_does_not_exist() {
    let hub = Hub::new(Role::Agent).await;
    let lead = hub.create(json!({"name": "Joe"})).await;
    let path = format!("/api/leads/{}", lead["id"].as_str().unwrap());
    hub.told();
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        hub.by("lw_foreign", method, &path, json!({"status": "Called"})).await.refusal(404);
    }
    hub.by("lw_foreign", Method::POST, &format!("{path}/signal"), json!({"signal": "red"})).await.refusal(404);
    let create = json!({"name": "Eve", "account": hub.account});
    hub.by("lw_foreign", Method::POST, "/api/leads/create", create).await.refusal(404);
    let by_account = format!("/api/leads?account={}", hub.account);
    hub.by("lw_foreign", Method::GET, &by_account, Value::Null).await.refusal(404);
    assert_eq!(hub.by("lw_foreign", Method::GET, "/api/leads", Value::Null).await.body["data"], json!([]));
    hub.by("lw_agent", Method::GET, &format!("/api/leads?account={}", hub.foreign), Value::Null).await.refusal(404);
    assert!(hub.told().is_empty());
}

#[actix_web::test]
async fn a_new_lead_needs_its_account_named_when_there_are_several() {
    let hub = Hub::new(Role::Agent).await;
    let several = hub.by("lw_agent", Method::POST, "/api/leads/create", json!({"name": "Joe"})).await;
    assert!(several.refusal(400).starts_with("`account` is missing"));
    let only = hub.by("lw_narrow", Method::POST, "/api/leads/create", json!({"name": "Joe"})).await;
    assert_eq!(only.body["data"]["account_id"], json!(hub.account));
}

#[actix_web::test]
async fn lists_are_filtered_and_paged() {
    let hub = Hub::new(Role::Agent).await;
    for name in ["Ann", "Bob", "Cid"] {
        hub.create(json!({"name": name, "status": if name == "Bob" { "Called" } else { "New Lead" }})).await;
    }
    let names = async |query: &str| {
        let reply = hub.by("lw_viewer", Method::GET, &format!("/api/leads{query}"), Value::Null).await;
        let leads = reply.body["data"].as_array().unwrap().clone();
        assert_eq!(reply.body["count"], leads.len());
        let names: Vec<_> = leads.iter().map(|lead| lead["name"].as_str().unwrap().to_owned()).collect();
        (names.join(" "), reply.body["next"].as_str().map(str::to_owned))
    };
    assert_eq!(names("?status=Called").await.0, "Bob");
    assert_eq!(names("?q=cI").await.0, "Cid");
    assert_eq!(names("/manual").await.0, "Cid Bob Ann");
    assert_eq!(names("/from-facebook").await.0, "");
    assert_eq!(names("?until=2020-01-01").await.0, "");
    assert_eq!(names(&format!("?account={}", hub.second)).await.0, "");
    let (first, next) = names("?limit=2").await;
    assert_eq!(first, "Cid Bob");
    assert_eq!(names(&format!("?limit=2&cursor={}", next.unwrap())).await, ("Ann".to_owned(), None));
    let facebook = hub.by("lw_viewer", Method::GET, "/api/leads/from-facebook", Value::Null).await;
    assert_eq!(facebook.body["source"], "facebook_leads_center");
}

#[actix_web::test]
async fn a_signed_in_user_sees_only_accounts_they_are_a_member_of() {
    let hub = Hub::new(Role::Owner).await;
    let other = json!({"name": "Eve", "account": hub.second});
    assert_eq!(hub.by("lw_agent", Method::POST, "/api/leads/create", other).await.status, 201);
    let attempt = Attempt { email: "ada@example.com", password: PASSWORD.into(), address: None, device: None };
    let login = hub.state.auth.login(attempt).await.unwrap();
    let list = hub.by(login.token.expose_secret(), Method::GET, "/api/leads", Value::Null).await;
    assert_eq!(list.body["data"], json!([]));
}
