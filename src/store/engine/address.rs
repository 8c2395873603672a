//! Reads `store.url`. Its password must never show up in an error, so no text of the URL does.

use std::{fmt, net::IpAddr, path::PathBuf, time::Duration};

use tokio_postgres::config::{Host, SslMode};
use url::Url;

use super::tls::{self, Tls};
use crate::store::{Result, StoreError};

/// Where the database is.
pub(in crate::store) enum Address {
    /// `sqlite://path`
    Sqlite(PathBuf),
    /// `postgres://user:password@host:port/database`
    Postgres(Box<Server>),
}

/// A PostgreSQL server and how to talk to it.
pub(in crate::store) struct Server {
    /// Names the hosts, the user and the database.
    pub config: tokio_postgres::Config,
    /// Absent: in the clear.
    pub tls: Option<Tls>,
}

impl Address {
    /// Reads the URL.
    ///
    /// # Errors
    /// [`StoreError::Address`], which does not repeat the URL.
    pub fn parse(text: &str, limit: Duration) -> Result<Self> {
        if let Some(path) = text.strip_prefix("sqlite://") {
            return match path {
                "" | ":memory:" => Err(wrong("name a file, as in sqlite://data/store.sqlite3")),
                path => Ok(Self::Sqlite(path.into())),
            };
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return server(text, limit).map(Box::new).map(Self::Postgres);
        }
        Err(wrong("use sqlite://path or postgres://user:password@host/database"))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite(_) => "Address(sqlite)",
            Self::Postgres(_) => "Address(postgres)",
        })
    }
}

fn server(text: &str, limit: Duration) -> Result<Server> {
    let mut url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
    let (mode, authorities) = take_tls_words(&mut url);
    let mut config: tokio_postgres::Config = url.as_str().parse().map_err(|error| wrong(&tls::reasons(&error)))?;
    config.connect_timeout(limit).tcp_user_timeout(limit).keepalives_idle(Duration::from_secs(30));
    if config.get_application_name().is_none() {
        config.application_name("leadwire");
    }
    let near = config.get_hosts().iter().all(is_near);
    let mode = match mode.as_deref() {
        Some("disable") => SslMode::Disable,
        Some("prefer") => SslMode::Prefer,
        Some("require" | "verify-ca" | "verify-full") => SslMode::Require,
        Some(_) => return Err(wrong("sslmode is disable, prefer, require or verify-full")),
        None if near => SslMode::Disable,
        None => SslMode::Require,
    };
    config.ssl_mode(mode);
    let tls = if mode == SslMode::Disable { None } else { Some(tls::connector(authorities.as_deref())?) };
    Ok(Server { config, tls })
}

/// Takes out what is for us: `sslmode`, of which tokio-postgres knows three words only, and `sslrootcert`.
fn take_tls_words(url: &mut Url) -> (Option<String>, Option<String>) {
    let (mut mode, mut authorities, mut rest) = (None, None, Vec::new());
    for (name, value) in url.query_pairs() {
        match &*name {
            "sslmode" => mode = Some(value.into_owned()),
            "sslrootcert" => authorities = Some(value.into_owned()),
            _ => rest.push((name.into_owned(), value.into_owned())),
        }
    }
    url.set_query(None);
    if !rest.is_empty() {
        url.query_pairs_mut().extend_pairs(rest);
    }
    (mode, authorities)
}

/// Whether what is sent there never leaves the machine.
fn is_near(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

fn wrong(why: &str) -> StoreError {
    StoreError::Address(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Address> {
        Address::parse(text, Duration::from_secs(1))
    }

    fn mode(text: &str) -> (SslMode, bool) {
        match parse(text).unwrap() {
            Address::Postgres(server) => (server.config.get_ssl_mode(), server.tls.is_some()),
            Address::Sqlite(_) => panic!("not a server"),
        }
    }

    #[test]
    fn a_server_elsewhere_is_spoken_to_in_tls_unless_told_otherwise() {
        assert_eq!(mode("postgres://u:p@127.0.0.1:5433/d"), (SslMode::Disable, false));
        assert_eq!(mode("postgres://u:p@localhost/d"), (SslMode::Disable, false));
        assert_eq!(mode("postgres://u@%2Frun%2Fpostgresql/d"), (SslMode::Disable, false));
        assert_eq!(mode("postgres://u:p@db.example/d?sslmode=disable"), (SslMode::Disable, false));
        assert_eq!(mode("postgres://u:p@db.example/d"), (SslMode::Require, true));
        assert_eq!(
            mode("postgresql://u:p@127.0.0.1/d?sslmode=verify-full&application_name=x"),
            (SslMode::Require, true)
        );
    }

    #[test]
    fn a_wrong_address_is_refused_without_repeating_it() {
        for text in [
            "",
            "sqlite://",
            "sqlite://:memory:",
            "mysql://u:hunter2@h/d",
            "postgres://u:hunter2@h:port/d",
            "postgres://u:hunter2@h/d?sslmode=maybe",
            "postgres://u:hunter2@h/d?nonsense=hunter2",
        ] {
            let refused = parse(text).unwrap_err();
            assert!(matches!(refused, StoreError::Address(_)), "{text}");
            assert!(!format!("{refused:?}").contains("hunter2"), "{refused:?}");
        }
        assert_eq!(format!("{:?}", parse("postgres://u:hunter2@localhost/d").unwrap()), "Address(postgres)");
    }
}
