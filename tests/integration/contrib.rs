//! The scripts for databases that are not ours, in a PostgreSQL that has `pg_net`'s queue but not `pg_net`: what they queue is
//! posted to a hub as `pg_net` would.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio_postgres::{Client, NoTls};

use crate::support::{House, PATIENCE, postgres, until};

const LOGGED: &str = include_str!("../../migrations/postgres/contrib.logged_outbox.sql");
const PG_NET: &str = include_str!("../../migrations/postgres/contrib.pg_net.sql");
const TOKEN: &str = "token-of-a-database-that-is-elsewhere";

/// As `pg_net` 0.20 declares it. Its queue takes part in transactions; its body must be JSON.
const NET: &str = "
    CREATE SCHEMA net;
    CREATE TABLE net.http_request_queue (
        id BIGSERIAL PRIMARY KEY, method TEXT, url TEXT, headers JSONB, body BYTEA, timeout_milliseconds INT);
    CREATE TABLE net._http_response (
        id BIGINT, status_code INT, content_type TEXT, headers JSONB, content TEXT, timed_out BOOL, error_msg TEXT,
        created TIMESTAMPTZ NOT NULL DEFAULT now());
    CREATE FUNCTION net.http_post(url TEXT, body JSONB DEFAULT '{}', params JSONB DEFAULT '{}',
                                  headers JSONB DEFAULT '{\"Content-Type\": \"application/json\"}',
                                  timeout_milliseconds INT DEFAULT 5000) RETURNS BIGINT LANGUAGE sql AS $$
        INSERT INTO net.http_request_queue (method, url, headers, body, timeout_milliseconds)
        VALUES ('POST', url, headers, convert_to(body::text, 'UTF8'), timeout_milliseconds) RETURNING id
    $$;";

/// Tables as the origin has them: numbers for ids, and columns that the hub does not know.
const TABLES: &str = "
    CREATE TABLE campaigns (
        id SERIAL PRIMARY KEY, name TEXT NOT NULL, user_id TEXT, search_query TEXT, location TEXT, business_type TEXT,
        target_count INT, budget_limit NUMERIC(10,2), status TEXT NOT NULL DEFAULT 'pending', leads_found INT DEFAULT 0,
        total_cost NUMERIC(10,4) DEFAULT 0, created_at TIMESTAMPTZ NOT NULL DEFAULT now());
    CREATE TABLE enhanced_leads (
        id SERIAL PRIMARY KEY, name TEXT NOT NULL, address TEXT, city TEXT, state TEXT, postal_code TEXT, country TEXT,
        source TEXT, phone TEXT, website TEXT, category TEXT, email TEXT, owner_name TEXT, owner_title TEXT,
        status TEXT NOT NULL DEFAULT 'new', campaign_id INT REFERENCES campaigns (id), google_place_id TEXT,
        confidence_score INT, of_no_interest POINT, created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
        updated_at TIMESTAMPTZ NOT NULL DEFAULT now());
    CREATE TABLE api_costs (
        id SERIAL PRIMARY KEY, api_service TEXT NOT NULL, cost NUMERIC(10,4) NOT NULL, campaign_id INT, lead_id INT,
        created_at TIMESTAMPTZ NOT NULL DEFAULT now());";

const CHANGES: &str = "
    INSERT INTO campaigns (name, target_count, budget_limit) VALUES ('San Diego', 50, 25);
    UPDATE campaigns SET status = 'processing';
    INSERT INTO enhanced_leads (name, city, campaign_id, source) VALUES ('Söhne \"Grill\"', 'San Diego', 1, 'google_places');
    UPDATE enhanced_leads SET status = 'qualified', confidence_score = 81, updated_at = now();
    UPDATE enhanced_leads SET status = 'qualified';
    INSERT INTO api_costs (api_service, cost, campaign_id, lead_id) VALUES ('google_places', 0.0170, 1, 1);";

/// What waits in the queue.
struct Request {
    id: i64,
    url: String,
    headers: Value,
    body: Vec<u8>,
}

async fn queued(client: &Client) -> Result<Vec<Request>> {
    let rows = client.query("DELETE FROM net.http_request_queue RETURNING id, url, headers::text, body", &[]).await?;
    let request = |row: &tokio_postgres::Row| {
        let headers = serde_json::from_str(row.get(2))?;
        Ok(Request { id: row.get(0), url: row.get(1), headers, body: row.get(3) })
    };
    let mut requests = rows.iter().map(request).collect::<Result<Vec<_>>>()?;
    requests.sort_by_key(|request| request.id);
    Ok(requests)
}

/// Posts as `pg_net` does, and notes the answers.
async fn post(house: &House, client: &Client, requests: Vec<Request>) -> Result<usize> {
    let count = requests.len();
    for Request { id, url, headers, body } in requests {
        let mut request = house.hub.http().post(url).body(body);
        for (name, value) in headers.as_object().context("no headers")? {
            request = request.header(name, value.as_str().context("no text")?);
        }
        let answer = request.send().await?;
        let status = i32::from(answer.status().as_u16());
        let content = answer.text().await?;
        ensure!(status == 200, "{status} {content}");
        let note = "INSERT INTO net._http_response (id, status_code, content, timed_out) VALUES ($1, $2, $3, false)";
        client.execute(note, &[&id, &status, &content]).await?;
    }
    Ok(count)
}

struct Elsewhere {
    client: Client,
    house: House,
}

/// A database with tables and the script, and a hub that it is connected to.
async fn open(url: &str, script: &str) -> Result<Elsewhere> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    for statements in [NET, TABLES, script, script] {
        client.batch_execute(statements).await?;
    }
    let house = House::open().await?;
    let source = house.hub.add_prospecting(&house.tenants[0].account, TOKEN).await?;
    until("the directory", PATIENCE, || async {
        let request = house.hub.http().post(house.hub.url(&format!("/webhook/prospecting/{source}"))).body("{}");
        let answer = request.bearer_auth(TOKEN).header("content-type", "application/json").send().await?;
        Ok(if answer.status() == 200 { Ok(()) } else { Err(answer.status().to_string()) })
    })
    .await?;
    client.execute("SELECT leadwire.connect($1, $2)", &[&house.hub.url("/"), &TOKEN]).await?;
    Ok(Elsewhere { client, house })
}

/// The hub shows and keeps what was posted.
async fn is_known(elsewhere: &Elsewhere, session: &mut loadtest::client::Socket) -> Result<()> {
    let updated = session.next_of("lead:updated", PATIENCE).await?;
    let lead = &updated["payload"]["lead"];
    ensure!(lead["status"] == "qualified" && lead["confidence_score"] == 81 && lead["external_id"] == "1", "{updated}");
    let house = &elsewhere.house;
    let kept = until("the rows", PATIENCE, || async {
        let prospects: Value = house.get(0, "/api/prospects").await?.json().await?;
        let campaigns: Value = house.get(0, "/api/campaigns").await?.json().await?;
        let costs: Value = house.get(0, "/api/costs/summary").await?.json().await?;
        let is_there = prospects["items"][0]["status"].as_str().is_some_and(|status| status != "new")
            && campaigns["items"][0]["status"] == "processing"
            && costs["items"][0]["daily_spend"] == json!(0.017);
        let known = json!([prospects["items"], campaigns["items"], costs["items"]]);
        Ok(if is_there { Ok(known) } else { Err(known.to_string()) })
    })
    .await?;
    ensure!(kept[0][0]["name"] == "Söhne \"Grill\"" && kept[0][0]["city"] == "San Diego", "{kept}");
    ensure!(kept[1][0]["name"] == "San Diego" && kept[1][0]["target_count"] == 50, "{kept}");
    ensure!(kept[0].as_array().map(Vec::len) == Some(1) && kept[1].as_array().map(Vec::len) == Some(1), "{kept}");
    Ok(())
}

#[tokio::test]
async fn what_the_script_for_pg_net_posts_is_shown_and_kept() -> Result<()> {
    postgres::with_database(|database| async move {
        let elsewhere = open(database.url(), PG_NET).await?;
        let Elsewhere { client, house } = &elsewhere;
        let mut session = house.session(0).await?;
        client.batch_execute("BEGIN; INSERT INTO campaigns (name) VALUES ('Never'); ROLLBACK").await?;
        client.batch_execute("ALTER SEQUENCE campaigns_id_seq RESTART").await?;
        ensure!(queued(client).await?.is_empty(), "what is rolled back is not told");
        client.batch_execute(CHANGES).await?;
        let requests = queued(client).await?;
        ensure!(requests.iter().all(|request| request.headers["Content-Type"] == "application/json"));
        // The update that changes nothing is not told.
        ensure!(post(house, client, requests).await? == 5);
        is_known(&elsewhere, &mut session).await
    })
    .await
}

#[tokio::test]
async fn what_the_script_with_an_outbox_delivers_is_shown_and_kept_whatever_is_lost_on_the_way() -> Result<()> {
    postgres::with_database(|database| async move {
        let elsewhere = open(database.url(), LOGGED).await?;
        let Elsewhere { client, house } = &elsewhere;
        let deliver = async || -> Result<i32> { Ok(client.query_one("SELECT leadwire.deliver()", &[]).await?.get(0)) };
        let mut session = house.session(0).await?;
        client.batch_execute("BEGIN; INSERT INTO campaigns (name) VALUES ('Never'); ROLLBACK").await?;
        client.batch_execute("ALTER SEQUENCE campaigns_id_seq RESTART").await?;
        ensure!(deliver().await? == 0, "what is rolled back is not told");
        client.batch_execute(CHANGES).await?;
        ensure!(deliver().await? == 5);
        ensure!(queued(client).await?.len() == 5, "and a crash of the server empties pg_net's queue");
        ensure!(deliver().await? == 0, "it is not due again yet");
        client.batch_execute("UPDATE leadwire.outbox SET next_try = now() WHERE ended_at IS NULL").await?;
        ensure!(deliver().await? == 5);
        let again = queued(client).await?;
        ensure!(again.iter().all(|request| request.headers["X-Webhook-Attempt"] == "2"));
        post(house, client, again).await?;
        ensure!(deliver().await? == 0);
        let open = client.query_one("SELECT count(*) FROM leadwire.outbox WHERE ended_at IS NULL", &[]).await?;
        ensure!(open.get::<_, i64>(0) == 0, "what was answered is over");
        is_known(&elsewhere, &mut session).await
    })
    .await
}
