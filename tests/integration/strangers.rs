//! What strangers and guessers get, and that it costs the others nothing.

use std::net::Ipv4Addr;

use anyhow::{Context, Result, ensure};
use loadtest::{
    hub::APP_SECRET,
    platform::meta::{Webhook, post, sign},
};
use reqwest::{Client, Response, StatusCode, header::RETRY_AFTER};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{House, PATIENCE};

const MIB: usize = 1024 * 1024;
const LEADS: &str = "/api/webhooks/lead-enrichment";

/// A client at another address of this machine, which nobody knows.
fn stranger(last: u8) -> Result<Client> {
    let address = Ipv4Addr::new(127, 0, 0, last);
    Ok(Client::builder().no_proxy().local_address(Some(address.into())).timeout(PATIENCE).build()?)
}

async fn guess(house: &House, client: &Client) -> Result<Response> {
    Ok(post(client, &house.hub.url("/webhook"), "{}", "a guess").await?)
}

fn padded(size: usize) -> String {
    Webhook::new(1_795_000_000).body().replacen('{', &format!("{{\"padding\":\"{}\",", "x".repeat(size)), 1)
}

/// The head of a webhook whose body is announced, and does not come.
async fn begun(house: &House, path: &str, length: usize, header: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(house.hub.address()).await?;
    let head = format!("POST {path} HTTP/1.1\r\nhost: hub\r\ncontent-length: {length}\r\n{header}\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    Ok(stream)
}

#[tokio::test]
async fn half_bodies_of_anybody_hold_up_no_authentic_webhook() -> Result<()> {
    let house = House::open().await?;
    let signature = format!("x-hub-signature-256: sha256={}", "0".repeat(64));
    let mut halves = Vec::new();
    for _ in 0..40 {
        let mut half = begun(&house, "/webhook", 4 * MIB, &signature).await?;
        // One that had to make room for others is cut off.
        let _ = half.write_all(&vec![b' '; 4 * MIB - 1]).await;
        halves.push(half);
    }
    // Nobody knows the sender of the first.
    for number in 0..50 {
        house.lead(0, &format!("Person {number}")).await?;
    }
    house.accepted(padded(3 * MIB)).await?;
    // Those of senders who are known are no better.
    for _ in 0..40 {
        let mut half = begun(&house, "/webhook", 4 * MIB, &signature).await?;
        let _ = half.write_all(&vec![b' '; 4 * MIB - 1]).await;
        halves.push(half);
    }
    for number in 0..50 {
        house.lead(1, &format!("Person {number}")).await?;
    }
    house.accepted(padded(3 * MIB)).await?;
    ensure!(house.hub.metric("leadwire_inbox_receiving_bytes").await? <= 67_108_864.0);
    Ok(())
}

#[tokio::test]
async fn a_secret_that_is_wrong_is_refused_before_the_body_comes() -> Result<()> {
    let house = House::open().await?;
    for (path, header) in [
        (LEADS, "authorization: Bearer wrong"),
        (LEADS, "x-nothing: at all"),
        ("/api/webhooks/unipile/messages", "unipile-auth: wrong"),
        ("/webhook", "x-hub-signature-256: sha256=no"),
    ] {
        let mut stream = begun(&house, path, MIB, header).await?;
        let mut answer = vec![0; 12];
        tokio::time::timeout(PATIENCE, stream.read_exact(&mut answer)).await??;
        let wanted = if path == "/webhook" { "HTTP/1.1 403" } else { "HTTP/1.1 401" };
        ensure!(answer == wanted.as_bytes(), "{path} {header}: {}", String::from_utf8_lossy(&answer));
    }
    Ok(())
}

#[tokio::test]
async fn wrong_secrets_are_throttled_by_address_and_right_ones_never() -> Result<()> {
    let house = House::open_with(|setup| {
        setup
            .set("inbox.failures_per_minute", 5)
            .set("prospecting.tokens", json!(["the-token-of-all-of-the-hubs-databases"]))
    })
    .await?;
    let (guesser, other) = (stranger(2)?, stranger(3)?);
    for _ in 0..5 {
        ensure!(guess(&house, &guesser).await?.status() == StatusCode::FORBIDDEN);
    }
    let refused = guess(&house, &guesser).await?;
    ensure!(refused.status() == StatusCode::TOO_MANY_REQUESTS, "{}", refused.status());
    let wait: u64 = refused.headers().get(RETRY_AFTER).context("no Retry-After")?.to_str()?.parse()?;
    ensure!((1..=60).contains(&wait), "{wait}");
    let bearer = |token: &str| guesser.post(house.hub.url(LEADS)).bearer_auth(token).body("{}").send();
    ensure!(bearer("wrong").await?.status() == StatusCode::TOO_MANY_REQUESTS);
    ensure!(guess(&house, &other).await?.status() == StatusCode::FORBIDDEN, "others are counted apart");

    // Who fails too often and is unknown is not read far.
    let (url, large) = (house.hub.url("/webhook"), padded(100 * 1024));
    let first = post(&guesser, &url, large.clone(), APP_SECRET).await;
    ensure!(first.is_err() || first?.status() == StatusCode::TOO_MANY_REQUESTS);
    // A platform may be behind the same proxy: what is right is taken, and makes it known.
    ensure!(bearer("the-token-of-all-of-the-hubs-databases").await?.status() == StatusCode::BAD_REQUEST, "incomplete");
    ensure!(post(&guesser, &url, Webhook::new(1_795_000_000).body(), APP_SECRET).await?.status() == StatusCode::OK);
    ensure!(post(&guesser, &url, large, APP_SECRET).await?.status() == StatusCode::OK);
    ensure!(guess(&house, &guesser).await?.status() == StatusCode::TOO_MANY_REQUESTS);
    Ok(())
}

#[tokio::test]
async fn a_storm_of_wrong_signatures_is_counted_and_logged_in_a_few_lines() -> Result<()> {
    let house = House::open().await?;
    let (began, client) = (std::time::Instant::now(), stranger(2)?);
    for _ in 0..500 {
        guess(&house, &client).await?;
    }
    let seconds = usize::try_from(began.elapsed().as_secs())? + 1;
    ensure!(house.hub.metric("leadwire_webhooks_total").await? >= 500.0);
    let log = house.hub.log_tail(100_000);
    let lines = log.lines().filter(|line| line.contains("webhook refused")).count();
    ensure!((1..=2 * seconds).contains(&lines), "{lines} lines in {seconds} s");
    ensure!(log.contains("127.0.0.2"), "where they come from");
    house.lead(0, "Still here").await.map(drop)
}

#[tokio::test]
async fn what_could_be_guessed_opens_nothing_new_and_is_named_at_the_start() -> Result<()> {
    let tokens = ["WEBHOOK_AUTH_TOKEN", "PERSONAL_ACCESS_TOKEN"];
    let environment = tokens.map(|name| (name.to_owned(), format!("the value of the variable {name}").into()));
    let mut house =
        House::open_with(|setup| setup.environment(environment).set("prospecting.tokens", json!(["short"]))).await?;
    let (tenant, hub) = (&house.tenants[0], &house.hub);
    let secret = "x".repeat(31);
    let secret = secret.as_str();
    let refused = [
        hub.add_unipile(&tenant.account, "unipile", secret).await,
        hub.add_prospecting(&tenant.account, secret).await,
        hub.add_own_app_source(&tenant.account, 303, "token", secret, "verify").await,
        hub.add_prospecting(&tenant.account, &"x".repeat(513)).await,
    ];
    for refused in refused {
        let error = refused.err().context("a secret of another length was taken")?.to_string();
        ensure!(error.contains("32 to 512 characters"), "{error}");
    }
    let source = hub.add_unipile(&tenant.account, "unipile", &"x".repeat(32)).await?;
    let shorter = hub.run(&["source", "set-app-secret", &source], &[("LEADWIRE_APP_SECRET", secret)]).await;
    ensure!(shorter.is_err_and(|error| error.to_string().contains("32 to 512")));
    ensure!(hub.log_tail(1000).contains("prospecting.tokens"), "a short token is named at the start");

    let opens = async |house: &House, name: &str| {
        let request =
            house.hub.http().post(house.hub.url(LEADS)).bearer_auth(format!("the value of the variable {name}"));
        anyhow::Ok(request.body("{}").send().await?.status() != StatusCode::UNAUTHORIZED)
    };
    ensure!(opens(&house, tokens[0]).await? && !opens(&house, tokens[1]).await?);
    house.hub.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_webhook_is_kept_with_its_clients_address_not_the_proxys() -> Result<()> {
    use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query, sql_types::Text};
    #[derive(QueryableByName)]
    struct Delivery {
        #[diesel(sql_type = Text)]
        remote: String,
    }
    let house = House::open_with(|setup| setup.set("server.trusted_proxies", json!(["127.0.0.1/32"]))).await?;
    let body = Webhook::new(1_795_000_000).body();
    let request =
        house.hub.http().post(house.hub.url("/webhook")).header("x-hub-signature-256", sign(&body, APP_SECRET));
    let answer = request.header("x-forwarded-for", "198.51.100.7, 203.0.113.9").body(body).send().await?;
    ensure!(answer.status() == StatusCode::OK);
    let mut inbox = SqliteConnection::establish(&house.hub.data_dir().join("inbox.sqlite3").to_string_lossy())?;
    let kept: Vec<Delivery> = sql_query("SELECT remote FROM deliveries").load(&mut inbox)?;
    ensure!(kept.len() == 1 && kept[0].remote == "203.0.113.9");
    Ok(())
}
