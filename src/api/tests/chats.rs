//! Chats: who may do what, in which shapes, and what dashboards hear of it.

use actix_web::{
    http::{Method, header},
    test,
};
use serde_json::{Value, json};

use super::{Hub, Reply};
use crate::domain::{
    AccountId, AgencyId, Role, SourceId, clock,
    envelope::{Body, Envelope},
    message::{Happening, Message, Owner},
};

/// The other side's message of that second in a chat of the first account.
fn message(agency: AgencyId, account: AccountId, chat: &str, number: i64) -> Message {
    let owner = Owner { agency, account, source: SourceId::derive(&[b"the same for all"]) };
    let platform_id = format!("{chat}-m{number}");
    serde_json::from_value(json!({
        "id": owner.message(&platform_id), "agency_id": agency, "account_id": account, "source_id": owner.source,
        "chat_id": owner.chat(chat), "account_type": "LINKEDIN", "platform_id": platform_id, "chat_platform_id": chat,
        "provider_id": platform_id, "chat_provider_id": chat, "chat_name": "Jane", "sender_id": "2-a/b==",
        "sender_attendee_id": "att", "sender_name": "Jane Doe", "text": format!("text {number}"), "is_sender": 0,
        "timestamp": clock::from_micros(number * 1_000_000), "created_at": clock::from_micros(0),
    }))
    .unwrap()
}

impl Hub {
    pub(super) async fn hears(&self, account: AccountId, chat: &str, number: i64) {
        let agency = self.state.directory.borrow().as_ref().unwrap().agency_of(account).unwrap();
        let message = message(agency, account, chat, number);
        self.state.store.apply_happenings(&[Happening::Message(Box::new(message))]).await.unwrap();
    }

    async fn get(&self, key: &str, path: &str) -> Reply {
        self.by(key, Method::GET, path, Value::Null).await
    }

    async fn post(&self, key: &str, path: &str, body: Value) -> Reply {
        self.by(key, Method::POST, path, body).await
    }
}

impl Reply {
    /// Problem details with this status; answers with the text.
    fn problem(&self, status: u16) -> &str {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        assert_eq!(self.header(header::CONTENT_TYPE), "application/problem+json");
        self.body["detail"].as_str().unwrap()
    }
}

#[actix_web::test]
async fn chats_and_messages_are_listed_in_the_origins_shapes() {
    let hub = Hub::new(Role::Agent).await;
    for number in 1..4 {
        hub.hears(hub.account, "c1", number).await;
    }
    hub.hears(hub.second, "c2", 9).await;
    let list = hub.get("lw_viewer", "/api/chats").await;
    assert_eq!((&list.body["total"], &list.body["limit"], &list.body["offset"]), (&json!(2), &json!(100), &json!(0)));
    assert_eq!(list.body["items"][0]["platform_id"], "c2");
    let chat = &list.body["items"][1];
    assert_eq!((&chat["name"], &chat["unread_count"], &chat["is_read"]), (&json!("Jane"), &json!(3), &json!(false)));
    assert_eq!((&chat["last_message"], &chat["timestamp"]), (&json!("text 3"), &json!("1970-01-01T00:00:03.000Z")));
    let id = chat["id"].as_str().unwrap();
    for name in [id, "c1"] {
        assert_eq!(hub.get("lw_viewer", &format!("/api/chats/{name}")).await.body, *chat);
    }

    let texts = async |query: &str| {
        let page = hub.get("lw_viewer", &format!("/api/chats/c1/messages?{query}")).await.body;
        assert_eq!(page["total"], 3);
        page["items"].as_array().unwrap().iter().map(|item| item["text"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(texts("").await, ["text 3", "text 2", "text 1"]);
    assert_eq!(texts("order_desc=false&limit=2&offset=1").await, ["text 2", "text 3"]);
    let before = hub.get("lw_viewer", "/api/chats/c1/messages?limit=1&offset=1").await.body["items"][0].clone();
    assert_eq!((&before["object"], &before["is_sender"], &before["seen"]), (&json!("Message"), &json!(0), &json!(0)));
    assert_eq!(texts(&format!("before={}", before["id"].as_str().unwrap())).await, ["text 1"]);

    let attendee = hub.get("lw_viewer", "/api/chats/c1/attendee/2-a%2Fb==").await.body;
    assert_eq!((&attendee["object"], &attendee["name"]), (&json!("ChatAttendee"), &json!("Jane Doe")));
    assert_eq!((&attendee["id"], &attendee["provider_id"]), (&json!("att"), &json!("2-a/b==")));
    assert_eq!((&attendee["is_self"], &attendee["account_id"]), (&json!(0), &json!(hub.account)));
    hub.get("lw_viewer", "/api/chats/c1/attendee/nobody").await.problem(404);
}

#[actix_web::test]
async fn a_list_shows_what_is_asked_for_and_a_bad_question_is_named() {
    let hub = Hub::new(Role::Agent).await;
    hub.hears(hub.account, "c1", 1).await;
    hub.hears(hub.second, "c2", 2).await;
    hub.post("lw_agent", "/api/chats/c1/mark-read", Value::Null).await;
    hub.post("lw_agent", "/api/chats/c1/ignore", Value::Null).await;
    let account = format!("account_id={}", hub.second);
    for (query, found) in [
        ("is_read=true", "c1"),
        ("is_read=0", "c2"),
        ("is_ignored=1", "c1"),
        ("is_ignored=false", "c2"),
        (&account, "c2"),
        ("limit=1", "c2"),
        ("offset=1", "c1"),
    ] {
        let items = hub.get("lw_viewer", &format!("/api/chats?{query}")).await.body["items"].clone();
        assert_eq!((items.as_array().unwrap().len(), &items[0]["platform_id"]), (1, &json!(found)), "{query}");
    }
    for (path, field) in [
        ("/api/chats?limit=0", "`limit`"),
        ("/api/chats?limit=251", "`limit`"),
        ("/api/chats?offset=-1", "`offset`"),
        ("/api/chats?is_read=maybe", "`is_read`"),
        ("/api/chats/c1/messages?order_desc=x", "`order_desc`"),
        ("/api/chats/c1/messages?before=m1", "`before`"),
    ] {
        let reply = hub.get("lw_viewer", path).await;
        assert!(reply.problem(400).starts_with(field), "{}", reply.body);
    }
    let elsewhere = message(hub.agency, hub.second, "c2", 2).id;
    hub.get("lw_viewer", &format!("/api/chats/c1/messages?before={elsewhere}")).await.problem(400);
    hub.get("lw_viewer", &format!("/api/chats?account_id={}", hub.foreign)).await.problem(404);
    hub.get("lw_viewer", "/api/chats?account_id=x").await.problem(404);
}

#[actix_web::test]
async fn a_change_answers_the_chat_and_tells_dashboards_once() {
    let hub = Hub::new(Role::Agent).await;
    hub.hears(hub.account, "c1", 1).await;
    let ada = *hub.state.directory.borrow().as_ref().unwrap().users.keys().next().unwrap();
    for (route, body, field, value) in [
        ("mark-read", Value::Null, "is_read", json!(true)),
        ("ignore", Value::Null, "is_ignored", json!(true)),
        ("unignore", Value::Null, "is_ignored", json!(false)),
        ("assist-mode", json!({"assist_mode": "ai-assisted"}), "assist_mode", json!("ai-assisted")),
        ("assign", json!({"user": ada}), "assignee", json!(ada)),
        ("assign", json!({"user": null}), "assignee", json!(null)),
    ] {
        let path = format!("/api/chats/c1/{route}");
        let reply = hub.post("lw_narrow", &path, body.clone()).await;
        assert_eq!((reply.status.as_u16(), &reply.body[field]), (200, &value), "{route}");
        let told = hub.told();
        let [Envelope { account, body: Body::ChatUpdated(chat), .. }] = &told[..] else { panic!("{told:?}") };
        assert_eq!((*account, serde_json::to_value(chat).unwrap()), (hub.account, reply.body.clone()));
        assert_eq!(hub.get("lw_viewer", "/api/chats/c1").await.body, reply.body);
        assert_eq!(hub.post("lw_narrow", &path, body).await.body, reply.body);
        assert!(hub.told().is_empty(), "{route}: nothing changed the second time");
    }
}

#[actix_web::test]
async fn a_chat_of_somebody_else_does_not_exist_and_a_low_role_changes_nothing() {
    let hub = Hub::new(Role::Viewer).await;
    hub.hears(hub.account, "c1", 1).await;
    hub.hears(hub.second, "c2", 1).await;
    hub.hears(hub.foreign, "c3", 1).await;
    let routes = ["mark-read", "ignore", "unignore", "assist-mode", "assign"];
    let body = json!({"assist_mode": "autopilot", "user": null});
    for (key, chat) in [("lw_foreign", "c1"), ("lw_narrow", "c2"), ("lw_agent", "c3"), ("lw_agent", "%00")] {
        let path = format!("/api/chats/{chat}");
        for path in [path.clone(), format!("{path}/messages"), format!("{path}/attendee/x")] {
            assert_eq!(hub.get(key, &path).await.problem(404), "There is no such chat.");
        }
        for route in routes {
            hub.post(key, &format!("{path}/{route}"), body.clone()).await.problem(404);
        }
    }
    for route in routes {
        let refused = hub.post("lw_viewer", &format!("/api/chats/c1/{route}"), body.clone()).await;
        assert_eq!(refused.problem(403), "Your role in this account, viewer, may not change chats.");
    }
    let unsigned = hub.ask(test::TestRequest::get().uri("/api/chats")).await;
    unsigned.problem(401);
    assert!(hub.told().is_empty());
}

#[actix_web::test]
async fn a_bad_change_says_what_to_send_instead() {
    let hub = Hub::new(Role::Agent).await;
    hub.hears(hub.account, "c1", 1).await;
    hub.hears(hub.second, "c2", 1).await;
    let ada = *hub.state.directory.borrow().as_ref().unwrap().users.keys().next().unwrap();
    for (chat, route, body, why) in [
        ("c1", "assist-mode", json!({"assist_mode": "pilot"}), "must be one of manual, ai-assisted, autopilot"),
        ("c1", "assist-mode", json!({"assist_mode": 1}), "`assist_mode` must be text"),
        ("c1", "assist-mode", json!({}), "`assist_mode` is missing"),
        ("c1", "assign", json!({}), "`user` must be the id of a user, or null"),
        ("c1", "assign", json!({"user": "ada"}), "`user` must be the id of a user, or null"),
        ("c1", "assign", json!({"user": crate::domain::UserId::generate()}), "may see the chat's account"),
        // Ada is a member of the first account only.
        ("c2", "assign", json!({"user": ada}), "may see the chat's account"),
    ] {
        let reply = hub.post("lw_agent", &format!("/api/chats/{chat}/{route}"), body).await;
        assert!(reply.problem(400).contains(why), "{}", reply.body);
    }
    assert!(hub.told().is_empty());
}
