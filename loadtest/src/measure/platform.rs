//! The simulator in the foreground, for trying a hub by hand.

use std::{net::SocketAddr, str::FromStr, time::Duration};

use anyhow::{Context, Result};
use clap::Args;

use super::requests::HAPPENED;
use crate::platform::{self, Settings, Simulator};

/// Run the simulator of Meta's Graph API until Ctrl-C.
#[derive(Debug, Args)]
pub struct Platform {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:9900")]
    bind: SocketAddr,
    /// A page and its token, and the app's secret if calls must be proved. Every id is a lead, whichever page asks.
    #[arg(long = "page", value_name = "ID:TOKEN[:SECRET]", required = true)]
    pages: Vec<PageArgument>,
    /// How long a call takes, in milliseconds.
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
}

#[derive(Debug, Clone)]
struct PageArgument {
    id: u64,
    token: String,
    secret: Option<String>,
}

impl FromStr for PageArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.splitn(3, ':');
        let id = parts.next().and_then(|id| id.parse().ok()).ok_or("a page's id is a number")?;
        let token = parts.next().filter(|token| !token.is_empty()).ok_or("the token is missing")?.to_owned();
        Ok(Self { id, token, secret: parts.next().map(str::to_owned) })
    }
}

/// Runs until Ctrl-C.
///
/// # Errors
/// If the address can't be listened on.
pub fn run(options: &Platform) -> Result<()> {
    let latency = Duration::from_millis(options.latency_ms);
    let simulator = Simulator::start(Settings { bind: options.bind, latency, ..Settings::default() })
        .with_context(|| format!("can't listen on {}", options.bind))?;
    for argument in &options.pages {
        let page = simulator.add_page(argument.id, &argument.token);
        if let Some(secret) = &argument.secret {
            page.require_proof(secret);
        }
        page.generate_leads(0..=u64::MAX, |id| platform::Lead::generated(id, HAPPENED));
    }
    eprintln!("Meta's Graph API is simulated at {}: set meta.graph_url to it. Ctrl-C ends it.", simulator.url());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(tokio::signal::ctrl_c())?;
    eprintln!("{} calls were made.", simulator.calls());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_named_with_its_token_and_perhaps_a_secret() {
        let page: PageArgument = "1001:EAAB".parse().unwrap();
        assert_eq!((page.id, page.token.as_str(), page.secret), (1001, "EAAB", None));
        assert_eq!("1001:EAAB:s:t".parse::<PageArgument>().unwrap().secret.as_deref(), Some("s:t"));
        assert!("1001".parse::<PageArgument>().is_err() && "x:y".parse::<PageArgument>().is_err());
    }
}
