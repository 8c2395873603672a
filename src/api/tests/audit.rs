//! The record of who did what.

use actix_web::{http::Method, test};
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
        store.add_api_key(agency, account, Role::Owner, "test", keys::hash(secret)).await.unwrap();
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
