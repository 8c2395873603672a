//! Costs in a real browser: a threshold is set, its alert comes live and is resolved.

use anyhow::{Result, ensure};
use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use thirtyfour::prelude::*;

use crate::support::{
    House,
    browser::{Browser, Driver, chromedriver},
};

const HOSTILE: &str = r#"<img src=x onerror="document.title='run'"> أحمد"#;

/// Writes as a program beside the hub would.
fn spend(house: &House, amount: &str) -> Result<()> {
    let tenant = &house.tenants[0];
    let mut other = SqliteConnection::establish(&house.hub.data_dir().join("store.sqlite3").to_string_lossy())?;
    other.batch_execute("PRAGMA busy_timeout = 10000; PRAGMA foreign_keys = ON")?;
    Ok(other.batch_execute(&format!(
        "INSERT INTO api_costs (agency_id, account_id, api_service, cost) VALUES ('{}', '{}', '<b>maps</b>', {amount})",
        tenant.agency, tenant.account
    ))?)
}

async fn open_costs(driver: &Driver, house: &House, email: &str) -> Result<Browser> {
    let browser = Browser::open(driver, &house.hub.url("/")).await?;
    browser.sign_in(email).await?;
    browser.find(".side[href='#costs']").await?.click().await?;
    browser.find(".costs[aria-busy=false]").await?;
    Ok(browser)
}

#[tokio::test]
async fn a_threshold_is_set_and_its_alert_comes_live_and_is_resolved_with_a_word() -> Result<()> {
    let Some(program) = chromedriver() else { return Ok(()) };
    let (driver, house) = (Driver::start(&program).await?, House::open().await?);
    let tenant = &house.tenants[0];
    let viewers = [(tenant.account.as_str(), "viewer")];
    house.hub.add_user(&tenant.agency, "vic@harbor.example", "Vic View", &viewers).await?;
    let browser = open_costs(&driver, &house, &tenant.email).await?;
    let viewer = open_costs(&driver, &house, "vic@harbor.example").await?;

    browser.find_text(".thresholds .card-head .button", "Add").await?.click().await?;
    browser.find(".dialog input[name=name]").await?.send_keys(HOSTILE).await?;
    browser.find(".dialog input[name=value]").await?.send_keys("10").await?;
    browser.find(".dialog button[type=submit]").await?.click().await?;
    browser.find_text(".threshold strong", HOSTILE).await?;

    spend(&house, "12.5")?;
    for page in [&browser, &viewer] {
        page.find_text(".alert strong", HOSTILE).await?;
        page.find_text(".side .count", "1").await?;
        page.find_text(".tile dd", "12.50").await?;
        page.find_text(".bars-name", "<b>maps</b>").await?;
    }
    // Who may only look is offered nothing else.
    ensure!(viewer.texts(".side-name").await? == ["Leads", "Inbox", "Campaigns", "Costs"]);
    for refused in [".thresholds", ".alert .button"] {
        ensure!(viewer.driver.find_all(By::Css(refused)).await?.is_empty(), "a viewer is offered {refused}");
    }

    browser.find(".alert > .button").await?.click().await?;
    browser.find(".resolve input").await?.send_keys("Paid by <b>mistake</b>").await?;
    browser.find(".resolve button[type=submit]").await?.click().await?;
    browser.gone(".alert:not(.done)").await?;
    browser.gone(".side .count").await?;
    browser.find_text(".alerts .link", "Show resolved").await?.click().await?;
    browser.find_text(".alert.done .alert-about", "Paid by <b>mistake</b>").await?;

    browser.find_text(".threshold:has(.toggle[aria-checked=true]) strong", HOSTILE).await?;
    let own = browser.find_text(".threshold", &threshold_text()).await?;
    own.find(By::Css(".danger-quiet")).await?.click().await?;
    browser.find(".dialog button[type=submit]").await?.click().await?;
    browser.gone(".dialog").await?;
    ensure!(!browser.texts(".threshold strong").await?.iter().any(|name| name == HOSTILE));
    for page in [browser, viewer] {
        ensure!(page.driver.find_all(By::Css(".costs :is(img, b)")).await?.is_empty());
        ensure!(page.driver.title().await?.ends_with("Leadwire") && page.errors().await? == Vec::<String>::new());
        page.close().await?;
    }
    Ok(())
}

/// All that the row of the threshold says.
fn threshold_text() -> String {
    format!("{HOSTILE}\nSpent in a day: more than 10.00; at most once an hour\nEdit\nRemove")
}
