//! Campaigns in a real browser: made, begun, moving, completed, downloaded; and names that try to break the page.

use std::{fs, time::Duration};

use anyhow::{Context, Result, ensure};
use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use loadtest::{hub::Setup, platform::NameServer};
use reqwest::Method;
use serde_json::{Value, json};
use thirtyfour::prelude::*;

use crate::support::{
    House, PATIENCE,
    browser::{Browser, Driver, chromedriver},
    site::Site,
    until,
};

const HOSTILE: &str = r#"<img src=x onerror="document.title='run'"> أحمد"#;
const PAGES: &[(&str, &str)] = &[("/", r#"<a href="mailto:ann@harbor.example">Write</a>"#)];

fn settings(setup: Setup, names: &NameServer) -> Setup {
    setup
        .set("prospecting.allow_private", json!(["127.0.0.0/8"]))
        .set("prospecting.nameserver", names.address().to_string())
        .set("prospecting.host_pause", "0s")
        .set("prospecting.dns_timeout", "1s")
        .set("prospecting.stage_timeout", "3s")
        .set("prospecting.lease", "6s")
        .set("prospecting.sweep_interval", "200ms")
}

async fn open_campaigns(driver: &Driver, house: &House) -> Result<Browser> {
    let browser = Browser::open(driver, &house.hub.url("/")).await?;
    browser.sign_in(&house.tenants[0].email).await?;
    browser.find(".side[href='#campaigns']").await?.click().await?;
    browser.find(".items[aria-busy=false]").await?;
    Ok(browser)
}

/// Adds so many businesses to a campaign.
async fn add(house: &House, campaign: &str, website: &str, names: &[&str]) -> Result<()> {
    let prospects: Vec<Value> = names
        .iter()
        .map(|name| json!({"name": name, "address": "12 Bay St", "city": "Porto", "website": website}))
        .collect();
    let body = json!({"account_id": house.tenants[0].account, "campaign_id": campaign, "prospects": prospects});
    let request = house.hub.http().request(Method::POST, house.hub.url("/api/prospects"));
    request.bearer_auth(&house.tenants[0].token).json(&body).send().await?.error_for_status()?;
    Ok(())
}

#[tokio::test]
async fn a_campaign_is_made_and_begun_its_bar_moves_live_and_its_leads_are_downloaded() -> Result<()> {
    let Some(program) = chromedriver() else { return Ok(()) };
    let (driver, names) = (Driver::start(&program).await?, NameServer::start()?);
    let site = Site::open("127.0.0.1", PAGES, Duration::from_millis(100)).await?;
    let house = House::open_with(|setup| settings(setup, &names)).await?;
    let browser = open_campaigns(&driver, &house).await?;

    browser.find(".empty .button.primary").await?.click().await?;
    browser.find(".dialog input[name=name]").await?.send_keys(HOSTILE).await?;
    browser.find(".dialog input[name=location]").await?.send_keys("Porto").await?;
    browser.find(".dialog input[name=target]").await?.send_keys("4").await?;
    browser.find(".dialog button[type=submit]").await?.click().await?;
    browser.find_text(".detail-who h2", HOSTILE).await?;
    browser.find_text(".detail-who .badge", "Pending").await?;

    let listed: Value = house.get(0, "/api/campaigns").await?.json().await?;
    let id = listed["items"][0]["id"].as_str().context("it is not kept")?;
    browser.find_text(".actions .button", "Start").await?.click().await?;
    browser.find_text(".detail-who .badge", "Processing").await?;
    add(&house, id, &site.url(), &["One Clinic", HOSTILE, "Three Clinic"]).await?;
    browser.find_text(".leads tbody th bdi", HOSTILE).await?;
    // No one asks the page to read anything: the envelopes do.
    browser.find_text(".moving strong", "100 %").await?;
    browser.find(".item .bar[aria-valuenow='100']").await?;
    browser.find(".log li").await?;

    browser.find_text(".actions .button", "Download…").await?.click().await?;
    browser.find(".dialog button[type=submit]").await?.click().await?;
    browser.gone(".dialog").await?;
    let csv = downloaded(&browser, ".csv").await?;
    ensure!(csv.contains("One Clinic") && csv.contains("Three Clinic"), "{csv}");

    browser.find_text(".actions .button", "Complete").await?.click().await?;
    browser.find(".dialog button[type=submit]").await?.click().await?;
    browser.find_text(".detail-who .badge", "Completed").await?;
    browser.find(".files .file").await?;

    ensure!(browser.driver.find_all(By::Css(".split :is(img, b)")).await?.is_empty());
    ensure!(browser.driver.title().await?.ends_with("Leadwire") && browser.errors().await? == Vec::<String>::new());
    browser.close().await
}

/// The text of the file with this ending that the browser has kept.
async fn downloaded(browser: &Browser, ending: &str) -> Result<String> {
    until("the download", PATIENCE, || async {
        let files = fs::read_dir(browser.downloads()).into_iter().flatten().flatten().map(|file| file.path());
        let kept = files.into_iter().find(|path| path.to_string_lossy().ends_with(ending));
        Ok(kept.and_then(|path| fs::read_to_string(path).ok()).filter(|text| !text.is_empty()).ok_or_else(String::new))
    })
    .await
}

#[tokio::test]
async fn names_of_any_length_and_direction_stay_in_their_place() -> Result<()> {
    let Some(program) = chromedriver() else { return Ok(()) };
    let (driver, house) = (Driver::start(&program).await?, House::open().await?);
    let tenant = &house.tenants[0];
    // As a program beside the hub may write them.
    let (long, right) = ("campaign".repeat(1250), "\u{202e}عيادات دبي".repeat(40));
    let mut other = SqliteConnection::establish(&house.hub.data_dir().join("store.sqlite3").to_string_lossy())?;
    other.batch_execute("PRAGMA busy_timeout = 10000; PRAGMA foreign_keys = ON")?;
    for (id, name) in [("long", &long), ("right", &right)] {
        other.batch_execute(&format!(
            "INSERT INTO campaigns (id, agency_id, account_id, name, location, status) \
             VALUES ('{id}', '{}', '{}', '{name}', '{name}', '{name}')",
            tenant.agency, tenant.account
        ))?;
    }
    let browser = open_campaigns(&driver, &house).await?;
    for width in [1440, 390] {
        browser.driver.set_window_rect(0, 0, width, 844).await?;
        for id in ["long", "right"] {
            browser.driver.goto(house.hub.url(&format!("/#campaign/{id}"))).await?;
            browser.find(".detail .moving").await?;
            // What slides in is not in its place yet.
            let wide = "document.getAnimations().forEach(it => it.cancel()); \
                return [...document.querySelectorAll('.frame, .item, .detail, .detail-head, .detail-scroll, .badge')] \
                .filter(it => it.getBoundingClientRect().right > innerWidth + 1 || it.matches('.item') && it.offsetHeight > 200 \
                || it.matches('.detail-scroll') && it.scrollWidth > it.clientWidth + 1).map(it => it.className)";
            let wide = browser.driver.execute(wide, Vec::new()).await?;
            ensure!(wide.json() == &json!([]), "at {width} px {id} breaks {:?}", wide.json());
        }
    }
    ensure!(browser.errors().await? == Vec::<String>::new());
    browser.close().await
}
