//! The record of who did what.

use actix_web::{
    http::{Method, header},
    test,
};
use serde_json::{Value, json};

use super::Hub;
use crate::{
    auth::keys,
    domain::{
        AgencyId, Role,
        audit::{Action, Event},
    },
};

impl Hub {
    /// A key with this role, for one account or for all of the agency; the newest directory is told.
    async fn owner_key(&self, agency: AgencyId, account: Option<crate::domain::AccountId>, secret: &str) {
        let store = &self.state.store;
        store.add_api_key(agency, account, Role::Owner, "test", keys::hash(secret), None).await.unwrap();
        self.newest.send_replace(Some(std::sync::Arc::new(store.load_directory().await.unwrap())));
    }

    async fn audit(&self, key: &str, query: &str) -> Value {
        let reply = self.by(key, Method::GET, &format!("/api/audit{query}"), Value::Null).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.body
    }
}

fn actions(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|item| item["action"].as_str().unwrap()).collect()
}

#[actix_web::test]
async fn owners_see_what_is_about_their_accounts_and_those_of_all_accounts_the_whole_agency() {
    let hub = Hub::new(Role::Agent).await;
    hub.owner_key(hub.agency, None, "lw_owner").await;
    hub.owner_key(hub.agency, Some(hub.account), "lw_narrow_owner").await;
    let store = &hub.state.store;
    store.record(Event::new(Action::ExportDownloaded, hub.agency).within(hub.account)).await.unwrap();
    store.record(Event::new(Action::EndpointTested, hub.agency).within(hub.second)).await.unwrap();
    store.record(Event::nobodys(Action::LoginFailed)).await.unwrap();

    let whole = hub.audit("lw_owner", "").await;
    assert_eq!(actions(&whole)[..2], ["endpoint.tested", "export.downloaded"], "the newest first");
    assert!(actions(&whole).contains(&"user.added") && !actions(&whole).contains(&"login.failed"));
    let narrow = hub.audit("lw_narrow_owner", "").await;
    let accounts = narrow["items"].as_array().unwrap().iter().map(|item| &item["account_id"]);
    assert!(accounts.clone().all(|account| *account == json!(hub.account)) && accounts.count() > 1);
    let foreign = hub.audit("lw_foreign", "").await;
    let agencies = foreign["items"].as_array().unwrap().iter().map(|item| &item["agency_id"]);
    assert!(agencies.into_iter().all(|agency| *agency != json!(hub.agency)), "{foreign}");
    for key in ["lw_viewer", "lw_agent", "lw_manager"] {
        let refused = hub.by(key, Method::GET, "/api/audit", Value::Null).await;
        assert_eq!((refused.status.as_u16(), &refused.body["status"]), (403, &json!(403)));
    }
    assert_eq!(hub.ask(test::TestRequest::get().uri("/api/audit")).await.status, 401);
}

#[actix_web::test]
async fn the_record_is_read_in_pages_and_by_what_is_asked_for() {
    let hub = Hub::new(Role::Agent).await;
    hub.owner_key(hub.agency, None, "lw_owner").await;
    let all = hub.audit("lw_owner", "").await;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = hub.audit("lw_owner", &format!("?limit=3{cursor}")).await;
        seen.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(json!(seen), all["items"]);
    let keys = hub.audit("lw_owner", "?action=key.added&actor=hub").await;
    assert!(actions(&keys).len() >= 4 && actions(&keys).iter().all(|action| *action == "key.added"));
    assert_eq!(hub.audit("lw_owner", "?until=2020-01-01").await["items"], json!([]));
    for wrong in ["action=lead.painted", "since=yesterday", "cursor=x", "limit=many"] {
        let refused = hub.by("lw_owner", Method::GET, &format!("/api/audit?{wrong}"), Value::Null).await;
        assert_eq!(refused.status, 400, "{wrong}: {}", refused.body);
    }
}

#[actix_web::test]
async fn what_is_done_to_endpoints_and_leads_is_recorded_with_who_and_from_where() {
    let hub = Hub::new(Role::Agent).await;
    hub.owner_key(hub.agency, None, "lw_owner").await;
    let ask = async |method: Method, path: &str, body: Value| {
        let request = test::TestRequest::with_uri(path).method(method);
        let request = request.insert_header((header::AUTHORIZATION, "Bearer lw_owner"));
        let request = request.insert_header(("x-forwarded-for", "192.0.2.5"));
        let request = request.peer_addr("127.0.0.1:4711".parse().unwrap());
        let reply = hub.ask(if body.is_null() { request } else { request.set_json(body) }).await;
        assert!(reply.status.is_success(), "{path}: {}", reply.body);
        reply.body
    };
    let new = json!({"url": "http://127.0.0.1:9/private-path", "types": ["new_lead"], "account": hub.account,
                     "token": "a-bearer-token"});
    let added = ask(Method::POST, "/api/endpoints", new).await;
    let endpoint = format!("/api/endpoints/{}", added["endpoint"]["id"].as_str().unwrap());
    ask(Method::PUT, &endpoint, json!({"enabled": false, "token": null})).await;
    ask(Method::POST, &format!("{endpoint}/rotate"), json!({})).await;
    ask(Method::DELETE, &endpoint, Value::Null).await;
    let lead = hub.create(json!({"name": "Jane Roe", "phone": "+1 555 0100"})).await;
    ask(Method::DELETE, &format!("/api/leads/{}", lead["id"].as_str().unwrap()), Value::Null).await;

    let page = hub.audit("lw_owner", "").await;
    let wanted =
        ["lead.erased", "endpoint.removed", "endpoint.rotated", "endpoint.changed", "endpoint.added", "key.added"];
    assert_eq!(actions(&page)[..wanted.len()], wanted);
    let done = &page["items"].as_array().unwrap()[..5];
    assert!(done.iter().all(|item| item["actor"].as_str().unwrap().starts_with("key_")), "{page}");
    assert!(done.iter().all(|item| item["address"] == "192.0.2.5" && item["account_id"] == json!(hub.account)));
    assert_eq!(done[3]["details"], json!({"enabled": false, "token": "replaced"}));
    for private in ["private-path", "a-bearer-token", "Jane", "555 0100"] {
        assert!(!page.to_string().contains(private), "{private} is in {page}");
    }
}
