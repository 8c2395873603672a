//! Having chats read from the platform: who may, and what is answered.

use actix_web::http::Method;
use serde_json::{Value, json};

use super::{Hub, Reply};
use crate::domain::Role;

async fn post(hub: &Hub, key: &str, path: &str) -> Reply {
    hub.by(key, Method::POST, path, Value::Null).await
}

#[actix_web::test]
async fn a_chat_is_read_by_those_who_may_work_in_it() {
    let hub = Hub::new(Role::Agent).await;
    hub.hears(hub.account, "c1", 1).await;
    let reply = post(&hub, "lw_agent", "/api/chats/c1/sync?full_sync=true").await;
    assert_eq!(reply.status, 200);
    let stats = json!({"messages": 5, "new_messages": 2});
    assert_eq!(reply.body, json!({"success": true, "message": "2 of 5 messages were new.", "stats": stats}));
    let busy = post(&hub, "lw_agent", "/api/chats/c1/sync").await;
    assert_eq!((busy.status.as_u16(), &busy.body["success"]), (409, &json!(false)), "{}", busy.body);
    assert_eq!(post(&hub, "lw_viewer", "/api/chats/c1/sync").await.status, 403);
    assert_eq!(post(&hub, "lw_foreign", "/api/chats/c1/sync").await.status, 404);
    assert_eq!(post(&hub, "lw_agent", "/api/chats/c9/sync").await.status, 404);
    assert_eq!(post(&hub, "lw_agent", "/api/chats/c1/sync?full_sync=perhaps").await.status, 400);
}

#[actix_web::test]
async fn all_sources_of_the_callers_accounts_are_read_and_one_that_fails_is_told() {
    let hub = Hub::new(Role::Agent).await;
    let reply = post(&hub, "lw_narrow", "/api/chats/sync").await;
    assert_eq!(
        (reply.status.as_u16(), &reply.body["success"], &reply.body["stats"]["messages"]),
        (200, &json!(true), &json!(3))
    );
    let reply = post(&hub, "lw_agent", "/api/chats/sync").await;
    assert_eq!((reply.status.as_u16(), &reply.body["success"]), (502, &json!(false)));
    assert_eq!(reply.body["message"], "1 of 2 sources could not be read: the platform answered 500");
    let path = format!("/api/chats/sync?account_id={}", hub.account);
    assert_eq!(post(&hub, "lw_agent", &path).await.status, 200);
    assert_eq!(post(&hub, "lw_foreign", &path).await.status, 404);
    assert_eq!(post(&hub, "lw_viewer", "/api/chats/sync").await.status, 403);
}
