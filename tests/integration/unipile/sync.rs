//! What no webhook brought is read from the platform's lists: once, in order, to its own account.

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use leadwire::domain::clock;
use loadtest::{client::Socket, platform::unipile::Workspace};
use serde_json::{Value, json};

use super::{Agencies, KEY};
use crate::support::{PATIENCE, until};

fn ago(minutes: i64) -> String {
    let at: DateTime<Utc> = clock::now() - TimeDelta::minutes(minutes);
    clock::rfc3339(at)
}

#[tokio::test]
async fn what_happens_while_the_hub_is_down_is_read_when_it_is_back_in_order_and_once() -> Result<()> {
    let mut agencies = Agencies::open().await?;
    let (harbor, maple) = (agencies.connected[0].clone(), agencies.connected[1].clone());
    agencies.workspace.happen(&harbor.message("Zoë", "before", "Before", &ago(40)));
    let mut session = agencies.house.session(0).await?;
    agencies.has_stored(0, &["Before".to_owned()]).await?;
    let room = agencies.house.tenants[0].room();
    let log = session.subscribe(&room).await?["position"].as_str().context("no position")?.to_owned();
    agencies.house.hub.kill().await?;
    let mut texts = vec!["Before".to_owned()];
    for number in 0..30 {
        let text = format!("Missed {number}");
        agencies.workspace.happen(&harbor.message("Zoë", &format!("m{number}"), &text, &ago(39 - number)));
        texts.push(text);
    }
    agencies.workspace.happen(&harbor.own_message("Zoë", "own", "From the phone", &ago(1)));
    texts.push("From the phone".to_owned());
    agencies.workspace.happen(&maple.message("Eve", "n1", "Another's", &ago(5)));
    ensure!(agencies.workspace.settle(PATIENCE).await && agencies.workspace.lost() == 32, "all retries were in vain");
    agencies.workspace.set_page(7);
    agencies.house.hub.start().await?;
    let stored = agencies.has_stored(0, &texts).await?;
    let in_order: Vec<&str> = stored.iter().filter_map(|message| message["text"].as_str()).collect();
    ensure!(in_order == texts, "{in_order:?}");
    // A dashboard that comes back hears of them in the same order.
    let mut back = Socket::connect(&agencies.house.hub.ws_url(), &agencies.house.tenants[0].token).await?;
    back.next_of("welcome", PATIENCE).await?;
    back.send(&json!({"type": "subscribe", "room": room, "since": log})).await?;
    for text in &texts[1..] {
        let told = back.next_of("message:new", PATIENCE).await?;
        ensure!(told["payload"]["text"] == text.as_str() && told["payload"]["arrival"] == "sync", "{told}");
    }
    let missed = stored.iter().find(|message| message["text"] == "Missed 3").context("it is not there")?;
    ensure!(
        missed["arrival"] == "sync" && missed["sender_name"] == "Zoë" && missed["account_type"] == "LINKEDIN",
        "{missed}"
    );
    agencies.has_stored(1, &["Another's".to_owned()]).await?;
    // A webhook that comes late brings nothing more.
    agencies.workspace.happen(&harbor.message("Zoë", "m3", "Missed 3", &ago(36)));
    ensure!(agencies.workspace.settle(PATIENCE).await);
    agencies.workspace.happen(&harbor.message("Zoë", "after", "After", &ago(0)));
    texts.push("After".to_owned());
    agencies.has_stored(0, &texts).await?;
    let mut ids: Vec<String> = Vec::new();
    for message in agencies.messages(0).await? {
        ids.push(message["platform_id"].as_str().context("no id")?.to_owned());
    }
    ids.sort();
    ids.dedup();
    ensure!(ids.len() == texts.len(), "something is there twice");
    Ok(())
}

#[tokio::test]
async fn a_new_source_is_read_as_far_back_as_is_set_and_old_messages_are_not_all_unread() -> Result<()> {
    let workspace = Workspace::start(KEY)?;
    let harbor = loadtest::platform::unipile::Connected::linked_in("unipile-harbor");
    let day = 24 * 60;
    for (id, days) in [("old", 40), ("first", 29), ("second", 20), ("third", 9), ("newest", 1)] {
        workspace.keep(&harbor.message("Zoë", id, id, &ago(days * day)));
    }
    workspace.keep(&harbor.message("Max", "read", "Read on the phone", &ago(2 * day)));
    workspace.change_chat("chat_Zoë", |chat| chat["unread_count"] = json!(1));
    workspace.change_chat("chat_Max", |chat| chat["unread_count"] = json!(0));
    workspace.keep(&harbor.message("Eve", "gone", "Taken back", &ago(3 * day)));
    workspace.change_message("gone", |message| {
        message["deleted"] = json!(1);
        message["text"] = json!(null);
    });
    let agencies = Agencies::open_with(workspace, |setup| setup).await?;
    let expected = ["first", "second", "third", "newest", "Read on the phone"].map(str::to_owned);
    until("the store", PATIENCE, || async {
        let messages = agencies.messages(0).await?;
        Ok(if messages.len() == 6 { Ok(()) } else { Err(format!("{messages:?}")) })
    })
    .await?;
    agencies.has_stored(0, &expected).await?;
    let chats: Value = agencies.house.get(0, "/api/chats").await?.json().await?;
    let chat =
        |name: &str| chats["items"].as_array().and_then(|all| all.iter().find(|chat| chat["name"] == name)).cloned();
    let unread = |name: &str| chat(name).map(|chat| chat["unread_count"].clone());
    ensure!((unread("Zoë"), unread("Max")) == (Some(json!(1)), Some(json!(0))), "{chats}");
    let gone =
        agencies.messages(0).await?.into_iter().find(|message| message["deleted"] == 1).context("not deleted")?;
    ensure!(gone["platform_id"] == "gone" && gone["text"] == json!(null), "{gone}");
    Ok(())
}

#[tokio::test]
async fn an_account_that_is_connected_again_and_a_person_who_asks_have_it_read() -> Result<()> {
    let agencies = Agencies::open().await?;
    let harbor = &agencies.connected[0];
    agencies.workspace.keep(&harbor.message("Zoë", "m1", "While signed out", &ago(3)));
    agencies.workspace.happen(&harbor.status("RECONNECTED"));
    agencies.has_stored(0, &["While signed out".to_owned()]).await?;
    agencies.workspace.keep(&harbor.message("Zoë", "m2", "Asked for", &ago(2)));
    let ask = async |tenant: usize, path: &str| -> Result<(u16, Value)> {
        let url = agencies.house.hub.url(path);
        let request = agencies.house.hub.http().post(url).bearer_auth(&agencies.house.tenants[tenant].token);
        let answer = request.send().await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    };
    // Being connected again may have it read at this moment.
    let answer = until("the reading", PATIENCE, || async {
        let (status, answer) = ask(0, "/api/chats/chat_Zo%C3%AB/sync").await?;
        Ok(if status == 200 { Ok(answer) } else { Err(answer.to_string()) })
    })
    .await?;
    ensure!(answer["success"] == true && answer["stats"]["new_messages"] == 1, "{answer}");
    agencies.has_stored(0, &["While signed out".to_owned(), "Asked for".to_owned()]).await?;
    let (status, answer) = ask(0, "/api/chats/sync?full_sync=true").await?;
    ensure!(status == 200 && answer["stats"] == json!({"messages": 2, "new_messages": 0}), "{answer}");
    ensure!(ask(1, "/api/chats/chat_Zo%C3%AB/sync").await?.0 == 404, "another's chat");
    Ok(())
}

#[tokio::test]
async fn a_list_that_shows_another_accounts_messages_brings_none_of_them() -> Result<()> {
    let workspace = Workspace::start(KEY)?;
    let harbor = loadtest::platform::unipile::Connected::linked_in("unipile-harbor");
    workspace.keep(&harbor.message("Zoë", "m1", "Mine", &ago(2)));
    let maple = loadtest::platform::unipile::Connected::linked_in("unipile-maple");
    workspace.keep(&maple.message("Eve", "n1", "Not mine", &ago(1)));
    workspace.mix_accounts();
    let agencies = Agencies::open_with(workspace, |setup| setup).await?;
    agencies.has_synced(2.0).await?;
    agencies.has_stored(0, &["Mine".to_owned()]).await?;
    agencies.has_stored(1, &["Not mine".to_owned()]).await?;
    Ok(())
}
