//! What is read here is told to the person.

use anyhow::{Result, ensure};
use serde_json::json;

use super::{Desk, asked};
use crate::support::{PATIENCE, until};

#[tokio::test]
async fn what_is_read_here_is_told_to_the_person_once() -> Result<()> {
    let desk = Desk::open(2).await?;
    for _ in 0..2 {
        let (hub, token) = (&desk.house.hub, &desk.house.tenants[0].token);
        let url = hub.url(&format!("/api/chats/{}/mark-read", desk.chats[0]));
        hub.http().post(url).bearer_auth(token).send().await?.error_for_status()?;
    }
    let mut socket = desk.house.session(0).await?;
    let reply = asked(&mut socket, json!({"type": "chat:read", "chat": desk.chats[1]})).await?;
    ensure!(reply["ok"] == true, "{reply}");
    until("the receipts", PATIENCE, || async {
        let seen = desk.house.pages[0].seen();
        Ok(if seen == ["500", "501"] { Ok(()) } else { Err(format!("{seen:?}")) })
    })
    .await
}
