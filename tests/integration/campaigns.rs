//! Campaigns over the API: from the first row to files, as dashboards and other accounts see it.

use std::{
    io::{Cursor, Read},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use loadtest::{
    hub::{Setup, Tenant},
    platform::NameServer,
};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::{House, PATIENCE, postgres, site::Site, until};

const PAGES: &[(&str, &str)] =
    &[("/", r#"<h1>Grill</h1><a href="mailto:info@null.example">Write</a>"#), ("/contact", "ann@harbor.example")];

impl House {
    async fn ask_campaigns(&self, tenant: usize, method: Method, path: &str, body: Value) -> Result<Response> {
        let request = self.hub.http().request(method, self.hub.url(&format!("/api/campaigns{path}")));
        Ok(request.bearer_auth(&self.tenants[tenant].token).json(&body).send().await?)
    }

    async fn campaign(&self, method: Method, path: &str, body: Value) -> Result<Value> {
        let answer = self.ask_campaigns(0, method, path, body).await?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "{path}: {status} {text}");
        Ok(serde_json::from_str(&text)?)
    }

    /// The campaign as soon as it has files.
    async fn exported(&self, id: &str) -> Result<Value> {
        until("the files", PATIENCE, || async {
            let known = self.campaign(Method::GET, &format!("/{id}"), Value::Null).await?;
            let is_done = known["campaign"]["exported_at"].is_string();
            Ok(if is_done { Ok(known) } else { Err(known.to_string()) })
        })
        .await
    }

    async fn file(&self, id: &str, name: &str) -> Result<Vec<u8>> {
        let answer = self
            .ask_campaigns(0, Method::GET, &format!("/{id}/files/{name}"), Value::Null)
            .await?
            .error_for_status()?;
        ensure!(answer.headers()["content-disposition"] == format!("attachment; filename=\"{name}\""));
        Ok(answer.bytes().await?.to_vec())
    }
}

async fn open(store: Option<&String>, name_server: &NameServer) -> Result<House> {
    let address = name_server.address().to_string();
    House::open_with(|setup| {
        let setup: Setup = setup
            .set("prospecting.allow_private", json!(["127.0.0.0/8"]))
            .set("prospecting.nameserver", address)
            .set("prospecting.host_pause", "0s")
            .set("prospecting.dns_timeout", "2s")
            .set("prospecting.stage_timeout", "5s")
            .set("prospecting.sweep_interval", "200ms")
            .set("prospecting.website_cost", 0.001);
        match store {
            Some(url) => setup.store_url(url),
            None => setup,
        }
    })
    .await
}

#[tokio::test]
async fn a_campaign_goes_from_its_first_row_to_its_files_with_the_embedded_database() -> Result<()> {
    whole_way(None).await
}

#[tokio::test]
async fn a_campaign_goes_from_its_first_row_to_its_files_with_postgresql() -> Result<()> {
    postgres::with_database(|database| whole_way(Some(database.url().to_owned()))).await
}

async fn whole_way(store: Option<String>) -> Result<()> {
    let names = NameServer::start()?;
    let site = Site::open("127.0.0.1", PAGES, Duration::ZERO).await?;
    let house = open(store.as_ref(), &names).await?;
    let health: Value = house
        .hub
        .http()
        .get(house.hub.telemetry_url("/api/webhooks/campaign-lifecycle/health"))
        .send()
        .await?
        .json()
        .await?;
    ensure!(health["integrations"]["csv_exporter"] == true, "{health}");
    let mut mine = house.session(0).await?;
    let account = &house.tenants[0].account;
    let fields = json!({
        "account_id": account, "name": "Söhne & \r\nGrills", "search_query": "restaurants",
        "location": "San Diego, CA", "target_count": 4, "budget_limit": 20.0,
    });
    let made = house.campaign(Method::POST, "", fields).await?;
    let id = made["campaign"]["id"].as_str().context("no id")?.to_owned();
    ensure!(made["campaign"]["status"] == "pending", "{made}");
    let grill = |at: usize| {
        let name = if at == 0 { "=HYPERLINK(\"http://evil.example\")".to_owned() } else { format!("Grill {at}") };
        json!({"name": name, "address": "12 Bay St", "city": "San Diego", "website": site.url(), "phone": "+16198675309"})
    };
    let body = json!({"account_id": account, "campaign_id": id, "prospects": (0..4).map(grill).collect::<Vec<_>>()});
    let request = house.hub.http().post(house.hub.url("/api/prospects")).bearer_auth(&house.tenants[0].token);
    request.json(&body).send().await?.error_for_status()?;
    house.campaign(Method::POST, &format!("/{id}/start"), Value::Null).await?;

    let mut told = Vec::new();
    while told.last().is_none_or(|last: &Value| last["lifecycle_event"] != "completed") {
        let shown = mine.next_of("campaign:lifecycle", PATIENCE).await?;
        ensure!(shown["payload"]["campaign_id"] == id.as_str(), "{shown}");
        told.push(shown["payload"].clone());
    }
    let events: Vec<&str> = told.iter().filter_map(|told| told["lifecycle_event"].as_str()).collect();
    let progress = "progress_update";
    let wanted = ["created", "processing_started", progress, progress, progress, progress, "completed"];
    ensure!(events == wanted, "{events:?}");
    let marks: Vec<f64> = told[2..6].iter().filter_map(|told| told["progress"]["stage_progress"].as_f64()).collect();
    ensure!(marks == [25.0, 50.0, 75.0, 100.0], "{marks:?}");

    let known = house.exported(&id).await?;
    kept_files(&house, &id, &known).await?;
    asked_for(&house, &id).await?;
    others_see_nothing(&house, &id).await
}

/// What was made when the campaign was completed.
async fn kept_files(house: &House, id: &str, known: &Value) -> Result<()> {
    ensure!(known["campaign"]["progress"]["qualified_leads"] == 4, "{known}");
    ensure!(known["campaign"]["export_metadata"]["qualified_leads_exported"] == 4, "{known}");
    let files = known["files"].as_array().context("no files")?;
    let name = |ending: &str| -> Result<String> {
        let mut found = files.iter().filter_map(|file| file["name"].as_str()).filter(|name| name.ends_with(ending));
        let name = found.next().context("it is not there")?;
        ensure!(name.starts_with(&format!("ProspectPro-Campaign-{id}-")) && found.next().is_none(), "{files:?}");
        Ok(name.to_owned())
    };
    ensure!(files.len() == 3, "{files:?}");
    let csv = house.file(id, &name(".csv")?).await?;
    csv_is_safe(&csv, 4)?;
    let summary: Value = serde_json::from_slice(&house.file(id, &name("-summary.json")?).await?)?;
    ensure!(
        summary["leads"] == 4 && summary["qualified_leads"] == 4 && summary["total_cost"] == json!(0.02),
        "{summary}"
    );
    let analysis: Value = serde_json::from_slice(&house.file(id, &name("-analysis.json")?).await?)?;
    ensure!(analysis["statuses"]["qualified"] == 4, "{analysis}");
    let listed = house.campaign(Method::GET, &format!("/{id}/files"), Value::Null).await?;
    ensure!(listed["items"] == known["files"], "{listed}");
    Ok(())
}

fn csv_is_safe(csv: &[u8], rows: usize) -> Result<()> {
    ensure!(csv.starts_with(b"\xEF\xBB\xBFCampaign ID,Query ID,"), "not the titles");
    let mut reader = csv::Reader::from_reader(&csv[3..]);
    ensure!(reader.headers()?.len() == 42);
    let records = reader.records().collect::<Result<Vec<_>, _>>()?;
    ensure!(records.len() == rows, "{records:?}");
    ensure!(records.iter().any(|record| &record[4] == "'=HYPERLINK(\"http://evil.example\")"), "{records:?}");
    ensure!(records.iter().flatten().all(|cell| !cell.starts_with(['=', '-', '@'])), "{records:?}");
    Ok(())
}

/// What is made when somebody asks.
async fn asked_for(house: &House, id: &str) -> Result<()> {
    let export =
        async |query: &str| house.ask_campaigns(0, Method::GET, &format!("/{id}/export{query}"), Value::Null).await;
    let answer = export("").await?.error_for_status()?;
    let headers = answer.headers().clone();
    ensure!(headers["x-export-count"] == "4" && headers["x-total-count"] == "4", "{headers:?}");
    ensure!(headers["x-campaign-name"] == "S%C3%B6hne & %0D%0AGrills", "{headers:?}");
    let named = headers["content-disposition"].to_str()?;
    ensure!(named.starts_with(&format!("attachment; filename=\"ProspectPro-Campaign-{id}-")), "{named}");
    csv_is_safe(&answer.bytes().await?, 4)?;
    let none = export("?format=csv&minConfidence=99").await?.error_for_status()?;
    ensure!(none.headers()["x-export-count"] == "0" && none.headers()["x-total-count"] == "4");
    ensure!(none.text().await?.lines().count() == 1, "the titles alone");
    let workbook = export("?format=xlsx").await?.error_for_status()?.bytes().await?;
    let mut workbook = zip::ZipArchive::new(Cursor::new(workbook))?;
    let mut sheet = String::new();
    workbook.by_name("xl/worksheets/sheet1.xml")?.read_to_string(&mut sheet)?;
    ensure!(sheet.contains("=HYPERLINK(") && !sheet.contains("<f>"), "a text and no formula: {sheet}");
    ensure!(sheet.matches("<row ").count() == 5, "{sheet}");
    let summary: Value = export("?format=summary").await?.error_for_status()?.json().await?;
    ensure!(summary["campaign"]["id"] == id && summary["leads"] == 4, "{summary}");
    ensure!(export("?format=analysis").await?.status() == 200 && export("?format=pdf").await?.status() == 400);
    let summary = house.campaign(Method::GET, "/summary", Value::Null).await?;
    ensure!(summary["total_campaigns"] == 1 && summary["completed_campaigns"] == 1, "{summary}");
    Ok(())
}

async fn others_see_nothing(house: &House, id: &str) -> Result<()> {
    let files = house.campaign(Method::GET, &format!("/{id}/files"), Value::Null).await?;
    let name = files["items"][0]["name"].as_str().context("no name")?;
    for (method, path) in [
        (Method::GET, format!("/{id}")),
        (Method::GET, format!("/{id}/export?format=csv")),
        (Method::GET, format!("/{id}/files")),
        (Method::GET, format!("/{id}/files/{name}")),
        (Method::POST, format!("/{id}/start")),
        (Method::POST, format!("/{id}/cancel")),
        (Method::GET, format!("?account_id={}", house.tenants[0].account)),
        (Method::GET, format!("/summary?account_id={}", house.tenants[0].account)),
    ] {
        let answer = house.ask_campaigns(1, method, &path, Value::Null).await?;
        ensure!(answer.status() == 404, "{path}: {}", answer.status());
    }
    for named in [id, "a%00b"] {
        let log: Value =
            house.get(1, &format!("/api/webhooks/campaign-lifecycle/events/{named}")).await?.json().await?;
        ensure!(log["events"] == json!([]), "{log}");
    }
    let listed: Value = house.ask_campaigns(1, Method::GET, "", Value::Null).await?.json().await?;
    ensure!(listed["items"] == json!([]), "{listed}");
    let again = house.ask_campaigns(0, Method::POST, &format!("/{id}/start"), Value::Null).await?;
    ensure!(again.status() == 409, "{}", again.status());
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_with_a_campaign_is_said_of_all_fields_at_once() -> Result<()> {
    let house = House::open().await?;
    let fields = json!({"name": " ", "location": 7, "target_count": 0, "budget_limit": -1});
    let refused = house.ask_campaigns(0, Method::POST, "", fields).await?;
    ensure!(refused.status() == 400);
    let refused: Value = refused.json().await?;
    let mut wrong: Vec<&String> = refused["fields"].as_object().context("no fields")?.keys().collect();
    wrong.sort();
    ensure!(wrong == ["budget_limit", "location", "name", "target_count"], "{refused}");
    let foreign = json!({"name": "Mine", "account_id": house.tenants[1].account});
    ensure!(house.ask_campaigns(0, Method::POST, "", foreign).await?.status() == 404);
    // A viewer reads and makes none.
    let Tenant { agency, account, .. } = &house.tenants[0];
    let user = house.hub.add_user(agency, "viewer@agency.example", "Vi", &[(account, "viewer")]).await?;
    let token = house.hub.issue_token(&user).await?;
    until("the directory", PATIENCE, || async {
        let request = house.hub.http().post(house.hub.url("/api/campaigns")).bearer_auth(&token);
        let status = request.json(&json!({"name": "Mine"})).send().await?.status();
        Ok(if status == 403 { Ok(()) } else { Err(status.to_string()) })
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_is_killed_while_it_makes_files_makes_them_once() -> Result<()> {
    const LEADS: usize = 12_000;
    let mut house = House::open().await?;
    let made = house.campaign(Method::POST, "", json!({"name": "Large"})).await?;
    let id = made["campaign"]["id"].as_str().context("no id")?.to_owned();
    let Tenant { agency, account, .. } = &house.tenants[0];
    let store = house.hub.data_dir().join("store.sqlite3").to_string_lossy().into_owned();
    let mut other = SqliteConnection::establish(&store)?;
    other.batch_execute("PRAGMA busy_timeout = 20000")?;
    other.batch_execute(&format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {LEADS})
         INSERT INTO enhanced_leads (agency_id, account_id, campaign_id, name, status, confidence_score)
         SELECT '{agency}', '{account}', '{id}', 'Grill ' || i, 'qualified', 80 FROM n;
         UPDATE campaigns SET status = 'completed' WHERE id = '{id}';"
    ))?;
    for wait in [0, 150, 400] {
        tokio::time::sleep(Duration::from_millis(wait)).await;
        house.hub.kill().await?;
        house.hub.start().await?;
    }
    let known = house.exported(&id).await?;
    let files = known["files"].as_array().context("no files")?;
    ensure!(files.len() == 3, "{files:?}");
    let csv = files.iter().filter_map(|file| file["name"].as_str()).find(|name| name.rsplit('.').next() == Some("csv"));
    let csv = house.file(&id, csv.context("no list")?).await?;
    ensure!(csv::Reader::from_reader(&csv[3..]).records().count() == LEADS);
    Ok(())
}
