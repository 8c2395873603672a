//! The simulator as a client of Unipile's finds it.

use std::time::Duration;

use reqwest::{Client, multipart};
use serde_json::{Value, json};

use super::{Connected, Trouble, Workspace};

const PATIENCE: Duration = Duration::from_secs(20);

async fn get(workspace: &Workspace, path: &str) -> Value {
    let url = format!("{}/api/v1/{path}", workspace.dsn());
    Client::new().get(url).header("X-API-KEY", "key").send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn lists_are_read_page_by_page_newest_first_within_their_times() {
    let workspace = Workspace::start("key").unwrap();
    let ana = Connected::linked_in("ana");
    for minute in 0..5 {
        let at = format!("2026-07-06T10:0{minute}:00.000Z");
        workspace.keep(&ana.message("Zoë", &format!("m{minute}"), "Hello", &at));
    }
    workspace.keep(&Connected::linked_in("max").message("Zoë", "other", "Hello", "2026-07-06T10:00:00.000Z"));
    workspace.set_page(2);
    let within = "messages?account_id=ana&after=2026-07-06T10:00:00.000Z&before=2026-07-06T10:04:00.000Z";
    let first = get(&workspace, within).await;
    let ids = |page: &Value| -> Vec<String> {
        page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&first), ["m3", "m2"]);
    let second = get(&workspace, &format!("{within}&cursor={}", first["cursor"].as_str().unwrap())).await;
    assert_eq!((ids(&second), &second["cursor"]), (vec!["m1".to_owned()], &json!(null)));
    assert_eq!(get(&workspace, "chats/chat_Zo%C3%AB/attendees").await["items"][0]["name"], "Zoë");
    workspace.set_trouble(Some(Trouble::Endless));
    assert!(get(&workspace, "chats").await["cursor"].is_string());
}

#[tokio::test]
async fn a_wrong_key_opens_nothing() {
    let workspace = Workspace::start("key").unwrap();
    let url = format!("{}/api/v1/webhooks", workspace.dsn());
    let answer = Client::new().get(&url).header("X-API-KEY", "wrong").send().await.unwrap();
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.json::<Value>().await.unwrap()["type"], "errors/invalid_credentials");
    assert_eq!(Client::new().get(&url).send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn what_happens_is_told_to_those_who_asked_and_given_up_after_five_retries() {
    let workspace = Workspace::start("key").unwrap();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (about, events) in [("messaging", json!(["message_received"])), ("account_status", json!([]))] {
        let url = format!("http://{nobody}/{about}");
        let _ =
            workspace.register(json!({"source": about, "request_url": url, "events": events, "account_ids": ["ana"]}));
    }
    workspace.happen(&Connected::linked_in("max").status("OK"));
    assert!(workspace.settle(PATIENCE).await && workspace.lost() == 0, "nobody has asked for that account");
    workspace.happen(&Connected::linked_in("ana").status("OK"));
    assert!(workspace.settle(PATIENCE).await);
    assert_eq!(workspace.lost(), 1);
}

#[tokio::test]
async fn what_is_sent_is_in_the_lists() {
    let workspace = Workspace::start("key").unwrap();
    workspace.keep(&Connected::linked_in("ana").message("Zoe", "m1", "Hello", "2026-07-06T10:00:00.000Z"));
    let form = || multipart::Form::new().text("text", "Hi\r\nZoe").text("account_id", "ana");
    let post = async |chat: &str| {
        let url = format!("{}/api/v1/chats/{chat}/messages", workspace.dsn());
        Client::new().post(url).header("X-API-KEY", "key").multipart(form()).send().await.unwrap().status()
    };
    assert_eq!((post("chat_Zoe").await, post("chat_Max").await), (201.try_into().unwrap(), 404.try_into().unwrap()));
    let sent = workspace.messages().pop().unwrap();
    assert_eq!((&sent["text"], &sent["is_sender"]), (&json!("Hi\r\nZoe"), &json!(1)));
}
