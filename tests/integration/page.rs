//! The page in a real browser, against a hub and a simulated platform: what a person sees and does.
//!
//! Needs chromedriver and Chromium: `LEADWIRE_TEST_CHROMEDRIVER` names the former, else `/usr/bin/chromedriver` is used.
//! Without either the tests say so and pass; with the variable set they must find it.

use std::{env, path::PathBuf, process::Stdio, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use leadwire::domain::clock;
use loadtest::{
    hub::{APP_SECRET, Hub, PASSWORD, Setup, Tenant},
    platform::{
        Lead, Page, Settings, Simulator,
        meta::{Webhook, post},
    },
};
use tempfile::TempDir;
use thirtyfour::{LoggingPrefsLogLevel, prelude::*};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);
const HOSTILE: &str = r#"<img src=x onerror="document.title='run'"> <b>O'Brien</b> & "Söhne" 🦄"#;

/// Where chromedriver is; `None` if there is none and none was asked for.
fn chromedriver() -> Option<PathBuf> {
    if let Some(named) = env::var_os("LEADWIRE_TEST_CHROMEDRIVER") {
        return Some(named.into());
    }
    let usual = PathBuf::from("/usr/bin/chromedriver");
    if usual.is_file() {
        return Some(usual);
    }
    eprintln!("not run: there is no chromedriver; name one in LEADWIRE_TEST_CHROMEDRIVER");
    None
}

/// chromedriver on a port of its own choice; ends when dropped.
struct Driver {
    url: String,
    _process: Child,
}

impl Driver {
    async fn start(program: &PathBuf) -> Result<Self> {
        let mut process = Command::new(program)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("can't start {}", program.display()))?;
        let mut lines = BufReader::new(process.stdout.take().context("no stdout")?).lines();
        while let Some(line) = lines.next_line().await? {
            if let Some((_, port)) = line.rsplit_once("successfully on port ") {
                let url = format!("http://127.0.0.1:{}", port.trim_end_matches('.'));
                // It must not fill the pipe, nor find it closed.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Ok(Self { url, _process: process });
            }
        }
        bail!("chromedriver ended before it said its port")
    }
}

/// A browser with an empty profile, on the page.
struct Browser {
    driver: WebDriver,
    _profile: TempDir,
}

impl Browser {
    async fn open(driver: &Driver, hub: &Hub) -> Result<Self> {
        let profile = tempfile::tempdir()?;
        let mut wanted = DesiredCapabilities::chrome();
        for flag in [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--window-size=1440,900",
        ] {
            wanted.add_arg(flag)?;
        }
        wanted.add_arg(&format!("--user-data-dir={}", profile.path().display()))?;
        wanted.set_browser_log_level(LoggingPrefsLogLevel::All)?;
        let driver = WebDriver::new(&driver.url, wanted).await?;
        driver.goto(hub.url("/")).await?;
        Ok(Self { driver, _profile: profile })
    }

    /// The first element that the selector finds and that is shown, once there is one.
    async fn find(&self, css: &str) -> Result<WebElement> {
        let found = self.driver.query(By::Css(css)).wait(PATIENCE, POLL).and_displayed().first().await;
        found.with_context(|| format!("`{css}` did not appear"))
    }

    /// The same among those whose whole text is `text`.
    async fn find_text(&self, css: &str, text: &str) -> Result<WebElement> {
        let found = self.driver.query(By::Css(css)).wait(PATIENCE, POLL).with_text(text.to_owned()).first().await;
        found.with_context(|| format!("`{css}` with the text `{text}` did not appear"))
    }

    async fn sign_in(&self, email: &str) -> Result<()> {
        self.find("input[name=email]").await?.send_keys(email).await?;
        self.find("input[name=password]").await?.send_keys(PASSWORD).await?;
        self.find("button[type=submit]").await?.click().await?;
        self.is_live().await
    }

    /// Waits until the page says that it hears the hub and has read its list.
    async fn is_live(&self) -> Result<()> {
        self.find(".live.live-open").await?;
        self.find(".list[aria-busy=false]").await?;
        Ok(())
    }

    async fn names(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for link in self.driver.find_all(By::Css(".row-link")).await? {
            names.push(link.text().await?);
        }
        Ok(names)
    }

    /// What the console has as errors, but for the answer "nobody is signed in" that a first visit gets.
    async fn errors(&self) -> Result<Vec<String>> {
        let entries = self.driver.browser_log().await?;
        let wrong = entries.into_iter().filter(|entry| entry.level == "SEVERE").map(|entry| entry.message);
        Ok(wrong.filter(|message| !(message.contains("/api/me") && message.contains("401"))).collect())
    }

    async fn close(self) -> Result<()> {
        Ok(self.driver.quit().await?)
    }
}

/// A hub with two agencies, each with one account and a page of its own.
struct House {
    hub: Hub,
    _platform: Simulator,
    tenants: [Tenant; 2],
    pages: [Page; 2],
}

impl House {
    async fn open() -> Result<Self> {
        let platform = Simulator::start(Settings::default())?;
        let mut hub = Hub::prepare(Setup::beside_this_program()?.graph_url(&platform.url())).await?;
        let pages = [platform.add_page(101, "token_101"), platform.add_page(202, "token_202")];
        let tenants = [
            hub.add_tenant("Harbor Insurance", 101, "token_101").await?,
            hub.add_tenant("Maple Dental", 202, "token_202").await?,
        ];
        hub.start().await?;
        Ok(Self { hub, _platform: platform, tenants, pages })
    }

    /// Somebody of this name fills in a form of the page, and the platform says so.
    async fn lead(&self, page: &Page, name: &str) -> Result<()> {
        let lead = Lead::person(clock::now().timestamp(), name, "joe@example.com", "+16195550101");
        let id = page.add_lead(lead);
        let change = page.change_for(id).context("the lead is not there")?;
        let answer = post(self.hub.http(), &self.hub.url("/webhook"), Webhook::lead(change).body(), APP_SECRET).await?;
        ensure!(answer.status() == 200, "the webhook got {}", answer.status());
        Ok(())
    }
}

#[tokio::test]
async fn a_lead_appears_live_as_plain_text_and_its_status_is_kept() -> Result<()> {
    let Some(program) = chromedriver() else { return Ok(()) };
    let (driver, house) = (Driver::start(&program).await?, House::open().await?);
    let browser = Browser::open(&driver, &house.hub).await?;
    browser.sign_in(&house.tenants[0].email).await?;

    house.lead(&house.pages[0], HOSTILE).await?;

    browser.find_text(".row-link", HOSTILE).await?;
    browser.find_text(".toast-title", HOSTILE).await?;
    ensure!(browser.driver.find_all(By::Css(".row img, .toast img, .row b, .toast b")).await?.is_empty());
    ensure!(browser.driver.title().await?.ends_with("Leadwire"), "a name was run as code");

    let menu = browser.driver.find(By::Css(".row .row-status select")).await?;
    menu.send_keys("Called").await?;
    browser.find_text(".row .status-word", "Called").await?;
    // What is shown at once is not yet kept; the answer is awaited by asking the hub.
    kept(&house, "Called").await?;
    browser.driver.refresh().await?;
    browser.is_live().await?;
    browser.find_text(".row-link", HOSTILE).await?;
    browser.find_text(".row .status-word", "Called").await?;

    ensure!(browser.errors().await? == Vec::<String>::new());
    browser.close().await
}

#[tokio::test]
async fn another_agencys_dashboard_sees_nothing_of_it() -> Result<()> {
    let Some(program) = chromedriver() else { return Ok(()) };
    let (driver, house) = (Driver::start(&program).await?, House::open().await?);
    let mine = Browser::open(&driver, &house.hub).await?;
    let other = Browser::open(&driver, &house.hub).await?;
    mine.sign_in(&house.tenants[0].email).await?;
    other.sign_in(&house.tenants[1].email).await?;
    other.find(".empty").await?;

    house.lead(&house.pages[0], "Only Mine").await?;
    mine.find_text(".row-link", "Only Mine").await?;
    // Once a later lead of its own is there, an earlier one of the other agency would be there too.
    house.lead(&house.pages[1], "Only Theirs").await?;
    other.find_text(".row-link", "Only Theirs").await?;

    ensure!(other.names().await? == ["Only Theirs"]);
    ensure!(mine.names().await? == ["Only Mine"]);
    other.driver.refresh().await?;
    other.is_live().await?;
    other.find_text(".row-link", "Only Theirs").await?;
    ensure!(other.names().await? == ["Only Theirs"], "the stored list differs from the live one");
    ensure!(mine.errors().await?.is_empty() && other.errors().await?.is_empty());
    mine.close().await?;
    other.close().await
}

#[tokio::test]
async fn the_page_comes_back_by_itself_when_the_hub_does() -> Result<()> {
    let Some(program) = chromedriver() else { return Ok(()) };
    let (driver, mut house) = (Driver::start(&program).await?, House::open().await?);
    let browser = Browser::open(&driver, &house.hub).await?;
    browser.sign_in(&house.tenants[0].email).await?;
    house.lead(&house.pages[0], "Before").await?;
    browser.find_text(".row-link", "Before").await?;

    house.hub.kill().await?;
    browser.find(".live:not(.live-open)").await?;
    house.hub.start().await?;
    browser.is_live().await?;
    house.lead(&house.pages[0], "After").await?;

    browser.find_text(".row-link", "After").await?;
    ensure!(browser.names().await? == ["After", "Before"]);
    browser.close().await
}

/// Waits until the hub says that the first tenant's only lead has this status.
async fn kept(house: &House, status: &str) -> Result<()> {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        let request = house.hub.http().get(house.hub.url("/api/leads")).bearer_auth(&house.tenants[0].token);
        let answer: serde_json::Value = request.send().await?.error_for_status()?.json().await?;
        if answer["data"][0]["status"] == status {
            return Ok(());
        }
        ensure!(tokio::time::Instant::now() < end, "the hub still has {}", answer["data"][0]["status"]);
        tokio::time::sleep(POLL).await;
    }
}
