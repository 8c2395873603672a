//! Replies through Unipile, against a simulated workspace that tells of what is sent as Unipile does.

use anyhow::{Context, Result, ensure};
use loadtest::{
    client::Socket,
    platform::unipile::{Connected, Trouble, Workspace},
};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{House, PATIENCE, until};

const KEY: &str = "workspace-key";

/// A house with a workspace in which somebody has written to the first tenant's account.
struct Desk {
    house: House,
    workspace: Workspace,
    chat: String,
}

impl Desk {
    async fn open() -> Result<Self> {
        let house = House::open_with(|setup| setup.set("sending.confirm_within", "2s")).await?;
        let workspace = Workspace::start(KEY)?;
        let account = Connected::linked_in("unipile-harbor");
        house.hub.add_unipile_at(&house.tenants[0].account, &account.id, &workspace.dsn(), KEY).await?;
        until("the webhooks", PATIENCE, || async {
            let webhooks = workspace.webhooks();
            let messaging = webhooks.iter().any(|webhook| webhook["source"] == "messaging");
            Ok(if messaging { Ok(()) } else { Err(json!(webhooks).to_string()) })
        })
        .await?;
        workspace.happen(&account.message("Zoë", "m_1", "Hello?", "2026-07-06T10:00:00.000Z"));
        let chat = until("the chat", PATIENCE, || async {
            let list: Value = house.get(0, "/api/chats").await?.error_for_status()?.json().await?;
            Ok(list["items"][0]["id"].as_str().map(str::to_owned).ok_or_else(|| list.to_string()))
        })
        .await?;
        Ok(Self { house, workspace, chat })
    }

    /// As the origin's client asks.
    async fn reply(&self, text: &str) -> Result<(StatusCode, Value)> {
        let hub = &self.house.hub;
        let url = hub.url(&format!("/api/unipile/chats/{}/messages", self.chat));
        let request = hub.http().post(url).bearer_auth(&self.house.tenants[0].token);
        let answer = request.json(&json!({"text": text, "client_id": text})).send().await?;
        Ok((answer.status(), answer.json().await?))
    }

    fn sent(&self) -> Vec<Value> {
        let own = |message: &Value| message["is_sender"] == 1;
        self.workspace.messages().into_iter().filter(own).map(|message| message["text"].clone()).collect()
    }
}

/// The account's own messages that a session hears of until one with this text.
async fn heard(socket: &mut Socket, until: &str) -> Result<Vec<Value>> {
    let mut heard = Vec::new();
    loop {
        let message = socket.next_of("message:new", PATIENCE).await?["payload"].clone();
        if message["is_sender"] == 1 {
            heard.push(message["text"].clone());
        }
        if message["text"] == until {
            return Ok(heard);
        }
    }
}

#[tokio::test]
async fn a_reply_goes_out_once_and_is_one_message_whoever_tells_of_it() -> Result<()> {
    let desk = Desk::open().await?;
    let mut dashboard = desk.house.session(0).await?;
    for text in ["Yes, we do. 😀", "Line one\nLine two", "Third"] {
        let (status, answer) = desk.reply(text).await?;
        ensure!(status == StatusCode::CREATED && answer["message"]["text"] == text, "{status}: {answer}");
        ensure!(answer["message"]["account_type"] == "LINKEDIN" && answer["message"]["is_sender"] == 1, "{answer}");
        ensure!(desk.reply(text).await?.1["message_id"] == answer["message_id"]);
    }
    ensure!(desk.sent() == ["Yes, we do. 😀", "Line one\nLine two", "Third"], "{:?}", desk.sent());
    ensure!(heard(&mut dashboard, "Third").await? == ["Yes, we do. 😀", "Line one\nLine two", "Third"]);
    until("the messages", PATIENCE, || async {
        let path = format!("/api/chats/{}/messages", desk.chat);
        let list: Value = desk.house.get(0, &path).await?.error_for_status()?.json().await?;
        Ok(if list["total"] == 4 { Ok(()) } else { Err(list.to_string()) })
    })
    .await
}

#[tokio::test]
async fn trouble_at_unipile_is_told_apart() -> Result<()> {
    let desk = Desk::open().await?;
    for (status, code) in [(401, "token_invalid"), (403, "not_allowed"), (404, "chat_gone"), (400, "refused")] {
        desk.workspace.set_trouble(Some(Trouble::Status(status)));
        let (_, answer) = desk.reply(&format!("{status}")).await?;
        ensure!(answer["code"] == code && answer["send"]["state"] == "failed", "{status}: {answer}");
    }
    // It may have been done: nobody asks a second time.
    desk.workspace.set_trouble(Some(Trouble::Status(504)));
    let calls = desk.workspace.calls("POST /api/v1/chats/").len();
    let (_, answer) = desk.reply("Lost").await?;
    ensure!(answer["code"] == "unconfirmed", "{answer}");
    ensure!(desk.workspace.calls("POST /api/v1/chats/").len() == calls + 1);
    // It certainly was not: it is asked again.
    desk.workspace.set_trouble(Some(Trouble::Status(429)));
    let patient = desk.reply("Later");
    let relieved = async {
        until("a first try", PATIENCE, || async {
            let asked = desk.workspace.calls("POST /api/v1/chats/").len() > calls + 1;
            Ok(if asked { Ok(()) } else { Err(String::new()) })
        })
        .await?;
        desk.workspace.set_trouble(None);
        Ok(())
    };
    let ((status, answer), ()) = tokio::try_join!(patient, relieved)?;
    ensure!(status == StatusCode::CREATED && desk.sent() == ["Later"], "{status}: {answer}");
    let id = answer["message"]["platform_id"].as_str().context("no id")?;
    ensure!(id.starts_with("sent"), "{id}");
    Ok(())
}
