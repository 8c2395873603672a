//! What a hub leans on goes away and comes back: the database, and the disk.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use leadwire::domain::clock;
use loadtest::{
    client::Socket,
    fault::{Mode, Proxy},
    hub::{APP_SECRET, Hub, Setup},
    platform::{Settings, Simulator, meta::post},
};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{House, PATIENCE, binary, left_out, next_lead, postgres, setup, until};

/// From posting a lead until it is acknowledged and pushed. The same with and without a database: far below the
/// time-outs of the store, far above what a busy machine takes.
const PUSHED_WITHIN: Duration = Duration::from_secs(3);

#[tokio::test]
async fn leads_are_pushed_as_fast_while_postgresql_is_away_and_stored_when_it_is_back() -> Result<()> {
    postgres::with_database(|database| async move {
        let line = Proxy::start(database.address())?;
        let url = database.through(line.address());
        let house = House::open_with(|setup| setup.store_url(&url)).await?;
        let mut session = house.session(0).await?;
        let mut sent = push_some(&house, &mut session).await?;
        house.has_stored(0, &sent).await?;

        line.set(Mode::Refuse);
        for _ in 0..3 {
            sent.extend(push_some(&house, &mut session).await?);
        }
        ensure!(house.hub.is_ready().await, "a hub whose store is away goes on working");
        until("the persister's failures", PATIENCE, || async {
            let failures = house.hub.metric("leadwire_store_failures_total").await?;
            Ok(if failures > 0.0 { Ok(()) } else { Err("none".to_owned()) })
        })
        .await?;
        ensure!(house.get(0, "/api/leads").await?.status() == StatusCode::SERVICE_UNAVAILABLE);
        sent.extend(push_some(&house, &mut session).await?);

        line.set(Mode::Pass);
        house.has_stored(0, &sent).await?;
        sent.extend(push_some(&house, &mut session).await?);
        house.has_stored(0, &sent).await
    })
    .await
}

#[tokio::test]
async fn leads_are_pushed_as_fast_while_the_embedded_database_is_locked_and_stored_when_it_is_free() -> Result<()> {
    let house = House::open_with(|setup| setup.set("store.timeout", "300ms")).await?;
    let mut session = house.session(0).await?;
    let mut sent = push_some(&house, &mut session).await?;
    house.has_stored(0, &sent).await?;

    let mut other = SqliteConnection::establish(&house.hub.data_dir().join("store.sqlite3").to_string_lossy())?;
    other.batch_execute("PRAGMA busy_timeout = 10000; BEGIN IMMEDIATE")?;
    for _ in 0..3 {
        sent.extend(push_some(&house, &mut session).await?);
    }
    until("the persister's failures", PATIENCE, || async {
        let failures = house.hub.metric("leadwire_store_failures_total").await?;
        Ok(if failures > 0.0 { Ok(()) } else { Err("none".to_owned()) })
    })
    .await?;
    other.batch_execute("ROLLBACK")?;

    house.has_stored(0, &sent).await
}

#[tokio::test]
async fn what_waits_for_the_database_outlives_a_crash_of_the_hub() -> Result<()> {
    postgres::with_database(|database| async move {
        let line = Proxy::start(database.address())?;
        let url = database.through(line.address());
        let mut house = House::open_with(|setup| setup.store_url(&url)).await?;
        let mut session = house.session(0).await?;
        line.set(Mode::Refuse);
        let mut sent = push_some(&house, &mut session).await?;
        house.hub.kill().await?;
        line.set(Mode::Pass);
        house.hub.start().await?;
        let mut session = house.session(0).await?;
        let last = house.lead(0, "After").await?;
        // The newest before the crash may come again: pushed it was, but that was perhaps not yet noted.
        let mut pushed = next_lead(&mut session).await?;
        if Some(&pushed) == sent.last() {
            pushed = next_lead(&mut session).await?;
        }
        ensure!(pushed == last, "a lead from long before the crash was pushed again");
        sent.push(last);
        house.has_stored(0, &sent).await
    })
    .await
}

#[tokio::test]
async fn a_hub_whose_database_is_away_at_the_start_refuses_until_it_is_there() -> Result<()> {
    postgres::with_database(|database| async move {
        let line = Proxy::start(database.address())?;
        let url = database.through(line.address());
        let mut house = House::open_with(|setup| setup.store_url(&url).patience(Duration::from_millis(1500))).await?;
        house.hub.stop().await?;
        line.set(Mode::Refuse);
        let refused = house.hub.start().await.err().context("it was ready without knowing who is who")?;
        ensure!(refused.to_string().contains("not ready"), "{refused}");

        line.set(Mode::Pass);
        house.hub.start().await?;
        let mut session = house.session(0).await?;
        let sent = push_some(&house, &mut session).await?;
        house.has_stored(0, &sent).await
    })
    .await
}

#[tokio::test]
async fn a_lead_that_is_read_while_the_embedded_database_is_locked_is_marked_with_that_time_later() -> Result<()> {
    let house = House::open_with(|setup| setup.set("store.timeout", "300ms")).await?;
    let mut other = SqliteConnection::establish(&house.hub.data_dir().join("store.sqlite3").to_string_lossy())?;
    other.batch_execute("PRAGMA busy_timeout = 10000; BEGIN IMMEDIATE")?;
    read_while_away(&house, || Ok(other.batch_execute("ROLLBACK")?)).await
}

#[tokio::test]
async fn a_lead_that_is_read_while_postgresql_is_away_is_marked_with_that_time_later() -> Result<()> {
    postgres::with_database(|database| async move {
        let line = Proxy::start(database.address())?;
        let url = database.through(line.address());
        let house = House::open_with(|setup| setup.store_url(&url)).await?;
        line.set(Mode::Refuse);
        let back = || {
            line.set(Mode::Pass);
            Ok(())
        };
        read_while_away(&house, back).await
    })
    .await
}

/// A lead is pushed and read before it can be stored; then the database comes back.
async fn read_while_away(house: &House, back: impl FnOnce() -> Result<()>) -> Result<()> {
    let mut session = house.session(0).await?;
    let id = house.lead(0, "Early").await?;
    let envelope = session.next_of("new_lead", PATIENCE).await?;
    let (room, position) = (&envelope["room"], &envelope["position"]);
    session.send(&json!({"type": "ack", "ref": 7, "room": room, "position": position, "read": true})).await?;
    let reply = loop {
        let reply = session.next_of("reply", PATIENCE).await?;
        if reply["ref"] == 7 {
            break reply;
        }
    };
    ensure!(reply["ok"] == true, "{reply}");
    until("the store's failures", PATIENCE, || async {
        let failures = house.hub.metric("leadwire_store_failures_total").await?;
        Ok(if failures > 0.0 { Ok(()) } else { Err("none".to_owned()) })
    })
    .await?;
    let returned = clock::rfc3339(clock::now());
    back()?;
    house.has_stored(0, &[id]).await?;
    let seen = until("first_seen_at", PATIENCE, || async {
        let leads: Value = house.get(0, "/api/leads").await?.json().await?;
        let seen = leads["data"][0]["first_seen_at"].as_str().map(str::to_owned);
        Ok(seen.ok_or_else(|| leads.to_string()))
    })
    .await?;
    ensure!(seen < returned, "the time of the ack, not of the database's return: {seen}, {returned}");
    Ok(())
}

/// Posts leads one after the other; each is acknowledged and pushed in time.
async fn push_some(house: &House, session: &mut Socket) -> Result<Vec<u64>> {
    let mut sent = Vec::new();
    for number in 0..10 {
        let began = Instant::now();
        let id = house.lead(0, &format!("Person {number}")).await?;
        ensure!(next_lead(session).await? == id, "another lead was pushed");
        ensure!(began.elapsed() < PUSHED_WITHIN, "pushed only after {:?}", began.elapsed());
        sent.push(id);
    }
    Ok(sent)
}

/// A disk that is full is played by a limit on the size of files: the inbox can't grow.
#[tokio::test]
async fn a_full_disk_refuses_webhooks_and_they_are_accepted_when_there_is_room_again() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("leadwire");
    // Without the trap the system ends a process that goes over the limit. Half a KiB each, at least.
    let text = format!("#!/bin/sh\ntrap '' XFSZ\nulimit -S -f 12000 || exit 1\nexec '{}' \"$@\"\n", binary().display());
    fs::write(&script, text)?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    if Command::new("prlimit").arg("--version").output().is_err() {
        left_out("there is no prlimit to give the hub room again");
        return Ok(());
    }
    let platform = Simulator::start(Settings::default())?;
    let _ = setup(&platform);
    let mut hub = Hub::prepare(Setup::new(&script).graph_url(&platform.url())).await?;
    hub.start().await?;

    let (mut kept, mut refused) = (BTreeSet::new(), 0);
    for number in 0..40 {
        let answer = post(hub.http(), &hub.url("/webhook"), large_body(number), APP_SECRET).await?;
        match answer.status() {
            StatusCode::OK => {
                kept.insert(number);
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                ensure!(answer.headers().contains_key("retry-after"), "no Retry-After");
                refused += 1;
            }
            other => anyhow::bail!("a full disk was answered with {other}"),
        }
    }
    ensure!(refused > 10 && !kept.is_empty(), "{} were kept and {refused} refused", kept.len());
    let health = hub.http().get(hub.url("/health")).send().await?;
    ensure!(health.status() == StatusCode::OK, "it is alive all the same");

    let pid = hub.pid().context("it does not run")?.to_string();
    let relief = Command::new("prlimit").args(["--pid", &pid, "--fsize=unlimited"]).output()?;
    if !relief.status.success() {
        let relief = Command::new("prlimit").args(["--pid", &pid, "--fsize=unlimited:"]).output()?;
        ensure!(relief.status.success(), "{}", String::from_utf8_lossy(&relief.stderr));
    }
    let answer = post(hub.http(), &hub.url("/webhook"), large_body(1000), APP_SECRET).await?;
    ensure!(answer.status() == StatusCode::OK, "there is room again, and it got {}", answer.status());
    kept.insert(1000);
    hub.stop().await?;

    let recorded = bodies(&hub)?;
    ensure!(recorded == kept, "kept {recorded:?}, acknowledged {kept:?}");
    Ok(())
}

/// About half a MiB that is no JSON: kept as a record.
fn large_body(number: usize) -> String {
    format!("{number} {}", "x".repeat(512 * 1024))
}

/// The numbers of the bodies that the inbox holds.
fn bodies(hub: &Hub) -> Result<BTreeSet<usize>> {
    use diesel::{QueryableByName, RunQueryDsl, sql_query, sql_types::Binary};
    #[derive(QueryableByName)]
    struct Delivery {
        #[diesel(sql_type = Binary)]
        body: Vec<u8>,
    }
    let file = hub.data_dir().join("inbox.sqlite3");
    let mut connection = SqliteConnection::establish(&file.to_string_lossy())?;
    let rows: Vec<Delivery> = sql_query("SELECT substr(body, 1, 20) AS body FROM deliveries").load(&mut connection)?;
    let number = |row: Delivery| {
        let text = String::from_utf8(row.body)?;
        Ok(text.split(' ').next().context("no number")?.parse()?)
    };
    rows.into_iter().map(number).collect()
}
