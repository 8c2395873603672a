//! Who may send webhooks, to whom, and what it costs the others.

use anyhow::{Context, Result, ensure};
use loadtest::{
    hub::APP_SECRET,
    platform::{
        Lead,
        meta::{Webhook, post},
        unipile::{self, Connected},
    },
};
use reqwest::StatusCode;
use serde_json::Value;

use leadwire::domain::clock;

use crate::support::{House, PATIENCE, next_lead, until};

const SHARED: &str = "/api/webhooks/unipile/messages";
const OURS: &str = "the secret that two accounts of a workspace share";
const THEIRS: &str = "the secret of another account of the same agency";
const TEN: &str = "2026-11-27T10:00:00.000Z";

/// An agency with three accounts at Unipile: two of one workspace, and one that has nothing to do with them.
struct Agency {
    house: House,
    /// With their sources.
    connected: [(Connected, String); 3],
}

impl Agency {
    async fn open() -> Result<Self> {
        let house = House::open().await?;
        let tenant = &house.tenants[0];
        let neighbour = house.hub.add_account(&tenant.agency, "Harbor Boats").await?;
        let mut connected = Vec::new();
        for (id, account, secret) in
            [("one", &tenant.account, OURS), ("two", &tenant.account, OURS), ("neighbour", &neighbour, THEIRS)]
        {
            let source = house.hub.add_unipile(account, id, secret).await?;
            connected.push((Connected::linked_in(id), source));
        }
        let connected = connected.try_into().ok().context("three were added")?;
        let agency = Self { house, connected };
        until("the sources", PATIENCE, || async {
            let status = agency.post(&agency.own(2), THEIRS, agency.connected[2].0.status("OK")).await?;
            Ok(if status == StatusCode::OK { Ok(()) } else { Err(status.to_string()) })
        })
        .await?;
        Ok(agency)
    }

    /// A source's own address.
    fn own(&self, at: usize) -> String {
        format!("/webhook/unipile/{}", self.connected[at].1)
    }

    async fn post(&self, path: &str, secret: &str, body: Value) -> Result<StatusCode> {
        let hub = &self.house.hub;
        Ok(unipile::post(hub.http(), &hub.url(path), secret, &body).await?.status())
    }

    /// The last messages of the first account's chats, when there are so many.
    async fn chats(&self, count: usize) -> Result<Vec<String>> {
        until("the chats", PATIENCE, || async {
            let list: Value = self.house.get(0, "/api/chats").await?.error_for_status()?.json().await?;
            let chats = list["items"].as_array().context("no list")?;
            let mut texts: Vec<String> =
                chats.iter().map(|chat| chat["last_message"].as_str().unwrap_or_default().to_owned()).collect();
            texts.sort_unstable();
            Ok(if texts.len() == count { Ok(texts) } else { Err(format!("{texts:?}")) })
        })
        .await
    }
}

#[tokio::test]
async fn a_secret_says_nothing_of_an_account_that_does_not_carry_it() -> Result<()> {
    let agency = Agency::open().await?;
    let [one, two, _] = &agency.connected;
    let forged = [
        (agency.own(2), one.0.message("Eve", "forged_1", "Forged at its own address", TEN)),
        (SHARED.to_owned(), two.0.message("Mallory", "forged_2", "Forged at the shared address", TEN)),
    ];
    for (path, body) in forged {
        ensure!(agency.post(&path, THEIRS, body).await? == StatusCode::OK, "it is kept, for operators only");
    }
    // What the workspace's secret opens comes through, at any of its addresses; all of it after what was forged.
    for (path, at, person) in [(SHARED.to_owned(), 0, "Ann"), (agency.own(0), 1, "Bob"), (agency.own(1), 1, "Cid")] {
        let body = agency.connected[at].0.message(person, &format!("true_{person}"), person, TEN);
        ensure!(agency.post(&path, OURS, body).await? == StatusCode::OK);
    }
    ensure!(agency.chats(3).await? == ["Ann", "Bob", "Cid"]);
    ensure!(agency.house.hub.metric("leadwire_parked_events_total").await? >= 2.0);
    let wrong = agency.post(&agency.own(2), OURS, one.0.message("Eve", "forged_3", "Forged", TEN)).await?;
    ensure!(wrong == StatusCode::UNAUTHORIZED, "another source's secret opened an address: {wrong}");
    Ok(())
}

#[tokio::test]
async fn what_a_secret_said_of_an_unknown_account_waits_for_a_source_with_that_secret() -> Result<()> {
    let agency = Agency::open().await?;
    let tenant = &agency.house.tenants[0];
    let late = Connected::linked_in("late");
    let forged = late.message("Eve", "forged", "Forged", TEN);
    ensure!(agency.post(SHARED, THEIRS, forged).await? == StatusCode::OK);
    ensure!(agency.post(SHARED, OURS, late.message("Ann", "early", "Early", TEN)).await? == StatusCode::OK);

    agency.house.hub.add_unipile(&tenant.account, "late", OURS).await?;

    ensure!(agency.chats(1).await? == ["Early"]);
    ensure!(agency.post(SHARED, OURS, late.message("Bob", "next", "Next", TEN)).await? == StatusCode::OK);
    ensure!(agency.chats(2).await? == ["Early", "Next"], "what another secret said is let through");
    Ok(())
}

#[tokio::test]
async fn an_app_of_one_account_signs_for_no_other_account_of_the_agency() -> Result<()> {
    const OWN_APP: &str = "0123456789abcdef0123456789abcdef";
    const OTHER_APP: &str = "fedcba9876543210fedcba9876543210";
    let house = House::open().await?;
    let tenant = &house.tenants[0];
    let neighbour = house.hub.add_account(&tenant.agency, "Harbor Boats").await?;
    let mine = house.platform.add_page(303, "token_303");
    let _theirs = house.platform.add_page(404, "token_404");
    let source = house.hub.add_own_app_source(&tenant.account, 303, "token_303", OWN_APP, "verify").await?;
    let other = house.hub.add_own_app_source(&neighbour, 404, "token_404", OTHER_APP, "verify").await?;
    let urls = [&source, &other].map(|source| house.hub.url(&format!("/webhook/meta/{source}")));
    let lead = |name: &str| mine.add_lead(Lead::person(clock::now().timestamp(), name, "joe@example.com", "+1619555"));
    let webhook = |id| anyhow::Ok(Webhook::lead(mine.change_for(id).context("no lead")?).body());
    let forged = webhook(lead("Forged"))?;
    until("the new source's address", PATIENCE, || async {
        let answer = post(house.hub.http(), &urls[1], forged.clone(), OTHER_APP).await?.status();
        Ok(if answer == StatusCode::OK { Ok(()) } else { Err(format!("it answers {answer}")) })
    })
    .await?;
    let mut session = house.session(0).await?;
    let id = lead("True");
    ensure!(post(house.hub.http(), &urls[0], webhook(id)?, OWN_APP).await?.status() == StatusCode::OK);
    ensure!(next_lead(&mut session).await? == id);
    house.has_stored(0, &[id]).await?;
    let hubs = post(house.hub.http(), &urls[0], webhook(id)?, APP_SECRET).await?;
    ensure!(hubs.status() == StatusCode::FORBIDDEN);
    Ok(())
}
