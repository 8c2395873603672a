//! Deleting: who may, what is answered, and what dashboards hear.

use actix_web::http::{Method, header};
use serde_json::{Value, json};

use super::{Hub, Reply};
use crate::domain::Role;

fn refused(reply: &Reply, status: u16) {
    assert_eq!(reply.status.as_u16(), status, "{}", reply.body);
    assert_eq!(reply.header(header::CONTENT_TYPE), "application/problem+json");
}

impl Hub {
    /// Deleted by a manager, once; refused to an agent and unknown to strangers. What dashboards heard: types and ids.
    async fn deletes(&self, path: &str) -> Vec<(&'static str, Value)> {
        self.told();
        refused(&self.by("lw_foreign", Method::DELETE, path, Value::Null).await, 404);
        refused(&self.by("lw_viewer", Method::DELETE, path, Value::Null).await, 403);
        refused(&self.by("lw_agent", Method::DELETE, path, Value::Null).await, 403);
        assert!(self.told().is_empty(), "nothing was deleted");
        let reply = self.by("lw_manager", Method::DELETE, path, Value::Null).await;
        assert_eq!((reply.status.as_u16(), &reply.body["deleted"]), (200, &json!(true)), "{}", reply.body);
        refused(&self.by("lw_manager", Method::DELETE, path, Value::Null).await, 404);
        let told = self.told();
        told.iter().map(|it| (it.body.type_name(), serde_json::to_value(&it.body).unwrap()["id"].clone())).collect()
    }
}

#[actix_web::test]
async fn messages_and_chats_are_deleted_by_managers_and_told() {
    let hub = Hub::new(Role::Agent).await;
    for number in 1..=2 {
        hub.hears(hub.account, "c1", number).await;
    }
    let page = hub.by("lw_viewer", Method::GET, "/api/chats/c1/messages", Value::Null).await.body;
    let (newest, chat) = (page["items"][0]["id"].clone(), page["items"][0]["chat_id"].clone());
    let told = hub.deletes(&format!("/api/chats/c1/messages/{}", newest.as_str().unwrap())).await;
    assert_eq!(told, [("message:erased", newest), ("chat:updated", chat.clone())]);
    let left = hub.by("lw_viewer", Method::GET, "/api/chats/c1", Value::Null).await.body;
    assert_eq!((&left["last_message"], &left["unread_count"]), (&json!("text 1"), &json!(1)));
    refused(&hub.by("lw_manager", Method::DELETE, "/api/chats/c1/messages/nonsense", Value::Null).await, 404);

    assert_eq!(hub.deletes(&format!("/api/chats/{}", chat.as_str().unwrap())).await, [("chat:deleted", chat)]);
    refused(&hub.by("lw_viewer", Method::GET, "/api/chats/c1", Value::Null).await, 404);
}

#[actix_web::test]
async fn prospects_and_campaigns_are_deleted_by_managers_and_told() {
    let hub = Hub::new(Role::Agent).await;
    let body = json!({"account_id": hub.account, "name": "Grills"});
    let campaign = hub.by("lw_agent", Method::POST, "/api/campaigns", body).await.body["campaign"]["id"].clone();
    let body = json!({"account_id": hub.account, "campaign_id": campaign, "prospects": [{"name": "A"}, {"name": "B"}]});
    let added = hub.by("lw_agent", Method::POST, "/api/prospects", body).await.body;
    let prospect = added["items"][0]["id"].clone();
    let path = format!("/api/prospects/{}", prospect.as_str().unwrap());
    assert_eq!(hub.deletes(&path).await, [("prospect:deleted", prospect)]);
    let path = format!("/api/campaigns/{}", campaign.as_str().unwrap());
    assert_eq!(hub.deletes(&path).await, [("campaign:deleted", campaign)]);
    let left = hub.by("lw_viewer", Method::GET, "/api/prospects", Value::Null).await.body;
    assert_eq!(left["items"], json!([]));
}
