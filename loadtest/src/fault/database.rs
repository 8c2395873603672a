//! A PostgreSQL database that one run has to itself.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result, bail};
use reqwest::Url;
use tokio::net::{TcpStream, lookup_host};
use tokio_postgres::NoTls;

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A database on a server, with a name that no other run has. Whoever made it removes it: dropping this removes nothing,
/// for that has to be waited for. Its URLs have the server's password in them and are not to be shown.
#[derive(Clone)]
pub struct Database {
    server: Url,
    address: SocketAddr,
    url: Url,
    name: String,
}

impl Database {
    /// Makes one on the server of this URL, `postgres://user:password@host:port/database`, whose user may make databases.
    /// TLS is not spoken.
    ///
    /// # Errors
    /// If that is no such URL, the server can't be reached, or it refuses. No error has the password in it.
    pub async fn create(server_url: &str) -> Result<Self> {
        let server = Url::parse(server_url).context("the URL of the PostgreSQL server can't be read")?;
        if !matches!(server.scheme(), "postgres" | "postgresql") {
            bail!("the URL of a PostgreSQL server begins with postgres://");
        }
        let address = reach(&server).await?;
        let name = format!("leadwire_run_{:016x}", fastrand::u64(..));
        let mut url = server.clone();
        url.set_path(&name);
        let database = Self { server, address, url, name };
        database.tell(&format!("CREATE DATABASE {}", database.name)).await?;
        Ok(database)
    }

    /// The database's URL.
    #[must_use]
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// Where its server answers: what to put a [`Proxy`](super::Proxy) before.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The database's URL by way of a proxy.
    #[must_use]
    pub fn through(&self, proxy: SocketAddr) -> String {
        let mut url = self.url.clone();
        // Neither fails on a URL that has a host, which was seen when it was made.
        let _ = url.set_ip_host(proxy.ip());
        let _ = url.set_port(Some(proxy.port()));
        url.into()
    }

    /// Removes it, and ends whatever is connected to it.
    ///
    /// # Errors
    /// If the server can't be reached, or refuses.
    pub async fn remove(self) -> Result<()> {
        self.tell(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)).await
    }

    /// Runs a statement on the server, outside of the database.
    async fn tell(&self, statement: &str) -> Result<()> {
        let told = async {
            let (client, connection) = tokio_postgres::connect(self.server.as_str(), NoTls).await?;
            let driver = tokio::spawn(connection);
            let outcome = client.batch_execute(statement).await;
            drop(client);
            let _ = driver.await;
            outcome
        };
        let place = place(&self.server);
        let outcome = tokio::time::timeout(PATIENCE, told).await;
        outcome
            .with_context(|| format!("PostgreSQL at {place} does not answer"))?
            .with_context(|| format!("PostgreSQL at {place} refuses"))
    }
}

/// A name may stand for several addresses, of which the server may listen on one only.
async fn reach(server: &Url) -> Result<SocketAddr> {
    let place = place(server);
    let found = async {
        let mut failure = None;
        for address in lookup_host(&place).await? {
            match TcpStream::connect(address).await {
                Ok(_) => return Ok(address),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| std::io::ErrorKind::NotFound.into()))
    };
    let found = tokio::time::timeout(PATIENCE, found).await;
    let found = found.with_context(|| format!("PostgreSQL at {place} does not answer"))?;
    found.with_context(|| format!("can't reach PostgreSQL at {place}"))
}

/// `host:port`.
fn place(server: &Url) -> String {
    format!("{}:{}", server.host_str().unwrap_or("localhost"), server.port().unwrap_or(5432))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{Mode, Proxy};

    async fn refusal(url: &str) -> String {
        format!("{:#}", Database::create(url).await.err().unwrap())
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_named_and_the_password_is_not() {
        let proxy = Proxy::start(([127, 0, 0, 1], 9).into()).unwrap();
        proxy.set(Mode::Refuse);
        let place = proxy.address().to_string();
        let text = refusal(&format!("postgres://u:hunter2@{place}/postgres")).await;
        assert!(text.contains(&place) && text.contains("can't reach") && !text.contains("hunter2"), "{text}");
    }

    #[tokio::test]
    async fn what_is_no_such_url_is_refused_without_repeating_it() {
        for url in ["mysql://u:hunter2@127.0.0.1/d", "host=127.0.0.1 password=hunter2", "postgres://u:hunter2@:::/d"] {
            let text = refusal(url).await;
            assert!(text.contains("URL") && !text.contains("hunter2"), "{text}");
        }
    }

    #[tokio::test]
    async fn a_database_is_made_reached_through_a_proxy_and_removed() {
        let Some(server) = std::env::var("LEADWIRE_TEST_POSTGRES").ok().filter(|server| !server.is_empty()) else {
            println!("left out: LEADWIRE_TEST_POSTGRES is not set");
            return;
        };
        let database = Database::create(&server).await.unwrap();
        let proxy = Proxy::start(database.address()).unwrap();
        let (client, connection) = tokio_postgres::connect(&database.through(proxy.address()), NoTls).await.unwrap();
        let driver = tokio::spawn(connection);
        let row = client.query_one("SELECT current_database()", &[]).await.unwrap();
        assert_eq!(row.get::<_, String>(0), database.name);

        let url = database.url().to_owned();
        database.remove().await.unwrap();
        assert!(driver.await.unwrap().is_err(), "whoever was connected is not any more");
        assert!(tokio_postgres::connect(&url, NoTls).await.is_err());
    }
}
