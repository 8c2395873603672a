//! The client against a platform that answers one call with given bytes.

use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::json;
use tokio::net::TcpListener;

use super::{
    super::one_call::{http, platform},
    *,
};
use crate::{config::Settings, domain::clock};

fn client(timeout: Duration) -> UnipileClient {
    let text = format!("[unipile]\ntimeout = '{}ms'\nmax_response = '4KiB'", timeout.as_millis());
    UnipileClient::new(&Settings::parse(&text).unwrap().unipile).unwrap()
}

fn workspace(address: &str) -> Workspace {
    client(Duration::from_secs(20)).workspace(&address.parse().unwrap(), &"the-api-key".into())
}

#[tokio::test]
async fn webhooks_are_listed_with_what_tells_them_apart() {
    let body = json!({"object": "WebhookList", "items": [
        {"object": "Webhook", "id": "w1", "name": "one", "enabled": true, "request_url": "https://h.example/a",
         "headers": [{"key": "Unipile-Auth", "value": "secret"}], "source": "messaging", "events": ["message_received"],
         "account_ids": [{"id": "a1", "type": "LINKEDIN"}, "a2"]},
        {"object": "Webhook", "id": "w2", "name": null, "enabled": false, "source": "account_status"},
        "no webhook", {"name": "without an id"}], "cursor": "next"});
    let (address, told) = platform(Some(http("200 OK", "", &body.to_string()))).await;
    let page = workspace(&address).list_webhooks(Some("a=b c")).await.unwrap();
    let [one, two] = &page.items[..] else { panic!("{page:?}") };
    assert_eq!((one.id.as_str(), one.account_ids.clone()), ("w1", Some(vec!["a1".to_owned(), "a2".to_owned()])));
    assert_eq!((one.headers[0].0.as_str(), one.headers[0].1.expose_secret()), ("Unipile-Auth", "secret"));
    assert!(!format!("{page:?}").contains("secret\""), "a secret is not shown");
    assert_eq!((two.enabled, two.name.as_str(), two.events.len(), two.account_ids.as_ref()), (false, "", 0, None));
    assert_eq!(page.cursor.as_deref(), Some("next"));
    let call = told.await.unwrap();
    assert!(call.starts_with("GET /api/v1/webhooks?limit=250&cursor=a%3Db+c HTTP/1.1\r\n"), "{call}");
    assert!(call.contains("x-api-key: the-api-key\r\n"), "{call}");
}

#[tokio::test]
async fn messages_come_as_they_are_even_with_half_characters_in_them() {
    let body = r#"{"items":[{"id":"m2","text":"\ud83d"},{"id":"m1"}],"cursor":null}"#;
    let (address, told) = platform(Some(http("200 OK", "", body))).await;
    let after = clock::from_micros(1_790_000_000_123_456);
    let page = workspace(&address)
        .messages(Of::Account("a"), [after, clock::from_micros(1_790_000_001_000_000)], None)
        .await
        .unwrap();
    assert_eq!(
        (page.items, page.cursor),
        (vec![r#"{"id":"m2","text":"\ud83d"}"#.to_owned(), r#"{"id":"m1"}"#.to_owned()], None)
    );
    let expected = "GET /api/v1/messages?account_id=a&after=2026-09-21T14%3A13%3A20.123Z&before=2026-09-21T14%3A13%3A21.000Z&limit=250 HTTP/1.1";
    assert_eq!(told.await.unwrap().lines().next(), Some(expected));
}

#[tokio::test]
async fn a_message_is_sent_as_a_form_and_its_id_may_be_told_in_any_way() {
    for (told_id, id) in
        [(json!("m1"), Some("m1")), (json!(["m1"]), Some("m1")), (json!(null), None), (json!([]), None)]
    {
        let body = json!({"object": "MessageSent", "message_id": told_id}).to_string();
        let (address, told) = platform(Some(http("201 Created", "", &body))).await;
        let sent = workspace(&address).send("c/1", "acc", "Grüß dich\r\n").await.unwrap();
        assert_eq!(sent.as_deref(), id, "{told_id}");
        let call = told.await.unwrap();
        assert!(call.starts_with("POST /api/v1/chats/c%2F1/messages HTTP/1.1\r\n"), "{call}");
        assert!(call.contains("name=\"text\"\r\n\r\nGrüß dich\r\n\r\n"), "{call}");
        assert!(call.contains("name=\"account_id\"\r\n\r\nacc\r\n"), "{call}");
    }
    let (address, _told) = platform(Some(http("201 Created", "", "<html>"))).await;
    assert_eq!(workspace(&address).send("c", "a", "t").await, Ok(None), "201 is said of what was sent");
}

async fn sending(answer: Vec<u8>) -> SendError {
    let (address, _told) = platform(Some(answer)).await;
    workspace(&address).send("c", "a", "t").await.unwrap_err()
}

#[tokio::test]
async fn what_was_certainly_not_sent_is_told_from_what_may_have_been() {
    for status in ["400 Bad Request", "401 Unauthorized", "404 Not Found", "429 Too Many Requests", "503 Unavailable"] {
        assert!(matches!(sending(http(status, "", "{}")).await, SendError::NotSent(_)), "{status}");
    }
    let cut_refusal = b"HTTP/1.1 422 Unprocessable\r\ncontent-length: 100\r\n\r\n{".to_vec();
    assert!(matches!(sending(cut_refusal).await, SendError::NotSent(_)), "the status has said it");
    for answer in [
        http("504 Gateway Timeout", "", "{}"),
        http("500 Internal Server Error", "", "{}"),
        http("502 Bad Gateway", "", "<html>"),
        http("200 OK", "", "<html>"),
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_vec(),
        Vec::new(),
    ] {
        let shown = String::from_utf8_lossy(&answer).into_owned();
        assert!(matches!(sending(answer).await, SendError::Unknown(_)), "{shown}");
    }
    let (address, told) = platform(None).await;
    let hasty = client(Duration::from_millis(300)).workspace(&address.parse().unwrap(), &"k".into());
    assert!(matches!(hasty.send("c", "a", "t").await, Err(SendError::Unknown(_))));
    assert!(told.await.is_ok(), "it was asked");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    assert!(matches!(workspace(&address).send("c", "a", "t").await, Err(SendError::NotSent(_))));
}

#[tokio::test]
async fn an_answer_that_is_no_list_is_an_error_that_names_no_url() {
    let large = format!(r#"{{"items":["{}"]}}"#, "x".repeat(5000));
    for answer in [
        http("200 OK", "", "<html>"),
        http("200 OK", "", ""),
        http("200 OK", "", "{}"),
        http("200 OK", "", "[]"),
        http("200 OK", "", r#"{"items":{}}"#),
        http("200 OK", "", &large),
        http("302 Found", "", ""),
        http("500 Internal Server Error", "", "<html>"),
        b"\0\0\0\0\r\n\r\n".to_vec(),
        Vec::new(),
    ] {
        let (address, _told) = platform(Some(answer.clone())).await;
        let error = workspace(&address).list_webhooks(None).await.unwrap_err();
        assert_eq!(error.remedy, Remedy::Retry, "{}", String::from_utf8_lossy(&answer));
        assert!(!error.to_string().contains("127.0.0.1"), "{error}");
    }
}

#[tokio::test]
async fn a_webhook_that_is_gone_was_removed_and_what_can_not_be_asked_is_not() {
    let (address, told) = platform(Some(http("404 Not Found", "", "{}"))).await;
    workspace(&address).delete_webhook("w/1?x").await.unwrap();
    assert!(told.await.unwrap().starts_with("DELETE /api/v1/webhooks/w%2F1%3Fx HTTP/1.1\r\n"));
    for id in ["", ".", "..", &"x".repeat(256)] {
        let error = workspace("http://127.0.0.1:1").delete_webhook(id).await.unwrap_err();
        assert_eq!((error.remedy, error.status), (Remedy::GiveUp, None), "{id}");
    }
    for key in ["", " ", "a\nb"] {
        let refused = client(Duration::from_secs(1)).workspace(&"http://127.0.0.1:1".parse().unwrap(), &key.into());
        assert_eq!(refused.list_webhooks(None).await.unwrap_err().remedy, Remedy::ReplaceToken, "{key:?}");
    }
}

#[tokio::test]
async fn a_webhook_is_registered_without_the_events_that_it_has_not() {
    for (answer, id) in
        [(r#"{"webhook_id":"w1"}"#, Some("w1")), (r#"{"object":"Webhook","id":"w1"}"#, Some("w1")), ("{}", None)]
    {
        let (address, told) = platform(Some(http("201 Created", "", answer))).await;
        let headers = vec![Header { key: "Unipile-Auth", value: "s".to_owned() }];
        let webhook = NewWebhook {
            about: "account_status",
            name: "n".to_owned(),
            request_url: "https://h.example".to_owned(),
            events: &[],
            account_ids: vec!["a".to_owned()],
            headers,
        };
        assert_eq!(workspace(&address).create_webhook(&webhook).await.unwrap().as_deref(), id);
        let call = told.await.unwrap();
        let body: serde_json::Value = serde_json::from_str(call.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        assert_eq!(
            body,
            json!({"source": "account_status", "name": "n", "request_url": "https://h.example",
            "account_ids": ["a"], "headers": [{"key": "Unipile-Auth", "value": "s"}]})
        );
    }
}
