//! Commands that are given by mistake, by a script or by nobody.

use std::{
    fs,
    io::Write,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, bail, ensure};
use leadwire::store::{Store, Vault};
use loadtest::{hub::Hub, platform::Simulator};
use reqwest::StatusCode;
use serde_json::Value;

use crate::support::{PATIENCE, binary, postgres::with_database, setup, until};

/// The program in this folder, with nothing in its environment that is meant for another.
fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("LEADWIRE_")) {
        command.env_remove(name);
    }
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn refused(output: &Output, word: &str) -> Result<()> {
    ensure!(output.status.code() == Some(2), "it ended with {}: {}", output.status, said(output));
    ensure!(said(output).contains(word), "{word:?} is not in: {}", said(output));
    Ok(())
}

fn holds(folder: &Path) -> Result<Vec<String>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

/// Waits for an end that must come by itself.
fn ended(mut child: Child) -> Result<Output> {
    let end = Instant::now() + PATIENCE;
    while child.try_wait()?.is_none() {
        if Instant::now() > end {
            child.kill()?;
            bail!("it did not end within {PATIENCE:?}");
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    Ok(child.wait_with_output()?)
}

#[test]
fn a_command_where_no_installation_is_makes_nothing_and_says_what_to_do() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let commands: [&[&str]; 7] = [
        &["user", "list"],
        &["source", "list"],
        &["agency", "list"],
        &["agency", "add", "--name", "Mistaken"],
        &["migrate", "status"],
        &["migrate", "down", "--yes"],
        &["config", "check"],
    ];
    for command in commands {
        let output = program(folder.path(), command).output()?;
        if command[0] != "config" {
            refused(&output, "--config")?;
        }
        let made = holds(folder.path())?;
        ensure!(made.is_empty(), "{command:?} made {made:?}");
    }
    fs::write(folder.path().join("elsewhere.toml"), "[data]\ndir = 'kept'\n")?;
    let named = |arguments: &[&str]| {
        program(folder.path(), arguments).env("LEADWIRE_CONFIG", "elsewhere.toml").output().map_err(anyhow::Error::from)
    };
    refused(&named(&["user", "list"])?, "there is no installation in kept")?;
    let added = named(&["agency", "add", "--name", "Meant"])?;
    ensure!(added.status.success(), "{}", said(&added));
    ensure!(String::from_utf8_lossy(&named(&["agency", "list"])?.stdout).contains("Meant"));
    Ok(())
}

#[tokio::test]
async fn a_command_reads_stdin_only_when_it_is_told_to() -> Result<()> {
    let platform = Simulator::start(loadtest::platform::Settings::default())?;
    let hub = Hub::prepare(setup(&platform)).await?;
    let agency = hub.add_agency("Harbor").await?;
    let folder = hub.data_dir().parent().context("no folder")?.to_owned();
    let person =
        |email| ["--config", "leadwire.toml", "user", "add", "--agency", &agency, "--name", "Ana", "--email", email];
    let issuer = ["--config", "leadwire.toml", "issuer", "add", "--agency", &agency, "--iss", "https://id.example"];
    let issuer = [&issuer[..], &["--audience", "leadwire"]].concat();

    // Open, and nobody writes into it.
    let mut silent = program(&folder, &person("ana@harbor.example"));
    let mut child = silent.stdin(Stdio::piped()).spawn()?;
    let stdin = child.stdin.take();
    let output = ended(child)?;
    ensure!(output.status.success() && said(&output).contains("Password: "), "{}", said(&output));
    drop(stdin);
    let mut child = program(&folder, &issuer).stdin(Stdio::piped()).spawn()?;
    let stdin = child.stdin.take();
    refused(&ended(child)?, "--stdin")?;
    drop(stdin);

    let told = [&person("bo@harbor.example")[..], &["--stdin"]].concat();
    let mut child = program(&folder, &told).stdin(Stdio::piped()).spawn()?;
    child.stdin.take().context("no stdin")?.write_all(b"a long enough password\n")?;
    let output = ended(child)?;
    ensure!(output.status.success() && !said(&output).contains("Password: "), "{}", said(&output));
    Ok(())
}

#[test]
fn the_check_of_settings_refuses_what_serve_refuses_in_the_same_words_and_makes_nothing() -> Result<()> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let bind = format!("[server]\nbind = '{}'\n", taken.local_addr()?);
    let cases = [
        ("[auth]\nsigning_key_file = 'nowhere.pem'\n", "auth.signing_key_file"),
        ("[telemetry]\nlog = 'leadwire=loud'\n", "telemetry.log"),
        ("[store]\nurl = 'mysql://joe:hunter2@db/leads'\n", "store.url"),
        ("[store]\nurl = 'postgres://joe@db.example/leads?sslrootcert=nowhere.pem'\n", "sslrootcert nowhere.pem"),
        ("[data]\nmaster_key = 'abc'\n", "64 hex digits"),
        ("[data]\ndir = 'leadwire.toml'\n", "not a folder"),
        ("[server]\nbind = '192.0.2.1:8080'\n", "server.bind = 192.0.2.1:8080"),
        (&*bind, "server.bind"),
    ];
    for (settings, word) in cases {
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("leadwire.toml"), settings)?;
        let run = |what: &[&str]| {
            let output = program(folder.path(), &[&["--config", "leadwire.toml"], what].concat()).output()?;
            refused(&output, word).with_context(|| settings.to_owned())?;
            ensure!(holds(folder.path())?.len() == 1, "{what:?} made {:?} with {settings}", holds(folder.path())?);
            Ok(said(&output).lines().filter(|line| !line.starts_with("Note: ")).map(str::to_owned).collect::<Vec<_>>())
        };
        let (checked, served) = (run(&["config", "check"])?, run(&["serve"])?);
        ensure!(checked == served, "{checked:?} is not {served:?}");
    }
    Ok(())
}

#[tokio::test]
async fn settings_of_a_hub_that_runs_pass_their_check_until_its_key_is_open_to_others() -> Result<()> {
    let platform = Simulator::start(loadtest::platform::Settings::default())?;
    let hub = Hub::launch(setup(&platform)).await?;
    hub.run(&["config", "check"], &[]).await?;
    fs::set_permissions(hub.data_dir().join("master.key"), fs::Permissions::from_mode(0o644))?;
    let refused = hub.run(&["config", "check"], &[]).await.err().context("it passed")?.to_string();
    ensure!(refused.contains("master.key") && refused.contains("0600"), "{refused}");
    Ok(())
}

#[test]
fn a_demo_that_others_could_reach_is_refused_unless_told() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let output = program(folder.path(), &["demo"]).env("LEADWIRE__SERVER__BIND", "0.0.0.0:0").output()?;
    refused(&output, "--expose")?;
    ensure!(holds(folder.path())?.is_empty(), "it made {:?}", holds(folder.path())?);
    Ok(())
}

/// Tables are not taken from under a hub, nor without a word.
async fn goes_back_only_alone(hub: &mut Hub) -> Result<()> {
    let refused = async |hub: &Hub, arguments: &[&str], word: &str| {
        let error = hub.run(arguments, &[]).await.err().context("it was done")?.to_string();
        ensure!(error.contains(word), "{word:?} is not in: {error}");
        ensure!(hub.run(&["migrate", "status"], &[]).await?.is_empty(), "it was done");
        Ok(error)
    };
    hub.add_agency("Lost with its table").await?;
    refused(hub, &["migrate", "down", "--steps", "100", "--yes"], "a hub runs on").await?;
    ensure!(hub.is_ready().await, "the hub goes on");
    hub.stop().await?;
    let said = refused(hub, &["migrate", "down", "--steps", "100"], "--yes").await?;
    ensure!(said.contains("lost for good: agencies (1 rows)"), "{said}");
    hub.run(&["migrate", "down", "--steps", "100", "--yes"], &[]).await?;
    ensure!(hub.run(&["migrate", "status"], &[]).await?.lines().count() > 1);
    Ok(())
}

#[tokio::test]
async fn tables_are_taken_back_only_while_no_hub_runs_and_after_a_yes() -> Result<()> {
    let platform = Simulator::start(loadtest::platform::Settings::default())?;
    let mut hub = Hub::launch(setup(&platform)).await?;
    goes_back_only_alone(&mut hub).await
}

#[tokio::test]
async fn tables_of_postgres_are_taken_back_only_while_no_hub_runs_on_it_and_after_a_yes() -> Result<()> {
    with_database(async |database| {
        let platform = Simulator::start(loadtest::platform::Settings::default())?;
        let mut hub = Hub::launch(setup(&platform).store_url(database.url())).await?;
        // From another machine: the data folder says nothing.
        let other = Hub::prepare(setup(&platform).store_url(database.url())).await?;
        let error = other.run(&["migrate", "down", "--yes"], &[]).await.err().context("it was done")?.to_string();
        ensure!(error.contains("a hub runs on this database"), "{error}");
        goes_back_only_alone(&mut hub).await
    })
    .await
}

#[tokio::test]
async fn a_hub_is_ready_only_on_tables_of_its_own_version() -> Result<()> {
    let platform = Simulator::start(loadtest::platform::Settings::default())?;
    let hub = Hub::launch(setup(&platform)).await?;
    let url = format!("sqlite://{}", hub.data_dir().join("store.sqlite3").display());
    let store = Store::open(&url, 1, PATIENCE, Vault::new([0; 32])).await?;
    let ready = async || -> Result<(StatusCode, Value)> {
        let answer = hub.http().get(hub.telemetry_url("/ready")).send().await?;
        Ok((answer.status(), answer.json().await?))
    };
    let (status, body) = ready().await?;
    let version = body["schema"]["version"].as_str().context("no version")?.to_owned();
    ensure!(status == StatusCode::OK && body["schema"]["pending"] == 0, "{body}");
    let name = store.revert(1).await?.remove(0);
    ensure!(name.replace('-', "").starts_with(&version), "{version} is not of {name}");
    let waits = async |wanted: StatusCode| {
        until("readiness", PATIENCE, || async {
            let (status, body) = ready().await?;
            Ok(if status == wanted { Ok(body) } else { Err(body.to_string()) })
        })
        .await
    };
    let body = waits(StatusCode::SERVICE_UNAVAILABLE).await?;
    until("word to the load balancer", PATIENCE, || async {
        Ok(if hub.is_ready().await { Err("it is ready".to_owned()) } else { Ok(()) })
    })
    .await?;
    ensure!(body["missing"] == serde_json::json!(["schema"]) && body["schema"]["pending"] == 1, "{body}");
    store.migrate().await?;
    waits(StatusCode::OK).await?;
    Ok(())
}
