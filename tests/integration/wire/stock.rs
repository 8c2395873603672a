//! Stock Socket.IO clients against the hub, as their makers ship them: in a browser by every transport, and in Python.

use std::{path::PathBuf, process::Stdio};

use anyhow::{Context, Result, ensure};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{ChildStdout, Command},
    time::timeout,
};

use super::PATIENCE;
use crate::support::{
    House,
    browser::{Browser, Driver, chromedriver},
    left_out, until,
};

/// The script that runs in the page: the client's own text, then what a page does with it.
fn page(client: &str) -> String {
    let uses = r#"
        const [token, transport] = arguments;
        const heard = (window.heard = { on: "", joined: 0, leads: [], errors: [] });
        const transports = transport === "upgrade" ? ["polling", "websocket"] : [transport];
        const socket = (window.socket = self.io("/", { auth: { token }, transports, forceNew: true }));
        socket.on("connect_error", (error) => heard.errors.push(String(error)));
        socket.on("connection_response", () => socket.emit("join_dashboard"));
        socket.on("joined_dashboard", () => socket.emit("ack", {}, () => (heard.joined += 1)));
        socket.on("new_lead", ({ lead }) => heard.leads.push(lead.name));
    "#;
    format!("{client}\n{uses}")
}

/// Whether the client has joined and got as far as it is to get, and what it has heard.
const HEARD: &str = "return { ...window.heard, on: window.socket.io.engine.transport.name }";

const TRANSPORTS: [(&str, &str); 3] = [("polling", "polling"), ("websocket", "websocket"), ("upgrade", "websocket")];

#[tokio::test]
async fn stock_browser_clients_connect_by_every_transport() -> Result<()> {
    let clients =
        [include_str!("stock/socket.io-4.5.4.min.js"), include_str!("stock/socket.io-4.8.1.min.js")].map(page);
    let Some(program) = chromedriver() else { return Ok(()) };
    let (house, driver) = (House::open().await?, Driver::start(&program).await?);
    let browser = Browser::open(&driver, &house.hub.url("/")).await?;
    let heard = async |wanted: &str, holds: &dyn Fn(&serde_json::Value) -> bool| {
        until(wanted, PATIENCE, || async {
            let heard = browser.driver.execute(HEARD, vec![]).await?.json().clone();
            Ok(if holds(&heard) { Ok(()) } else { Err(heard.to_string()) })
        })
        .await
    };
    for client in &clients {
        for (transport, ends_on) in TRANSPORTS {
            browser.driver.execute(client, vec![house.tenants[0].token.as_str().into(), transport.into()]).await?;
            heard("to join", &|heard| heard["joined"] == 1 && heard["on"] == ends_on).await?;
            // Another agency's is not for this page.
            house.lead(1, "Not Yours").await?;
            house.lead(0, "Zoë <b>").await?;
            // Brackets would be markup where pages of that time put names.
            let name = "Zoë &lt;b&gt;";
            heard("the lead", &|heard| heard["leads"] == serde_json::json!([name])).await?;
            heard("no errors", &|heard| heard["errors"] == serde_json::json!([])).await?;
            browser.driver.execute("window.socket.close()", vec![]).await?;
        }
    }
    browser.close().await
}

/// A Python with python-socketio in it; `None` if none was named.
fn python() -> Option<PathBuf> {
    let named = std::env::var_os("LEADWIRE_TEST_PYTHON").filter(|named| !named.is_empty());
    if named.is_none() {
        left_out("there is no Python with python-socketio: name one in LEADWIRE_TEST_PYTHON");
    }
    named.map(PathBuf::from)
}

#[tokio::test]
async fn stock_python_clients_connect_by_every_transport() -> Result<()> {
    let Some(python) = python() else { return Ok(()) };
    let house = House::open().await?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/integration/wire/stock/client.py");
    for (transport, ends_on) in TRANSPORTS {
        let mut client = Command::new(&python)
            .args([script, &house.hub.url(""), transport])
            .env("TOKEN", &house.tenants[0].token)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("can't start {}", python.display()))?;
        let mut lines = BufReader::new(client.stdout.take().context("no stdout")?).lines();
        let joined = line(&mut lines).await?;
        // It may have joined before its upgrade was through.
        let early = transport == "upgrade" && joined == "joined polling";
        ensure!(joined == format!("joined {ends_on}") || early, "{transport}: {joined}");
        house.lead(0, "Zoë").await?;
        ensure!(line(&mut lines).await? == "lead Zoë", "{transport}");
        ensure!(timeout(PATIENCE, client.wait()).await??.success(), "{transport}");
    }
    Ok(())
}

async fn line(lines: &mut Lines<BufReader<ChildStdout>>) -> Result<String> {
    timeout(PATIENCE, lines.next_line()).await??.context("the client ended")
}
