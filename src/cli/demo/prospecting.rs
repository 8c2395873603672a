//! A campaign that runs while one looks: businesses are found, their websites are read, and a simulated CRM gets what comes of
//! it.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use loadtest::platform::{Answer, NameServer, Receiver, Town};
use reqwest::{Client, Method, header};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::cast::{Cast, DemoLogin};
use crate::{
    config::{self, Settings},
    domain::{AccountId, clock},
    platforms,
};

/// Businesses that the campaign finds, and how many at once.
const BUSINESSES: u32 = 48;
const FOUND_AT_ONCE: usize = 4;
const CRM: &str = "The simulated CRM";
/// Of webhooks to the CRM one in so many fails at first.
const FAILS: usize = 7;
/// For a request to a website: so much that the campaign passes a threshold.
const WEBSITE_COST: f64 = 0.08;
/// Where the simulated websites, and the CRM, are.
const NETWORK: &str = "127.0.0.0/8";

/// Runs until it is dropped.
pub(super) struct Prospecting {
    town: Town,
    names: NameServer,
    crm: Receiver,
}

impl Prospecting {
    /// Opens the websites.
    pub(super) fn start() -> anyhow::Result<Self> {
        let town = Town::open(BUSINESSES).context("the simulated websites can't be opened")?;
        let crm = Receiver::start()?;
        let answers = (1..500).map(|number| Answer::of(if number % FAILS == 0 { 503 } else { 200 }));
        crm.answer("/crm", answers);
        Ok(Self { town, names: NameServer::start()?, crm })
    }

    /// What the hub must know of them.
    pub(super) fn configure(&self, settings: &mut Settings) -> anyhow::Result<()> {
        let network = || NETWORK.parse().map_err(|_| anyhow::anyhow!("{NETWORK} is no network"));
        settings.outbox.allow_private = vec![network()?];
        let config::Prospecting { allow_private, nameserver, website_cost, .. } = &mut settings.prospecting;
        *allow_private = vec![network()?];
        *nameserver = Some(self.names.address());
        *website_cost = WEBSITE_COST;
        Ok(())
    }

    /// Makes the campaign as a person would, and finds businesses for it.
    pub(super) async fn flow(self, address: SocketAddr, cast: Cast) {
        if let Err(error) = self.run(address, &cast).await {
            tracing::warn!(error = format!("{error:#}"), "the demo's campaign could not be made");
        }
        // The websites are visited, and the CRM gets webhooks, as long as the hub runs.
        std::future::pending::<()>().await;
    }

    async fn run(&self, address: SocketAddr, cast: &Cast) -> anyhow::Result<()> {
        sleep(Duration::from_secs(5)).await;
        let person = Person::sign_in(address, &cast.logins[0]).await?;
        self.connect_crm(&person).await?;
        let account: AccountId = cast.prospecting;
        let name = format!("Businesses of San Diego, {}", clock::now().format("%d %B, %H:%M"));
        let campaign = json!({
            "account_id": account, "name": name, "search_query": "local businesses", "location": "San Diego, CA",
            "business_type": "local_business", "target_count": BUSINESSES, "budget_limit": 50,
        });
        let made = person.ask(Method::POST, "/api/campaigns", campaign).await?;
        let id = made["campaign"]["id"].as_str().context("the campaign has no id")?;
        person.ask(Method::POST, &format!("/api/campaigns/{id}/start"), json!({})).await?;
        for found in self.town.businesses().chunks(FOUND_AT_ONCE) {
            let listings: Vec<Value> = found.iter().map(loadtest::platform::Business::listing).collect();
            let prospects = json!({"account_id": account, "campaign_id": id, "prospects": listings});
            person.ask(Method::POST, "/api/prospects", prospects).await?;
            sleep(Duration::from_millis(2500)).await;
        }
        Ok(())
    }

    /// It has another port after each start.
    async fn connect_crm(&self, person: &Person) -> anyhow::Result<()> {
        let url = self.crm.url("/crm");
        let known = person.ask(Method::GET, "/api/endpoints", Value::Null).await?;
        let mut known = known["items"].as_array().into_iter().flatten();
        if let Some(crm) = known.find(|endpoint| endpoint["description"] == CRM) {
            let path = format!("/api/endpoints/{}", crm["id"].as_str().unwrap_or_default());
            person.ask(Method::PUT, &path, json!({"url": url, "enabled": true})).await?;
            return Ok(());
        }
        let types = ["lead_enrichment", "lead_status_update", "campaign_lifecycle", "cost_alert"];
        let endpoint = json!({"url": url, "description": CRM, "types": types});
        person.ask(Method::POST, "/api/endpoints", endpoint).await?;
        Ok(())
    }
}

/// Somebody who has signed in.
struct Person {
    client: Client,
    address: SocketAddr,
    token: String,
}

impl Person {
    async fn sign_in(address: SocketAddr, login: &DemoLogin) -> anyhow::Result<Self> {
        let client = platforms::http::client(super::PATIENCE)?;
        let body = json!({"email": login.email, "password": login.password.expose_secret()});
        let answer = client.post(format!("http://{address}/api/login")).json(&body).send().await?.error_for_status()?;
        let cookie = answer.headers().get(header::SET_COOKIE).context("no cookie")?.to_str()?;
        // Cookies are for pages; programs show what is in them.
        let token = cookie.split(';').next().and_then(|cookie| cookie.split_once('=')).context("an empty cookie")?.1;
        Ok(Self { client, address, token: token.to_owned() })
    }

    async fn ask(&self, method: Method, path: &str, body: Value) -> anyhow::Result<Value> {
        let request = self.client.request(method, format!("http://{}{path}", self.address));
        let answer = request.bearer_auth(&self.token).json(&body).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        anyhow::ensure!(status.is_success(), "{path}: {status} {text}");
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }
}
