//! Messages from a platform to the dashboards and the store: once, in order, to their own account, whatever comes and
//! in whatever order.

use anyhow::{Context, Result, ensure};
use loadtest::{
    client::Socket,
    platform::{
        meta::{Message, Webhook},
        unipile::{self, Connected},
    },
};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{House, PATIENCE, postgres, until};

const SHARED: &str = "/api/webhooks/unipile/messages";
const SECRETS: [&str; 2] = ["harbor-secret-that-nobody-can-guess", "maple-secret-that-nobody-can-guess"];

/// A house with an account at Unipile for each tenant.
pub struct Inbox {
    pub house: House,
    pub connected: [Connected; 2],
}

impl Inbox {
    pub async fn open() -> Result<Self> {
        Self::open_in(House::open().await?).await
    }

    async fn open_in(house: House) -> Result<Self> {
        let connected = ["unipile-harbor", "unipile-maple"].map(Connected::linked_in);
        for (tenant, (connected, secret)) in house.tenants.iter().zip(connected.iter().zip(SECRETS)) {
            house.hub.add_unipile(&tenant.account, &connected.id, secret).await?;
        }
        let inbox = Self { house, connected };
        // The hub has noticed the new sources when what is read back from it says so.
        until("the sources", PATIENCE, || async {
            let answers = futures_util::future::try_join_all(
                [0, 1].map(|tenant| inbox.post(tenant, inbox.connected[tenant].status("OK"))),
            );
            let unknown = answers.await?.into_iter().find(|status| *status != StatusCode::OK);
            Ok(unknown.map_or(Ok(()), |status| Err(status.to_string())))
        })
        .await?;
        Ok(inbox)
    }

    async fn post(&self, tenant: usize, body: Value) -> Result<StatusCode> {
        let hub = &self.house.hub;
        Ok(unipile::post(hub.http(), &hub.url(SHARED), SECRETS[tenant], &body).await?.status())
    }

    pub async fn accepted(&self, tenant: usize, body: Value) -> Result<()> {
        ensure!(self.post(tenant, body.clone()).await? == StatusCode::OK, "{body}");
        Ok(())
    }

    async fn chats(&self, tenant: usize) -> Result<Vec<Value>> {
        let list: Value = self.house.get(tenant, "/api/chats").await?.error_for_status()?.json().await?;
        Ok(list["items"].as_array().context("no items")?.clone())
    }

    async fn messages(&self, tenant: usize, chat: &Value) -> Result<Vec<Value>> {
        let path = format!("/api/chats/{}/messages", chat["id"].as_str().context("no id")?);
        let list: Value = self.house.get(tenant, &path).await?.error_for_status()?.json().await?;
        Ok(list["items"].as_array().context("no items")?.clone())
    }

    /// Waits until the tenant's only chat is like this.
    pub async fn has_chat(&self, tenant: usize, holds: impl Fn(&Value) -> bool) -> Result<Value> {
        until("the chat", PATIENCE, || async {
            let chats = self.chats(tenant).await?;
            Ok(chats.iter().find(|chat| holds(chat)).cloned().ok_or_else(|| json!(chats).to_string()))
        })
        .await
    }
}

/// The next envelope of a type.
async fn next(socket: &mut Socket, kind: &str) -> Result<Value> {
    Ok(socket.next_of(kind, PATIENCE).await?["payload"].clone())
}

const TEN: &str = "2026-07-06T10:00:00.000Z";
const ELEVEN: &str = "2026-07-06T11:00:00.000Z";
const NOON: &str = "2026-07-06T12:00:00.000Z";

#[tokio::test]
async fn a_message_is_shown_once_kept_once_and_only_to_its_account() -> Result<()> {
    let inbox = Inbox::open().await?;
    let mut dashboard = inbox.house.session(0).await?;
    let mut other = inbox.house.session(1).await?;
    let body = inbox.connected[0].message("Zoë", "m_1", "Hello 😀 <b>", TEN);
    inbox.accepted(0, body.clone()).await?;
    let shown = next(&mut dashboard, "message:new").await?;
    ensure!(
        shown["is_sender"] == json!(0) && shown["text"] == "Hello 😀 <b>" && shown["object"] == "Message",
        "{shown}"
    );
    ensure!(shown["account_id"] == inbox.house.tenants[0].account.as_str(), "{shown}");
    let chat = next(&mut dashboard, "chat:updated").await?;
    ensure!(chat["unread_count"] == 1 && chat["name"] == "Zoë", "{chat}");
    // Again, and then the account's own answer.
    inbox.accepted(0, body).await?;
    inbox.accepted(0, inbox.connected[0].own_message("Zoë", "m_2", "Hi Zoë", ELEVEN)).await?;
    let own = next(&mut dashboard, "message:new").await?;
    ensure!(own["is_sender"] == json!(1) && own["chat_id"] == shown["chat_id"], "{own}");
    let chat = inbox.has_chat(0, |chat| chat["last_message"] == "Hi Zoë").await?;
    ensure!(chat["unread_count"] == 1 && chat["name"] == "Zoë", "{chat}");
    let kept = inbox.messages(0, &chat).await?;
    let texts: Vec<_> = kept.iter().map(|message| message["text"].as_str().unwrap_or_default()).collect();
    ensure!(kept.len() == 2 && texts.contains(&"Hello 😀 <b>") && texts.contains(&"Hi Zoë"), "{kept:?}");
    // The neighbour hears of its own only, and can't ask for this chat.
    inbox.accepted(1, inbox.connected[1].message("Max", "m_1", "Another", TEN)).await?;
    ensure!(next(&mut other, "message:new").await?["text"] == "Another");
    let path = format!("/api/chats/{}", chat["id"].as_str().unwrap_or_default());
    ensure!(inbox.house.get(1, &path).await?.status() == StatusCode::NOT_FOUND);
    Ok(())
}

#[tokio::test]
async fn who_looks_at_one_chat_gets_its_messages_and_no_others() -> Result<()> {
    let inbox = Inbox::open().await?;
    inbox.accepted(0, inbox.connected[0].message("Zoë", "m_1", "Hello", TEN)).await?;
    let chat = inbox.has_chat(0, |chat| chat["name"] == "Zoë").await?;
    let room =
        format!("chat:{}/{}", chat["account_id"].as_str().unwrap_or_default(), chat["id"].as_str().unwrap_or(""));
    let hub = &inbox.house.hub;
    let mut looking = Socket::connect(&hub.ws_url(), &inbox.house.tenants[0].token).await?;
    ensure!(inbox.house.session(1).await?.subscribe(&room).await.is_err(), "another agency's chat");
    looking.subscribe(&room).await?;
    inbox.accepted(0, inbox.connected[0].message("Max", "m_2", "From elsewhere", TEN)).await?;
    inbox.accepted(0, inbox.connected[0].message("Zoë", "m_3", "Still there?", ELEVEN)).await?;
    ensure!(next(&mut looking, "message:new").await?["text"] == "Still there?");
    // In the account's room as well, it gets each once.
    looking.subscribe(&format!("account:{}", inbox.house.tenants[0].account)).await?;
    for (id, text) in [("m_4", "One"), ("m_5", "Two")] {
        inbox.accepted(0, inbox.connected[0].message("Zoë", id, text, NOON)).await?;
        ensure!(next(&mut looking, "message:new").await?["text"] == text);
    }
    Ok(())
}

#[tokio::test]
async fn a_wrong_secret_opens_nothing_and_another_agencys_secret_reaches_nobody_elses_account() -> Result<()> {
    let inbox = Inbox::open().await?;
    let hub = &inbox.house.hub;
    let body = inbox.connected[0].message("Zoë", "m_1", "Hello", TEN);
    for secret in ["", "wrong", "harbor-secret-that-nobody-can-guess2"] {
        let answer = unipile::post(hub.http(), &hub.url(SHARED), secret, &body).await?;
        ensure!(answer.status() == StatusCode::UNAUTHORIZED, "{secret}: {}", answer.status());
    }
    let without = hub.http().post(hub.url(SHARED)).body(body.to_string()).send().await?;
    ensure!(without.status() == StatusCode::UNAUTHORIZED);
    // Nor can the two come to share one.
    let taken = hub.add_unipile(&inbox.house.tenants[1].account, "unipile-second", SECRETS[0]).await;
    ensure!(taken.is_err_and(|error| format!("{error:#}").contains("another agency")));
    // Authentic, but about an account of another agency: kept, and shown to nobody.
    inbox.accepted(1, body).await?;
    inbox.accepted(0, inbox.connected[0].message("Zoë", "m_2", "Mine", TEN)).await?;
    let chat = inbox.has_chat(0, |chat| chat["last_message"] == "Mine").await?;
    ensure!(inbox.messages(0, &chat).await?.len() == 1 && inbox.chats(1).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn what_happens_to_a_message_waits_for_it_and_the_newest_decides() -> Result<()> {
    let inbox = Inbox::open().await?;
    let mut dashboard = inbox.house.session(0).await?;
    let from = &inbox.connected[0];
    inbox.accepted(0, from.change("message_edited", "Zoë", "m_1", "Second thought", ELEVEN)).await?;
    inbox.accepted(0, from.message("Zoë", "m_1", "First thought", TEN)).await?;
    // In the order in which they make sense.
    let frames = [next(&mut dashboard, "message:new").await?, next(&mut dashboard, "message:edited").await?];
    ensure!(frames[0]["text"] == "First thought" && frames[1]["text"] == "Second thought", "{frames:?}");
    ensure!(frames[0]["id"] == frames[1]["id"], "{frames:?}");
    inbox.accepted(0, from.reaction("Zoë", "m_1", "👍", NOON)).await?;
    ensure!(next(&mut dashboard, "message:reaction").await?["reaction"]["value"] == "👍");
    let chat = inbox.has_chat(0, |chat| chat["last_message"] == "Second thought").await?;
    let kept = until("the reaction", PATIENCE, || async {
        let kept = inbox.messages(0, &chat).await?;
        Ok(if kept[0]["reactions"][0]["value"] == "👍" { Ok(kept) } else { Err(json!(kept).to_string()) })
    })
    .await?;
    ensure!(kept.len() == 1 && kept[0]["edited"] == 1 && kept[0]["original"] == "First thought", "{kept:?}");
    Ok(())
}

#[tokio::test]
async fn unread_messages_are_counted_and_a_person_reads_them_on_every_dashboard() -> Result<()> {
    let inbox = Inbox::open().await?;
    let mut dashboard = inbox.house.session(0).await?;
    for (message, at) in [("m_1", TEN), ("m_2", ELEVEN), ("m_3", NOON)] {
        inbox.accepted(0, inbox.connected[0].message("Zoë", message, message, at)).await?;
    }
    let chat = inbox.has_chat(0, |chat| chat["unread_count"] == 3).await?;
    let id = chat["id"].as_str().context("no id")?;
    let hub = &inbox.house.hub;
    let url = hub.url(&format!("/api/chats/{id}/mark-read"));
    let read = hub.http().post(url).bearer_auth(&inbox.house.tenants[0].token).send().await?;
    let read: Value = read.error_for_status()?.json().await?;
    ensure!(read["unread_count"] == 0 && read["is_read"] == true, "{read}");
    while next(&mut dashboard, "chat:updated").await?["unread_count"] != 0 {}
    Ok(())
}

#[tokio::test]
async fn the_socket_of_the_origin_shows_messages_as_its_client_reads_them() -> Result<()> {
    let inbox = Inbox::open().await?;
    let hub = &inbox.house.hub;
    let url = hub.ws_url().replace("/ws", "/ws/messages");
    let mut plain = Socket::connect_plain(&url, loadtest::client::Login::Bearer(&inbox.house.tenants[0].token)).await?;
    inbox.accepted(0, inbox.connected[0].message("Zoë", "m_1", "Hello", TEN)).await?;
    let frame = plain.next_of("message:new", PATIENCE).await?;
    let payload = &frame["payload"];
    ensure!(payload["is_sender"] == json!(0) && payload["delivered"].is_number(), "{frame}");
    for key in ["chat_id", "sender_id", "text", "timestamp", "attachments", "reactions", "seen", "quoted", "created_at"]
    {
        ensure!(payload.get(key).is_some(), "{key} is missing in {frame}");
    }
    Ok(())
}

#[tokio::test]
async fn a_client_without_a_login_reads_the_messages_of_the_one_account_that_the_settings_name() -> Result<()> {
    let mut inbox = Inbox::open().await?;
    let hub = &mut inbox.house.hub;
    let settings = hub.data_dir().with_file_name("leadwire.toml");
    let text = std::fs::read_to_string(&settings)?;
    let open = &inbox.house.tenants[0].account;
    hub.stop().await?;
    std::fs::write(&settings, format!("{text}\n[compat]\nanonymous_account = \"{open}\"\n"))?;
    hub.start().await?;
    let url = hub.ws_url().replace("/ws", "/ws/messages");
    let mut anybody = Socket::connect_plain(&url, loadtest::client::Login::Nothing).await?;
    until("the session", PATIENCE, || async {
        let sessions = inbox.house.hub.metric("leadwire_sessions").await?;
        Ok(if sessions > 0.0 { Ok(()) } else { Err("none".to_owned()) })
    })
    .await?;
    inbox.accepted(1, inbox.connected[1].message("Max", "m_1", "Not for all", TEN)).await?;
    inbox.accepted(0, inbox.connected[0].message("Zoë", "m_1", "Hello", TEN)).await?;
    let frame = anybody.next_of("message:new", PATIENCE).await?;
    ensure!(frame["payload"]["text"] == "Hello", "{frame}");
    Ok(())
}

#[tokio::test]
async fn messenger_messages_and_receipts_come_through_the_pages_webhook() -> Result<()> {
    let inbox = Inbox::open().await?;
    let mut dashboard = inbox.house.session(0).await?;
    let message = |mid: &str, text: &str, timestamp| Message {
        page_id: 101,
        psid: 555,
        mid: mid.to_owned(),
        text: text.to_owned(),
        timestamp,
    };
    let body = Webhook::new(1_783_330_000)
        .with_message(message("m_a", "One", 1_783_330_000_000))
        .with_message(message("m_b", "Two", 1_783_330_001_000));
    inbox.house.accepted(body.body()).await?;
    inbox.house.accepted(body.body()).await?;
    let shown = [next(&mut dashboard, "message:new").await?, next(&mut dashboard, "message:new").await?];
    ensure!(shown[0]["text"] == "One" && shown[1]["text"] == "Two", "{shown:?}");
    ensure!(shown[0]["account_type"] == "MESSENGER" && shown[0]["chat_id"] == shown[1]["chat_id"], "{shown:?}");
    let chat = inbox.has_chat(0, |chat| chat["unread_count"] == 2).await?;
    ensure!(inbox.messages(0, &chat).await?.len() == 2);
    Ok(())
}

#[tokio::test]
async fn an_account_that_lost_its_connection_is_told_to_operators() -> Result<()> {
    let inbox = Inbox::open().await?;
    let mut dashboard = inbox.house.session(0).await?;
    inbox.accepted(0, inbox.connected[0].status("CREDENTIALS")).await?;
    while next(&mut dashboard, "source:health").await?["state"] != "token_invalid" {}
    Ok(())
}

#[tokio::test]
async fn messages_survive_a_killed_hub_and_a_database_that_is_away() -> Result<()> {
    postgres::with_database(async |database| {
        let line = loadtest::fault::Proxy::start(database.address())?;
        let url = database.through(line.address());
        let mut inbox = Inbox::open_in(House::open_with(|setup| setup.store_url(&url)).await?).await?;
        let mut dashboard = inbox.house.session(0).await?;
        inbox.accepted(0, inbox.connected[0].message("Zoë", "m_1", "Before", TEN)).await?;
        inbox.has_chat(0, |chat| chat["last_message"] == "Before").await?;
        line.set(loadtest::fault::Mode::Refuse);
        inbox.accepted(0, inbox.connected[0].message("Zoë", "m_2", "Away", ELEVEN)).await?;
        while next(&mut dashboard, "message:new").await?["text"] != "Away" {}
        inbox.house.hub.kill().await?;
        line.set(loadtest::fault::Mode::Pass);
        inbox.house.hub.start().await?;
        let chat = inbox.has_chat(0, |chat| chat["last_message"] == "Away").await?;
        ensure!(chat["unread_count"] == 2 && inbox.messages(0, &chat).await?.len() == 2, "{chat}");
        Ok(())
    })
    .await
}
