//! The client library in a real browser against a real hub, which dies, hangs and is cut off: all that was published
//! meanwhile arrives once and in order, in the page and in a program of its own, and the page said that it was away.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use loadtest::{
    client::{Frame, Socket},
    fault::{Mode, Proxy},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout},
};

use crate::support::{
    House, PATIENCE,
    browser::{Browser, Driver, chromedriver},
    left_out, until,
};

/// Short, so that a silence is soon noticed; not so short that a busy machine looks like one.
const HEARTBEAT: &str = "2s";

/// A program beside the page: notes what the client library hands it, and each word in which the page shows its state.
const LISTEN: &str = r#"
    const [token, fresh, done] = arguments;
    const heard = (window.heard = { leads: [], resyncs: [], states: [], sessions: [], words: [] });
    const word = document.querySelector(".connection-word");
    if (word) new MutationObserver(() => heard.words.push(word.textContent)).observe(word, { subtree: true, childList: true, characterData: true });
    import("/client/leadwire.js").then(({ connect }) => {
        const hub = connect("/ws", token ? { token: (ask) => (ask.fresh ? fresh : token) } : {});
        hub.on("new_lead", ({ lead }) => heard.leads.push(lead.name));
        hub.on("resync", ({ room, reason }) => heard.resyncs.push(`${room} ${reason}`));
        hub.on("status", ({ state }) => heard.states.push(state));
        hub.on("welcome", ({ session }) => heard.sessions.push(session));
        hub.on("subscribed", () => done());
        hub.subscribe("dashboard");
    });
"#;

/// A browser that reaches the hub over a line that can fail.
struct Scene {
    house: House,
    line: Proxy,
    browser: Browser,
    published: Vec<String>,
    ids: Vec<u64>,
}

impl Scene {
    /// Runs a test with the page open and live and a program that listens beside it; ends the browser however it went.
    async fn with(test: impl AsyncFnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let Some(program) = chromedriver() else { return Ok(()) };
        let house = House::open_with(|setup| setup.set("realtime.heartbeat", HEARTBEAT)).await?;
        let line = Proxy::start(house.hub.address())?;
        let driver = Driver::start(&program).await?;
        let browser = Browser::open(&driver, &format!("http://{}/", line.address())).await?;
        let mut scene = Self { house, line, browser, published: Vec::new(), ids: Vec::new() };
        let outcome = async {
            scene.browser.sign_in(&scene.house.tenants[0].email).await?;
            scene.browser.driver.execute_async(LISTEN, vec![Value::Null, Value::Null]).await?;
            scene.publish(2).await?;
            scene.all_arrived().await?;
            test(&mut scene).await
        }
        .await;
        scene.browser.close().await?;
        outcome
    }

    /// Leads come in, each when the one before was pushed and stored, so that their order is certain.
    async fn publish(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            let name = format!("Lead {}", self.published.len() + 1);
            self.ids.push(self.house.lead(0, &name).await?);
            self.published.push(name);
            self.house.has_stored(0, &self.ids).await?;
        }
        Ok(())
    }

    /// As a crash does it, or as a deployment, which says goodbye.
    async fn end_hub(&mut self, crash: bool) -> Result<()> {
        if crash {
            return self.house.hub.kill().await;
        }
        self.house.hub.stop().await.map(drop)
    }

    async fn heard(&self) -> Result<Value> {
        Ok(self.browser.driver.execute("return window.heard", vec![]).await?.json().clone())
    }

    /// The device says that its network is gone or back, as a browser tells its pages.
    async fn network(&self, word: &str) -> Result<()> {
        let script = "
            Object.defineProperty(navigator, 'onLine', { value: arguments[0] === 'online', configurable: true });
            dispatchEvent(new Event(arguments[0]));
        ";
        self.browser.driver.execute(script, vec![json!(word)]).await?;
        Ok(())
    }

    /// The page no longer says "Live".
    async fn is_away(&self) -> Result<()> {
        self.browser.find(".connection:not(.is-live):not(.is-catching-up)").await.map(drop)
    }

    /// Everything that was published has arrived once and in order, nothing had to be read again, and all is live.
    async fn all_arrived(&self) -> Result<()> {
        let wanted = json!(self.published);
        let heard = until("all leads", PATIENCE * 2, || async {
            let heard = self.heard().await?;
            let count = heard["leads"].as_array().context("no list")?.len();
            Ok(if count >= self.published.len() { Ok(heard) } else { Err(heard.to_string()) })
        })
        .await?;
        self.browser.is_live().await?;
        let newest_first: Vec<String> = self.published.iter().rev().cloned().collect();
        until("the page's list", PATIENCE, || async {
            let names = self.browser.names().await?;
            Ok(if names == newest_first { Ok(()) } else { Err(format!("{names:?}")) })
        })
        .await?;
        ensure!(heard["leads"] == wanted, "{heard}");
        ensure!(heard["resyncs"] == json!([]), "{heard}");
        ensure!(self.heard().await?["leads"] == wanted, "something came a second time");
        Ok(())
    }
}

#[tokio::test]
async fn nothing_is_missed_when_the_hub_dies_or_restarts() -> Result<()> {
    Scene::with(async |scene| {
        for crash in [true, false] {
            scene.line.set(Mode::Refuse);
            scene.is_away().await?;
            scene.publish(2).await?;
            scene.end_hub(crash).await?;
            scene.house.hub.start().await?;
            scene.publish(2).await?;
            scene.line.set(Mode::Pass);
            scene.publish(1).await?;
            scene.all_arrived().await?;
            // The same with nobody in between: the page hears the hub's end, or its goodbye.
            scene.end_hub(crash).await?;
            scene.is_away().await?;
            scene.house.hub.start().await?;
            scene.publish(2).await?;
            scene.all_arrived().await?;
        }
        let heard = scene.heard().await?;
        let words = heard["words"].as_array().context("no words")?;
        for word in ["Reconnecting", "Live"] {
            ensure!(words.iter().any(|said| said == word), "the page never said {word}: {words:?}");
        }
        ensure!(
            heard["states"].as_array().is_some_and(|all| all.iter().any(|state| state == "catching-up")),
            "{heard}"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn nothing_is_missed_while_the_hub_hangs() -> Result<()> {
    Scene::with(async |scene| {
        let pid = scene.house.hub.pid().context("the hub does not run")?.to_string();
        let signal = |name: &str| -> Result<()> {
            ensure!(Command::new("kill").args([name, &pid]).status()?.success(), "kill {name} {pid} failed");
            Ok(())
        };
        signal("-STOP")?;
        let away = scene.is_away().await;
        signal("-CONT")?;
        away?;
        scene.publish(3).await?;
        scene.all_arrived().await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn nothing_is_missed_whatever_way_the_line_fails() -> Result<()> {
    Scene::with(async |scene| {
        for mode in [Mode::Refuse, Mode::Freeze, Mode::HalfOpen] {
            scene.line.set(mode);
            scene.is_away().await.with_context(|| format!("{mode:?}"))?;
            scene.publish(3).await?;
            scene.line.set(Mode::Pass);
            scene.publish(1).await?;
            scene.all_arrived().await.with_context(|| format!("{mode:?}"))?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_device_without_a_network_says_so_and_is_back_as_soon_as_there_is_one() -> Result<()> {
    Scene::with(async |scene| {
        scene.line.set(Mode::Refuse);
        scene.network("offline").await?;
        scene.browser.find(".connection.is-offline").await?;
        scene.publish(2).await?;
        scene.line.set(Mode::Pass);
        scene.network("online").await?;
        scene.all_arrived().await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_token_is_replaced_before_it_runs_out_and_the_session_goes_on() -> Result<()> {
    let Some(program) = chromedriver() else { return Ok(()) };
    let house = House::open_with(|setup| setup.set("realtime.token_grace", "1s")).await?;
    let driver = Driver::start(&program).await?;
    // Nobody is signed in on this page, so that the token is all that counts.
    let browser = Browser::open(&driver, &house.hub.url("/")).await?;
    browser.find("input[name=email]").await?;
    let brief = house.hub.run(&["token", "issue", "--user", &house.tenants[0].user, "--ttl", "4s"], &[]).await?;
    browser.driver.execute_async(LISTEN, vec![json!(brief), json!(house.tenants[0].token)]).await?;
    // A session that has only the brief one is sent away when its grace is over.
    let mut other = Socket::connect(&house.hub.ws_url(), &brief).await?;
    while !matches!(other.next(PATIENCE).await?, Frame::Closed(Some((4001, _)))) {}
    house.lead(0, "Later").await?;
    let heard = until("the lead", PATIENCE, || async {
        let heard = browser.driver.execute("return window.heard", vec![]).await?.json().clone();
        Ok(if heard["leads"] == json!(["Later"]) { Ok(heard) } else { Err(heard.to_string()) })
    })
    .await?;
    ensure!(heard["sessions"].as_array().is_some_and(|all| all.len() == 1), "{heard}");
    browser.close().await
}

/// A program in Node that hears the hub over a line that can fail.
struct Program {
    house: House,
    line: Proxy,
    said: Lines<BufReader<ChildStdout>>,
    ids: Vec<u64>,
    _process: Child,
}

impl Program {
    async fn start() -> Result<Self> {
        let house = House::open_with(|setup| setup.set("realtime.heartbeat", HEARTBEAT)).await?;
        let line = Proxy::start(house.hub.address())?;
        let folder = env!("CARGO_MANIFEST_DIR");
        let mut process = tokio::process::Command::new("node")
            .arg(format!("{folder}/tests/integration/client/program.mjs"))
            .arg(format!("{folder}/src/dashboard/client/leadwire.js"))
            .env("HUB", format!("ws://{}/ws", line.address()))
            .env("TOKEN", &house.tenants[0].token)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let said = BufReader::new(process.stdout.take().context("no stdout")?).lines();
        let mut program = Self { house, line, said, ids: Vec::new(), _process: process };
        program.says("subscribed").await?;
        Ok(program)
    }

    async fn next(&mut self) -> Result<String> {
        let line = tokio::time::timeout(PATIENCE, self.said.next_line()).await.context("it says nothing")??;
        line.context("it has ended")
    }

    /// Passes over what it says until this.
    async fn says(&mut self, wanted: &str) -> Result<()> {
        while self.next().await? != wanted {}
        Ok(())
    }

    /// Two more leads, each when the one before is stored.
    async fn publish(&mut self) -> Result<()> {
        for _ in 0..2 {
            self.ids.push(self.house.lead(0, &format!("Lead {}", self.ids.len())).await?);
            self.house.has_stored(0, &self.ids).await?;
        }
        Ok(())
    }

    /// The last two are what it is handed next, and nothing it missed was lost on the way.
    async fn hears_them(&mut self) -> Result<()> {
        for number in self.ids.len() - 2..self.ids.len() {
            let lead = loop {
                let line = self.next().await?;
                ensure!(!line.starts_with("resync"), "{line}");
                if line.starts_with("lead") {
                    break line;
                }
            };
            ensure!(lead == format!("lead Lead {number}"), "{lead}");
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_program_in_node_misses_nothing_of_a_hub_that_is_killed_silent_and_cut_off() -> Result<()> {
    if !has_node() {
        left_out("there is no node");
        return Ok(());
    }
    let mut program = Program::start().await?;
    program.publish().await?;
    program.hears_them().await?;
    program.house.hub.kill().await?;
    program.house.hub.start().await?;
    program.publish().await?;
    program.hears_them().await?;
    // It hears nothing, not even an end, and finds out by itself.
    program.line.set(Mode::HalfOpen);
    program.publish().await?;
    program.says("state waiting").await?;
    program.line.set(Mode::Pass);
    program.hears_them().await?;
    program.line.set(Mode::Refuse);
    program.publish().await?;
    program.line.set(Mode::Pass);
    program.hears_them().await
}

fn has_node() -> bool {
    Command::new("node").arg("--version").output().is_ok()
}

#[test]
fn the_rules_of_the_client_library_hold() {
    if !has_node() {
        return left_out("there is no node");
    }
    let tests = ["leadwire", "rooms"]
        .map(|name| format!("{}/src/dashboard/client_tests/{name}.test.mjs", env!("CARGO_MANIFEST_DIR")));
    let run = Command::new("node").arg("--test").args(tests).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
}
