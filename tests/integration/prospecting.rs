//! Prospects from the API through their stages to dashboards and the database; with a site and a name server of the test's
//! own.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use leadwire::{
    config::Settings,
    domain::clock,
    platforms::mail::{Mail, MailDomains},
};
use loadtest::{
    client::Socket,
    hub::{Setup, Tenant},
    platform::{Lead, NameServer, meta::Webhook},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::{net::UdpSocket, process::Command};

use crate::support::{House, PATIENCE, postgres, site::Site, until};

const STAGES: [&str; 4] = ["pre_validation", "discovery", "validation", "scoring"];

const PAGES: &[(&str, &str)] = &[
    (
        "/",
        r#"<h1>Harbor Grill</h1><a href="mailto:info@null.example">Write</a>
        <script type="application/ld+json">{"founder":{"name":"Ann Lee","jobTitle":"Owner"}}</script>"#,
    ),
    ("/contact", "Ann: ann@harbor.example, or call (619) 867-5309"),
];

fn settings(name_server: std::net::SocketAddr) -> impl Fn(Setup) -> Setup {
    move |setup| {
        setup
            .set("prospecting.allow_private", json!(["127.0.0.0/8"]))
            .set("prospecting.nameserver", name_server.to_string())
            .set("prospecting.host_pause", "0s")
            .set("prospecting.dns_timeout", "2s")
            .set("prospecting.stage_timeout", "5s")
            .set("prospecting.lease", "6s")
            .set("prospecting.sweep_interval", "200ms")
    }
}

impl House {
    async fn ask_prospects(&self, tenant: usize, method: Method, path: &str, body: Value) -> Result<Value> {
        let request = self.hub.http().request(method, self.hub.url(&format!("/api/prospects{path}")));
        let answer = request.bearer_auth(&self.tenants[tenant].token).json(&body).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "{path}: {status} {text}");
        Ok(serde_json::from_str(&text)?)
    }

    /// A campaign that has not begun; its id.
    async fn pending_campaign(&self) -> Result<String> {
        let request = self.hub.http().post(self.hub.url("/api/campaigns")).bearer_auth(&self.tenants[0].token);
        let made = request.json(&json!({"name": "Written"})).send().await?.error_for_status()?;
        Ok(made.json::<Value>().await?["campaign"]["id"].as_str().context("no id")?.to_owned())
    }

    /// Waits until the tenant's two prospects were found to be known too little.
    async fn both_are_filtered(&self) -> Result<()> {
        until("the end of both", PATIENCE, || async {
            let known = self.ask_prospects(0, Method::GET, "", Value::Null).await?;
            let filtered = |item: &&Value| item["status"] == "pre-validation-filtered";
            let done = known["items"].as_array().map_or(0, |items| items.iter().filter(filtered).count());
            Ok(if done == 2 { Ok(()) } else { Err(known.to_string()) })
        })
        .await
    }

    /// Adds prospects; the id of the first.
    async fn add_prospects(&self, tenant: usize, prospects: &[Value]) -> Result<String> {
        let body = json!({"account_id": self.tenants[tenant].account, "prospects": prospects});
        let added = self.ask_prospects(tenant, Method::POST, "", body).await?;
        Ok(added["items"][0]["id"].as_str().context("it was refused")?.to_owned())
    }

    async fn prospect(&self, tenant: usize, id: &str) -> Result<Value> {
        self.ask_prospects(tenant, Method::GET, &format!("/{id}"), Value::Null).await
    }

    /// Waits until the prospect's enrichment has come to an end.
    async fn enriched(&self, tenant: usize, id: &str) -> Result<Value> {
        until("the enrichment", PATIENCE, || async {
            let known = self.prospect(tenant, id).await?;
            let is_over = known["enrichment"]["finished_at"].is_string();
            Ok(if is_over { Ok(known) } else { Err(known.to_string()) })
        })
        .await
    }
}

fn grill(website: &str) -> Value {
    json!({"name": "Harbor Grill", "address": "12 Bay St", "city": "San Diego", "website": website})
}

async fn stages(session: &mut Socket, count: usize) -> Result<Vec<Value>> {
    let mut told = Vec::new();
    while told.len() < count {
        told.push(session.next_of("lead:enriched", PATIENCE).await?);
    }
    Ok(told)
}

fn names(told: &[Value]) -> Vec<&str> {
    told.iter().map(|envelope| envelope["payload"]["stage"].as_str().unwrap_or_default()).collect()
}

#[tokio::test]
async fn a_prospect_goes_through_four_stages_that_dashboards_see_with_the_embedded_database() -> Result<()> {
    four_stages(None).await
}

#[tokio::test]
async fn a_prospect_goes_through_four_stages_that_dashboards_see_with_postgresql() -> Result<()> {
    postgres::with_database(|database| four_stages(Some(database.url().to_owned()))).await
}

async fn four_stages(store: Option<String>) -> Result<()> {
    let names_of = NameServer::start()?;
    let site = Site::open("127.0.0.1", PAGES, Duration::ZERO).await?;
    let change = settings(names_of.address());
    let house = House::open_with(|setup| {
        let setup = change(setup).set("prospecting.website_cost", 0.001);
        store.as_ref().map_or(setup.clone(), |url| setup.store_url(url))
    })
    .await?;
    let (mut session, mut other) = (house.session(0).await?, house.session(1).await?);
    let id = house.add_prospects(0, &[grill(&site.url())]).await?;
    let told = stages(&mut session, 4).await?;
    ensure!(names(&told) == STAGES, "{told:?}");
    let payloads: Vec<&Value> = told.iter().map(|envelope| &envelope["payload"]).collect();
    for (at, payload) in payloads.iter().enumerate() {
        ensure!(
            payload["lead"]["id"] == id && payload["stages_done"] == at + 1 && payload["degraded"] == json!([]),
            "{payload}"
        );
    }
    // Name, address and website: 25 + 20 + 20.
    ensure!(payloads[0]["score"] == 65 && payloads[0]["status"] == "processing", "{}", payloads[0]);
    ensure!(payloads[1]["lead"]["owner_name"] == "Ann Lee" && payloads[1]["lead"]["email"] == "ann@harbor.example");
    ensure!(payloads[1]["lead"]["phone"] == "+16198675309" && payloads[1]["lead"].get("website").is_none());
    // As for the best of the scores by hand: 7280 of 100.
    ensure!(payloads[3]["score"] == 73 && payloads[3]["status"] == "qualified", "{}", payloads[3]);

    let known = house.enriched(0, &id).await?;
    let prospect = &known["prospect"];
    ensure!(
        prospect["status"] == "qualified" && prospect["is_qualified"] == true && prospect["confidence_score"] == 73
    );
    ensure!(known["enrichment_data"]["processingStats"]["website_calls"] == 5, "{known}");
    ensure!(known["enrichment"]["cost"].as_f64().is_some_and(|cost| (cost - 0.005).abs() < 1e-9), "{known}");
    let checked = &known["enrichment"]["stages"]["validation"]["emails"];
    ensure!(checked[0]["verdict"] == "deliverable" && checked[1]["verdict"] == "undeliverable", "{checked}");
    ensure!(site.calls().len() == 5, "{:?}", site.calls());
    ensure!(house.hub.metric("leadwire_enrichment_stage_seconds_count").await? >= 4.0);
    ensure!(house.hub.metric("leadwire_website_calls_total").await? >= 5.0);

    // Again, by a person's wish: other events, and the same result.
    house.ask_prospects(0, Method::POST, &format!("/{id}/enrich"), json!({})).await?;
    let again = stages(&mut session, 4).await?;
    ensure!(names(&again) == STAGES && again.iter().all(|one| told.iter().all(|first| first["id"] != one["id"])));
    let path = format!("/api/prospects/{id}");
    ensure!(house.get(1, &path).await?.status() == StatusCode::NOT_FOUND, "the other agency sees it");
    house.lead(1, "Ann").await?;
    let envelope = other.next_of("new_lead", PATIENCE).await?;
    ensure!(envelope["payload"]["lead"]["name"] == "Ann");
    Ok(())
}

#[tokio::test]
async fn too_little_known_ends_it_after_the_first_stage_and_a_broken_site_and_name_server_do_not() -> Result<()> {
    let names_of = NameServer::start()?;
    let house = House::open_with(settings(names_of.address())).await?;
    let mut session = house.session(0).await?;
    house.add_prospects(0, &[json!({"name": "Somebody"})]).await?;
    let told = stages(&mut session, 1).await?.remove(0);
    ensure!(told["payload"]["status"] == "pre-validation-filtered" && told["payload"]["score"] == 25, "{told}");
    let mut broken = grill("http://127.0.0.1:9");
    broken["email"] = json!("ann@broken.example");
    let id = house.add_prospects(0, &[broken]).await?;
    let told = stages(&mut session, 4).await?;
    ensure!(names(&told) == STAGES, "{told:?}");
    let degraded = told[3]["payload"]["degraded"].as_array().context("no list")?;
    let what: Vec<&Value> = degraded.iter().map(|degraded| &degraded["what"]).collect();
    ensure!(what == ["website", "email", "website"], "{degraded:?}");
    let known = house.enriched(0, &id).await?;
    // 90·12 + 80·12 + 50·12 + 50·15 + 1700 = 5090 of 85.
    ensure!(known["prospect"]["confidence_score"] == 60, "{known}");
    Ok(())
}

#[tokio::test]
async fn a_kill_between_stages_resumes_at_the_stage_and_nothing_is_done_or_told_twice() -> Result<()> {
    // Takes questions and never answers: the third stage waits for it.
    let silent = UdpSocket::bind("127.0.0.1:0").await?;
    let site = Site::open("127.0.0.1", PAGES, Duration::ZERO).await?;
    let change = settings(silent.local_addr()?);
    let mut house = House::open_with(|setup| change(setup).set("prospecting.lease", "10s")).await?;
    let mut session = house.session(0).await?;
    let id = house.add_prospects(0, &[grill(&site.url())]).await?;
    let mut told = stages(&mut session, 2).await?;
    until("the third stage", PATIENCE, || async {
        let known = house.prospect(0, &id).await?;
        Ok(if known["enrichment"]["next_stage"] == "validation" { Ok(()) } else { Err(known.to_string()) })
    })
    .await?;
    house.hub.kill().await?;
    let calls = site.calls();
    house.hub.start().await?;
    let mut session = house.session(0).await?;
    told.extend(stages(&mut session, 2).await?);
    ensure!(names(&told) == STAGES, "{told:?}");
    let known = house.enriched(0, &id).await?;
    ensure!(known["enrichment"]["run"] == 1 && known["prospect"]["status"] == "qualified", "{known}");
    ensure!(site.calls() == calls, "the second stage was done twice");
    let room = house.tenants[0].room();
    let since = told[0]["position"].as_str().context("no position")?;
    let mut late = Socket::connect(&house.hub.ws_url(), &house.tenants[0].token).await?;
    late.next_of("welcome", PATIENCE).await?;
    late.subscribe_since(&room, since).await?;
    let logged = stages(&mut late, 3).await?;
    ensure!(names(&logged) == STAGES[1..], "the log has a stage twice: {logged:?}");
    Ok(())
}

#[tokio::test]
async fn one_account_with_five_hundred_prospects_does_not_keep_the_others_single_one_waiting() -> Result<()> {
    let names_of = NameServer::start()?;
    let slow = Site::open("127.0.0.1", PAGES, Duration::from_millis(20)).await?;
    let own = Site::open("127.0.0.2", PAGES, Duration::ZERO).await?;
    let house = House::open_with(settings(names_of.address())).await?;
    let many: Vec<Value> = (0..500)
        .map(|at| {
            json!({"name": format!("Grill {at}"), "address": "12 Bay St", "city": "San Diego",
        "website": slow.url()})
        })
        .collect();
    house.add_prospects(0, &many).await?;
    until("the first of many", PATIENCE, || async {
        let done = house.hub.metric("leadwire_enrichment_stage_seconds_count").await?;
        Ok(if done >= 8.0 { Ok(()) } else { Err(format!("{done}")) })
    })
    .await?;
    let began = Instant::now();
    let id = house.add_prospects(1, &[grill(&own.url())]).await?;
    house.enriched(1, &id).await?;
    let took = began.elapsed();
    let waits = house.ask_prospects(0, Method::GET, "?status=new&limit=250", Value::Null).await?;
    let waits = waits["items"].as_array().map_or(0, Vec::len);
    println!("the single one took {took:?}, while {waits} or more of the others wait");
    ensure!(waits > 100, "the others were done: {waits}");
    ensure!(took < Duration::from_secs(5), "{took:?}");
    Ok(())
}

#[tokio::test]
async fn a_lead_that_names_its_business_becomes_a_prospect_if_the_account_wants_it() -> Result<()> {
    let names_of = NameServer::start()?;
    let site = Site::open("127.0.0.1", PAGES, Duration::ZERO).await?;
    let house = House::open_with(settings(names_of.address())).await?;
    let account = house.tenants[0].account.clone();
    let set =
        house.hub.run(&["account", "set", &account, "--enrich-leads", "on", "--quality-threshold", "90"], &[]).await?;
    ensure!(set == "enrich-leads: on\nquality-threshold: 90", "{set}");
    let mut session = house.session(0).await?;
    let lead = Lead::person(clock::now().timestamp(), "Joe", "joe@gmail.com", "+16198675309");
    let lead = lead.answer("company_name", "Harbor Grill").answer("website", &site.url());
    let id = house.pages[0].add_lead(lead);
    house.accepted(Webhook::lead(house.change(0, id)?).body()).await?;
    let lead = session.next_of("new_lead", PATIENCE).await?["payload"]["lead"]["id"].clone();
    let told = stages(&mut session, 4).await?;
    ensure!(names(&told) == STAGES, "{told:?}");
    for envelope in &told {
        let named = &envelope["payload"]["lead"];
        ensure!(named["lead_id"] == lead && named["source"] == "meta" && named["name"] == "Harbor Grill", "{envelope}");
    }
    ensure!(told[3]["payload"]["status"] == "enriched", "its account asks for more: {}", told[3]);
    // Without the wish of the account nothing comes of it.
    let other = Lead::person(clock::now().timestamp(), "Sue", "sue@gmail.com", "+16198675309");
    let other = house.pages[1].add_lead(other.answer("company_name", "Hill"));
    house.accepted(Webhook::lead(house.change(1, other)?).body()).await?;
    house.has_stored(1, &[other]).await?;
    let none = house.ask_prospects(1, Method::GET, "", Value::Null).await?;
    ensure!(none["items"] == json!([]), "{none}");
    Ok(())
}

#[tokio::test]
async fn a_domain_takes_mail_by_its_mx_or_its_host_and_not_if_it_says_so() -> Result<()> {
    let names_of = NameServer::start()?;
    let domains = |server: std::net::SocketAddr| {
        let mut settings = Settings::parse("").unwrap().prospecting;
        (settings.nameserver, settings.dns_timeout) = (Some(server), Duration::from_millis(500));
        MailDomains::new(&settings)
    };
    let known = domains(names_of.address());
    for (domain, wanted) in [
        ("harbor.example", Mail::Taken),
        ("hosted.example", Mail::Taken),
        ("null.example", Mail::Refused),
        ("nowhere.example", Mail::Refused),
    ] {
        ensure!(known.ask(domain).await == wanted, "{domain}: {:?}", known.ask(domain).await);
    }
    ensure!(matches!(known.ask("broken.example").await, Mail::Unknown(_)));
    let silent = UdpSocket::bind("127.0.0.1:0").await?;
    let began = Instant::now();
    ensure!(matches!(domains(silent.local_addr()?).ask("harbor.example").await, Mail::Unknown(_)));
    ensure!(began.elapsed() < Duration::from_secs(5));
    Ok(())
}

/// What a program may do that is not the hub's, with the SQLite that its system has.
const PROGRAM: &str = r"
import sqlite3, sys
store, agency, account, campaign = sys.argv[1:]
rows = sqlite3.connect(store, timeout=20)
rows.execute('PRAGMA foreign_keys = ON')
whose = {'agency': agency, 'account': account, 'campaign': campaign}
with rows:
    for name in ('Grill', 'Roofing'):
        rows.execute('''INSERT INTO enhanced_leads (agency_id, account_id, campaign_id, name)
                        VALUES (:agency, :account, :campaign, :name)''', {**whose, 'name': name})
    rows.execute('''INSERT INTO api_costs (agency_id, account_id, campaign_id, api_service, cost)
                    VALUES (:agency, :account, :campaign, 'places', 0.02)''', whose)
with rows:
    rows.execute('UPDATE enhanced_leads SET owner_name = name WHERE campaign_id = :campaign', whose)
    rows.execute('''UPDATE campaigns SET status = 'processing' WHERE id = :campaign''', whose)
print(sqlite3.sqlite_version)
";

#[tokio::test]
async fn what_a_program_writes_with_the_sqlite_of_its_system_is_worked_on() -> Result<()> {
    let names_of = NameServer::start()?;
    let house = House::open_with(settings(names_of.address())).await?;
    let (tenant, campaign) = (&house.tenants[0], house.pending_campaign().await?);
    let store = house.hub.data_dir().join("store.sqlite3");
    let mut python = Command::new("python3");
    let output = python.args(["-c", PROGRAM]).arg(store).args([&tenant.agency, &tenant.account, &campaign]).output();
    let output = output.await.context("python3 can't be started")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}");
    println!("written with SQLite {}", String::from_utf8_lossy(&output.stdout).trim());
    house.both_are_filtered().await
}

#[tokio::test]
async fn what_a_program_writes_with_few_rights_in_postgresql_is_worked_on() -> Result<()> {
    postgres::with_database(|database| async move {
        let names_of = NameServer::start()?;
        let house = House::open_with(|setup| settings(names_of.address())(setup).store_url(database.url())).await?;
        let (Tenant { agency, account, .. }, campaign) = (&house.tenants[0], house.pending_campaign().await?);
        // Roles are the whole server's.
        let role = format!("writer_{}", std::process::id());
        let owned = "campaigns, campaign_processing_status, enhanced_leads, api_costs";
        let rows = format!(
            "CREATE ROLE {role};
             GRANT SELECT, INSERT, UPDATE ON {owned} TO {role};
             SET ROLE {role};
             -- No temporary table of theirs goes before the hub's.
             CREATE TEMPORARY TABLE subscriptions (LIKE campaigns);
             INSERT INTO enhanced_leads (agency_id, account_id, campaign_id, name)
             SELECT '{agency}', '{account}', '{campaign}', name FROM (VALUES ('Grill'), ('Roofing')) names (name);
             INSERT INTO api_costs (agency_id, account_id, campaign_id, api_service, cost)
             VALUES ('{agency}', '{account}', '{campaign}', 'places', 0.02);
             UPDATE campaigns SET status = 'processing' WHERE id = '{campaign}';
             UPDATE campaign_processing_status SET stage_progress = 10 WHERE campaign_id = '{campaign}';"
        );
        postgres::admin(database.url(), &rows).await;
        house.both_are_filtered().await?;
        let hung = format!(
            "SET ROLE {role};
             CREATE TEMPORARY TABLE mine (LIKE enhanced_leads);
             CREATE TRIGGER t AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION outbox_new_prospect()"
        );
        let refused = tokio::spawn({
            let url = database.url().to_owned();
            async move { postgres::admin(&url, &hung).await }
        });
        ensure!(refused.await.is_err(), "whoever may write rows may not make events of other tables");
        postgres::admin(database.url(), &format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
        Ok(())
    })
    .await
}
