//! Who may do what, held for every route and every frame, and for everybody.

mod bombs;
mod frames;
mod routes;
mod world;

use std::{collections::BTreeSet, fmt::Write};

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::Value;

use routes::{ONESELF, Row, TABLE};
use world::{MARK, PRINCIPALS, World};

/// Method and route of everything that the API's router registers.
fn registered() -> BTreeSet<(String, String)> {
    let source = include_str!("../../../src/api/router.rs");
    let quoted = |text: &str| text.split('"').nth(1).unwrap_or_default().to_owned();
    let mut routes = BTreeSet::new();
    for line in source.lines().map(str::trim).filter(|line| line.starts_with(".route(\"")) {
        let path = quoted(line);
        let call = line.split(", ").nth(1).unwrap_or_default();
        let method = call.split('(').next().unwrap_or_default().to_uppercase();
        assert!(Method::from_bytes(method.as_bytes()).is_ok() && !method.is_empty(), "`{line}` can't be read");
        let path = if path.starts_with("/api/") { path } else { format!("/api{path}") };
        routes.insert((method, path));
    }
    assert!(routes.len() > 50, "the router can't be read");
    routes
}

/// How the parts do, for whoever runs the hub: open to all, and without a word about anybody.
fn is_health((_, path): &(String, String)) -> bool {
    path.ends_with("/health")
}

#[test]
fn every_route_of_the_api_stands_in_the_table_of_who_may_do_what() {
    let rows = TABLE.iter().map(|row| (row.method.to_owned(), row.route.to_owned()));
    let listed: BTreeSet<_> = rows.chain(ONESELF.map(|(method, path)| (method.to_owned(), path.to_owned()))).collect();
    let registered: BTreeSet<_> = registered().iter().filter(|route| !is_health(route)).cloned().collect();
    let missing: Vec<_> = registered.difference(&listed).collect();
    let surplus: Vec<_> = listed.difference(&registered).collect();
    assert!(missing.is_empty(), "say in tests/integration/isolation/routes.rs who may use these: {missing:?}");
    assert!(surplus.is_empty(), "there are no such routes: {surplus:?}");
}

/// What is wrong with an answer, if anything.
async fn wrong(world: &World, row: &Row, who: &str, column: usize) -> Result<Option<String>> {
    let path = world.fill(row.path).await?;
    let body = match row.body {
        Some(body) => Some(serde_json::from_str::<Value>(&world.fill(body).await?)?),
        None => None,
    };
    let answer = world.ask(who, row.method.parse()?, &path, body.as_ref()).await?;
    let status = answer.status().as_u16();
    let text = String::from_utf8_lossy(&answer.bytes().await?).into_owned();
    let expected = row.answers[column];
    // What was begun a moment ago can't be begun again: the caller may all the same.
    let is_as_told = status == expected || (expected == 202 && status == 409);
    if !is_as_told {
        return Ok(Some(format!("{} {path} as {who}: {status} instead of {expected}: {text:.300}", row.method)));
    }
    // The first two columns are those of who has nothing to do with the account.
    let leaks = column < 2 && (text.contains(MARK) || text.contains(&world.accounts[0]));
    Ok(leaks.then(|| format!("{} {path} tells {who}: {text:.300}", row.method)))
}

#[tokio::test]
async fn every_route_answers_everybody_as_the_table_says_and_tells_strangers_nothing() -> Result<()> {
    let world = World::open().await?;
    let mut problems = Vec::new();
    for row in TABLE {
        for (who, column) in PRINCIPALS {
            problems.extend(wrong(&world, row, who, column).await.with_context(|| format!("{} as {who}", row.path))?);
        }
    }
    ensure!(problems.is_empty(), "{} of {}:\n{}", problems.len(), TABLE.len() * PRINCIPALS.len(), problems.join("\n"));
    Ok(())
}

/// The table as `SECURITY.md` shows it: the routes that answer alike stand together.
fn shown() -> String {
    let mut groups: Vec<([u16; 6], Vec<String>)> = Vec::new();
    for row in TABLE {
        let route = format!("`{} {}`", row.method, row.route.trim_start_matches("/api"));
        match groups.iter_mut().find(|(answers, _)| *answers == row.answers) {
            Some((_, routes)) if routes.contains(&route) => {}
            Some((_, routes)) => routes.push(route),
            None => groups.push((row.answers, vec![route])),
        }
    }
    let mut table = "| anybody | others | viewer | agent | manager | owner | routes below `/api` |\n".to_owned();
    table.push_str("|---|---|---|---|---|---|---|\n");
    for (answers, routes) in groups {
        let answers = answers.map(|status| status.to_string()).join(" | ");
        let _ = writeln!(table, "| {answers} | {} |", routes.join(", "));
    }
    table
}

#[test]
fn security_md_shows_the_table_that_the_hub_is_held_to() {
    let (shown, told) = (shown(), include_str!("../../../SECURITY.md"));
    assert!(told.contains(&shown), "put this into SECURITY.md in place of the table of routes:\n{shown}");
}
