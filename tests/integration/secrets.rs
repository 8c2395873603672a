//! Secrets that don't open, and certificates that are not there.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    sync::mpsc,
};

use anyhow::{Context, Result, ensure};
use leadwire::{
    domain::SourceId,
    store::{Store, Vault},
};
use loadtest::{hub::Hub, platform::Simulator};
use reqwest::StatusCode;

use crate::support::{House, PATIENCE, binary, next_lead, setup, until};

#[tokio::test]
async fn a_hub_with_another_master_key_ends_at_once_and_says_which_one_it_needs() -> Result<()> {
    let platform = Simulator::start(loadtest::platform::Settings::default())?;
    let mut hub = Hub::prepare(setup(&platform)).await?;
    let tenant = hub.add_tenant("Harbor", 101, "token_101").await?;
    fs::write(hub.data_dir().join("master.key"), "ab".repeat(32))?;
    let error = hub.start().await.err().context("it started")?.to_string();
    ensure!(error.contains("opens with this master key") && error.contains("exit status: 2"), "{error}");

    // What would be sealed for nobody is refused; what takes access away needs no secret.
    let sealed = hub.set_source_token(&tenant.source, "token_102").await.err().context("it was sealed")?.to_string();
    ensure!(sealed.contains("opens with this master key"), "{sealed}");
    hub.run(&["user", "disable", &tenant.user], &[]).await?;
    hub.run(&["source", "disable", &tenant.source], &[]).await?;
    ensure!(hub.run(&["source", "list"], &[]).await?.contains("unreadable"));
    Ok(())
}

#[tokio::test]
async fn a_secret_that_does_not_open_stops_its_source_and_nobody_else() -> Result<()> {
    let mut house = House::open().await?;
    let url = format!("sqlite://{}", house.hub.data_dir().join("store.sqlite3").display());
    let elsewhere = Store::open(&url, 1, PATIENCE, Vault::new([8; 32])).await?;
    let damaged: SourceId = house.tenants[1].source.parse()?;
    elsewhere.set_source_token(damaged, &"sealed under another key".into()).await?;
    let item = house.wants_attention(1, "source_unreadable", 1).await?;
    ensure!(item["source"] == damaged.to_string(), "{item}");
    let unreadable = house.hub.metric("leadwire_directory_unreadable_rows").await?;
    ensure!((unreadable - 1.0).abs() < f64::EPSILON, "{unreadable} rows");

    // The others go on, and whoever is cut off is cut off.
    let mut session = house.session(0).await?;
    let id = house.lead(0, "Ana").await?;
    ensure!(next_lead(&mut session).await? == id);
    house.hub.run(&["user", "disable", &house.tenants[1].user], &[]).await?;
    until("the end of an access", PATIENCE, || async {
        let status = house.get(1, "/api/me").await?.status();
        Ok(if status == StatusCode::UNAUTHORIZED { Ok(()) } else { Err(status.to_string()) })
    })
    .await?;
    house.hub.stop().await?;
    house.hub.start().await?;
    Ok(())
}

/// Where there is none.
const NOWHERE: [(&str, &str); 2] = [("SSL_CERT_FILE", "/nowhere/certificates.pem"), ("SSL_CERT_DIR", "/nowhere")];

#[tokio::test]
async fn a_hub_on_a_system_without_certificates_starts_with_its_own_and_says_so_once() -> Result<()> {
    let platform = Simulator::start(loadtest::platform::Settings::default())?;
    let nowhere = NOWHERE.map(|(name, value)| (name.to_owned(), value.into()));
    let hub = Hub::launch(setup(&platform).environment(nowhere)).await?;
    let said = hub.log_tail(200);
    ensure!(said.matches("built in").count() == 1, "{said}");
    Ok(())
}

#[test]
fn a_demo_on_a_system_without_certificates_runs() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut command = Command::new(binary());
    command.arg("demo").envs(NOWHERE).env("LEADWIRE__SERVER__BIND", "127.0.0.1:0").current_dir(folder.path());
    let mut demo = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let lines = BufReader::new(demo.stdout.take().context("no output")?).lines();
    let (sender, said) = mpsc::sync_channel(100);
    std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let found = std::iter::from_fn(|| said.recv_timeout(PATIENCE).ok()).any(|line| line.contains("sign in as"));
    demo.kill()?;
    demo.wait()?;
    ensure!(found, "it announced nobody");
    Ok(())
}
