//! What a request costs the hub that reaches no valid signature or session, kind by kind.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use futures_util::future::try_join_all;

use super::super::{Report, http::Connection, process};
use crate::hub::Hub;

/// Name, and the request: its first line, its headers and its body. Their answers are all refusals.
fn kinds() -> Vec<(&'static str, &'static str, String, &'static str)> {
    let signature = format!("x-hub-signature-256: sha256={}\r\n", "0".repeat(64));
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJsZWFkd2lyZSJ9.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let none = String::new;
    vec![
        ("a webhook with a bad signature", "POST /webhook", signature, r#"{"object":"page","entry":[]}"#),
        (
            "a wrong secret at a shared door",
            "POST /api/webhooks/unipile/messages",
            "unipile-auth: guess\r\n".into(),
            "{}",
        ),
        (
            "a header of 60 KB at a shared door",
            "POST /api/webhooks/unipile/messages",
            format!("unipile-auth: {}\r\n", "x".repeat(60_000)),
            "{}",
        ),
        (
            "a wrong token at the prospecting door",
            "POST /api/webhooks/lead-enrichment",
            "authorization: Bearer guess\r\n".into(),
            "{}",
        ),
        ("an address that is not there", "GET /wp-login.php", none(), ""),
        ("a list without a login", "GET /api/leads", none(), ""),
        ("a list with a forged token", "GET /api/leads", format!("authorization: Bearer {jwt}\r\n"), ""),
        ("a list with a made-up key", "GET /api/leads", "authorization: Bearer lw_guess\r\n".into(), ""),
        ("a change without a login", "PUT /api/leads/lead_0", none(), "{}"),
        ("a body that is encoded", "POST /api/login", "content-encoding: gzip\r\n".into(), "x"),
        ("an event stream without a login", "GET /events", none(), ""),
        ("a Socket.IO session that is not there", "GET /socket.io/?EIO=4&transport=polling&sid=x", none(), ""),
    ]
}

/// Requests under way: strangers who want to keep a hub busy do not wait for each answer, and a hub that is waited for is
/// measured in how dear it is to wake.
const AT_ONCE: usize = 16;

/// On connections that are kept while the hub keeps them.
pub(super) async fn measure(report: &mut Report, hub: &Hub, requests: usize, most: Option<f64>) -> Result<()> {
    let pid = hub.pid().context("the hub has ended")?;
    let mut dearest = 0.0_f64;
    for (name, line, headers, body) in kinds() {
        let request = format!(
            "{line} HTTP/1.1\r\nhost: {}\r\n{headers}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            hub.address(),
            body.len()
        );
        // What is made once, and pages that are touched first, belong to no request.
        ask(hub.address(), request.as_bytes(), requests / 10 + 1).await?;
        let before = process::cpu(pid)?;
        let answers = ask(hub.address(), request.as_bytes(), requests).await?;
        let cpu = process::cpu(pid)?.saturating_sub(before);
        #[expect(clippy::cast_precision_loss, reason = "at most 100,000")]
        let micros = cpu.as_secs_f64() * 1e6 / answers.refused.max(1) as f64;
        report.figure(format!("CPU: {name}"), micros, "µs");
        report.must_be_zero(&format!("accepted: {name}"), answers.accepted);
        report.must_be_zero(&format!("not answered: {name}"), answers.none);
        dearest = dearest.max(micros);
    }
    report.at_most("CPU a request without a valid signature or session", most, Some(dearest), "µs");
    Ok(())
}

/// How many requests got which answer.
#[derive(Default)]
struct Answers {
    accepted: u64,
    refused: u64,
    none: u64,
}

/// Asks so often, over all connections.
async fn ask(address: SocketAddr, request: &[u8], count: usize) -> Result<Answers> {
    let one = |_| ask_alone(address, request, count.div_ceil(AT_ONCE));
    let all = try_join_all((0..AT_ONCE).map(one)).await?;
    Ok(all.into_iter().fold(Answers::default(), |sum, one| Answers {
        accepted: sum.accepted + one.accepted,
        refused: sum.refused + one.refused,
        none: sum.none + one.none,
    }))
}

/// One after the other, on one connection.
async fn ask_alone(address: SocketAddr, request: &[u8], count: usize) -> Result<Answers> {
    let (mut connection, mut answers) = (None, Answers::default());
    for _ in 0..count {
        // A refusal may end the connection after its answer, which the next request then finds out.
        let kept = match connection.take() {
            Some(open) => exchange(open, request).await,
            None => None,
        };
        let answered = match kept {
            Some(answered) => Some(answered),
            None => exchange(Connection::open(address).await?, request).await,
        };
        match &answered {
            Some((_, status)) if *status < 400 => answers.accepted += 1,
            Some(_) => answers.refused += 1,
            None => answers.none += 1,
        }
        connection = answered.map(|(open, _)| open);
    }
    Ok(answers)
}

/// The connection with the status of its answer, if there is one.
async fn exchange(mut connection: Connection, request: &[u8]) -> Option<(Connection, u16)> {
    let status = connection.exchange(request).await.ok()?;
    Some((connection, status))
}
