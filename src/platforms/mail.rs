//! Whether a domain takes mail: what its name servers say.

use std::net::SocketAddr;

use hickory_resolver::{
    Resolver, TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolverConfig},
    net::{DnsError, NetError, runtime::TokioRuntimeProvider},
    proto::{op::ResponseCode, rr::RData},
};

use crate::config::Prospecting;

/// Asks name servers. Cheap to clone.
#[derive(Clone)]
pub struct MailDomains {
    /// Why there is none, if there is none.
    resolver: Result<TokioResolver, String>,
}

/// What is known of a domain's mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mail {
    /// Somebody takes it.
    Taken,
    /// Nobody does: there is no such domain, it has no host for it, or it says so (RFC 7505).
    Refused,
    /// Nobody could be asked; why.
    Unknown(String),
}

impl MailDomains {
    /// Asks the settings' name server, or the system's. If there is none, every domain is unknown.
    #[must_use]
    pub fn new(settings: &Prospecting) -> Self {
        let provider = TokioRuntimeProvider::default;
        let builder = match settings.nameserver {
            Some(server) => Ok(Resolver::builder_with_config(only(server), provider())),
            None => Resolver::builder(provider()),
        };
        let resolver = builder.and_then(|mut builder| {
            let options = builder.options_mut();
            (options.timeout, options.attempts) = (settings.dns_timeout, 1);
            builder.build()
        });
        Self { resolver: resolver.map_err(|error| error.to_string()) }
    }

    /// Whether a domain, in ASCII, takes mail.
    pub async fn ask(&self, domain: &str) -> Mail {
        let resolver = match &self.resolver {
            Ok(resolver) => resolver,
            Err(why) => return Mail::Unknown(format!("there is no name server to ask: {why}")),
        };
        // Whole: the system's search list has nothing to do with it.
        let name = format!("{domain}.");
        match resolver.mx_lookup(name.as_str()).await {
            Ok(found) => {
                let hosts = found.answers().iter().filter_map(|record| match &record.data {
                    RData::MX(mx) => Some(&mx.exchange),
                    _ => None,
                });
                let mut hosts = hosts.peekable();
                if hosts.peek().is_some() {
                    return if hosts.any(|host| !host.is_root()) { Mail::Taken } else { Mail::Refused };
                }
            }
            Err(error) if has_nothing(&error) => {}
            Err(error) => return unknown(&error),
        }
        // Without an MX record the domain's own host takes it (RFC 5321, 5.1).
        match resolver.lookup_ip(name.as_str()).await {
            Ok(found) if found.iter().next().is_some() => Mail::Taken,
            Ok(_) => Mail::Refused,
            Err(error) if has_nothing(&error) => Mail::Refused,
            Err(error) => unknown(&error),
        }
    }
}

fn only(server: SocketAddr) -> ResolverConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = server.port();
        connection
    });
    ResolverConfig::from_name_servers(vec![NameServerConfig::new(server.ip(), true, connections.into())])
}

/// Whether that is an answer: there is no such thing.
fn has_nothing(error: &NetError) -> bool {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => {
            matches!(none.response_code, ResponseCode::NoError | ResponseCode::NXDomain)
        }
        _ => false,
    }
}

fn unknown(error: &NetError) -> Mail {
    let why = match error {
        NetError::Timeout => "the name server took too long".to_owned(),
        NetError::Dns(DnsError::NoRecordsFound(none)) => format!("the name server answers {}", none.response_code),
        NetError::Dns(DnsError::ResponseCode(code)) => format!("the name server answers {code}"),
        _ => "the name server could not be asked".to_owned(),
    };
    Mail::Unknown(why)
}
