//! The rules of the house, held by the machine: which module may use which, and what stands nowhere.
//!
//! Reads the sources as text, with comments, strings and test modules taken out. The table below is the design's; where
//! it turns out wrong, change it in the open: the code, this table and `src/lib.rs` together.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "architecture/source.rs"]
mod source;

use std::{
    collections::BTreeSet,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use source::{Source, tokens, without_tests};

const BASE: [&str; 4] = ["config", "telemetry", "domain", "http"];

/// A module, what it may use besides the base, and why the line is drawn there.
const TABLE: [(&str, &[&str], &str); 17] = [
    ("inbound", &["inbox", "enrichment"], "a webhook is answered when it is durable, whatever else is away"),
    (
        "api",
        &["auth", "store", "inbox", "platforms", "realtime", "outbox", "exports", "prospecting", "sending", "erasure"],
        "HTTP asks; it does no work of its own",
    ),
    (
        "dashboard",
        &["auth", "store", "inbox", "platforms", "realtime", "outbox"],
        "the page is a client like any other",
    ),
    ("enrichment", &["platforms", "inbox", "realtime", "persistence"], "push first: it never waits for the store"),
    (
        "sending",
        &["store", "platforms", "inbox", "enrichment", "realtime"],
        "a reply is a row of the store first; what was sent goes the way of what comes in",
    ),
    ("upkeep", &["platforms", "inbox", "enrichment"], "what it fetches goes the way of webhooks, and no other"),
    ("realtime", &["cluster", "auth", "inbox"], "nothing on the way of a live envelope reads the store"),
    ("persistence", &["store", "inbox"], "storing comes after pushing and knows nothing of it"),
    (
        "prospecting",
        &["store", "platforms", "realtime", "outbox", "exports"],
        "its queue is rows of the store, so it is no part of enrichment, which never waits for that",
    ),
    ("outbox", &["store", "platforms"], "deliveries are rows of the store and nothing else"),
    ("exports", &["store"], "files are made of what is stored, after it was told"),
    ("erasure", &["store", "inbox", "realtime"], "it finishes deletions that are rows of the store already"),
    ("costs", &["store", "realtime"], "alerts are decided in the store, and told after they are kept"),
    ("auth", &["store"], "who somebody is does not depend on what they ask for"),
    ("inbox", &["cluster"], "what is accepted is kept while every other part is away"),
    ("store", &[], "the database is asked, it asks nobody"),
    ("platforms", &[], "a client of a platform decides nothing about the hub"),
];
/// These have no parts of their own above them.
const LOWEST: [(&str, &[&str], &str); 5] = [
    ("http", &["config"], "it knows connections and bodies, and nobody's routes"),
    ("cluster", &BASE, "it joins nodes, not modules"),
    ("config", &["domain"], "settings are read before anything else is there"),
    ("telemetry", &["config", "domain"], "everything may count and log, so it may use nothing but its own settings"),
    ("domain", &[], "plain data and rules: it talks to nothing"),
];
/// They join the parts.
const JOINERS: [&str; 4] = ["main", "lib", "cli", "app"];

/// Words that stand only in some folders: the word, the folders, and why.
const ONLY_IN: [(&str, &[&str], &str); 5] = [
    ("diesel", &["store", "inbox"], "SQL has two homes, so that a query without an account can be found"),
    ("diesel_async", &["store", "inbox"], "SQL has two homes, so that a query without an account can be found"),
    ("diesel_migrations", &["store", "inbox"], "SQL has two homes, so that a query without an account can be found"),
    (
        "actix_web_actors",
        &["realtime/session"],
        "its sockets grow without limit for who does not read; only its types are used",
    ),
    (
        "reqwest",
        &["platforms", "auth", "outbox", "cli"],
        "the hub calls the outside in few places, each with a time and a size; commands may",
    ),
];

/// Words that stand nowhere: the word and why.
const NOWHERE: [(&str, &str); 6] = [
    ("do_send", "it ignores the bound of the mailbox: use try_send and decide what full means"),
    ("unbounded_channel", "every queue is bounded, and its comment says what full means"),
    ("unbounded", "every queue is bounded, and its comment says what full means"),
    ("UnboundedSender", "every queue is bounded, and its comment says what full means"),
    ("todo", "what is not done yet is an issue, not a line of code"),
    ("unimplemented", "what is not done yet is an issue, not a line of code"),
];

const LONGEST: usize = 400;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file with this ending below a folder.
fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, ending, found);
        } else if path.extension().is_some_and(|found| found == ending) {
            found.push(path);
        }
    }
}

fn name(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/")
}

/// The hub's own sources, without what is for tests only.
fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    files(&root().join("src"), "rs", &mut paths);
    let (mut sources, mut for_tests) = (Vec::new(), BTreeSet::new());
    for path in paths {
        let name = name(&path);
        let inner = name.trim_start_matches("src/").trim_end_matches(".rs");
        let modules: Vec<String> =
            inner.split('/').filter(|part| !["mod", "lib"].contains(part)).map(str::to_owned).collect();
        let (tokens, hidden) = without_tests(&tokens(&fs::read_to_string(&path).unwrap()));
        for module in hidden {
            for_tests.insert([&modules[..], &[module]].concat());
        }
        sources.push(Source { path: name, modules, tokens });
    }
    sources.retain(|source| !for_tests.iter().any(|hidden| source.modules.starts_with(hidden)));
    sources
}

fn allowed(module: &str) -> Option<(Vec<&'static str>, &'static str)> {
    if let Some((_, may, why)) = LOWEST.iter().find(|(name, ..)| *name == module) {
        return Some((may.to_vec(), why));
    }
    let (_, may, why) = TABLE.iter().find(|(name, ..)| *name == module)?;
    Some((may.iter().chain(&BASE).copied().collect(), why))
}

fn is_module(name: &str) -> bool {
    JOINERS.contains(&name) || allowed(name).is_some()
}

fn broken(source: &Source) -> Vec<String> {
    let (may, why) = match allowed(source.top()) {
        Some(rule) => rule,
        None if JOINERS.contains(&source.top()) => return Vec::new(),
        None => {
            return vec![format!(
                "{}: `{}` is not in the table: say what it may use, here and in src/lib.rs",
                source.path,
                source.top()
            )];
        }
    };
    let used = source.uses().into_iter().filter(|(used, _)| is_module(used) && *used != source.top());
    used.filter(|(used, _)| !may.contains(used))
        .map(|(used, line)| format!("{}:{line}: `{}` may not use `{used}`: {why}", source.path, source.top()))
        .collect()
}

fn report(problems: &[String]) {
    let mut text = String::new();
    for problem in problems {
        let _ = writeln!(text, "  {problem}");
    }
    assert!(problems.is_empty(), "rules of the house are broken:\n{text}");
}

#[test]
fn modules_use_only_what_the_table_lets_them() {
    let sources = sources();
    assert!(sources.len() > 50, "the sources were not found");
    report(&sources.iter().flat_map(broken).collect::<Vec<_>>());
}

#[test]
fn some_words_stand_only_where_they_belong() {
    let mut problems = Vec::new();
    for source in sources() {
        let folder = source.path.trim_start_matches("src/");
        for token in &source.tokens {
            let place = format!("{}:{}: `{}`", source.path, token.line, token.text);
            if let Some((_, homes, why)) = ONLY_IN.iter().find(|(word, ..)| *word == token.text)
                && !homes.iter().any(|home| folder.starts_with(&format!("{home}/")))
            {
                problems.push(format!("{place} belongs into src/{}: {why}", homes.join(" or src/")));
            }
            if let Some((_, why)) = NOWHERE.iter().find(|(word, _)| *word == token.text) {
                problems.push(format!("{place}: {why}"));
            }
        }
        let has = |wanted: &str| source.tokens.iter().any(|token| token.text == wanted);
        let built = source.tokens.windows(3).find(|three| three[0].text == "Client" && three[2].text == "builder");
        if let Some(built) = built.filter(|_| !has("tls_backend_preconfigured")) {
            problems.push(format!(
                "{}:{}: give the client `config::certificates`: a system without certificates has no other",
                source.path, built[0].line
            ));
        }
        // `std`'s plain channel has no bound either.
        let std_channels = source.tokens.windows(5).filter(|five| {
            [&five[0].text, &five[2].text, &five[4].text].iter().zip(["std", "sync", "mpsc"]).all(|(a, b)| *a == b)
        });
        problems.extend(
            std_channels.map(|five| format!("{}:{}: `std::sync::mpsc`: {}", source.path, five[0].line, NOWHERE[1].1)),
        );
    }
    report(&problems);
}

#[test]
fn no_file_is_too_long_to_be_read_in_one_go() {
    let mut paths = Vec::new();
    for folder in ["src", "loadtest/src", "tests"] {
        files(&root().join(folder), "rs", &mut paths);
    }
    let mut problems = Vec::new();
    for path in paths {
        let (name, lines) = (name(&path), fs::read_to_string(&path).unwrap().lines().count());
        if lines > LONGEST {
            problems.push(format!("{name}: {lines} lines, and {LONGEST} is the most: find the second idea in it"));
        }
    }
    report(&problems);
}

#[test]
fn the_map_names_every_module() {
    let text = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let map: String = text.lines().filter(|line| line.starts_with("//!")).collect();
    let modules = text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let missing: Vec<String> = modules
        .filter(|module| !map.contains(&format!("[`{module}`]")))
        .map(|module| format!("src/lib.rs: the map does not name `{module}`: it is what a newcomer reads first"))
        .collect();
    report(&missing);
}

#[test]
fn the_reader_of_sources_sees_uses_in_every_form_and_nothing_in_texts_and_tests() {
    let text = r##"
        //! use crate::comment;
        use crate::{ store::{Store, x}, domain::{self, y}, inbox };
        /* crate::hidden /* nested */ crate::hidden */
        fn f<'a>(c: char) -> &'a str { let _ = ['\'', '"', '\u{1}', '{']; super::super::realtime::x(); "crate::text \" {" }
        const R: &str = r#"crate::raw " "#;
        #[cfg(test)]
        mod tests { use crate::only_tests; fn g() { } }
        #[cfg(test)]
        mod elsewhere;
        fn h() { crate::auth::who(); super::near::x(); }
    "##;
    let (tokens, files) = without_tests(&tokens(text));
    let source = Source { path: String::new(), modules: vec!["api".into(), "leads".into()], tokens };
    let uses: Vec<&str> = source.uses().into_iter().map(|(name, _)| name).collect();
    assert_eq!(uses, ["store", "domain", "inbox", "realtime", "auth"]);
    assert_eq!(files, ["elsewhere"]);
    assert_eq!(source.uses()[0].1, 3);
    assert_eq!(broken(&source), Vec::<String>::new(), "the API may use all of these");
    let low = Source { modules: vec!["inbox".into(), "x".into()], ..source };
    assert_eq!(broken(&low).len(), 3, "the inbox may use none but the domain");
}
