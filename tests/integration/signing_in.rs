//! The ways to sign in, and what ends a login, on a hub that runs.

use std::net::SocketAddr;

use jsonwebtoken::{EncodingKey, Header};
use leadwire::domain::clock;
use loadtest::hub::{Hub, PASSWORD, Setup};
use reqwest::StatusCode;
use serde_json::{Value, json};
use thirtyfour::prelude::*;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::support::{
    PATIENCE, binary,
    browser::{Browser, Driver, chromedriver},
    until,
};

const ISS: &str = "https://id.harbor.example";
const SHARED: &str = "a secret that the agency shares with the hub";

/// A hub with one agency, one account and one agent.
struct Harbor {
    hub: Hub,
    agency: String,
    user: String,
}

impl Harbor {
    async fn open() -> Self {
        Self::open_with(|setup| setup).await
    }

    async fn open_with(change: impl FnOnce(Setup) -> Setup) -> Self {
        let mut hub = Hub::prepare(change(Setup::new(binary()))).await.unwrap();
        let agency = hub.add_agency("Harbor").await.unwrap();
        let account = hub.add_account(&agency, "Bakery").await.unwrap();
        let user = hub.add_user(&agency, "ada@harbor.example", "Ada", &[(&account, "agent")]).await.unwrap();
        hub.start().await.unwrap();
        Self { hub, agency, user }
    }

    async fn status_of(&self, token: &str) -> StatusCode {
        self.hub.http().get(self.hub.url("/api/me")).bearer_auth(token).send().await.unwrap().status()
    }

    async fn until_answered(&self, token: &str, status: u16) {
        let what = format!("/api/me answers {status}");
        let answered = until(&what, PATIENCE, || async {
            let now = self.status_of(token).await;
            Ok(if now == status { Ok(()) } else { Err(now.to_string()) })
        });
        answered.await.unwrap();
    }
}

#[tokio::test]
async fn a_token_made_of_an_issuers_token_ends_within_moments_when_the_issuer_is_removed() {
    let harbor = Harbor::open().await;
    let add = ["issuer", "add", "--agency", &harbor.agency, "--iss", ISS];
    let issuer = harbor.hub.run(&add, &[("LEADWIRE_ISSUER_SECRET", SHARED)]).await.unwrap();
    let now = clock::now().timestamp();
    let claims = json!({"iss": ISS, "sub": harbor.user, "iat": now, "exp": now + 3600});
    let key = EncodingKey::from_secret(SHARED.as_bytes()).unwrap();
    let token = jsonwebtoken::encode(&Header::default(), &claims, &key).unwrap();
    harbor.until_answered(&token, 200).await;
    let answer = harbor.hub.http().post(harbor.hub.url("/api/token")).bearer_auth(&token).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    let derived = answer["token"].as_str().unwrap();
    assert_eq!(harbor.status_of(derived).await, 200);

    harbor.hub.run(&["issuer", "remove", &issuer], &[]).await.unwrap();
    harbor.until_answered(&token, 401).await;
    assert_eq!(harbor.status_of(derived).await, 401);
}

#[tokio::test]
async fn an_issuer_that_publishes_its_keys_is_not_added_without_an_audience() {
    let harbor = Harbor::open().await;
    let add = ["issuer", "add", "--agency", &harbor.agency, "--iss", ISS, "--jwks", "https://id.harbor.example/keys"];
    let refused = harbor.hub.run(&add, &[]).await.unwrap_err().to_string();
    assert!(refused.contains("--audience is missing") && refused.contains("client id"), "{refused}");
    harbor.hub.run(&[&add[..], &["--audience", "ours"]].concat(), &[]).await.unwrap();
    let other = harbor.hub.add_agency("Meadow").await.unwrap();
    let add = [&["issuer", "add", "--agency", &other], &add[4..], &["--audience", "theirs", "--trust-email"]].concat();
    harbor.hub.run(&add, &[]).await.unwrap();
    let listed = harbor.hub.run(&["issuer", "list"], &[]).await.unwrap();
    assert!(listed.contains("ours") && listed.contains("theirs") && listed.contains("trusted"), "{listed}");
}

/// A proxy that passes its own idea of `Host` on, as nginx does unless it is told otherwise.
async fn proxy_without_host(hub: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (from, to) = (format!("Host: {address}\r\n"), format!("Host: {hub}\r\n"));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(hub).await.unwrap();
            let (mut asks, mut is_told) = client.into_split();
            let (mut answers, mut hears) = server.into_split();
            tokio::spawn(async move { tokio::io::copy(&mut answers, &mut is_told).await });
            let (from, to) = (from.clone(), to.clone());
            tokio::spawn(async move {
                let mut buffer = vec![0; 64 * 1024];
                while let Ok(count @ 1..) = asks.read(&mut buffer).await {
                    // What a WebSocket sends is masked, and no head.
                    let head = buffer[..count].windows(from.len()).position(|part| part == from.as_bytes());
                    let rest = head.map_or(0, |at| at + from.len());
                    let _ = hears.write_all(&buffer[..head.unwrap_or(0)]).await;
                    let _ = hears.write_all(head.map_or(&b""[..], |_| to.as_bytes())).await;
                    let _ = hears.write_all(&buffer[rest..count]).await;
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn behind_a_proxy_that_passes_no_host_on_the_page_says_what_is_wrong_and_throws_nobody_out() -> WebDriverResult<()>
{
    let Some(program) = chromedriver() else { return Ok(()) };
    let harbor = Harbor::open_with(|setup| setup.set("server.public_url", "").set("realtime.auth_timeout", "1s")).await;
    let address = proxy_without_host(harbor.hub.address()).await;
    let driver = Driver::start(&program).await.unwrap();
    let browser = Browser::open(&driver, &format!("http://{address}/")).await.unwrap();
    browser.find("input[name=email]").await.unwrap().send_keys("ada@harbor.example").await?;
    browser.find("input[name=password]").await.unwrap().send_keys(PASSWORD).await?;
    browser.find("button[type=submit]").await.unwrap().click().await?;
    let notice = browser.find(".misplaced").await.unwrap().text().await?;
    for said in ["No live updates", &address.to_string(), "server.public_url", "Host"] {
        assert!(notice.contains(said), "{notice}");
    }
    // It has stopped there: it neither goes back to the login nor comes again and again.
    browser.find_text(".connection-word", "Not live").await.unwrap();
    browser.find(".list[aria-busy=false]").await.unwrap();
    let closed = harbor.hub.metric("leadwire_closed_sessions_total").await.unwrap();
    assert!((closed - 1.0).abs() < 0.5, "{closed}");
    browser.close().await.unwrap();
    Ok(())
}

#[tokio::test]
async fn where_the_public_address_is_https_the_cookie_is_for_https_and_this_host_alone() {
    let harbor = Harbor::open_with(|setup| setup.set("server.public_url", "https://leads.example")).await;
    let login = json!({"email": "ada@harbor.example", "password": PASSWORD});
    let answer = harbor.hub.http().post(harbor.hub.url("/api/login")).json(&login).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let cookies: Vec<_> = answer.headers().get_all("set-cookie").iter().map(|line| line.to_str().unwrap()).collect();
    let session = cookies.iter().find(|line| line.starts_with("__Host-leadwire_session=")).unwrap();
    assert!(session.contains("Secure") && session.contains("Path=/") && session.contains("HttpOnly"), "{session}");
    let token = session.split_once('=').unwrap().1.split(';').next().unwrap();
    let me = |name: &str| {
        let request = harbor.hub.http().get(harbor.hub.url("/api/me"));
        request.header("cookie", format!("{name}={token}")).send()
    };
    assert_eq!(me("__Host-leadwire_session").await.unwrap().status(), 200);
    assert_eq!(me("leadwire_session").await.unwrap().status(), 401, "a neighbour may have planted it");
}

#[tokio::test]
async fn wrong_passwords_from_elsewhere_keep_nobody_out_and_a_lock_out_stands_in_the_log() {
    let change =
        |setup: Setup| setup.set("server.trusted_proxies", json!(["127.0.0.1/32"])).set("auth.login_attempts", 2);
    let harbor = Harbor::open_with(change).await;
    let login = async |password: &str, from: &str| {
        let login = json!({"email": "ada@harbor.example", "password": password});
        let request = harbor.hub.http().post(harbor.hub.url("/api/login")).header("x-forwarded-for", from);
        request.json(&login).send().await.unwrap()
    };
    for status in [401, 401, 429, 429] {
        assert_eq!(login("wrong", "203.0.113.66").await.status(), status);
    }
    let waits = login(PASSWORD, "203.0.113.66").await;
    assert!(waits.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap() > 0);
    let problem: Value = waits.json().await.unwrap();
    assert!(problem["detail"].as_str().unwrap().contains("from this network"), "{problem}");
    assert_eq!(login(PASSWORD, "203.0.113.77").await.status(), 200);
    let log = harbor.hub.log_tail(100);
    let lines: Vec<_> = log.lines().filter(|line| line.contains("too many have failed before")).collect();
    assert_eq!(lines.len(), 3, "{log}");
    assert!(lines[0].contains("203.0.113.66") && lines[0].contains(&harbor.user), "{log}");
    assert!(!log.contains("ada@harbor.example"), "{log}");
}
