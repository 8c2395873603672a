//! A hub with somebody of every kind, and something of everything in the first account.

use std::collections::HashMap;

use anyhow::{Context, Result, ensure};
use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use loadtest::{
    hub::{Hub, Setup},
    platform::unipile::{self, Connected},
};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::{PATIENCE, binary, until};

/// In every text of the first account, so that nobody else's answer may hold it.
pub const MARK: &str = "Harborsecret";
pub const UNIPILE_SECRET: &str = "the secret of Harbor's inbox at Unipile";
const UNIPILE: &str = "/api/webhooks/unipile/messages";

/// Who asks, by the column of the tables that they belong to.
pub const PRINCIPALS: [(&str, usize); 10] = [
    ("anybody", 0),
    ("another agency's owner", 1),
    ("a colleague with another account", 1),
    ("viewer", 2),
    ("viewer's key", 2),
    ("agent", 3),
    ("manager", 4),
    ("manager's key", 4),
    ("owner", 5),
    ("owner's key", 5),
];

pub struct World {
    pub hub: Hub,
    /// The first account, another of the same agency, and one of another agency.
    pub accounts: [String; 3],
    /// Of the first account, at Unipile.
    pub source: String,
    tokens: HashMap<&'static str, String>,
    /// What stands for `{name}` in the tables.
    names: HashMap<&'static str, String>,
}

impl World {
    pub async fn open() -> Result<Self> {
        let setup = Setup::new(binary()).set("outbox.allow_private", json!(["127.0.0.0/8"]));
        let mut hub = Hub::prepare(setup.set("realtime.sessions_per_user", 100)).await?;
        let (own, other) = (hub.add_agency("Harbor").await?, hub.add_agency("Maple").await?);
        let accounts = [
            hub.add_account(&own, &format!("{MARK} account")).await?,
            hub.add_account(&own, "Next door").await?,
            hub.add_account(&other, "Elsewhere").await?,
        ];
        let mut tokens = HashMap::new();
        for (who, agency, account, role) in [
            ("another agency's owner", &other, &accounts[2], "owner"),
            ("a colleague with another account", &own, &accounts[1], "owner"),
            ("viewer", &own, &accounts[0], "viewer"),
            ("agent", &own, &accounts[0], "agent"),
            ("manager", &own, &accounts[0], "manager"),
            ("owner", &own, &accounts[0], "owner"),
        ] {
            let email = format!("{}@agency.example", who.replace([' ', '\''], "-"));
            let user = hub.add_user(agency, &email, who, &[(account, role)]).await?;
            tokens.insert(who, hub.issue_token(&user).await?);
        }
        for (who, role) in [("viewer's key", "viewer"), ("manager's key", "manager"), ("owner's key", "owner")] {
            tokens.insert(who, hub.add_key(&own, Some(&accounts[0]), role).await?);
        }
        let source = hub.add_unipile(&accounts[0], "unipile-harbor", UNIPILE_SECRET).await?;
        hub.start().await?;
        let mut world = Self { hub, accounts, source, tokens, names: HashMap::new() };
        world.furnish().await?;
        Ok(world)
    }

    pub fn token(&self, who: &str) -> Option<&str> {
        self.tokens.get(who).map(String::as_str)
    }

    /// A table's text with every `{name}` filled in. A name that begins with `new_` is something made for this once.
    pub async fn fill(&self, text: &str) -> Result<String> {
        let mut filled = text.to_owned();
        for (name, value) in &self.names {
            filled = filled.replace(&format!("{{{name}}}"), value);
        }
        for kind in ["lead", "campaign", "threshold", "endpoint", "prospect"] {
            let name = format!("{{new_{kind}}}");
            if filled.contains(&name) {
                filled = filled.replace(&name, &self.make(kind).await?);
            }
        }
        let number = fastrand::u64(..);
        if filled.contains("{new_chat}") {
            let [chat, ..] = self.written(&format!("{MARK}-person {number}"), &format!("m_{number}")).await?;
            filled = filled.replace("{new_chat}", &chat);
        }
        if filled.contains("{new_message}") {
            let [_, message, _] = self.written(&format!("{MARK}-person"), &format!("m_{number}")).await?;
            filled = filled.replace("{new_message}", &message);
        }
        ensure!(!filled.contains("{new_"), "nothing is known of {filled}");
        Ok(filled)
    }

    pub async fn ask(&self, who: &str, method: Method, path: &str, body: Option<&Value>) -> Result<Response> {
        let mut request = self.hub.http().request(method, self.hub.url(path));
        if let Some(token) = self.token(who) {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        Ok(request.send().await?)
    }

    async fn own(&self, method: Method, path: &str, body: Value) -> Result<Value> {
        let answer = self.ask("owner", method, path, Some(&body)).await?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "{path}: {status} {text}");
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    /// Makes something in the first account; its id.
    async fn make(&self, kind: &str) -> Result<String> {
        let account = &self.accounts[0];
        let (method, path, body, at) = match kind {
            "lead" => (Method::POST, "/api/leads/create", json!({"account": account, "name": MARK}), "/data/id"),
            "campaign" => {
                (Method::POST, "/api/campaigns", json!({"account_id": account, "name": MARK}), "/campaign/id")
            }
            "threshold" => {
                let name = format!("{MARK} {}", fastrand::u64(..));
                let body = json!({"account": account, "threshold_name": name, "threshold_type": "daily_spend",
                    "threshold_value": 1000.0, "comparison_operator": ">"});
                (Method::PUT, "/api/cost-thresholds", body, "/threshold/id")
            }
            "endpoint" => {
                let body = json!({"account": account, "url": "http://127.0.0.1:9/", "types": ["new_lead"],
                    "description": MARK});
                (Method::POST, "/api/endpoints", body, "/endpoint/id")
            }
            _ => {
                let body = json!({"account_id": account, "prospects": [{"name": MARK}]});
                (Method::POST, "/api/prospects", body, "/items/0/id")
            }
        };
        let made = self.own(method, path, body).await?;
        Ok(made.pointer(at).and_then(Value::as_str).with_context(|| format!("{path}: {made}"))?.to_owned())
    }

    /// One of everything.
    async fn furnish(&mut self) -> Result<()> {
        until("the directory", PATIENCE, || async {
            let answer = self.ask("owner's key", Method::GET, "/api/me", None).await?;
            Ok(if answer.status() == 200 { Ok(()) } else { Err(answer.status().to_string()) })
        })
        .await?;
        for kind in ["lead", "campaign", "threshold", "endpoint", "prospect"] {
            let id = self.make(kind).await?;
            self.names.insert(kind, id);
        }
        let [account, ..] = self.accounts.clone();
        self.names.insert("account", account.clone());
        let since = json!({"since": "2026-01-01T00:00:00Z"});
        let endpoint = self.names["endpoint"].clone();
        let replay = self.own(Method::POST, &format!("/api/endpoints/{endpoint}/replay"), since).await?;
        self.names.insert("replay", replay["replay"]["id"].as_str().context("no replay")?.to_owned());
        self.talk().await?;
        self.export().await?;
        self.spend().await?;
        let people = self.own(Method::GET, "/api/people", Value::Null).await?;
        let user = people.pointer("/items/0/id").and_then(Value::as_str).context("nobody")?;
        self.names.insert("user", user.to_owned());
        Ok(())
    }

    /// Somebody writes; the ids of chat, message and writer, as soon as they are stored.
    async fn written(&self, person: &str, message: &str) -> Result<[String; 3]> {
        let text = format!("{MARK} {message}");
        let body = Connected::linked_in("unipile-harbor").message(person, message, &text, "2026-07-06T10:00:00.000Z");
        let answer = unipile::post(self.hub.http(), &self.hub.url(UNIPILE), UNIPILE_SECRET, &body).await?;
        ensure!(answer.status() == 200, "a message got {}", answer.status());
        until("the message", PATIENCE, || async {
            let chats = self.own(Method::GET, "/api/chats", Value::Null).await?;
            let chats = chats["items"].as_array().context("no list")?;
            let Some(chat) = chats.iter().find(|chat| chat["name"] == person).and_then(|chat| chat["id"].as_str())
            else {
                return Ok(Err(format!("{chats:?}")));
            };
            let messages = self.own(Method::GET, &format!("/api/chats/{chat}/messages"), Value::Null).await?;
            let messages = messages["items"].as_array().context("no list")?;
            let found = messages.iter().find(|message| message["text"] == text);
            let field = |name: &str| found.and_then(|message| message[name].as_str()).map(str::to_owned);
            let ids = field("id").zip(field("sender_id"));
            Ok(ids.map(|(id, sender)| [chat.to_owned(), id, sender]).ok_or_else(|| format!("{messages:?}")))
        })
        .await
    }

    /// A chat with a message.
    async fn talk(&mut self) -> Result<()> {
        let [chat, _, attendee] = self.written(&format!("{MARK}-person"), "m_1").await?;
        self.names.extend([("chat", chat), ("attendee", attendee)]);
        Ok(())
    }

    /// A campaign that is completed, with its files.
    async fn export(&mut self) -> Result<()> {
        let campaign = self.make("campaign").await?;
        for step in ["start", "complete"] {
            self.own(Method::POST, &format!("/api/campaigns/{campaign}/{step}"), Value::Null).await?;
        }
        let file = until("the files", PATIENCE, || async {
            let known = self.own(Method::GET, &format!("/api/campaigns/{campaign}/files"), Value::Null).await?;
            let name = known.pointer("/items/0/name").and_then(Value::as_str).map(str::to_owned);
            Ok(name.ok_or_else(|| known.to_string()))
        })
        .await?;
        self.names.extend([("completed", campaign), ("file", file)]);
        Ok(())
    }

    /// A cost that raises an alert, as another program would write it.
    async fn spend(&mut self) -> Result<()> {
        let mut database = SqliteConnection::establish(&self.hub.data_dir().join("store.sqlite3").to_string_lossy())?;
        database.batch_execute(&format!(
            "PRAGMA busy_timeout = 10000; PRAGMA foreign_keys = ON;
             INSERT INTO api_costs (agency_id, account_id, api_service, cost)
             SELECT agency_id, id, 'hunter_io', 55.0 FROM accounts WHERE id = '{}';",
            self.accounts[0]
        ))?;
        let alert = until("the alert", PATIENCE, || async {
            let alerts = self.own(Method::GET, "/api/cost-alerts", Value::Null).await?;
            let id = alerts.pointer("/items/0/id").and_then(Value::as_str).map(str::to_owned);
            Ok(id.ok_or_else(|| alerts.to_string()))
        })
        .await?;
        self.names.insert("alert", alert);
        Ok(())
    }
}
