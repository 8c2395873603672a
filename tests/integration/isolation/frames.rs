//! Every frame of every transport, and what it is answered to everybody.

use anyhow::{Context, Result, ensure};
use loadtest::client::{ConnectError, EventSource, Frame, Login, Packet, Socket, SocketIo, Transport};
use serde_json::Value;

use super::world::{MARK, PRINCIPALS, World};
use crate::support::PATIENCE;

/// A frame and what it is answered: `ok`, or the code of the refusal. As in the table of routes, but for anybody, who is
/// told nothing.
struct Row(&'static str, [&'static str; 5]);

/// What all members of the account may ask for.
const MEMBERS: [&str; 5] = ["forbidden", "ok", "ok", "ok", "ok"];
const OPERATORS: [&str; 5] = ["forbidden", "forbidden", "forbidden", "ok", "ok"];
const WORKERS: [&str; 5] = ["not_found", "forbidden", "ok", "ok", "ok"];

const TABLE: &[Row] = &[
    Row(r#"{"type":"subscribe","room":"account:{account}"}"#, MEMBERS),
    Row(r#"{"type":"subscribe","room":"account:{account}","since":"1-0"}"#, MEMBERS),
    Row(r#"{"type":"subscribe","room":"chat:{account}/{chat}"}"#, MEMBERS),
    Row(r#"{"type":"subscribe","room":"operators:{account}"}"#, OPERATORS),
    Row(r#"{"type":"presence","room":"account:{account}"}"#, MEMBERS),
    // Who may is told what else is missing.
    Row(
        r#"{"type":"typing","room":"chat:{account}/{chat}"}"#,
        ["forbidden", "not_in_room", "not_in_room", "not_in_room", "not_in_room"],
    ),
    Row(r#"{"type":"watermarks","room":"account:{account}"}"#, MEMBERS),
    Row(r#"{"type":"watermarks","room":"operators:{account}"}"#, OPERATORS),
    Row(r#"{"type":"ack","room":"account:{account}","position":"1-1"}"#, MEMBERS),
    Row(
        r#"{"type":"ack","room":"operators:{account}","position":"1-1"}"#,
        ["forbidden", "forbidden", "forbidden", "unknown_position", "unknown_position"],
    ),
    Row(r#"{"type":"lead:update","lead":"{lead}","status":"Called"}"#, WORKERS),
    Row(r#"{"type":"chat:read","chat":"{chat}"}"#, WORKERS),
    Row(
        r#"{"type":"message:send","chat":"{chat}","text":"Hi"}"#,
        ["not_found", "forbidden", "conflict", "conflict", "conflict"],
    ),
];

fn verdict(reply: &Value) -> String {
    if reply["ok"] == true { "ok".to_owned() } else { reply["error"]["code"].as_str().unwrap_or("nothing").to_owned() }
}

/// Reads until the reply; what came, the reply the last.
async fn until_reply(socket: &mut Socket) -> Result<Vec<Value>> {
    let mut seen = Vec::new();
    loop {
        match socket.next(PATIENCE).await? {
            Frame::Text(frame) => {
                let is_reply = frame["type"] == "reply" && frame["ref"] == "asked";
                seen.push(frame);
                if is_reply {
                    return Ok(seen);
                }
            }
            Frame::Closed(why) => anyhow::bail!("closed: {why:?}"),
        }
    }
}

async fn frame(world: &World, row: &Row) -> Result<Value> {
    Ok(serde_json::from_str(&world.fill(row.0).await?)?)
}

fn told(world: &World, seen: &[Value]) -> bool {
    // The question's own words come back in no answer.
    seen.iter().any(|frame| {
        let text = frame.to_string();
        text.contains(MARK) || text.contains(&world.accounts[0])
    })
}

#[tokio::test]
async fn every_frame_is_answered_to_everybody_as_the_table_says_on_a_websocket() -> Result<()> {
    let world = World::open().await?;
    let mut problems = Vec::new();
    for (who, column) in PRINCIPALS {
        for row in TABLE {
            let mut asked = frame(&world, row).await?;
            asked["ref"] = "asked".into();
            let Some(token) = world.token(who) else {
                let mut socket = Socket::connect_as(&world.hub.ws_url(), Login::Nothing).await?;
                socket.send(&asked).await?;
                let code = socket.closed(PATIENCE).await?.map(|(code, _)| code);
                ensure!(code == Some(4001), "{asked} as anybody: {code:?}");
                continue;
            };
            let mut socket = Socket::connect(&world.hub.ws_url(), token).await?;
            socket.next_of("welcome", PATIENCE).await?;
            socket.send(&asked).await?;
            let seen = until_reply(&mut socket).await.with_context(|| format!("{asked} as {who}"))?;
            let (said, expected) = (verdict(seen.last().context("nothing")?), row.1[column - 1]);
            if said != expected || (column == 1 && told(&world, &seen)) {
                problems.push(format!("{asked} as {who}: {said} instead of {expected}: {seen:?}"));
            }
        }
    }
    ensure!(problems.is_empty(), "{}:\n{}", problems.len(), problems.join("\n"));
    Ok(())
}

#[tokio::test]
async fn every_frame_is_answered_to_everybody_as_the_table_says_over_socket_io() -> Result<()> {
    let world = World::open().await?;
    let mut problems = Vec::new();
    for (who, column) in PRINCIPALS {
        let Some(token) = world.token(who) else {
            let mut talk = SocketIo::open(&world.hub.url("/socket.io/"), Login::Nothing, Transport::WebSocket).await?;
            let answer = talk.join(None).await?;
            ensure!(!matches!(answer, Packet::Connect(..)), "anybody is let in: {answer:?}");
            continue;
        };
        for row in TABLE {
            let asked = frame(&world, row).await?;
            let mut talk = SocketIo::connect(&world.hub.url("/socket.io/"), token).await?;
            let name = asked["type"].as_str().context("no type")?;
            let answer =
                talk.ask(name, std::slice::from_ref(&asked)).await.with_context(|| format!("{asked} as {who}"))?;
            let (said, expected) = (verdict(answer.first().context("nothing")?), row.1[column - 1]);
            if said != expected || (column == 1 && told(&world, &answer)) {
                problems.push(format!("{asked} as {who}: {said} instead of {expected}: {answer:?}"));
            }
        }
    }
    ensure!(problems.is_empty(), "{}:\n{}", problems.len(), problems.join("\n"));
    Ok(())
}

#[tokio::test]
async fn event_streams_are_opened_for_members_of_their_rooms_alone() -> Result<()> {
    let world = World::open().await?;
    let rooms: [(&str, [u16; 6]); 4] = [
        ("dashboard", [401, 200, 200, 200, 200, 200]),
        ("account:{account}", [401, 403, 200, 200, 200, 200]),
        ("chat:{account}/{chat}", [401, 403, 200, 200, 200, 200]),
        ("operators:{account}", [401, 403, 403, 403, 200, 200]),
    ];
    for (who, column) in PRINCIPALS {
        let login = world.token(who).map_or(Login::Nothing, Login::Bearer);
        for (room, answers) in rooms {
            let url = world.hub.url(&format!("/events?rooms={}", world.fill(room).await?));
            let status = match EventSource::connect_as(&url, login, Some("1-0")).await {
                Ok(_) => 200,
                Err(ConnectError::Refused(status)) => status,
                Err(error) => return Err(error.into()),
            };
            ensure!(status == answers[column], "{room} as {who}: {status} instead of {}", answers[column]);
        }
    }
    Ok(())
}

#[tokio::test]
async fn who_is_not_of_the_account_hears_nothing_of_it_on_any_transport() -> Result<()> {
    let world = World::open().await?;
    for (who, account) in [("another agency's owner", 2), ("a colleague with another account", 1)] {
        let token = world.token(who).context("no token")?;
        let mut socket = Socket::connect(&world.hub.ws_url(), token).await?;
        socket.next_of("welcome", PATIENCE).await?;
        socket.subscribe("dashboard").await?;
        let mut stream = EventSource::connect(&world.hub.url("/events"), token).await?;
        stream.next_of("subscribed", PATIENCE).await?;
        let mut talk = SocketIo::connect(&world.hub.url("/socket.io/"), token).await?;
        talk.ask("subscribe", &[serde_json::json!({"room": "dashboard"})]).await?;
        // Something of the first account, and then something of their own: nothing of the former was on the way.
        world.fill("{new_lead}").await?;
        let body = serde_json::json!({"account": world.accounts[account], "name": "Their own"});
        let answer = world.ask(who, reqwest::Method::POST, "/api/leads/create", Some(&body)).await?;
        ensure!(answer.status() == 201, "{}", answer.text().await?);
        let heard = [
            socket.next_envelope(PATIENCE).await?,
            stream.next_envelope(PATIENCE).await?,
            talk.next_of("new_lead", PATIENCE).await?,
        ];
        for envelope in heard {
            ensure!(envelope.to_string().contains("Their own"), "{who} hears {envelope}");
        }
    }
    Ok(())
}
