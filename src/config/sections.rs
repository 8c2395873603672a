//! One struct a section; what each key means stands in `default.toml`.
#![expect(missing_docs, reason = "default.toml documents every key, once")]

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use bytesize::ByteSize;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de::Error};
use ssrf_guard::Cidr;
use url::Url;

use crate::domain::{AccountId, cost::CallLimits};

#[derive(Debug, Clone, Deserialize)]
pub struct Server {
    pub bind: SocketAddr,
    pub workers: usize,
    pub max_connections: usize,
    pub connections_per_address: u32,
    #[serde(with = "humantime_serde")]
    pub write_timeout: Duration,
    #[serde(with = "humantime_serde")]
    pub request_timeout: Duration,
    pub body_rate: ByteSize,
    #[serde(with = "humantime_serde")]
    pub body_timeout: Duration,
    #[serde(with = "humantime_serde")]
    pub shutdown_timeout: Duration,
    pub allowed_origins: Vec<String>,
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<Cidr>,
    #[serde(deserialize_with = "unless_empty")]
    pub public_url: Option<Url>,
}

impl Server {
    /// Worker threads, with 0 read as one a core.
    #[must_use]
    pub fn worker_count(&self) -> usize {
        if self.workers > 0 { self.workers } else { std::thread::available_parallelism().map_or(1, usize::from) }
    }
}

#[derive(Debug, Clone, Deserialize)]
pub struct Data {
    pub dir: PathBuf,
    pub master_key: SecretString,
}

impl Data {
    /// Whether nobody has said where the data is.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.dir == Path::new("./data")
    }
}

#[derive(Debug, Clone, Deserialize)]
pub struct Store {
    pub url: SecretString,
    pub pool: usize,
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    #[serde(with = "humantime_serde")]
    pub directory_interval: Duration,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Inbox {
    pub max_body: ByteSize,
    pub queue: ByteSize,
    pub commit_rows: usize,
    #[serde(with = "humantime_serde")]
    pub retention: Duration,
    #[serde(with = "humantime_serde")]
    pub dedupe_retention: Duration,
    #[serde(with = "humantime_serde")]
    pub log_retention: Duration,
    pub max_size: ByteSize,
    pub unrouted_share: f64,
    pub waiting_share: f64,
    pub quarantine: u32,
    pub failures_per_minute: u32,
    #[serde(with = "humantime_serde")]
    pub sweep_interval: Duration,
    #[serde(with = "humantime_serde")]
    pub prune_interval: Duration,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Meta {
    pub verify_token: SecretString,
    pub app_secrets: Vec<SecretString>,
    pub graph_url: Url,
    pub graph_version: String,
    pub lead_fields: String,
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    pub max_response: ByteSize,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Unipile {
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    pub max_response: ByteSize,
    pub calls_per_second: u32,
    #[serde(with = "humantime_serde")]
    pub initial_sync: Duration,
    #[serde(with = "humantime_serde")]
    pub sync_interval: Duration,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Enrichment {
    pub queue: usize,
    pub concurrency: usize,
    pub calls_per_second: u32,
    pub call_burst: u32,
    #[serde(with = "humantime_serde")]
    pub idle_after: Duration,
    pub retry: Vec<Span>,
    #[serde(with = "humantime_serde")]
    pub give_up_after: Duration,
    pub retry_denied: Vec<Span>,
    #[serde(with = "humantime_serde")]
    pub pause: Duration,
    pub breaker_calls: usize,
    pub breaker_rate: f32,
    #[serde(with = "humantime_serde")]
    pub breaker_wait: Duration,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Sending {
    pub per_second: u32,
    pub burst: u32,
    pub at_once: usize,
    pub pending_per_account: u32,
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    #[serde(with = "humantime_serde")]
    pub give_up_after: Duration,
    #[serde(with = "humantime_serde")]
    pub stale_after: Duration,
    #[serde(with = "humantime_serde")]
    pub confirm_within: Duration,
    pub read_receipts: bool,
    #[serde(with = "humantime_serde")]
    pub retention: Duration,
    #[serde(with = "humantime_serde")]
    pub sweep_interval: Duration,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Outbox {
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    pub retry: Vec<Span>,
    #[serde(with = "humantime_serde")]
    pub give_up_after: Duration,
    pub at_once: u32,
    pub breaker_calls: usize,
    pub breaker_rate: f32,
    #[serde(with = "humantime_serde")]
    pub breaker_wait: Duration,
    #[serde(with = "humantime_serde")]
    pub lease: Duration,
    #[serde(with = "humantime_serde")]
    pub sweep_interval: Duration,
    #[serde(with = "humantime_serde")]
    pub secret_overlap: Duration,
    #[serde(with = "humantime_serde")]
    pub retention: Duration,
    #[serde(deserialize_with = "networks")]
    pub allow_private: Vec<Cidr>,
    pub allow_http: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Prospecting {
    pub tokens: Vec<SecretString>,
    pub environment_tokens: Vec<String>,
    pub at_once: usize,
    pub at_once_per_account: usize,
    pub calls_per_hour: u32,
    pub quality_threshold: i32,
    #[serde(with = "humantime_serde")]
    pub stage_timeout: Duration,
    #[serde(with = "humantime_serde")]
    pub fetch_timeout: Duration,
    pub page_size: ByteSize,
    #[serde(with = "humantime_serde")]
    pub host_pause: Duration,
    pub contact: String,
    pub website_cost: f64,
    #[serde(deserialize_with = "unless_empty")]
    pub nameserver: Option<SocketAddr>,
    #[serde(with = "humantime_serde")]
    pub dns_timeout: Duration,
    #[serde(with = "humantime_serde")]
    pub lease: Duration,
    #[serde(with = "humantime_serde")]
    pub sweep_interval: Duration,
    #[serde(deserialize_with = "networks")]
    pub allow_private: Vec<Cidr>,
}

impl Prospecting {
    /// Requests to websites that enriching one prospect may take; its account must have so many left.
    pub const CALLS_EACH: u32 = 10;
}

fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Cidr>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let network = |text: String| {
        text.parse().map_err(|_| D::Error::custom(format!("`{text}` is not a network like 10.0.0.0/8 or fd00::/8")))
    };
    texts.into_iter().map(network).collect()
}

#[derive(Debug, Clone, Deserialize)]
pub struct Costs {
    #[serde(with = "humantime_serde")]
    pub sweep_interval: Duration,
    pub calls_per_hour: CallLimits,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Persistence {
    pub rows_per_second: u32,
    pub batch_rows: usize,
    #[serde(with = "humantime_serde")]
    pub batch_wait: Duration,
    pub queue_rows: usize,
    #[serde(with = "humantime_serde")]
    pub backoff: Duration,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Realtime {
    pub max_frame: ByteSize,
    pub max_waiting: ByteSize,
    pub frames_per_second: u32,
    pub frame_burst: u32,
    pub rooms_per_session: usize,
    pub sessions_per_user: u32,
    pub sessions_per_account: u32,
    pub sessions_per_address: u32,
    pub presence_users: usize,
    #[serde(with = "humantime_serde")]
    pub heartbeat: Duration,
    #[serde(with = "humantime_serde")]
    pub auth_timeout: Duration,
    #[serde(with = "humantime_serde")]
    pub token_grace: Duration,
    pub queue: usize,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Auth {
    #[serde(with = "humantime_serde")]
    pub token_ttl: Duration,
    pub login_attempts: u32,
    pub signing_key_file: String,
    #[serde(with = "humantime_serde")]
    pub jwks_ttl: Duration,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Audit {
    #[serde(with = "humantime_serde")]
    pub retention: Duration,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Retention {
    #[serde(with = "humantime_serde")]
    pub costs: Duration,
    #[serde(with = "humantime_serde")]
    pub lifecycle: Duration,
    #[serde(with = "humantime_serde")]
    pub alerts: Duration,
    #[serde(with = "humantime_serde")]
    pub files: Duration,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Compat {
    #[serde(deserialize_with = "unless_empty")]
    pub anonymous_account: Option<AccountId>,
}

fn unless_empty<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    let text = String::deserialize(deserializer)?;
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(D::Error::custom) }
}

#[derive(Debug, Clone, Deserialize)]
pub struct Telemetry {
    pub log: String,
    pub format: LogFormat,
    #[serde(deserialize_with = "unless_empty")]
    pub bind: Option<SocketAddr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

/// A duration inside a list, written like the others.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(transparent)]
pub struct Span(#[serde(with = "humantime_serde")] pub Duration);
