//! Reads the layers and names everything that is wrong at once.

use std::{fs, path::Path};

use secrecy::SecretString;
use serde::Deserialize;
use toml::{Table, Value};

use super::{Inbox, Outbox, Prospecting, Sending, Settings};
use crate::domain::reach;

const DEFAULTS: &str = include_str!("default.toml");
const ENVIRONMENT: &str = "LEADWIRE__";

/// All that is wrong with the settings.
#[derive(Debug, thiserror::Error)]
#[error("the settings are wrong; nothing was started:\n{}", .0.iter().map(|p| format!("  - {p}")).collect::<Vec<_>>().join("\n"))]
pub struct ConfigError(pub Vec<String>);

/// Settings of earlier versions, and what to set instead.
const RENAMED: [(&str, &str); 1] =
    [("server.trust_proxy", "name your proxies' networks in server.trusted_proxies, such as [\"127.0.0.1/32\"]")];

/// One value that differs from the defaults, and where it was found.
struct Override {
    section: String,
    key: String,
    value: Value,
    place: String,
}

impl Settings {
    /// Reads the defaults, then `file`, then the environment.
    ///
    /// # Errors
    /// Names every unknown key and every bad value, each with the place it came from.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let mut overrides = file.map_or_else(Vec::new, |path| from_file(path, &mut problems));
        overrides
            .extend(from_environment(std::env::vars_os().filter_map(|(name, value)| {
                Some((name.into_string().ok()?, value.into_string().unwrap_or_default()))
            })));
        let mut settings = build(overrides, problems)?;
        let named = &settings.prospecting.environment_tokens;
        settings.prospecting.tokens.extend(named.iter().filter_map(|name| token(&std::env::var(name).ok()?)));
        Ok(settings)
    }

    /// The defaults alone, changed by `text` in the form of a settings file.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let overrides = from_text(text, "the text", &mut problems);
        build(overrides, problems)
    }
}

fn token(text: &str) -> Option<SecretString> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.into())
}

fn from_file(path: &Path, problems: &mut Vec<String>) -> Vec<Override> {
    match fs::read_to_string(path) {
        Ok(text) => from_text(&text, &path.display().to_string(), problems),
        Err(error) => {
            problems.push(format!("{} can't be read: {error}", path.display()));
            Vec::new()
        }
    }
}

fn from_text(text: &str, place: &str, problems: &mut Vec<String>) -> Vec<Override> {
    let table = match text.parse::<Table>() {
        Ok(table) => table,
        Err(error) => {
            problems.push(format!("{place} is not TOML: {}", error.to_string().trim()));
            return Vec::new();
        }
    };
    let mut found = Vec::new();
    for (section, content) in table {
        match content {
            Value::Table(keys) => found.extend(keys.into_iter().map(|(key, value)| Override {
                place: format!("{section}.{key} in {place}"),
                section: section.clone(),
                key,
                value,
            })),
            _ => problems.push(format!("{section} in {place} stands outside a [section]")),
        }
    }
    found
}

fn from_environment(variables: impl Iterator<Item = (String, String)>) -> Vec<Override> {
    variables
        .filter_map(|(name, value)| {
            let path = name.strip_prefix(ENVIRONMENT)?.to_lowercase();
            let (section, key) = path.split_once("__")?;
            Some(Override {
                section: section.to_owned(),
                key: key.to_owned(),
                value: Value::String(value),
                place: name,
            })
        })
        .collect()
}

fn build(overrides: Vec<Override>, mut problems: Vec<String>) -> Result<Settings, ConfigError> {
    let defaults: Table = DEFAULTS.parse().expect("default.toml is tested");
    let mut merged = defaults.clone();
    for Override { section, key, value, place } in overrides {
        let Some(default) = defaults.get(&section).and_then(|keys| keys.get(&key)) else {
            problems.push(match RENAMED.iter().find(|(was, _)| *was == format!("{section}.{key}")) {
                Some((_, instead)) => format!("{place} is not a setting any more: {instead}"),
                None => format!("{place} is not a setting"),
            });
            continue;
        };
        let value = match (value, place.starts_with(ENVIRONMENT)) {
            (Value::String(text), true) => typed_like(default, text),
            (value, _) => value,
        };
        // Tried alone against the defaults, so that one bad value hides no other.
        let mut alone = defaults.clone();
        set(&mut alone, &section, &key, value.clone());
        match Settings::deserialize(alone) {
            Ok(_) => set(&mut merged, &section, &key, value),
            Err(error) => problems.push(format!("{place}: {}", error.message())),
        }
    }
    if !problems.is_empty() {
        return Err(ConfigError(problems));
    }
    let settings = Settings::deserialize(merged).map_err(|error| ConfigError(vec![error.message().to_owned()]))?;
    let problems = impossible(&settings);
    if problems.is_empty() { Ok(settings) } else { Err(ConfigError(problems)) }
}

fn set(table: &mut Table, section: &str, key: &str, value: Value) {
    if let Some(Value::Table(keys)) = table.get_mut(section) {
        keys.insert(key.to_owned(), value);
    }
}

/// Environment variables are text: read as TOML where the default is not text, a list also from `a,b`.
fn typed_like(default: &Value, text: String) -> Value {
    if default.is_str() {
        return Value::String(text);
    }
    let parsed = format!("v = {text}").parse::<Table>().ok().and_then(|mut table| table.remove("v"));
    match (parsed, default) {
        (Some(value), _) if value.same_type(default) => value,
        (_, Value::Array(_)) => {
            Value::Array(text.split(',').map(|item| Value::String(item.trim().to_owned())).collect())
        }
        (Some(value), _) => value,
        (None, _) => Value::String(text),
    }
}

/// Values of the right type that can't work.
fn impossible(s: &Settings) -> Vec<String> {
    let mut problems = nothing_sent(&s.sending);
    problems.extend(nothing_kept(&s.inbox));
    problems.extend(nothing_delivered(&s.outbox).into_iter().chain(nothing_enriched(&s.prospecting)));
    let mut demand = |holds: bool, problem: &str| {
        if !holds {
            problems.push(problem.to_owned());
        }
    };
    let intervals =
        [s.inbox.sweep_interval, s.inbox.prune_interval, s.store.directory_interval, s.costs.sweep_interval];
    let words = "inbox.sweep_interval, inbox.prune_interval, store.directory_interval and costs.sweep_interval must not be zero";
    demand(intervals.iter().all(|interval| !interval.is_zero()), words);
    demand(s.server.connections_per_address > 0, "server.connections_per_address must be at least 1");
    demand(s.server.write_timeout.as_secs() > 0, "server.write_timeout must be at least 1s");
    demand(s.server.body_rate.as_u64() > 0, "server.body_rate must be at least 1");
    demand(s.store.pool > 0, "store.pool must be at least 1");
    demand(
        s.enrichment.queue > 0 && s.enrichment.concurrency > 0,
        "enrichment.queue and .concurrency must be at least 1",
    );
    demand(
        s.enrichment.calls_per_second > 0 && s.enrichment.call_burst > 0,
        "enrichment.calls_per_second and .call_burst must be at least 1",
    );
    demand(!s.enrichment.retry.is_empty(), "enrichment.retry needs at least one wait");
    demand(s.enrichment.breaker_calls > 0, "enrichment.breaker_calls must be at least 1");
    demand((0.01..=1.0).contains(&s.enrichment.breaker_rate), "enrichment.breaker_rate must be between 0.01 and 1");
    demand(s.persistence.rows_per_second > 0, "persistence.rows_per_second must be at least 1");
    demand(
        s.persistence.batch_rows > 0 && s.persistence.queue_rows >= s.persistence.batch_rows,
        "persistence.queue_rows must hold at least one batch",
    );
    demand(s.realtime.max_waiting >= s.realtime.max_frame, "realtime.max_waiting must hold at least one frame");
    demand(s.realtime.heartbeat.as_secs() > 0, "realtime.heartbeat must be at least 1s");
    demand(
        s.realtime.frames_per_second > 0 && s.realtime.frame_burst > 0,
        "realtime.frames_per_second and .frame_burst must be at least 1",
    );
    demand(s.realtime.queue > 0, "realtime.queue must be at least 1");
    demand(matches!(s.meta.graph_url.scheme(), "http" | "https"), "meta.graph_url must be http or https");
    demand(
        s.server.public_url.as_ref().is_none_or(reach::is_private),
        "server.public_url must begin with https:// (http:// is for this machine only): platforms send secrets there",
    );
    demand(
        s.server.public_url.as_ref().is_none_or(|url| url.query().is_none() && url.fragment().is_none()),
        "server.public_url must be no more than a host, a port and a path",
    );
    demand(s.unipile.calls_per_second > 0, "unipile.calls_per_second must be at least 1");
    demand(s.unipile.sync_interval.as_secs() > 0, "unipile.sync_interval must be at least 1s");
    demand(s.audit.retention.as_secs() >= 86400, "audit.retention must be at least 1d");
    let kept = [s.retention.costs, s.retention.lifecycle, s.retention.alerts, s.retention.files];
    let is_long = kept.iter().all(|kept| kept.as_secs() >= 86400 * 32);
    demand(
        is_long,
        "retention.costs, lifecycle, alerts and files must be at least 32d: reports and thresholds look back a month",
    );
    demand(s.unipile.initial_sync.as_secs() <= 3650 * 86400, "unipile.initial_sync must be no more than ten years");
    problems
}

/// Values with which webhooks would be refused, or kept too short.
fn nothing_kept(s: &Inbox) -> Vec<String> {
    let checks = [
        (s.max_body.as_u64() >= 1 << 20, "inbox.max_body must be at least 1MiB: platforms send that much"),
        (s.queue >= s.max_body, "inbox.queue must hold at least one body of inbox.max_body"),
        (
            s.commit_rows > 0 && s.failures_per_minute > 0,
            "inbox.commit_rows and inbox.failures_per_minute must be at least 1",
        ),
        (
            [s.unrouted_share, s.waiting_share].iter().all(|share| (0.001..=1.0).contains(share)),
            "inbox.unrouted_share and inbox.waiting_share must be between 0.001 and 1",
        ),
        (s.dedupe_retention >= s.retention, "inbox.dedupe_retention must not be shorter than inbox.retention"),
        (s.retention.as_secs() >= 48 * 3600, "inbox.retention must be at least 48h: platforms redeliver for 36h"),
    ];
    checks.into_iter().filter(|(holds, _)| !holds).map(|(_, problem)| problem.to_owned()).collect()
}

/// Values with which no reply would ever go out.
fn nothing_sent(s: &Sending) -> Vec<String> {
    let some = s.per_second > 0 && s.burst > 0 && s.at_once > 0 && s.pending_per_account > 0;
    let counts = (!some).then_some("sending.per_second, .burst, .at_once and .pending_per_account must be at least 1");
    let interval = s.sweep_interval.is_zero().then_some("sending.sweep_interval must not be zero");
    counts.into_iter().chain(interval).map(str::to_owned).collect()
}

/// Values with which deliveries would go wrong.
fn nothing_delivered(s: &Outbox) -> Vec<String> {
    let checks = [
        (!s.retry.is_empty(), "outbox.retry needs at least one wait"),
        (s.at_once > 0 && s.breaker_calls > 0, "outbox.at_once and outbox.breaker_calls must be at least 1"),
        ((0.01..=1.0).contains(&s.breaker_rate), "outbox.breaker_rate must be between 0.01 and 1"),
        (s.lease > s.timeout, "outbox.lease must be longer than outbox.timeout: two hubs would deliver the same"),
        (!s.sweep_interval.is_zero(), "outbox.sweep_interval must be longer than 0"),
    ];
    checks.into_iter().filter(|(holds, _)| !holds).map(|(_, problem)| problem.to_owned()).collect()
}

/// Values with which prospects would not be enriched, or twice.
fn nothing_enriched(s: &Prospecting) -> Vec<String> {
    let checks = [
        (s.at_once > 0 && s.at_once_per_account > 0, "prospecting.at_once and .at_once_per_account must be at least 1"),
        (
            s.calls_per_hour >= Prospecting::CALLS_EACH,
            "prospecting.calls_per_hour must be at least 10: one takes as many",
        ),
        ((0..=100).contains(&s.quality_threshold), "prospecting.quality_threshold must be from 0 to 100"),
        ((0.0..=1000.0).contains(&s.website_cost), "prospecting.website_cost must be from 0 to 1000"),
        (
            s.lease > s.stage_timeout,
            "prospecting.lease must be longer than prospecting.stage_timeout: two hubs would enrich the same",
        ),
        (!s.sweep_interval.is_zero(), "prospecting.sweep_interval must be longer than 0"),
        (
            s.contact.chars().all(|letter| matches!(letter, ' '..='~')),
            "prospecting.contact must be plain letters: it goes into a header",
        ),
    ];
    checks.into_iter().filter(|(holds, _)| !holds).map(|(_, problem)| problem.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_whole_and_valid() {
        let settings = Settings::parse("").unwrap();
        assert_eq!(settings.inbox.max_body.as_u64(), 4 << 20);
        assert_eq!(settings.enrichment.retry[2].0.as_secs(), 4);
        assert!(settings.store_url().starts_with("sqlite://"));
    }

    #[test]
    fn every_unknown_key_and_bad_value_is_named_at_once() {
        let text = "stray = 1\n[server]\nbind = 'nowhere'\nprot = 1\ntrust_proxy = true\n[inbox]\nmax_body = 'large'\n[nosuch]\nkey = 1\n";
        let ConfigError(problems) = Settings::parse(text).unwrap_err();
        for name in ["stray", "server.bind", "server.prot", "server.trusted_proxies", "inbox.max_body", "nosuch.key"] {
            assert!(problems.iter().any(|problem| problem.contains(name)), "{name} is not named in {problems:?}");
        }
    }

    #[test]
    fn the_environment_comes_last_and_takes_the_type_of_the_default() {
        let variables = [
            ("LEADWIRE__SERVER__WORKERS", "3"),
            ("LEADWIRE__META__APP_SECRETS", "one, two"),
            ("LEADWIRE__META__VERIFY_TOKEN", "123"),
            ("LEADWIRE__ENRICHMENT__BREAKER_RATE", "0.25"),
            ("LEADWIRE__COSTS__CALLS_PER_HOUR", "{ hunter_io = 500 }"),
            ("LEADWIRE_TEST_POSTGRES", "is not a setting and is left alone"),
        ];
        let overrides = from_environment(variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())));
        let settings = build(overrides, Vec::new()).unwrap();
        assert_eq!(settings.server.workers, 3);
        assert_eq!(settings.meta.app_secrets.len(), 2);
        assert_eq!(settings.costs.calls_per_hour.get("hunter_io"), Some(&500));
    }

    #[test]
    fn the_account_for_clients_without_a_login_is_off_by_default_and_must_be_an_id() {
        assert_eq!(Settings::parse("").unwrap().compat.anonymous_account, None);
        let text = |value: &str| format!("[compat]\nanonymous_account = '{value}'");
        let id = crate::domain::AccountId::generate();
        assert_eq!(Settings::parse(&text(&id.to_string())).unwrap().compat.anonymous_account, Some(id));
        let error = Settings::parse(&text("everybody")).unwrap_err().to_string();
        assert!(error.contains("compat.anonymous_account") && error.contains("acc_"), "{error}");
    }

    #[test]
    fn values_that_cannot_work_together_are_refused() {
        assert!(Settings::parse("[server]\npublic_url = 'https://hooks.example/hub/'").is_ok());
        for url in ["http://hooks.example", "hooks.example", "https://hooks.example?x=1"] {
            let error = Settings::parse(&format!("[server]\npublic_url = '{url}'")).unwrap_err().to_string();
            assert!(error.contains("server.public_url"), "{error}");
        }
        let error = Settings::parse("[inbox]\nqueue = '1MiB'\n[enrichment]\nretry = []").unwrap_err().to_string();
        assert!(error.contains("inbox.queue") && error.contains("enrichment.retry"), "{error}");
    }
}
