//! A real browser for the tests of the page and of the client library.
//!
//! Needs chromedriver and Chromium: `LEADWIRE_TEST_CHROMEDRIVER` names the former, else `/usr/bin/chromedriver` is used.
//! Without either the tests say that they were left out; with the variable set they must find it.

use std::{
    env,
    io::{Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use loadtest::hub::PASSWORD;
use serde_json::json;
use tempfile::TempDir;
use thirtyfour::{LoggingPrefsLogLevel, prelude::*};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use super::{PATIENCE, left_out};

/// In the profile.
const DOWNLOADS: &str = "downloads";
const POLL: Duration = Duration::from_millis(50);

/// Where chromedriver is; `None` if there is none and none was asked for.
pub fn chromedriver() -> Option<PathBuf> {
    if let Some(named) = env::var_os("LEADWIRE_TEST_CHROMEDRIVER") {
        return Some(named.into());
    }
    let usual = PathBuf::from("/usr/bin/chromedriver");
    if usual.is_file() {
        return Some(usual);
    }
    left_out("there is no chromedriver: name one in LEADWIRE_TEST_CHROMEDRIVER");
    None
}

/// chromedriver on a port of its own choice; ends when dropped.
pub struct Driver {
    url: String,
    _process: Child,
}

impl Driver {
    /// Starts it, and waits until it can be asked.
    pub async fn start(program: &PathBuf) -> Result<Self> {
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

impl Drop for Driver {
    /// Ends the browsers of a test that failed as well: they outlive their driver if it is only killed.
    fn drop(&mut self) {
        let Ok(mut driver) = TcpStream::connect(self.url.trim_start_matches("http://")) else { return };
        let _ = driver.set_read_timeout(Some(PATIENCE));
        let _ = driver.write_all(b"GET /shutdown HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let _ = driver.read_to_end(&mut Vec::new());
    }
}

/// A browser with an empty profile, on a page.
pub struct Browser {
    /// For what is asked only here and there.
    pub driver: WebDriver,
    profile: TempDir,
}

impl Browser {
    /// Opens one at this address.
    pub async fn open(driver: &Driver, url: &str) -> Result<Self> {
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
        let downloads = profile.path().join(DOWNLOADS);
        wanted.add_experimental_option("prefs", json!({"download.default_directory": downloads}))?;
        wanted.set_browser_log_level(LoggingPrefsLogLevel::All)?;
        let driver = WebDriver::new(&driver.url, wanted).await?;
        driver.goto(url).await?;
        Ok(Self { driver, profile })
    }

    /// Where it keeps what is downloaded.
    pub fn downloads(&self) -> PathBuf {
        self.profile.path().join(DOWNLOADS)
    }

    /// The first element that the selector finds and that is shown, once there is one.
    pub async fn find(&self, css: &str) -> Result<WebElement> {
        let found = self.driver.query(By::Css(css)).wait(PATIENCE, POLL).and_displayed().first().await;
        found.with_context(|| format!("`{css}` did not appear"))
    }

    /// The same among those whose whole text is `text`.
    pub async fn find_text(&self, css: &str, text: &str) -> Result<WebElement> {
        let found = self.driver.query(By::Css(css)).wait(PATIENCE, POLL).with_text(text.to_owned()).first().await;
        found.with_context(|| format!("`{css}` with the text `{text}` did not appear"))
    }

    /// Signs in on the login page.
    pub async fn sign_in(&self, email: &str) -> Result<()> {
        self.find("input[name=email]").await?.send_keys(email).await?;
        self.find("input[name=password]").await?.send_keys(PASSWORD).await?;
        self.find("button[type=submit]").await?.click().await?;
        self.is_live().await
    }

    /// Waits until the page says that it hears the hub and has read its list.
    pub async fn is_live(&self) -> Result<()> {
        self.find(".connection.is-live").await?;
        self.find(".list[aria-busy=false]").await?;
        Ok(())
    }

    /// Waits until the selector finds nothing.
    pub async fn gone(&self, css: &str) -> Result<()> {
        let gone = self.driver.query(By::Css(css)).wait(PATIENCE, POLL).not_exists().await?;
        anyhow::ensure!(gone, "`{css}` stayed");
        Ok(())
    }

    /// The names in the list, from the top.
    pub async fn names(&self) -> Result<Vec<String>> {
        self.texts(".row-link").await
    }

    /// The texts of what the selector finds.
    pub async fn texts(&self, css: &str) -> Result<Vec<String>> {
        let mut texts = Vec::new();
        for element in self.driver.find_all(By::Css(css)).await? {
            texts.push(element.text().await?);
        }
        Ok(texts)
    }

    /// What the console has as errors, but for the answer "nobody is signed in" that a first visit gets.
    pub async fn errors(&self) -> Result<Vec<String>> {
        let entries = self.driver.browser_log().await?;
        let wrong = entries.into_iter().filter(|entry| entry.level == "SEVERE").map(|entry| entry.message);
        Ok(wrong.filter(|message| !(message.contains("/api/me") && message.contains("401"))).collect())
    }

    /// Ends it.
    pub async fn close(self) -> Result<()> {
        Ok(self.driver.quit().await?)
    }
}
