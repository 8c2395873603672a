//! Replies from the dashboards to a platform: sent once, in order, told, and never a second time when nobody knows.

mod receipts;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::future::try_join_all;
use loadtest::{
    client::{Frame, Login, Socket, SocketIo, Transport},
    hub::{APP_SECRET, Setup},
    platform::{
        Behaviour, Echo, Failure, Sent,
        meta::{Message, Webhook},
    },
};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{House, PATIENCE, until};

const MOMENT: Duration = Duration::from_millis(300);

/// A house whose first tenant's page was written to by some people, one chat each.
struct Desk {
    house: House,
    chats: Vec<String>,
}

impl Desk {
    async fn open(people: u64) -> Result<Self> {
        Self::open_with(people, |setup| setup).await
    }

    async fn open_with(people: u64, change: impl FnOnce(Setup) -> Setup) -> Result<Self> {
        let house = House::open_with(|setup| change(setup.set("sending.confirm_within", "3s"))).await?;
        let message = |person: u64| Message {
            page_id: 101,
            psid: 500 + person,
            mid: format!("m_{person}"),
            text: "Hello?".to_owned(),
            timestamp: 1_783_330_000_000 + i64::try_from(person).unwrap_or(0),
        };
        let body = (0..people).fold(Webhook::new(1_783_330_000), |body, person| body.with_message(message(person)));
        house.accepted(body.body()).await?;
        let chats = until("the chats", PATIENCE, || async {
            let list: Value = house.get(0, "/api/chats").await?.error_for_status()?.json().await?;
            let items = list["items"].as_array().cloned().unwrap_or_default();
            let mut ids: Vec<_> = items
                .iter()
                .map(|chat| (chat["platform_id"].to_string(), chat["id"].as_str().unwrap_or("").to_owned()))
                .collect();
            ids.sort();
            let enough = ids.len() as u64 == people;
            Ok(if enough { Ok(ids.into_iter().map(|(_, id)| id).collect()) } else { Err(list.to_string()) })
        })
        .await?;
        Ok(Self { house, chats })
    }

    /// The page tells of what it sends.
    fn echoes(&self, delay: Duration) {
        let (url, app_secret) = (self.house.hub.url("/webhook"), APP_SECRET.to_owned());
        self.house.pages[0].echo_to(Some(Echo { url, app_secret, delay }));
    }

    async fn reply_as(&self, tenant: usize, chat: &str, body: Value) -> Result<(StatusCode, Value)> {
        let (hub, token) = (&self.house.hub, &self.house.tenants[tenant].token);
        let url = hub.url(&format!("/api/chats/{chat}/messages"));
        let answer = hub.http().post(url).bearer_auth(token).json(&body).send().await?;
        Ok((answer.status(), answer.json().await?))
    }

    async fn reply(&self, text: &str) -> Result<(StatusCode, Value)> {
        self.reply_as(0, &self.chats[0], json!({"text": text, "client_id": text})).await
    }

    async fn sent(&self, text: &str) -> Result<Value> {
        let (status, answer) = self.reply(text).await?;
        ensure!(status == StatusCode::CREATED, "{status}: {answer}");
        Ok(answer)
    }

    fn texts(&self) -> Vec<String> {
        self.house.pages[0].sent().into_iter().map(|Sent { text, .. }| text).collect()
    }

    /// The account's own messages in the first chat, the oldest first.
    async fn own(&self) -> Result<Vec<Value>> {
        let path = format!("/api/chats/{}/messages?order_desc=false", self.chats[0]);
        let list: Value = self.house.get(0, &path).await?.error_for_status()?.json().await?;
        let items = list["items"].as_array().context("no items")?;
        Ok(items.iter().filter(|message| message["is_sender"] == 1).cloned().collect())
    }

    /// Waits until these are the account's own messages in the first chat.
    async fn has_own(&self, texts: &[&str]) -> Result<Vec<Value>> {
        until("the messages", PATIENCE, || async {
            let own = self.own().await?;
            let said: Vec<_> = own.iter().map(|message| message["text"].as_str().unwrap_or_default()).collect();
            Ok(if said == texts { Ok(own) } else { Err(format!("{said:?}")) })
        })
        .await
    }

    /// Waits until the hub has asked the page so often.
    async fn was_asked(&self, calls: u32) -> Result<()> {
        until("the calls", PATIENCE, || async {
            let asked = self.house.pages[0].send_calls();
            Ok(if asked >= calls { Ok(()) } else { Err(asked.to_string()) })
        })
        .await
    }
}

/// What the page tells of a message that it has sent to the first person.
fn echo(mid: &str, text: &str) -> String {
    let now = leadwire::domain::clock::now().timestamp_millis();
    json!({"object": "page", "entry": [{"id": "101", "time": 1, "messaging": [{
        "sender": {"id": "101"}, "recipient": {"id": "500"}, "timestamp": now,
        "message": {"is_echo": true, "mid": mid, "text": text},
    }]}]})
    .to_string()
}

/// Sends a frame; its reply.
async fn asked(socket: &mut Socket, mut frame: Value) -> Result<Value> {
    frame["ref"] = frame.to_string().into();
    socket.send(&frame).await?;
    loop {
        let reply = socket.next_of("reply", PATIENCE).await?;
        if reply["ref"] == frame["ref"] {
            return Ok(reply);
        }
    }
}

async fn next(socket: &mut Socket, kind: &str) -> Result<Value> {
    Ok(socket.next_of(kind, PATIENCE).await?["payload"].clone())
}

#[tokio::test]
async fn a_reply_is_sent_once_however_often_it_is_asked_for() -> Result<()> {
    let desk = Desk::open(1).await?;
    desk.echoes(MOMENT);
    let mut dashboard = desk.house.session(0).await?;
    let answers = try_join_all((0..10).map(|_| desk.reply("Yes, we do."))).await?;
    for (status, answer) in &answers {
        ensure!(*status == StatusCode::CREATED && answer["object"] == "MessageSent", "{status}: {answer}");
        ensure!(answer["message_id"] == answers[0].1["message_id"], "{answer}");
    }
    ensure!(desk.sent("Yes, we do.").await?["message_id"] == answers[0].1["message_id"]);
    ensure!(desk.texts() == ["Yes, we do."] && desk.house.pages[0].send_calls() == 1);
    let pending = next(&mut dashboard, "message:pending").await?;
    ensure!(pending["state"] == "pending" && pending["client_id"] == "Yes, we do.", "{pending}");
    ensure!(pending["chat_id"] == desk.chats[0].as_str() && pending["by"] == desk.house.tenants[0].user.as_str());
    // The message and the word that it was sent come in either order, each once.
    let (mut shown, mut told) = (Vec::new(), Vec::new());
    while shown.is_empty() || told.is_empty() {
        let frame = dashboard.next_envelope(PATIENCE).await?;
        match frame["type"].as_str() {
            Some("message:new") => shown.push(frame["payload"].clone()),
            Some("message:sent") => told.push(frame["payload"].clone()),
            _ => {}
        }
    }
    ensure!(shown[0]["id"] == told[0]["message_id"] && shown[0]["is_sender"] == json!(1), "{shown:?} {told:?}");
    ensure!(shown[0]["id"] == answers[0].1["message"]["id"], "{}", answers[0].1);
    let kept = desk.has_own(&["Yes, we do."]).await?;
    ensure!(kept[0]["id"] == shown[0]["id"] && kept[0]["account_type"] == "MESSENGER", "{kept:?}");
    // The echo has come by the time a later reply has: still one of each.
    desk.sent("Anything else?").await?;
    let second = next(&mut dashboard, "message:new").await?;
    ensure!(second["text"] == "Anything else?", "{second}");
    desk.has_own(&["Yes, we do.", "Anything else?"]).await?;
    Ok(())
}

#[tokio::test]
async fn an_echo_that_comes_before_the_answer_is_the_message() -> Result<()> {
    let desk = Desk::open(1).await?;
    desk.echoes(Duration::ZERO);
    desk.house.pages[0].behave_sending(Behaviour::answers().latency(MOMENT * 3));
    let mut dashboard = desk.house.session(0).await?;
    let answer = desk.sent("Before").await?;
    let shown = next(&mut dashboard, "message:new").await?;
    ensure!(shown["id"] == answer["message_id"] && shown["arrival"] == "webhook", "{shown}");
    ensure!(next(&mut dashboard, "message:sent").await?["message_id"] == shown["id"]);
    desk.sent("After").await?;
    ensure!(next(&mut dashboard, "message:new").await?["text"] == "After");
    desk.has_own(&["Before", "After"]).await?;
    Ok(())
}

#[tokio::test]
async fn a_platform_that_is_busy_is_asked_again_and_the_order_of_the_chat_stays() -> Result<()> {
    let desk = Desk::open(2).await?;
    desk.house.pages[0].behave_sending(Behaviour::fails_times(2, Failure::NotJson { status: 429 }));
    let other = desk.reply_as(0, &desk.chats[1], json!({"text": "Elsewhere"}));
    let in_order = async {
        let first = desk.reply("One");
        let second = async {
            desk.was_asked(1).await?;
            desk.reply("Two").await
        };
        tokio::try_join!(first, second)
    };
    let ((one, two), other) = tokio::try_join!(in_order, other)?;
    for (status, answer) in [&one, &two, &other] {
        ensure!(*status == StatusCode::CREATED, "{status}: {answer}");
    }
    let texts: Vec<_> = desk.texts().into_iter().filter(|text| text != "Elsewhere").collect();
    ensure!(texts == ["One", "Two"], "{texts:?}");
    desk.has_own(&["One", "Two"]).await?;
    Ok(())
}

#[tokio::test]
async fn what_the_platform_refuses_has_failed_with_a_reason_and_is_listed() -> Result<()> {
    let desk = Desk::open(1).await?;
    let mut dashboard = desk.house.session(0).await?;
    for (failure, code, status) in [
        (Failure::OutsideWindow, "outside_window", StatusCode::UNPROCESSABLE_ENTITY),
        (Failure::PersonUnavailable, "person_unavailable", StatusCode::UNPROCESSABLE_ENTITY),
        (Failure::BadParameter, "refused", StatusCode::UNPROCESSABLE_ENTITY),
        (Failure::TokenExpired, "token_invalid", StatusCode::BAD_GATEWAY),
        (Failure::Permission, "not_allowed", StatusCode::BAD_GATEWAY),
    ] {
        desk.house.pages[0].behave_sending(Behaviour::fails_times(1, failure));
        let (answered, answer) = desk.reply(code).await?;
        ensure!(answered == status && answer["code"] == code, "{answered}: {answer}");
        let told = next(&mut dashboard, "message:failed").await?;
        ensure!(told["reason"]["code"] == code && told["reason"]["message"] == answer["detail"], "{told}");
    }
    let list: Value = desk.house.get(0, &format!("/api/chats/{}/sends", desk.chats[0])).await?.json().await?;
    ensure!(list["items"].as_array().is_some_and(|items| items.len() == 5) && list["can_send"] == true, "{list}");
    ensure!(desk.texts().is_empty());
    // The next is not held up by them.
    desk.sent("Again").await?;
    Ok(())
}

#[tokio::test]
async fn what_may_have_gone_out_is_never_sent_again() -> Result<()> {
    let desk = Desk::open(1).await?;
    let page = &desk.house.pages[0];
    // Done, and the answer lost: the echo says so.
    desk.echoes(MOMENT);
    for (text, failure) in
        [("Cut", Failure::Close), ("Odd", Failure::NotJson { status: 504 }), ("Gone", Failure::Unknown)]
    {
        page.lose_answers(Behaviour::fails_times(1, failure));
        let answer = desk.sent(text).await?;
        ensure!(answer["message"]["text"] == text, "{answer}");
    }
    desk.has_own(&["Cut", "Odd", "Gone"]).await?;
    // No echo: nobody knows.
    page.echo_to(None);
    page.lose_answers(Behaviour::fails_times(1, Failure::Close));
    let (status, answer) = desk.reply("Lost").await?;
    ensure!(status == StatusCode::BAD_GATEWAY && answer["code"] == "unconfirmed", "{status}: {answer}");
    ensure!(answer["detail"].as_str().is_some_and(|detail| detail.contains("Look at the platform")), "{answer}");
    let again = desk.reply("Lost").await?;
    ensure!(again == (status, answer), "{again:?}");
    ensure!(desk.texts() == ["Cut", "Odd", "Gone", "Lost"] && page.send_calls() == 4);
    // Unless the echo comes late.
    let mut dashboard = desk.house.session(0).await?;
    let mid = page.sent().pop().context("nothing was sent")?.mid;
    desk.house.accepted(echo(&mid, "Lost")).await?;
    let told = next(&mut dashboard, "message:sent").await?;
    ensure!(told["client_id"] == "Lost" && told["message_id"].is_string(), "{told}");
    let (status, answer) = desk.reply("Lost").await?;
    ensure!(status == StatusCode::CREATED && page.send_calls() == 4, "{status}: {answer}");
    Ok(())
}

#[tokio::test]
async fn a_hub_that_dies_while_it_sends_finds_out_by_the_echo_or_says_that_it_does_not_know() -> Result<()> {
    let mut desk = Desk::open(2).await?;
    // The platform does it and does not answer; of the second nobody will ever hear.
    desk.house.pages[0].lose_answers(Behaviour::fails(Failure::Hang));
    for chat in 0..2 {
        if chat == 0 {
            desk.echoes(MOMENT * 2);
        } else {
            desk.house.pages[0].echo_to(None);
        }
        let (hub, token) = (&desk.house.hub, &desk.house.tenants[0].token);
        let url = hub.url(&format!("/api/chats/{}/messages", desk.chats[chat]));
        let request =
            hub.http().post(url).bearer_auth(token).json(&json!({"text": "Hello!", "client_id": chat.to_string()}));
        tokio::spawn(request.send());
        desk.was_asked(u32::try_from(chat)? + 1).await?;
    }
    // A third waits behind the second.
    let waiting = json!({"text": "And?", "client_id": "third"});
    let mut socket = desk.house.session(0).await?;
    let reply = asked(
        &mut socket,
        json!({"type": "message:send", "chat": desk.chats[1], "text": "And?", "client_id": "third"}),
    )
    .await?;
    ensure!(reply["ok"] == true, "{reply}");
    desk.house.hub.kill().await?;
    desk.house.pages[0].lose_answers(Behaviour::answers());
    desk.house.hub.start().await?;
    // The platform delivers again what the hub was not there to take.
    desk.house.accepted(echo("m_sent_101_1", "Hello!")).await?;
    let answer = desk.reply_as(0, &desk.chats[0], json!({"text": "Hello!", "client_id": "0"})).await?;
    ensure!(answer.0 == StatusCode::CREATED && answer.1["message"]["platform_id"] == "m_sent_101_1", "{answer:?}");
    let answer = desk.reply_as(0, &desk.chats[1], json!({"text": "Hello!", "client_id": "1"})).await?;
    ensure!(answer.1["code"] == "unconfirmed", "{answer:?}");
    let answer = desk.reply_as(0, &desk.chats[1], waiting).await?;
    ensure!(answer.0 == StatusCode::CREATED, "{answer:?}");
    ensure!(desk.texts() == ["Hello!", "Hello!", "And?"], "{:?}", desk.texts());
    Ok(())
}

#[tokio::test]
async fn beyond_the_rate_replies_wait_and_none_is_refused() -> Result<()> {
    let desk = Desk::open_with(4, |setup| setup.set("sending.per_second", 2).set("sending.burst", 1)).await?;
    let began = std::time::Instant::now();
    let replies = desk.chats.iter().map(|chat| desk.reply_as(0, chat, json!({"text": "Hi"})));
    for (status, answer) in try_join_all(replies).await? {
        ensure!(status == StatusCode::CREATED, "{status}: {answer}");
    }
    ensure!(desk.texts().len() == 4 && began.elapsed() >= Duration::from_millis(1400), "{:?}", began.elapsed());
    Ok(())
}

#[tokio::test]
async fn nobody_answers_in_another_agencys_chat() -> Result<()> {
    let desk = Desk::open(1).await?;
    let (status, answer) = desk.reply_as(1, &desk.chats[0], json!({"text": "Hi"})).await?;
    ensure!(status == StatusCode::NOT_FOUND, "{status}: {answer}");
    let mut theirs = desk.house.session(1).await?;
    for frame in [
        json!({"type": "message:send", "chat": desk.chats[0], "text": "Hi"}),
        json!({"type": "chat:read", "chat": desk.chats[0]}),
    ] {
        let reply = asked(&mut theirs, frame).await?;
        ensure!(reply["error"]["code"] == "not_found", "{reply}");
    }
    ensure!(desk.house.pages[0].send_calls() == 0);
    Ok(())
}

#[tokio::test]
async fn frames_do_what_the_routes_do_on_every_transport() -> Result<()> {
    let desk = Desk::open(1).await?;
    let lead = desk.house.lead(0, "Joe").await?;
    desk.house.has_stored(0, &[lead]).await?;
    let list: Value = desk.house.get(0, "/api/leads").await?.json().await?;
    let lead = list["data"][0]["id"].clone();
    let token = &desk.house.tenants[0].token;
    let mut plain =
        Socket::connect_plain(&desk.house.hub.ws_url().replace("/ws", "/ws/messages"), Login::Bearer(token)).await?;
    let mut socket = desk.house.session(0).await?;
    let reply =
        asked(&mut socket, json!({"type": "message:send", "chat": desk.chats[0], "text": "Hi", "client_id": "c"}))
            .await?;
    ensure!(reply["ok"] == true && reply["send"]["client_id"] == "c", "{reply}");
    let reply = asked(&mut socket, json!({"type": "chat:read", "chat": desk.chats[0]})).await?;
    ensure!(reply["chat"]["is_read"] == true, "{reply}");
    let reply = asked(&mut socket, json!({"type": "lead:update", "lead": lead, "notes": "Rang"})).await?;
    ensure!(reply["lead"]["notes"] == "Rang" && reply["lead"]["status"] == "New Lead", "{reply}");
    for (frame, code) in [
        (json!({"type": "message:send", "chat": desk.chats[0], "text": " "}), "bad_request"),
        (json!({"type": "message:send", "chat": desk.chats[0], "text": "Bye", "client_id": "c"}), "conflict"),
        (json!({"type": "message:send", "chat": desk.chats[0]}), "bad_frame"),
        (json!({"type": "lead:update", "lead": "lead_x"}), "not_found"),
    ] {
        let reply = asked(&mut socket, frame).await?;
        ensure!(reply["error"]["code"] == code, "{reply}");
    }

    let url = desk.house.hub.url("/socket.io/");
    let mut talk = SocketIo::connect_as(&url, Login::Bearer(token), Transport::WebSocket).await?;
    let answer = talk.ask("message:send", &[json!({"chat": desk.chats[0], "text": "By Socket.IO"})]).await?;
    ensure!(answer[0]["ok"] == true && answer[0]["send"]["state"] == "pending", "{answer:?}");
    desk.has_own(&["Hi", "By Socket.IO"]).await?;

    // The client of the origin's inbox hears of the messages, and of nothing that it does not know.
    let mut heard = Vec::new();
    while heard.len() < 2 {
        match plain.next(PATIENCE).await? {
            Frame::Text(frame) => heard.push(frame["type"].as_str().unwrap_or_default().to_owned()),
            Frame::Closed(why) => anyhow::bail!("{why:?}"),
        }
    }
    ensure!(heard == ["message:new", "message:new"], "{heard:?}");
    Ok(())
}
