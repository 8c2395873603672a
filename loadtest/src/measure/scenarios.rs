//! Scenarios: data, in TOML. `kind` says what is measured; the other keys depend on it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde::de::DeserializeOwned;
use toml::{Spanned, Table, Value, de::DeTable};

use super::{Common, Report, campaigns, deliveries, exposed, fanout, ingest, run as leads, storm, target};

/// Those that come with the program: name and text.
const BUILT_IN: &[(&str, &str)] = &[
    ("campaigns", include_str!("../../scenarios/campaigns.toml")),
    ("connect-storm", include_str!("../../scenarios/connect-storm.toml")),
    ("deliveries", include_str!("../../scenarios/deliveries.toml")),
    ("deliveries-crash", include_str!("../../scenarios/deliveries-crash.toml")),
    ("deliveries-own", include_str!("../../scenarios/deliveries-own.toml")),
    ("deliveries-sqlite", include_str!("../../scenarios/deliveries-sqlite.toml")),
    ("deploy", include_str!("../../scenarios/deploy.toml")),
    ("exposed", include_str!("../../scenarios/exposed.toml")),
    ("fanout", include_str!("../../scenarios/fanout.toml")),
    ("fanout-burst", include_str!("../../scenarios/fanout-burst.toml")),
    ("hostile-clients", include_str!("../../scenarios/hostile-clients.toml")),
    ("ingest", include_str!("../../scenarios/ingest.toml")),
    ("lead", include_str!("../../scenarios/lead.toml")),
    ("long-chat", include_str!("../../scenarios/long-chat.toml")),
    ("messages", include_str!("../../scenarios/messages.toml")),
    ("noisy-tenant", include_str!("../../scenarios/noisy-tenant.toml")),
    ("hundredfold", include_str!("../../scenarios/hundredfold.toml")),
    ("hundredfold-heavy", include_str!("../../scenarios/hundredfold-heavy.toml")),
    ("platform-trouble", include_str!("../../scenarios/platform-trouble.toml")),
    ("resume-backlog", include_str!("../../scenarios/resume-backlog.toml")),
    ("resume-storm", include_str!("../../scenarios/resume-storm.toml")),
    ("smoke", include_str!("../../scenarios/smoke.toml")),
    ("soak", include_str!("../../scenarios/soak.toml")),
    ("target-centrifugo", include_str!("../../scenarios/target-centrifugo.toml")),
    ("target-raw", include_str!("../../scenarios/target-raw.toml")),
    ("target-socketio", include_str!("../../scenarios/target-socketio.toml")),
    ("target-sse", include_str!("../../scenarios/target-sse.toml")),
    ("trouble", include_str!("../../scenarios/trouble.toml")),
];

/// Run a scenario: what is sent, who watches, what breaks meanwhile, and what must hold.
#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    pub(super) common: Common,
    /// One of those that `--list` shows, or a file whose name ends with .toml.
    #[arg(required_unless_present = "list")]
    scenario: Option<String>,
    /// Show the scenarios that come along.
    #[arg(long)]
    list: bool,
    /// Show the scenario's text: the beginning of one of your own.
    #[arg(long)]
    print: bool,
    /// Set a key of the scenario to another value; `phases.0.rate=100` is the rate of the first phase.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Also measure the least that anything doing the hub's work must do, on this machine and in this run, and quote
    /// ratios: a bare HTTP endpoint for leads and ingest, a bare loop of send(2) for fan-out.
    #[arg(long)]
    pub(super) baseline: bool,
    /// Where databases can be made, for scenarios with PostgreSQL: `postgres://user:password@host:port/database`.
    #[arg(long, value_name = "URL", env = "LOADTEST_POSTGRES", hide_env_values = true)]
    pub(super) postgres: Option<String>,
    /// Where libfaketimeMT.so.1 is, for scenarios with a clock that jumps, if it is not where systems keep it.
    #[arg(long, value_name = "FILE", env = "LOADTEST_FAKETIME")]
    pub(super) faketime: Option<PathBuf>,
}

impl Run {
    /// What all measurements take.
    #[must_use]
    pub const fn common(&self) -> &Common {
        &self.common
    }
}

/// Runs the scenario; no report when it was only to be shown.
///
/// # Errors
/// If the scenario can't be used, or the hub can't be started or filled.
pub fn run(options: &Run) -> Result<Option<Report>> {
    if options.list {
        for (name, text) in BUILT_IN {
            println!("{name:18} {}", read(name, text)?.about);
        }
        return Ok(None);
    }
    let name = options.scenario.as_deref().unwrap_or_default();
    let text = with(text(name)?, &options.set)?;
    let scenario = read(name, &text)?;
    if options.print {
        print!("{text}");
        return Ok(None);
    }
    match &scenario.keys {
        Kind::Leads(keys) => leads::measure(options, name, keys),
        Kind::Ingest(keys) => ingest::measure(options, name, keys),
        Kind::Fanout(keys) => fanout::measure(options, name, keys),
        Kind::ConnectStorm(keys) => storm::measure(options, name, keys),
        Kind::Target(keys) => target::measure(options, name, keys),
        Kind::Deliveries(keys) => deliveries::measure(options, name, keys),
        Kind::Campaigns(keys) => campaigns::measure(options, name, keys),
        Kind::Exposed(keys) => exposed::measure(options, name, keys),
    }
    .map(Some)
}

/// The text of a scenario, by its name or its file.
fn text(name: &str) -> Result<String> {
    if let Some((_, text)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
        return Ok((*text).to_owned());
    }
    let known: Vec<_> = BUILT_IN.iter().map(|(name, _)| *name).collect();
    let is_file = Path::new(name).extension().is_some_and(|extension| extension == "toml");
    ensure!(is_file, "there is no scenario `{name}`: use {}, or a file whose name ends with .toml", known.join(", "));
    fs::read_to_string(name).with_context(|| format!("can't read the scenario {name}"))
}

/// The text with other values, each `key=value`. A value that is no TOML is taken as a text.
fn with(text: String, changes: &[String]) -> Result<String> {
    if changes.is_empty() {
        return Ok(text);
    }
    let mut table: Table = toml::from_str(&text)?;
    for change in changes {
        let (path, value) = change.split_once('=').with_context(|| format!("--set {change}: write key=value"))?;
        let written: Result<Table, _> = toml::from_str(&format!("value = {value}"));
        let value = written.ok().and_then(|mut table| table.remove("value"));
        let value = value.unwrap_or_else(|| Value::String(change[path.len() + 1..].to_owned()));
        put(&mut table, path, value).with_context(|| format!("--set {change}"))?;
    }
    Ok(toml::to_string(&table)?)
}

fn put(table: &mut Table, path: &str, value: Value) -> Result<()> {
    let Some((first, rest)) = path.split_once('.') else {
        table.insert(path.to_owned(), value);
        return Ok(());
    };
    match table.entry(first).or_insert_with(|| Value::Table(Table::new())) {
        Value::Table(inner) => put(inner, rest, value),
        Value::Array(all) => {
            let (number, rest) = rest.split_once('.').with_context(|| format!("`{first}` is a list: which of it?"))?;
            let one = number.parse().ok().and_then(|number: usize| all.get_mut(number)?.as_table_mut());
            put(one.with_context(|| format!("`{first}` has no {number}"))?, rest, value)
        }
        _ => bail!("`{first}` has no keys of its own"),
    }
}

/// A scenario that can be run.
#[derive(Debug)]
pub(super) struct Scenario {
    /// What it is for, in a sentence.
    about: String,
    keys: Kind,
}

/// What is measured, with the keys of that kind.
#[derive(Debug)]
enum Kind {
    /// Leads on a schedule: due, acknowledged, pushed, stored.
    Leads(Box<leads::Scenario>),
    /// Webhooks as fast as they are accepted.
    Ingest(ingest::Scenario),
    /// Envelopes to very many sessions.
    Fanout(fanout::Scenario),
    /// Very many sessions at once.
    ConnectStorm(storm::Scenario),
    /// Any hub that runs already.
    Target(Box<target::Scenario>),
    /// Rows on their way to an endpoint.
    Deliveries(deliveries::Scenario),
    Campaigns(campaigns::Scenario),
    /// Strangers who attack beside an agency that goes on.
    Exposed(exposed::Scenario),
}

/// The keys of a kind.
pub(super) trait Keys: DeserializeOwned {
    /// Refuses, by its key, what can't be run.
    fn check(&self) -> Result<()>;
}

/// Reads a scenario and refuses one that can't be run.
///
/// # Errors
/// With the line where TOML or a key is wrong, else with the key.
pub(super) fn read(name: &str, text: &str) -> Result<Scenario> {
    parse(text).with_context(|| format!("the scenario {name} can't be used"))
}

fn parse(text: &str) -> Result<Scenario> {
    let mut table = DeTable::parse(text)?;
    let mut take = |key| {
        let value = table.get_mut().remove(key).map(Spanned::into_inner);
        value.map(|value| value.as_str().map(str::to_owned).with_context(|| format!("{key}: a text is wanted")))
    };
    let kind = take("kind").transpose()?;
    let about = take("about").context("about: say in a sentence what it is for")??;
    let keys = match kind.as_deref().unwrap_or("leads") {
        "leads" => Kind::Leads(Box::new(keys(table, text)?)),
        "ingest" => Kind::Ingest(keys(table, text)?),
        "fanout" => Kind::Fanout(keys(table, text)?),
        "connect-storm" => Kind::ConnectStorm(keys(table, text)?),
        "target" => Kind::Target(Box::new(keys(table, text)?)),
        "deliveries" => Kind::Deliveries(keys(table, text)?),
        "campaigns" => Kind::Campaigns(keys(table, text)?),
        "exposed" => Kind::Exposed(keys(table, text)?),
        other => bail!(
            "kind = \"{other}\": use leads, ingest, fanout, connect-storm, target, deliveries, campaigns or exposed"
        ),
    };
    Ok(Scenario { about, keys })
}

fn keys<T: Keys>(table: Spanned<DeTable<'_>>, text: &str) -> Result<T> {
    let keys = T::deserialize(toml::de::Deserializer::from(table)).map_err(|mut error| {
        // What was taken out of the table has not changed where the rest stands in the text.
        error.set_input(Some(text));
        error
    })?;
    keys.check()?;
    Ok(keys)
}

/// Refuses a count that is not within bounds.
pub(super) fn within(key: &str, value: usize, least: usize, most: usize) -> Result<()> {
    ensure!((least..=most).contains(&value), "{key} = {value}: use {least} to {most}");
    Ok(())
}

/// The same for what can be split.
pub(super) fn between(key: &str, value: f64, least: f64, most: f64) -> Result<()> {
    ensure!((least..=most).contains(&value), "{key} = {value}: use {least} to {most}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_come_along_can_be_used() {
        for (name, text) in BUILT_IN {
            assert!(!read(name, text).unwrap().about.is_empty());
        }
    }

    #[test]
    fn an_unknown_name_is_told_from_a_missing_file() {
        assert!(text("nothing").unwrap_err().to_string().contains("smoke"));
        assert!(text("/nowhere/mine.toml").unwrap_err().to_string().contains("/nowhere/mine.toml"));
    }

    #[test]
    fn a_key_is_set_wherever_it_stands() {
        let set = |changes: &[&str]| {
            let changes: Vec<String> = changes.iter().map(|&change| change.to_owned()).collect();
            with("about = \"x\"\n[[phases]]\nrate = 1.0\n[accounts]\ncount = 2\n".to_owned(), &changes)
        };
        let table: Table = toml::from_str(
            &set(&["accounts.count=3", "phases.0.rate=9.5", "targets.rss_mib=70", "about=another"]).unwrap(),
        )
        .unwrap();
        assert_eq!(table["accounts"]["count"].as_integer(), Some(3));
        assert_eq!(table["phases"][0]["rate"].as_float(), Some(9.5));
        assert_eq!(table["targets"]["rss_mib"].as_integer(), Some(70));
        assert_eq!(table["about"].as_str(), Some("another"));
        let wrong = |change: &str| format!("{:#}", set(&[change]).unwrap_err());
        assert!(wrong("phases.7.rate=1").contains("`phases` has no 7"), "{}", wrong("phases.7.rate=1"));
        assert!(wrong("about.x=1").contains("no keys of its own") && wrong("count").contains("key=value"));
    }

    #[test]
    fn each_kind_refuses_what_is_impossible_and_what_belongs_to_another() {
        let wrong = |name: &str, change: &str| {
            let text = with(text(name).unwrap(), &[change.to_owned()]).unwrap();
            format!("{:#}", read(name, &text).unwrap_err())
        };
        for (name, change, told) in [
            ("ingest", "connections=0", "connections = 0: use 1 to 4096"),
            ("ingest", "what=everything", "unknown variant `everything`"),
            ("fanout", "rounds=201", "rounds = 201: use 1 to 200"),
            ("fanout", "burst=7", "| burst = 7"),
            ("fanout-burst", "phases=1", "unknown field `phases`"),
            ("connect-storm", "quiet_seconds=-1.0", "quiet_seconds = -1: use 0.1 to 3600"),
            ("connect-storm", "targets.push_p50_ms=1", "unknown field `push_p50_ms`"),
            ("lead", "sessions=3", "unknown field `sessions`"),
        ] {
            let message = wrong(name, change);
            assert!(message.contains(told), "{name} {change}: {message}");
        }
    }

    #[test]
    fn a_kind_that_is_unknown_and_a_missing_sentence_are_named() {
        assert!(format!("{:#}", read("mine", "about = \"x\"\nkind = \"what\"\n").unwrap_err()).contains("what"));
        assert!(format!("{:#}", read("mine", "kind = \"leads\"\n").unwrap_err()).contains("about"));
    }
}
