//! What programs other than the hub do with the database, and what is in the outbox then.

use chrono::TimeDelta;
use diesel::{
    Connection, QueryableByName, RunQueryDsl, SqliteConnection, connection::SimpleConnection, sql_query,
    sql_types::Text,
};
use leadwire::{
    domain::{
        AccountId, EndpointId,
        audit::{Action, Entry},
        clock,
        directory::Account,
    },
    store::{Attempt, AuditFilter, AuditScope, Claimed, NewEndpoint, Outcome, Settled},
};
use serde_json::Value;
use tokio_postgres::{NoTls, SimpleQueryMessage};

use super::harness::Bench;

impl Bench {
    /// Runs statements as another program would.
    pub async fn execute(&self, statements: &str) {
        if self.is_sqlite() {
            let mut other = self.other();
            other.batch_execute(statements).unwrap();
        } else {
            crate::support::postgres::admin(&self.url, statements).await;
        }
    }

    /// What the database says to statements of another program that it must not take.
    pub async fn refusal_of(&self, statements: &str) -> String {
        if self.is_sqlite() {
            return self.other().batch_execute(statements).unwrap_err().to_string();
        }
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
        let driver = tokio::spawn(connection);
        let refused = client.batch_execute(statements).await.unwrap_err();
        drop(client);
        driver.await.unwrap().unwrap();
        refused.as_db_error().unwrap().message().to_owned()
    }

    fn other(&self) -> SqliteConnection {
        let mut other = SqliteConnection::establish(self.url.strip_prefix("sqlite://").unwrap()).unwrap();
        other.batch_execute("PRAGMA busy_timeout = 10000; PRAGMA foreign_keys = ON").unwrap();
        other
    }

    /// The one column, a text named `line`, of what a question finds.
    pub async fn lines(&self, question: &str) -> Vec<String> {
        #[derive(QueryableByName)]
        struct Line {
            #[diesel(sql_type = Text)]
            line: String,
        }
        if self.is_sqlite() {
            let lines: Vec<Line> = sql_query(question).load(&mut self.other()).unwrap();
            return lines.into_iter().map(|line| line.line).collect();
        }
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
        let driver = tokio::spawn(connection);
        let found = client.simple_query(question).await.unwrap();
        drop(client);
        driver.await.unwrap().unwrap();
        let line = |message| match message {
            SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap().to_owned()),
            _ => None,
        };
        found.into_iter().filter_map(line).collect()
    }

    pub async fn types(&self) -> Vec<String> {
        self.lines("SELECT type AS line FROM outbox ORDER BY id").await
    }

    pub async fn payloads(&self) -> Vec<Value> {
        let all = self.lines("SELECT payload AS line FROM outbox ORDER BY id").await;
        all.iter().map(|payload| serde_json::from_str(payload).unwrap()).collect()
    }

    pub async fn endpoint(
        &self,
        of: &Account,
        account: Option<AccountId>,
        types: &[&str],
        ordered: bool,
    ) -> EndpointId {
        let all = async || {
            let directory = self.store.load_directory().await.unwrap();
            let all = directory.accounts.values().filter(|one| one.agency == of.agency);
            all.map(|one| one.id).collect::<Vec<AccountId>>()
        };
        let accounts = if let Some(account) = account { vec![account] } else { all().await };
        let new = NewEndpoint {
            agency: of.agency,
            accounts,
            by: None,
            url: "https://crm.example/hook".parse().unwrap(),
            description: String::new(),
            types: types.iter().map(|kind| (*kind).to_owned()).collect(),
            ordered,
            enabled: true,
            token: Some("token".into()),
            secret: "whsec_c2VjcmV0".into(),
        };
        self.store.add_endpoint(new).await.unwrap().id
    }

    pub async fn claim(&self, endpoint: EndpointId, most: u32) -> Vec<Claimed> {
        let until = clock::now() + TimeDelta::minutes(1);
        self.store.claim_deliveries(endpoint, most, until).await.unwrap().unwrap().1
    }

    /// What was recorded of this kind.
    pub async fn recorded(&self, action: Action) -> Vec<Entry> {
        let (since, until, actor, cursor) = (None, None, None, None);
        let action = Some(action);
        let filter = AuditFilter { scope: AuditScope::Everything, since, until, action, actor, limit: 100, cursor };
        self.store.audit(&filter).await.unwrap().entries
    }
}

/// A claimed delivery of which this became, after an attempt.
pub(super) fn settled(endpoint: EndpointId, claimed: &Claimed, outcome: Outcome) -> Settled {
    let attempt = Attempt {
        url: "https://crm.example/hook".into(),
        started_at: clock::now(),
        duration_ms: 5,
        status: Some(200),
        answer: Some("fine".into()),
        error: None,
    };
    Settled { endpoint, claimed: claimed.clone(), attempt: Some(attempt), outcome }
}

/// A campaign with its progress.
pub(super) fn campaign(account: &Account) -> String {
    format!(
        "INSERT INTO campaigns (id, agency_id, account_id, name, target_count, budget_limit)
         VALUES ('cmp_1', '{0}', '{1}', 'San Diego', 100, 50);
         INSERT INTO campaign_processing_status (campaign_id, agency_id, account_id, total_leads, processed_leads)
         VALUES ('cmp_1', '{0}', '{1}', 80, 20);",
        account.agency, account.id
    )
}

/// Every change that prospecting tells of, and some that say nothing new.
pub(super) fn changes(account: &Account) -> String {
    format!(
        "{2}
         UPDATE campaigns SET status = 'processing' WHERE id = 'cmp_1';
         UPDATE campaigns SET status = 'processing' WHERE id = 'cmp_1';
         INSERT INTO enhanced_leads (id, agency_id, account_id, campaign_id, name, city)
         VALUES ('lead_1', '{0}', '{1}', 'cmp_1', 'Harbor Grill', 'San Diego'), ('lead_2', '{0}', '{1}', NULL, 'Hill', NULL);
         UPDATE enhanced_leads SET status = 'enriched' WHERE id = 'lead_1';
         UPDATE enhanced_leads SET status = 'enriched' WHERE id = 'lead_1';
         UPDATE enhanced_leads SET status = 'processing' WHERE id = 'lead_1';
         INSERT INTO api_costs (agency_id, account_id, api_service, cost, campaign_id)
         VALUES ('{0}', '{1}', 'google_places', 55.5, 'cmp_1');
         UPDATE api_costs SET cost = 56;
         UPDATE api_costs SET cost = 56;
         UPDATE campaigns SET status = 'completed', leads_found = 87 WHERE id = 'cmp_1';",
        account.agency,
        account.id,
        campaign(account)
    )
}
