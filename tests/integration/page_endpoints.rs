//! Endpoints in a real browser: added, failing, sent again.

use anyhow::{Context, Result, ensure};
use loadtest::platform::{Answer, Receiver};
use serde_json::json;
use thirtyfour::prelude::*;

use crate::support::{
    House,
    browser::{Browser, Driver, chromedriver},
};

const HOSTILE: &str = r#"<img src=x onerror="document.title='run'"> أحمد"#;

async fn open() -> Result<House> {
    House::open_with(|setup| {
        setup
            .set("outbox.allow_private", json!(["127.0.0.0/8"]))
            .set("outbox.retry", json!(["100ms"]))
            .set("outbox.breaker_calls", 1000)
    })
    .await
}

/// Adds an endpoint by the form; its secret as it is shown.
async fn add(browser: &Browser, url: &str, name: &str) -> Result<String> {
    browser.find(".side[href='#endpoints']").await?.click().await?;
    browser.find_text(".list-head .button, .empty .button", "Add an endpoint").await?.click().await?;
    browser.find(".dialog input[name=url]").await?.send_keys(url).await?;
    browser.find(".dialog input[name=description]").await?.send_keys(name).await?;
    browser.find(".dialog button[type=submit]").await?.click().await?;
    let secret = browser.find(".secret code").await?.text().await?;
    browser.find(".dialog-foot .button.primary").await?.click().await?;
    browser.gone(".dialog").await?;
    Ok(secret)
}

#[tokio::test]
async fn an_endpoint_is_added_its_failed_delivery_is_seen_with_every_attempt_and_sent_again() -> Result<()> {
    let Some(program) = chromedriver() else { return Ok(()) };
    let (driver, house, receiver) = (Driver::start(&program).await?, open().await?, Receiver::start()?);
    let browser = Browser::open(&driver, &house.hub.url("/")).await?;
    browser.sign_in(&house.tenants[0].email).await?;
    let secret = add(&browser, &receiver.url("/crm"), HOSTILE).await?;
    ensure!(secret.starts_with("whsec_"), "{secret}");
    browser.find_text(".detail-who h2", HOSTILE).await?;
    browser.find_text(".item .badge", "Healthy").await?;

    receiver.answer("/crm", [500, 503, 410].map(Answer::of));
    house.lead(0, HOSTILE).await?;
    browser.find_text(".delivery .badge", "Parked").await?.click().await?;
    browser.find_text(".attempt-status", "410").await?;
    ensure!(browser.texts(".attempt-status").await? == ["500", "503", "410"]);
    browser.find_text(".item .badge", "Gone").await?;

    browser.find_text(".actions .button", "Enable").await?.click().await?;
    browser.find_text(".actions .button", "Disable").await?;
    browser.find(".delivery-foot .button:enabled").await?.click().await?;
    browser.find_text(".replay strong", "Sent 1 delivery again").await?;
    browser.find_text(".delivery .badge", "Delivered").await?;
    browser.find_text(".item .badge", "Healthy").await?;
    let ids: Vec<String> = receiver.received("/crm").iter().map(loadtest::platform::Received::id).collect();
    ensure!(ids.len() == 4 && ids.iter().all(|id| id == &ids[0]), "{ids:?}");

    ensure!(browser.driver.find_all(By::Css(".split :is(img, b)")).await?.is_empty());
    ensure!(browser.driver.title().await?.ends_with("Leadwire") && browser.errors().await? == Vec::<String>::new());
    browser.close().await
}

#[tokio::test]
async fn a_replay_is_counted_first_and_an_endpoint_is_tested_rotated_and_removed() -> Result<()> {
    let Some(program) = chromedriver() else { return Ok(()) };
    let (driver, house, receiver) = (Driver::start(&program).await?, open().await?, Receiver::start()?);
    let browser = Browser::open(&driver, &house.hub.url("/")).await?;
    browser.sign_in(&house.tenants[0].email).await?;
    let secret = add(&browser, &receiver.url("/crm"), "CRM").await?;
    house.lead(0, "Joe").await?;
    house.lead(0, "Ann").await?;
    browser.find(".delivery:nth-child(2) .badge").await?;
    browser.gone(".delivery.tone-wait").await?;

    browser.find_text(".deliveries-head .button", "Send again…").await?.click().await?;
    browser.find_text(".would", "There is nothing of this kind.").await?;
    browser.find(".dialog select").await?.send_keys("Delivered").await?;
    browser.find_text(".would", "2 deliveries would be sent again.").await?;
    ensure!(receiver.count() == 2, "counting sends nothing");
    browser.find(".dialog button[type=submit]:enabled").await?.click().await?;
    browser.find_text(".replay strong", "Sent 2 deliveries again").await?;
    ensure!(receiver.count() == 4, "{}", receiver.count());

    receiver.answer("/crm", [Answer::of(418)]);
    browser.find_text(".actions .button", "Send a test").await?.click().await?;
    browser.find_text(".tested strong", "The test was not delivered").await?;
    browser.find_text(".item .badge", "Failing").await?;

    browser.find_text(".actions .button", "Rotate secret").await?.click().await?;
    browser.find(".dialog button[type=submit]").await?.click().await?;
    ensure!(browser.find(".secret code").await?.text().await? != secret);
    browser.find(".dialog-foot .button.primary").await?.click().await?;
    browser.gone(".dialog").await?;

    browser.find_text(".actions .button", "Remove").await?.click().await?;
    browser.find(".dialog button[type=submit]").await?.click().await?;
    browser.find_text(".empty h2", "No endpoints yet").await?;
    let listed: serde_json::Value = house.get(0, "/api/endpoints").await?.json().await?;
    ensure!(listed["items"].as_array().context("no list")?.is_empty(), "{listed}");
    ensure!(browser.errors().await? == Vec::<String>::new());
    browser.close().await
}

#[tokio::test]
async fn an_endpoint_that_nobody_answers_for_is_taken_over_and_stopped_and_resumed_for_an_account() -> Result<()> {
    let Some(program) = chromedriver() else { return Ok(()) };
    let (driver, house, receiver) = (Driver::start(&program).await?, open().await?, Receiver::start()?);
    let tenant = &house.tenants[0];
    let body = json!({"url": receiver.url("/crm"), "account": tenant.account, "types": ["new_lead"]});
    let added = house.hub.http().post(house.hub.url("/api/endpoints")).bearer_auth(&tenant.token).json(&body);
    added.send().await?.error_for_status()?;
    house.hub.add_user(&tenant.agency, "bob@example.com", "Bob", &[(&tenant.account, "manager")]).await?;
    house.hub.run(&["user", "disable", &tenant.user], &[]).await?;

    let browser = Browser::open(&driver, &house.hub.url("/")).await?;
    browser.sign_in("bob@example.com").await?;
    browser.find(".side[href='#endpoints']").await?.click().await?;
    browser.find_text(".item .badge", "Left behind").await?;
    browser.find(".item-link").await?.click().await?;
    browser.find_text(".cover .button", "Take over").await?.click().await?;
    browser.find_text(".item .badge", "Healthy").await?;
    browser.find_text(".covered small", "Bob answers for it").await?;
    browser.find_text(".covered .button", "Stop").await?.click().await?;
    browser.find_text(".covered .button", "Resume").await?.click().await?;
    browser.find_text(".covered small", "Bob answers for it").await?;
    house.lead(0, "Joe").await?;
    browser.find_text(".delivery .badge", "Delivered").await?;
    ensure!(browser.errors().await? == Vec::<String>::new());
    browser.close().await
}
