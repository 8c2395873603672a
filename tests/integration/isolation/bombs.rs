//! Small bodies that would be large once they are inflated: refused unread, on every route that takes a body.

use std::{fs, io::Write};

use anyhow::{Context, Result, ensure};
use flate2::{
    Compression,
    write::{DeflateEncoder, GzEncoder},
};
use futures_util::future::try_join_all;
use leadwire::inbound::providers::prospecting::DOORS;
use loadtest::{hub::APP_SECRET, platform::meta::sign};
use reqwest::StatusCode;

use super::{
    registered,
    world::{UNIPILE_SECRET, World},
};

const MIB: u64 = 1024 * 1024;
/// What each bomb comes to.
const INFLATED: usize = 64 << 20;
/// At once, of each kind.
const COPIES: usize = 2;
/// Less than one bomb that is inflated once; what many requests take for themselves is about half of it.
const GROWTH: u64 = 48 * MIB;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// `Content-Encoding`, and a body of it. What no decoder is built in for must be refused for its name.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let zeros = vec![b'0'; INFLATED];
    let once = gzip(&zeros);
    let mut deflate = DeflateEncoder::new(Vec::new(), Compression::best());
    deflate.write_all(&zeros).unwrap();
    vec![
        ("gzip, gzip", gzip(&once)),
        ("deflate", deflate.finish().unwrap()),
        ("br", once.clone()),
        ("zstd", once.clone()),
        ("GZIP", once.clone()),
        ("x-gzip", once.clone()),
        ("gzip", once),
    ]
}

/// Resident memory that is not a file's, in bytes.
fn memory(world: &World) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", world.hub.pid().context("no process")?))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).context("no RssAnon")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? * 1024)
}

/// Every address that takes a body.
fn addresses(world: &World) -> Vec<(String, String)> {
    let mut addresses: Vec<(String, String)> = registered().into_iter().filter(|(method, _)| method != "GET").collect();
    let doors = DOORS.iter().map(|door| (*door).to_owned());
    let source = format!("/webhook/unipile/{}", world.source);
    let others = ["/webhook", "/api/webhooks/unipile/messages", "/socket.io/?EIO=4&transport=polling&sid=x"];
    let others = others.map(str::to_owned).into_iter().chain([source]).chain(doors);
    addresses.extend(others.map(|path| ("POST".to_owned(), path)));
    addresses
}

#[tokio::test]
async fn a_bomb_is_refused_with_415_and_costs_no_memory_on_any_route_that_takes_a_body() -> Result<()> {
    let world = World::open().await?;
    let (addresses, bombs) = (addresses(&world), bombs());
    let before = memory(&world)?;
    let (mut most, mut problems) = (0, Vec::new());
    for (encoding, bomb) in &bombs {
        for (method, path) in &addresses {
            // Who may, and who is nobody: neither is inflated.
            let send = |token: Option<&str>| {
                let request = world.hub.http().request(method.parse().unwrap(), world.hub.url(path));
                let request = request
                    .header("content-type", "application/json")
                    .header("content-encoding", *encoding)
                    .header("unipile-auth", UNIPILE_SECRET)
                    .header("x-hub-signature-256", sign(bomb, APP_SECRET))
                    .body(bomb.clone());
                match token {
                    Some(token) => request.bearer_auth(token),
                    None => request,
                }
                .send()
            };
            let answers = (0..COPIES).map(|copy| send(if copy % 2 == 0 { world.token("owner") } else { None }));
            for answer in try_join_all(answers).await? {
                if answer.status() != StatusCode::UNSUPPORTED_MEDIA_TYPE {
                    problems.push(format!("{method} {path} with {encoding}: {}", answer.status()));
                }
            }
            most = most.max(memory(&world)?.saturating_sub(before));
        }
    }
    problems.dedup();
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    println!("{} routes, {} kinds: {} KiB more memory at most", addresses.len(), bombs.len(), most / 1024);
    ensure!(most < GROWTH, "the hub took {} MiB more", most / MIB);
    let plain = world.hub.http().post(world.hub.url("/api/login")).header("content-encoding", "identity");
    ensure!(plain.body("{}").send().await?.status() == StatusCode::BAD_REQUEST, "identity is no encoding");
    Ok(())
}
