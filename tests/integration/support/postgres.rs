//! The PostgreSQL of the tests: a database of its own for each test, and a line to it that can be cut.

use std::{env, future::Future, panic::AssertUnwindSafe};

use anyhow::Result;
use futures_util::FutureExt;
use leadwire::domain::LeadId;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tokio_postgres::NoTls;

use super::left_out;

/// Where databases can be made; says so when that is nowhere.
pub fn server() -> Option<String> {
    let server = env::var("LEADWIRE_TEST_POSTGRES").ok().filter(|server| !server.is_empty());
    if server.is_none() {
        left_out("there is no PostgreSQL: LEADWIRE_TEST_POSTGRES is not set");
    }
    server
}

/// Runs a test on a database that goes when it ends, in whatever way.
pub async fn with_database<F: Future<Output = Result<()>>>(test: impl FnOnce(String) -> F) -> Result<()> {
    let Some(server) = server() else { return Ok(()) };
    let name = format!("leadwire_{}", LeadId::generate()).to_lowercase();
    admin(&server, &format!("CREATE DATABASE {name}")).await;
    let mut url = url::Url::parse(&server)?;
    url.set_path(&name);
    let outcome = AssertUnwindSafe(test(url.into())).catch_unwind().await;
    admin(&server, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
    outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Runs a statement on the server, outside of the store.
pub async fn admin(url: &str, statement: &str) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let driver = tokio::spawn(connection);
    client.batch_execute(statement).await.unwrap();
    drop(client);
    driver.await.unwrap().unwrap();
}

/// Stands between the store and the server, and can be taken away.
pub struct Line {
    server: String,
    port: u16,
    carrier: JoinHandle<()>,
}

impl Line {
    /// A line to the server of this URL, and the URL that goes through it.
    pub async fn to(url: &str) -> (Self, String) {
        let mut url = url::Url::parse(url).unwrap();
        let server = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(port)).unwrap();
        (Self { carrier: tokio::spawn(carry(listener, server.clone())), server, port }, url.into())
    }

    /// Every connection breaks and no other is accepted.
    pub async fn cut(&mut self) {
        self.carrier.abort();
        let _ = (&mut self.carrier).await;
    }

    /// Connections are accepted again.
    pub async fn mend(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        self.carrier = tokio::spawn(carry(listener, self.server.clone()));
    }
}

async fn carry(listener: TcpListener, server: String) {
    let mut calls = JoinSet::new();
    loop {
        let (mut near, _) = listener.accept().await.unwrap();
        let server = server.clone();
        calls.spawn(async move {
            let mut far = TcpStream::connect(server).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
        });
    }
}
