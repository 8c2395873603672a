//! Replies: who may send one, what is answered, and what dashboards hear of it.

use std::sync::Arc;

use actix_web::http::{Method, header};
use serde_json::{Value, json};

use super::{Hub, Reply};
use crate::{
    domain::{
        Role, SourceId, clock,
        envelope::Body,
        event::SourceKind,
        message::{Happening, Message, Owner},
    },
    store::NewSource,
};

/// A hub with a page that is connected to the first account, and a chat `7` in it.
async fn connected() -> (Hub, SourceId) {
    let hub = Hub::new(Role::Agent).await;
    let page = NewSource {
        account: hub.account,
        kind: SourceKind::Meta,
        external_id: "101".into(),
        name: "Page".into(),
        token: "EAAB".into(),
        app_secrets: Vec::new(),
        verify_token: None,
        api_url: None,
    };
    let source = hub.state.store.add_source(page).await.unwrap();
    hub.reload().await;
    let owner = Owner { agency: hub.agency, account: hub.account, source };
    let message: Message = serde_json::from_value(json!({
        "id": owner.message("m_1"), "agency_id": hub.agency, "account_id": hub.account, "source_id": source,
        "chat_id": owner.chat("7"), "account_type": "MESSENGER", "platform_id": "m_1", "chat_platform_id": "7",
        "provider_id": "m_1", "chat_provider_id": "7", "text": "Hello?", "is_sender": 0,
        "timestamp": clock::from_micros(1_000_000), "created_at": clock::from_micros(0),
    }))
    .unwrap();
    hub.state.store.apply_happenings(&[Happening::Message(Box::new(message))]).await.unwrap();
    (hub, source)
}

impl Hub {
    pub(super) async fn reload(&self) {
        self.newest.send_replace(Some(Arc::new(self.state.store.load_directory().await.unwrap())));
    }

    async fn reply(&self, key: &str, body: Value) -> Reply {
        self.by(key, Method::POST, "/api/chats/7/messages", body).await
    }
}

fn refused(reply: &Reply, status: u16) -> &str {
    assert_eq!(reply.status.as_u16(), status, "{}", reply.body);
    assert_eq!(reply.header(header::CONTENT_TYPE), "application/problem+json");
    reply.body["detail"].as_str().unwrap()
}

#[actix_web::test]
async fn a_reply_is_answered_in_the_origins_shape_once_the_platform_has_it() {
    let (hub, _) = connected().await;
    for (number, path) in ["/api/chats/7/messages", "/api/unipile/chats/7/messages"].into_iter().enumerate() {
        let sent = hub.by("lw_agent", Method::POST, path, json!({"text": format!(" Hi {number} \n")})).await;
        assert_eq!((sent.status.as_u16(), &sent.body["object"]), (201, &json!("MessageSent")), "{}", sent.body);
        assert_eq!(sent.body["message"]["text"], format!("Hi {number}"));
        assert_eq!((&sent.body["message"]["is_sender"], &sent.body["message"]["arrival"]), (&json!(1), &json!("sent")));
        let told = hub.told();
        let [only] = &told[..] else { panic!("{told:?}") };
        assert_eq!((only.body.type_name(), only.account), ("message:pending", hub.account));
        let Body::Send(send) = &only.body else { panic!("{only:?}") };
        assert_eq!((send.text.as_str(), send.by), (format!("Hi {number}").as_str(), None));
    }
}

#[actix_web::test]
async fn the_same_client_id_is_answered_by_the_first_and_tells_nobody_again() {
    let (hub, _) = connected().await;
    let body = json!({"text": "Hi", "client_id": "c-1"});
    let first = hub.reply("lw_agent", body.clone()).await;
    assert_eq!(hub.told().len(), 1);
    let again = hub.reply("lw_narrow", body).await;
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    let other = hub.reply("lw_agent", json!({"text": "Bye", "client_id": "c-1"})).await;
    assert!(refused(&other, 409).contains("use a new one"));
    assert!(hub.told().is_empty());
}

#[actix_web::test]
async fn what_can_not_be_sent_is_refused_before_it_is_kept_and_says_why() {
    let (hub, source) = connected().await;
    for (body, why) in [
        (json!({"text": " \n"}), "The text is empty."),
        (json!({"text": "a".repeat(2_001)}), "longer than this messenger takes: 2000 characters"),
        (json!({}), "`text` is missing"),
        (json!({"text": 1}), "`text` must be text"),
        (json!({"text": "a", "client_id": 1}), "`client_id` must be text"),
        (json!({"text": "a", "client_id": "x".repeat(101)}), "longer than 100 bytes"),
    ] {
        let reply = hub.reply("lw_agent", body).await;
        assert!(refused(&reply, 400).contains(why), "{}", reply.body);
    }
    let viewer = hub.reply("lw_viewer", json!({"text": "a"})).await;
    assert!(refused(&viewer, 403).contains("viewer, may not send"));
    refused(&hub.reply("lw_foreign", json!({"text": "a"})).await, 404);
    hub.by("lw_agent", Method::POST, "/api/chats/7/ignore", Value::Null).await;
    assert!(refused(&hub.reply("lw_agent", json!({"text": "a"})).await, 403).contains("ignored"));
    hub.by("lw_agent", Method::POST, "/api/chats/7/unignore", Value::Null).await;
    hub.state.store.set_source_enabled(source, false).await.unwrap();
    hub.reload().await;
    let disabled = hub.reply("lw_agent", json!({"text": "a"})).await;
    assert!(refused(&disabled, 409).contains("enable it first"));
    assert_eq!(disabled.body["code"], "source_disabled");
    let list = hub.by("lw_agent", Method::GET, "/api/chats/7/sends", Value::Null).await.body;
    assert_eq!(
        list,
        json!({"items": [], "can_send": false, "reason": list["reason"], "longest": {"characters": 2000}})
    );
    assert_eq!(list["reason"]["code"], "source_disabled");
}

#[actix_web::test]
async fn a_failure_is_answered_with_its_reason_and_listed() {
    let (hub, _) = connected().await;
    for (code, status) in [("outside_window", 422), ("token_invalid", 502), ("unconfirmed", 502)] {
        let reply = hub.reply("lw_agent", json!({"text": format!("fails: {code}")})).await;
        assert_eq!((refused(&reply, status), &reply.body["code"]), ("It failed.", &json!(code)));
        assert_eq!((&reply.body["send"]["state"], &reply.body["status"]), (&json!("failed"), &json!(status)));
    }
    let list = hub.by("lw_viewer", Method::GET, "/api/chats/7/sends", Value::Null).await.body;
    let codes: Vec<_> = list["items"].as_array().unwrap().iter().map(|send| &send["reason"]["code"]).collect();
    assert_eq!(codes, ["outside_window", "token_invalid", "unconfirmed"]);
    assert_eq!((&list["can_send"], &list["reason"]["code"]), (&json!(false), &json!("role")));
    refused(&hub.by("lw_foreign", Method::GET, "/api/chats/7/sends", Value::Null).await, 404);
}

#[actix_web::test]
async fn an_account_has_only_so_many_that_wait() {
    let (mut hub, source) = connected().await;
    let settings = hub.state.desk.settings.as_ref().clone();
    hub.state.desk.settings = Arc::new(crate::config::Sending { pending_per_account: 1, ..settings });
    let chat = hub.state.store.chat(hub.agency, &[hub.account], "7").await.unwrap().unwrap();
    let waiting = crate::domain::send::NewSend {
        agency: hub.agency,
        account: hub.account,
        chat: chat.id,
        source,
        client_id: None,
        text: "a".into(),
        by: None,
    };
    hub.state.store.add_send(&waiting, 1).await.unwrap();
    let full = hub.reply("lw_agent", json!({"text": "b"})).await;
    assert!(refused(&full, 429).starts_with("1 replies of this account wait"), "{}", full.body);
    assert_eq!(full.header(header::RETRY_AFTER), "5");
}
